package screen

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// PageLength is how many backups a page of the list shows.
const PageLength = 8

// buttonsBeside is how many numbers stand beside each other.
const buttonsBeside = 4

// A ListModel is what the list shows.
type ListModel struct {
	Backups []report.Backup // all of them, the newest first
	Page    int             // from 0; one that there is not is the last
	// Aged is why the list is not of now; nil: it is.
	Aged *report.AgedError
}

// List is a page of the list of the backups.
func List(r Reader, m ListModel) Screen {
	p := r.page()
	p.title("📋", r.L.T("panel.list"))
	if m.Aged != nil {
		p.icon("🟡", "backups.aged", "at", r.ago(m.Aged.At))
		p.gap()
	}
	s := Screen{}
	if len(m.Backups) == 0 {
		p.say("backups.empty")
		s.add(r.button("➕", "backups.empty_new", Action{Verb: DoCreate}))
		s.add(toOverview(r))
		s.Text = p.text()
		return s
	}
	pages := (len(m.Backups) + PageLength - 1) / PageLength
	at := max(0, min(m.Page, pages-1))
	from := at * PageLength
	shown := m.Backups[from:min(from+PageLength, len(m.Backups))]
	p.put(counted(r.L, "panel.list.part", int64(len(m.Backups)), "from", from+1, "to", from+len(shown)))
	var numbers []Button
	for i, b := range shown {
		p.gap()
		number := r.L.Number(int64(from + i + 1))
		p.put(text(number + ". ").within("b").and(code(string(b.Name))))
		p.put(traits(r, b))
		numbers = append(numbers, Button{Label: number, Data: of(DoDetails, b.Name, at).String()})
	}
	s.Text = p.text()
	for len(numbers) > 0 {
		n := min(buttonsBeside, len(numbers))
		s.add(numbers[:n]...)
		numbers = numbers[n:]
	}
	var turn []Button
	if at > 0 {
		turn = append(turn, r.button("◀️", "panel.newer", Action{Verb: DoList, Page: at - 1}))
	}
	if at+1 < pages {
		turn = append(turn, r.button("▶️", "panel.older", Action{Verb: DoList, Page: at + 1}))
	}
	s.add(turn...)
	s.add(r.button("🔄", "backups.refresh", Action{Verb: DoList, Page: at}), toOverview(r))
	return s
}

// traits are what one wants to know of a backup to choose it.
func traits(r Reader, b report.Backup) marked {
	if b.Error != "" {
		return text("🔴 " + r.L.T("backups.unusable"))
	}
	var parts []marked
	if b.CreatedAt != nil {
		parts = append(parts, text(string(r.ago(b.CreatedAt.Time))))
	}
	parts = append(parts, text(r.L.Word("trigger", string(b.Trigger))), r.bytes(b.LogicalBytes))
	if b.IncludesMemory {
		parts = append(parts, text("🧠"))
	}
	switch {
	case b.Disproven != nil:
		parts = append(parts, text("🔴"))
	case b.Proven != nil:
		parts = append(parts, text("✅"))
	}
	if b.Pinned {
		parts = append(parts, text("📌"))
	}
	if len(b.Problems) > 0 {
		parts = append(parts, text("⚠️"))
	}
	return row(parts...)
}

// Find gives the backup that an action means.
func Find(backups []report.Backup, digest string) (report.Backup, bool) {
	for _, b := range backups {
		if Digest(string(b.Name)) == digest {
			return b, true
		}
	}
	return report.Backup{}, false
}

// named is the line that names a backup.
func (p *page) named(r Reader, name holdfast.BackupName, at *holdfast.Time) {
	p.put(code(string(name)))
	if at != nil {
		p.fact(r.L.T("details.made"), r.moment(at.Time))
	}
}
