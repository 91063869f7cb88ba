package screen

import (
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A RollbackModel is what is asked before the last restore is undone.
type RollbackModel struct {
	Plan *report.RollbackPlan // nil: there is nothing to undo
	Last *report.LastRestore  // which may be undone already; nil: there was none
	Why  Why
}

// Rollback asks whether to undo the last restore.
func Rollback(r Reader, m RollbackModel) Screen {
	p := r.page()
	p.title("↩️", r.L.T("restore.rollback.title"))
	s := Screen{}
	if m.Plan == nil {
		if m.Last != nil && m.Last.UndoneAt != nil {
			p.say("restore.rollback.undone", "age", r.ago(m.Last.UndoneAt.Time))
		} else {
			p.say("restore.rollback.nothing")
		}
		p.say("restore.rollback.nothing.todo")
		s.Text = p.text()
		s.add(r.button("📋", "panel.list", Action{Verb: DoList}), toOverview(r))
		return s
	}
	p.again(m.Why)
	p.say("restore.rollback.lead")
	p.gap()
	last := m.Plan.Last
	p.fact(r.L.T("restore.rollback.restored"), code(string(last.Backup)))
	p.fact(r.L.T("restore.rollback.when"), r.moment(last.At.Time))
	if m.Plan.By != "" {
		p.fact(r.L.T("restore.rollback.by"), code(m.Plan.By))
	}
	if m.Plan.Refused != nil {
		p.gap()
		p.put(text("🔴 ").and(text(r.L.T("restore.rollback.impossible")).within("b")))
		p.failure(r, m.Plan.Refused)
		for _, t := range m.Plan.Targets {
			p.handles(t.Handles)
		}
		s.Text = p.text()
		s.add(r.button("🔁", "overview.do.again", Action{Verb: DoRollback}), toOverview(r))
		return s
	}
	p.heading("⚖️", r.L.T("restore.changes"))
	from, exists := map[string]bool{}, false
	for _, t := range m.Plan.Targets {
		p.put(row(code(t.Source), code(t.Path)))
		if t.Parts != nil {
			p.changes(r, t.Kind, *t.Parts, "restore.col.before")
			from[t.From], exists = true, exists || t.Exists
			continue
		}
		p.change(r, t.Kind, t.Exists, t.RecordsNow, t.RecordsBefore, "restore.col.before")
		if t.MemoryNow != nil || t.MemoryBefore != nil {
			p.put(text("   🧠 ").and(memories(r, t.Exists, t.MemoryNow), text(arrow(r)), memories(r, true, t.MemoryBefore)))
		}
		from[t.From], exists = true, exists || t.Exists
	}
	p.gap()
	if from[engine.FromEmergency] {
		p.icon("🟢", "restore.fact.from_emergency")
	}
	if from[engine.FromAside] {
		p.icon("🟢", "restore.fact.from_aside")
	}
	if from[engine.FromNothing] {
		p.icon("🔴", "restore.fact.from_nothing")
	}
	if exists {
		p.icon("🔴", "restore.fact.since_restore", "age", r.ago(last.At.Time))
	}
	p.problems(r, m.Plan.Warnings)
	p.gap()
	p.say("panel.good_for")
	s.Text = p.text()
	s.add(r.button("↩️", "restore.rollback.begin", Action{Verb: RollNow, At: r.draw(), Seal: SealOfRollback(*m.Plan), Count: RecordsOfRollback(*m.Plan)}))
	s.add(r.button("⬅️", "panel.keep", Action{Verb: DoOverview}))
	return s
}

// Recover asks whether to settle a restore that was cut; nil: none was.
func Recover(r Reader, pending *report.Pending, why Why) Screen {
	p := r.page()
	p.title("🩹", r.L.T("restore.recover.title"))
	s := Screen{}
	if pending == nil {
		p.say("restore.recover.nothing.todo")
		s.Text = p.text()
		s.add(toOverview(r))
		return s
	}
	p.again(why)
	p.say("restore.recover.lead")
	p.gap()
	p.fact(r.L.T("restore.recover.work"), text(r.L.Word("job", pending.Op)))
	if pending.Backup != "" {
		p.fact(r.L.T("restore.backup"), code(string(pending.Backup)))
	}
	p.fact(r.L.T("restore.recover.begun"), r.moment(pending.Begun.Time))
	s.Text = p.text()
	s.add(r.button("🩹", "restore.recover.begin", Action{Verb: RecoverNow, At: r.draw(), Seal: SealOfPending(*pending)}))
	s.add(toOverview(r))
	return s
}

// SealOfPending stands for a restore that was cut.
func SealOfPending(p report.Pending) string { return seal(p) }
