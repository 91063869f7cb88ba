package screen

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// changes tell what would become of the tables or collections of a store that is changed
// by requests.
func (p *page) changes(r Reader, k holdfast.Kind, plan holdfast.PartPlan, coming string) {
	for i, c := range plan.Changes {
		if i == mostTables {
			p.put(text("   ").and(counted(r.L, "panel.more", int64(len(plan.Changes)-i))))
			break
		}
		p.put(text("   ").and(code(engine.ShortName(c.Table))))
		if c.Action == holdfast.PartRemove {
			p.put(text("   🔴 ").and(text(r.L.T("restore.change.gone"))))
			continue
		}
		p.change(r, k, c.Action != holdfast.PartCreate, c.Now, c.Then, coming)
	}
	if n := len(plan.Stays); n > 0 {
		p.put(text("   ⚪ ").and(counted(r.L, "restore.stays", int64(n))))
	}
}

// losses name what stores cannot keep of what comes.
func (p *page) losses(r Reader, plan report.RestorePlan) {
	all := plan.Losses()
	if len(all) == 0 {
		return
	}
	p.heading("🔴", r.L.T("restore.losses"))
	for i, l := range all {
		if i == mostProblems {
			p.put(counted(r.L, "panel.more", int64(len(all)-i)))
			break
		}
		if l.Object != "" {
			p.put(code(redact.Text(engine.ShortName(l.Object))))
		}
		p.english(redact.Text(l.Message))
	}
	p.say("restore.losses.accept.hint")
}

// partFacts tell what a restore by requests did, and who has to look again.
func partFacts(p *page, r Reader, done report.Restore) {
	for _, part := range done.Parts {
		p.tables(r, r.L.T("jobs.fact_changed", "name", Name(part.Source)), part.Tables())
		p.tables(r, r.L.T("jobs.fact_kept", "name", Name(part.Source)), part.Kept)
	}
	if len(done.Reload) > 0 {
		p.tables(r, r.L.T("jobs.fact_reload"), done.Reload)
		p.say("jobs.reload_hint")
	}
}

// tables name tables or collections, as many as people read.
func (p *page) tables(r Reader, label string, tables []string) {
	if len(tables) == 0 {
		return
	}
	names := make([]marked, 0, mostTables+1)
	for _, table := range tables[:min(len(tables), mostTables)] {
		names = append(names, code(engine.ShortName(table)))
	}
	if more := len(tables) - mostTables; more > 0 {
		names = append(names, counted(r.L, "panel.more", int64(more)))
	}
	p.fact(label, row(names...))
}

// server tells of which time the records of a server are that was read by requests.
func (p *page) server(r Reader, s *holdfast.ChromaServer) {
	if s == nil {
		return
	}
	mark := "   🟢 "
	if s.Consistency == holdfast.Fuzzy {
		mark = "   🟡 "
	}
	p.put(text(mark).and(text(r.L.Word("consistency", string(s.Consistency)))))
	if s.Consistency == holdfast.Fuzzy {
		const form = "2006-01-02 15:04:05"
		p.put(text("   ").and(code(s.Began.UTC().Format(form) + " – " + s.Ended.UTC().Format(form) + " UTC")))
		var moved []string
		for _, m := range s.Moved {
			moved = append(moved, m.Collection)
		}
		p.tables(r, r.L.T("panel.moved"), moved)
	}
}

// lasting is a plan without what clients change while somebody reads it.
func lasting(plan *holdfast.PartPlan) *holdfast.PartPlan {
	if plan == nil {
		return nil
	}
	out := *plan
	out.Changes, out.Stays = slices.Clone(plan.Changes), nil
	for i := range out.Changes {
		out.Changes[i].Now = nil
	}
	return &out
}
