package screen

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// Good is how long a confirmation is good for.
const Good = 10 * time.Minute

// A Why tells why a confirmation that was pressed did nothing.
type Why string

// The reasons why a confirmation does nothing.
const (
	TooOld  Why = "old"     // it was drawn too long ago
	Changed Why = "changed" // what it named is not so any more
)

// A RestoreModel is what is asked before a restore.
type RestoreModel struct {
	Backup report.Backup
	Newer  int // how many backups were made after it
	Page   int
	// Plan is what would change; Failure why nothing can.
	Plan    report.RestorePlan
	Failure *report.Error
	// NoEmergency tells that the settings switch emergency backups off; Hooks, that the
	// application is stopped around the swap.
	NoEmergency, Hooks bool
	// Online tells that the database is written to while it is open.
	Online bool
	// Losses tells that what the store cannot keep would be given up: the button says so.
	Losses bool
	// Last is the restore before this one, if there was any.
	Last *report.LastRestore
	// Why tells that it is asked again.
	Why Why
}

// Restore asks whether to restore a backup, and names what would be lost.
func Restore(r Reader, m RestoreModel) Screen {
	p := r.page()
	p.title("♻️", r.L.T("restore.title"))
	p.again(m.Why)
	p.named(r, m.Backup.Name, m.Backup.CreatedAt)
	if m.Newer > 0 {
		p.put(text("🟡 ").and(counted(r.L, "restore.newer.count", int64(m.Newer))))
	}
	details := of(DoDetails, m.Backup.Name, m.Page)
	if m.Failure != nil {
		p.gap()
		p.put(text("🔴 ").and(text(r.L.T("restore.refused")).within("b")))
		p.failure(r, m.Failure)
		p.handles(handlesOf(m.Plan))
		s := Screen{Text: p.text()}
		s.add(r.button("🔁", "overview.do.again", of(DoRestore, m.Backup.Name, m.Page)))
		s.add(r.button("⬅️", "panel.keep", details))
		return s
	}
	p.heading("⚖️", r.L.T("restore.changes"))
	lost := false
	for _, t := range m.Plan.Targets {
		p.target(r, t)
		lost = lost || t.Exists
	}
	p.gap()
	switch {
	case !lost:
		p.icon("🟢", "restore.fact.nothing_lost")
	case m.Backup.CreatedAt != nil:
		p.icon("🔴", "restore.fact.since", "age", r.ago(m.Backup.CreatedAt.Time))
	}
	requests := m.Plan.Requests()
	switch {
	case m.NoEmergency && lost && requests:
		p.icon("🔴", "restore.fact.no_emergency")
	case m.NoEmergency && lost:
		p.icon("🔴", "restore.fact.switched_off")
	case lost:
		p.icon("🟢", "restore.fact.emergency")
	}
	switch {
	case requests:
		p.icon("🟢", "restore.fact.server")
	case m.Hooks:
		p.icon("🟢", "restore.fact.hooks")
	}
	if m.Online {
		p.icon("🟢", "restore.fact.online")
	}
	if m.Plan.From != "" {
		p.icon("☁️", "restore.fact.replica", "name", Name(m.Plan.From))
	}
	p.icon("💾", "restore.fact.bytes", "bytes", r.size(m.Plan.Bytes))
	p.losses(r, m.Plan)
	p.problems(r, m.Plan.Told())
	p.gap()
	p.say("panel.good_for")
	s := Screen{Text: p.text()}
	now := of(RestoreNow, m.Backup.Name, m.Page)
	now.At, now.Seal, now.Count = r.draw(), SealOf(m), RecordsOf(m.Plan)
	if m.Losses {
		s.add(r.button("⚠️", "restore.losses.accept", now))
	} else {
		s.add(r.button("♻️", "restore.begin", now))
	}
	s.add(r.button("⬅️", "panel.keep", details))
	return s
}

// again tells why something is asked again.
func (p *page) again(why Why) {
	if why != "" {
		p.icon("⚠️", "panel.again_"+string(why))
		p.gap()
	}
}

// target tells what would become of one source: what there is now, and what comes.
func (p *page) target(r Reader, t report.Target) {
	p.put(row(code(t.Source), code(t.Path)))
	if t.Parts != nil {
		p.changes(r, t.Kind, *t.Parts, "restore.col.then")
		return
	}
	p.change(r, t.Kind, t.Exists, t.RecordsNow, t.RecordsBackup, "restore.col.then")
	if t.MemoryNow != nil || t.MemoryBackup != nil {
		p.put(text("   🧠 ").and(memories(r, t.Exists, t.MemoryNow), text(arrow(r)), memories(r, true, t.MemoryBackup)))
	}
}

