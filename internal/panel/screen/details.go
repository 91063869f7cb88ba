package screen

import (
	"cmp"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A DetailsModel is what is shown of one backup.
type DetailsModel struct {
	Backup report.Backup
	// Metadata and Proofs are what it says of itself; nil: it cannot be read, or Error
	// tells why it could not be now.
	Metadata *holdfast.Metadata
	Proofs   []holdfast.Proof
	// Private tells that it is encrypted and there is no key here.
	Private bool
	From    string // the replica whose copy it is
	Error   string
	Page    int // of the list that led here
}

// Bounds of what is listed of a backup.
const (
	mostTables   = 8
	mostProblems = 4
)

// Details is the screen of one backup.
func Details(r Reader, m DetailsModel) Screen {
	b := m.Backup
	p := r.page()
	p.title("📦", r.L.T("restore.backup"))
	p.named(r, b.Name, b.CreatedAt)
	p.gap()
	p.reliable(r, m)
	p.gap()
	if b.Error == "" {
		p.traits(r, b, m.Private)
		if m.From != "" {
			p.say("details.only_in", "name", Name(m.From))
		}
		p.inside(r, m)
	}
	p.problems(r, b.Problems)
	s := Screen{Text: p.text()}
	if b.Error == "" {
		s.add(r.button("♻️", "details.restore", of(DoRestore, b.Name, m.Page)))
		verify := of(DoVerify, b.Name, m.Page)
		verify.At = r.draw()
		s.add(r.button("🔎", "details.verify", verify), r.button("📤", "panel.send", of(DoSend, b.Name, m.Page)))
	}
	s.add(r.button("📋", "panel.list", Action{Verb: DoList, Page: m.Page}), toOverview(r))
	return s
}

// reliable tells whether the backup can be relied on.
func (p *page) reliable(r Reader, m DetailsModel) {
	verdict, at := rely(m)
	p.put(text(map[string]string{"unreadable": "🔴", "disproven": "🔴", "harmed": "🔴", "lacking": "🟡", "unproven": "⚪", "sealed": "⚪"}[verdict]).
		and(text(ifGood(verdict)), text(" "), text(r.L.T("details.verdict_"+verdict)).within("b")))
	if at.IsZero() {
		p.say("details.because_" + verdict)
	} else {
		p.say("details.because_"+verdict, "when", r.ago(at.Time))
	}
	p.english(redact.Text(cmp.Or(m.Backup.Error, m.Error)))
}

// ifGood is the colour of a verdict that is good.
func ifGood(verdict string) string {
	if slices.Contains([]string{"stored", "verified", "drilled"}, verdict) {
		return "🟢"
	}
	return ""
}

// rely is how far the backup can be relied on, and since when that is known; the words
// are those of the page of the backup.
func rely(m DetailsModel) (verdict string, at holdfast.Time) {
	if m.Metadata == nil || m.Backup.Error != "" {
		return "unreadable", at
	}
	var latest holdfast.Proof
	good := map[holdfast.ProofKind]holdfast.Time{}
	for _, proof := range m.Proofs {
		if proof.At.After(latest.At.Time) {
			latest = proof
		}
		if proof.OK && proof.At.After(good[proof.Kind].Time) {
			good[proof.Kind] = proof.At
		}
	}
	if !latest.At.IsZero() && !latest.OK {
		return "disproven", latest.At
	}
	if m.Metadata.SourceDamaged() {
		return "harmed", at
	}
	if slices.ContainsFunc(m.Metadata.Problems, func(p holdfast.Problem) bool { return p.Severity == holdfast.Incomplete }) {
		return "lacking", at
	}
	if m.Private && m.Backup.Proven == nil {
		return "sealed", at
	}
	for _, kind := range []struct {
		proof   holdfast.ProofKind
		verdict string
	}{{holdfast.ProofDrill, "drilled"}, {holdfast.ProofVerify, "verified"}, {holdfast.ProofStored, "stored"}} {
		if at, ok := good[kind.proof]; ok {
			return kind.verdict, at
		}
	}
	return "unproven", at
}

// traits tells what kind of backup it is, and how large.
func (p *page) traits(r Reader, b report.Backup, private bool) {
	p.put(row(text(r.L.Word("type", string(b.Kind))), text(r.L.Word("trigger", string(b.Trigger))), text(r.L.Word("form", b.Form))))
	p.fact(r.L.T("details.size"), row(r.bytes(b.LogicalBytes), text(r.L.T("panel.stored", "size", r.size(b.StoredBytes)))))
	memory := "details.no"
	switch {
	case private:
		memory = "details.sealed"
	case b.IncludesMemory:
		memory = "details.yes"
	}
	p.fact(r.L.T("details.memory"), text(r.L.T(memory)))
	if b.Pinned {
		p.icon("📌", "details.pinned")
	}
	if len(b.Copies) > 0 {
		names := make([]marked, 0, len(b.Copies))
		for _, name := range b.Copies {
			names = append(names, code(name))
		}
		p.fact(r.L.T("details.copies"), row(names...))
	}
	if b.Note != "" {
		p.fact(r.L.T("details.note"), text(isolated(clip(plain(b.Note), mostName))))
	}
}

// inside tells what is in it.
func (p *page) inside(r Reader, m DetailsModel) {
	if m.Private {
		p.say("details.sealed_inside")
		return
	}
	p.heading("📊", r.L.T("details.inside"))
	if m.Metadata == nil {
		return
	}
	for i, s := range m.Metadata.Sources {
		if i == mostSources {
			p.put(counted(r.L, "panel.more", int64(len(m.Metadata.Sources)-i)))
			return
		}
		parts := []marked{code(s.Name), r.bytes(s.LogicalBytes)}
		if n, ok := s.Facts.Records(); ok {
			parts = append(parts, r.records(s.Kind, n))
		}
		p.put(row(parts...))
		if s.Facts.Chroma != nil {
			p.server(r, s.Facts.Chroma.Server)
		}
		p.parts(r, s.Facts)
	}
}

// parts are the tables of a database, the largest first, or the collections of Chroma.
func (p *page) parts(r Reader, f holdfast.Facts) {
	type part struct {
		name   string
		n      int64
		memory bool
	}
	var parts []part
	kind := holdfast.KindSQLite
	switch {
	case f.SQLite != nil:
		for _, name := range slices.Sorted(maps.Keys(f.SQLite.Tables)) {
			parts = append(parts, part{name: name, n: f.SQLite.Tables[name]})
		}
	case f.Chroma != nil:
		kind = holdfast.KindChroma
		for _, c := range f.Chroma.Collections {
			parts = append(parts, part{name: c.Name, n: c.Records, memory: c.Memory})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.n, a.n) })
	for i, one := range parts {
		if i == mostTables {
			p.put(text("   ").and(counted(r.L, "panel.more", int64(len(parts)-i))))
			return
		}
		mark := ""
		if one.memory {
			mark = " 🧠"
		}
		p.put(text("   ").and(row(code(one.name), r.records(kind, one.n)), text(mark)))
	}
}

// problems are what is worth knowing beside.
func (p *page) problems(r Reader, problems []holdfast.Problem) {
	if len(problems) == 0 {
		return
	}
	p.gap()
	for i, problem := range problems {
		if i == mostProblems {
			p.put(counted(r.L, "panel.more", int64(len(problems)-i)))
			return
		}
		object := marked{}
		if problem.Object != "" {
			object = code(redact.Text(problem.Object))
		}
		p.put(text(severe(problem.Severity) + " ").and(row(text(r.L.Word("severity", string(problem.Severity))), object)))
		p.english(redact.Text(problem.Message))
	}
}
