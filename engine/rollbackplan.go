package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A LastRestore is what is known of the last restore in place.
type LastRestore struct {
	Operation string // the id under which it was done
	At        holdfast.Time
	Backup    holdfast.BackupName // what was restored
	Import    string              // what was brought in, in place of a backup
	Emergency holdfast.BackupName // what holds the state before; empty if none was made
	Sources   []string
	// Undone tells when it was rolled back; nil if it was not.
	Undone *holdfast.Time
}

// LastRestore tells of the last restore in place, nil if there was none. It reads
// one small file.
func (e *Engine) LastRestore() (*LastRestore, error) {
	last, err := e.loadLastRestore()
	if last == nil || err != nil {
		return nil, err
	}
	out := &LastRestore{Operation: last.ID, At: last.At, Backup: last.Backup, Import: last.Import, Emergency: last.Emergency, Undone: last.Undone}
	for _, t := range last.Targets {
		out.Sources = append(out.Sources, t.Source)
	}
	if last.Parts != nil {
		out.Sources = append(out.Sources, last.Parts.Store)
	}
	return out, nil
}

// RollbackPlan tells what a rollback would do, before it does.
type RollbackPlan struct {
	Last    LastRestore
	Targets []RollbackTarget
	Bytes   int64 // to be written
	// Warnings are worth knowing before.
	Warnings []holdfast.Problem
	// Obstacle is why a rollback would be refused now; nil: it would be begun.
	Obstacle error
}

// Where the state before a restore lies.
const (
	FromAside     = "aside"     // the replaced files themselves are still there
	FromEmergency = "emergency" // the emergency backup holds it
	FromNothing   = "nothing"   // there was none: the rollback removes what came
)

// A RollbackTarget is the plan for one source: what is there now, what was there
// before the restore.
type RollbackTarget struct {
	Source  string
	Kind    holdfast.Kind
	Path    string
	Method  string // as that of a TargetPlan; empty if it cannot be undone
	From    string // where the state before lies
	Exists  bool
	Now     holdfast.Facts
	Before  holdfast.Facts // what the emergency backup knows of it
	Bytes   int64
	Handles []Handle // live processes that hold the target open
	// Wanted are the parts that come back, as they were before; none is the whole source.
	Wanted []holdfast.Part
	// Parts is what would become of the tables of a store that is changed by requests;
	// nil of any other.
	Parts *holdfast.PartPlan
}

// PlanRollback tells what Rollback would do and changes nothing. ErrNotFound if there
// is nothing to undo. The bytes of the emergency backup are not read for it, and
// commands that are asked before a restore are not run: both can still refuse.
func (e *Engine) PlanRollback(ctx context.Context) (*RollbackPlan, error) {
	if _, err := e.repository(); err != nil {
		return nil, err
	}
	r := e.start(ctx, opRollback)
	last, err := e.loadLastRestore()
	if err != nil {
		return nil, err
	}
	if err := undoable(last); err != nil {
		return nil, err
	}
	known, err := e.LastRestore()
	if err != nil {
		return nil, err
	}
	p := &RollbackPlan{Last: *known}
	p.Obstacle = r.planUndo(ctx, p, last)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return p, nil
}

// planUndo fills in the plan and gives what stands in the way. Every target is looked
// at, even if the first cannot be undone.
func (r *run) planUndo(ctx context.Context, p *RollbackPlan, last *lastRestore) error {
	var obstacle error
	inTheWay := func(err error) {
		if obstacle == nil {
			obstacle = err
		}
	}
	if cut, err := r.e.wasCut(); err != nil {
		return err
	} else if cut {
		inTheWay(&holdfast.Error{Op: opRollback, Err: holdfast.Kindf(holdfast.ErrRefused, "another restore is at work, or was cut"), Hint: "wait until it has ended; `holdfast recover` settles one that was cut"})
	}
	if last.Parts != nil {
		inTheWay(r.planRollbackParts(ctx, p, last))
		return obstacle
	}
	b, err := r.openEmergency(ctx, last)
	if err != nil {
		inTheWay(err)
	}
	facts := b
	if b == nil && last.Emergency != "" {
		// It is not needed, but knows what was there.
		facts, _ = r.e.o.Repository.Backup(ctx, last.Emergency)
	}
	if facts != nil {
		defer facts.Close()
	}
	var works []*work
	for _, t := range last.Targets {
		w, err := r.undoTarget(ctx, p, t, b, facts)
		if err != nil {
			inTheWay(err)
			continue
		}
		works = append(works, w)
	}
	if err := r.e.checkOverlap(); err != nil {
		inTheWay(err)
	}
	if err := r.undoHandles(ctx, p, works); err != nil {
		inTheWay(err)
	}
	if err := r.roomToUndo(ctx, works); err != nil {
		inTheWay(err)
	}
	return obstacle
}