// change tells how many records there are now, how many come, and what that means.
func (p *page) change(r Reader, k holdfast.Kind, exists bool, now, then *int64, coming string) {
	p.put(text("   ").and(text(r.L.T("restore.col.now")+": "), r.amount(k, exists, now).within("b")))
	p.put(text("   ").and(text(r.L.T(coming)+": "), r.amount(k, true, then).within("b")))
	if !exists || now == nil || then == nil {
		return
	}
	switch {
	case *then < *now:
		p.put(text("   🔴 ").and(counted(r.L, "restore.change.less", *now-*then)))
	case *then > *now:
		p.put(text("   🟡 ").and(counted(r.L, "restore.change.more", *then-*now)))
	default:
		p.put(text("   ⚪ ").and(text(r.L.T("restore.change.same"))))
	}
}

// amount is how much there is of something.
func (r Reader) amount(k holdfast.Kind, exists bool, n *int64) marked {
	switch {
	case !exists:
		return text(r.L.T("restore.nothing"))
	case n == nil:
		return text(r.L.T("restore.uncounted"))
	}
	return r.records(k, *n)
}

func memories(r Reader, exists bool, n *int64) marked {
	switch {
	case !exists:
		return text(r.L.T("restore.nothing"))
	case n == nil:
		return text(r.L.T("restore.uncounted"))
	}
	return text(r.L.N("restore.count.memory", *n))
}

// arrow points the way in which the reader reads.
func arrow(r Reader) string {
	if r.L.Dir() == "rtl" {
		return " ← "
	}
	return " → "
}

// handles name the processes that have the data open.
func (p *page) handles(handles []engine.Handle) {
	for i, h := range handles {
		if i == mostProblems {
			return
		}
		p.say("restore.handle", "pid", h.PID, "command", Name(h.Command), "path", Name(h.Path))
	}
}

func handlesOf(plan report.RestorePlan) (out []engine.Handle) {
	for _, t := range plan.Targets {
		out = append(out, t.Handles...)
	}
	return out
}

// SealOf stands for what a confirmation names, and for the restore before it: whoever
// confirms meant what was there until then. The records that are there now are left out:
// a bot that goes on writing would never let anybody confirm.
func SealOf(m RestoreModel) string {
	plan := m.Plan
	targets := append([]report.Target{}, plan.Targets...)
	for i := range targets {
		targets[i].RecordsNow, targets[i].MemoryNow, targets[i].Handles = nil, nil, nil
		targets[i].Parts = lasting(targets[i].Parts)
	}
	plan.Targets, plan.Warnings = targets, nil
	return seal(struct {
		Plan           report.RestorePlan
		Last           *report.LastRestore
		Online, Losses bool
	}{plan, m.Last, m.Online, m.Losses})
}

// SealOfRollback stands for what a plan of a rollback names.
func SealOfRollback(plan report.RollbackPlan) string {
	targets := append([]report.RollbackTarget{}, plan.Targets...)
	for i := range targets {
		targets[i].RecordsNow, targets[i].MemoryNow, targets[i].Handles = nil, nil, nil
		targets[i].Parts = lasting(targets[i].Parts)
	}
	plan.Targets, plan.Warnings = targets, nil
	return seal(plan)
}

// seal stands for a value: 8 letters.
func seal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return "" // these values can be written
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// RecordsOf counts what is at the targets now.
func RecordsOf(plan report.RestorePlan) (n int64) {
	for _, t := range plan.Targets {
		if t.RecordsNow != nil {
			n += *t.RecordsNow
		}
	}
	return n
}

// RecordsOfRollback counts what is at the targets now.
func RecordsOfRollback(plan report.RollbackPlan) (n int64) {
	for _, t := range plan.Targets {
		if t.RecordsNow != nil {
			n += *t.RecordsNow
		}
	}
	return n
}

// Near tells whether a number of records is still what was named: a program that goes on
// may have written a little.
func Near(named, now int64) bool {
	d := named - now
	if d < 0 {
		d = -d
	}
	return d <= max(named/100, min(named/2, 20))
}