// planRollbackParts is planUndo of a restore by requests.
func (r *run) planRollbackParts(ctx context.Context, p *RollbackPlan, last *lastRestore) error {
	was := last.Parts
	item := RollbackTarget{Source: was.Store, Kind: was.Kind, Path: was.Location, From: FromEmergency}
	undo, b, err := r.planUndoParts(ctx, last)
	if err == nil {
		defer b.Close()
		t := undo.Targets[0]
		item.Method, item.Exists, item.Now, item.Before, item.Bytes, item.Parts, item.Wanted = t.Method, t.Exists, t.Now, t.Backup, t.Bytes, t.Parts, t.Wanted
		p.Warnings = append(p.Warnings, undo.Warnings...)
		p.Bytes = t.Bytes
	}
	p.Targets = append(p.Targets, item)
	return err
}

// undoTarget adds one target to the plan, and gives what is to be done for it.
func (r *run) undoTarget(ctx context.Context, p *RollbackPlan, t lastTarget, needed, facts *repo.Backup) (*work, error) {
	item := RollbackTarget{Source: t.Source, Path: t.Path, From: t.from(), Exists: exists(t.Path)}
	defer func() { p.Targets = append(p.Targets, item) }()
	if s := r.e.source(t.Source); s != nil {
		item.Kind = s.Kind()
		now, err := s.Inspect(ctx, holdfast.InspectOptions{Counts: true})
		switch {
		case err != nil:
			p.Warnings = append(p.Warnings, holdfast.Problem{Source: t.Source, Severity: holdfast.Warning, Message: fmt.Sprintf("the present state cannot be read: %v", err)})
		default:
			item.Now = now.Facts
		}
	}
	if facts != nil && t.Existed {
		item.Before = sourceMetadata(facts, t.Source).Facts
	}
	if item.From == FromEmergency && needed == nil {
		return nil, errGone(t.Source)
	}
	w, err := r.undoWork(t, needed)
	if err != nil {
		return nil, err
	}
	item.Method, item.Bytes = w.method, w.bytes
	p.Bytes += w.bytes
	return w, nil
}

// from tells where the state before lies.
func (t lastTarget) from() string {
	switch {
	case t.asideKept():
		return FromAside
	case t.Existed:
		return FromEmergency
	}
	return FromNothing
}

// undoHandles adds who holds the targets open, and refuses where a rollback would.
func (r *run) undoHandles(ctx context.Context, p *RollbackPlan, works []*work) error {
	if r.e.o.Settings.AllowLiveHandles {
		return nil
	}
	found, _, err := handlesOf(ctx, works)
	if err != nil {
		return err
	}
	for i, w := range works {
		at := slices.IndexFunc(p.Targets, func(t RollbackTarget) bool { return t.Source == w.source.Name() })
		if at >= 0 {
			p.Targets[at].Handles = found[i]
		}
	}
	if r.letsGo() {
		return nil
	}
	return r.refuseHeld(works, found)
}

// roomToUndo refuses a rollback whose stages, or whose own emergency backup, do not
// fit.
func (r *run) roomToUndo(ctx context.Context, works []*work) error {
	b := &backup{run: r, repository: r.e.o.Repository}
	for _, w := range works {
		if w.fill != nil {
			if err := r.needSpace(w.path, w.bytes); err != nil {
				return err
			}
		}
		if i, err := w.source.Inspect(ctx, holdfast.InspectOptions{}); err == nil && i.Exists {
			b.estimate += i.Bytes
		}
	}
	if !r.e.o.Settings.EmergencyBackup || b.estimate == 0 {
		return nil
	}
	if err := b.fits(ctx); err != nil {
		return noEmergency(err)
	}
	return nil
}

// errGone tells that the state before a restore is nowhere any more.
func errGone(source string) error {
	return &holdfast.Error{
		Op: opRollback, Object: source, Err: holdfast.Kindf(holdfast.ErrNotFound, "the emergency backup does not hold it, and the replaced files are gone"),
		Hint: "go back with `holdfast restore NAME`",
	}
}
