package startup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// A preparation is one Prepare at work.
type preparation struct {
	Options
	target   holdfast.Target
	deadline time.Time
	decision holdfast.StartDecision

	asked  bool // for the engine
	eng    *engine.Engine
	engErr error

	emergency holdfast.BackupName // of what was replaced
	torn      string              // what is wrong with the log of the database
	bareLog   bool                // the log has no shared memory beside it
}

// Prepare brings the data of a source into a state that its owner can open, and
// says what it did and why. With the action StartKept, StartRestored or StartNew
// the error is nil. Otherwise the action is StartFailed, and the data must not be
// opened as if all were well; the error says why:
//
//   - ErrOutOfReach: it is lost or damaged, and backups may exist that cannot be
//     reached now. Beginning anew would be a choice, and is the caller's.
//   - ErrNothingUsable: it is lost or damaged, and nothing could be restored.
//   - what else keeps the data from being looked at or replaced: no permission, no
//     room, something else in its place, another process, a cancelled context.
//
// The decision is complete in either case. Where data was kept, Passed tells what is
// wrong with it all the same.
func Prepare(ctx context.Context, o Options) (holdfast.StartDecision, error) {
	o = o.withDefaults()
	begun := time.Now()
	p := &preparation{Options: o, target: o.Source.Target(), deadline: begun.Add(o.Wait)}
	p.lookAtLog()
	err := p.prepare(ctx)
	if err == nil {
		p.forgetLog()
	}
	p.decision.TookMS = time.Since(begun).Milliseconds()
	if err != nil {
		p.decision.Action = holdfast.StartFailed
		if p.decision.Reason == "" {
			p.decision.Reason = err.Error()
		}
		err = &holdfast.Error{Op: "start with", Object: o.Source.Name(), Err: err}
	}
	p.tell(ctx, err)
	return p.decision, err
}

func (p *preparation) prepare(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	restoreCut, err := p.restoreWasCut()
	if err != nil {
		return err
	}
	if plan := planPath(p.target.Path); errors.Is(planted.Check(plan), holdfast.ErrRefused) {
		p.decision.Passed = append(p.decision.Passed, holdfast.Problem{
			Source: p.Source.Name(), Object: plan, Severity: holdfast.Warning,
			Message: "it is the plan of a replacement by another user, and was not followed", Hint: "remove it",
		})
	}
	var first Condition
	if !restoreCut && !placeWasCut(p.target.Path) {
		if first = p.examine(ctx); ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if first.Usable() {
			p.keep(first, "", Condition{})
			return nil
		}
		if first.Err != nil {
			return p.failed(first, first.Err)
		}
		if err := durable.MkdirAll(p.FS, filepath.Dir(p.target.Path), 0o755); err != nil {
			return p.failed(first, explain("make the directory of", p.target.Path, err))
		}
	}
	return exclusively(ctx, p.target.Path, p.deadline, func() error { return p.alone(ctx, first, restoreCut) })
}

// alone is what has to be done by one process only. The engine, which may be far
// away, is asked only if it is needed.
func (p *preparation) alone(ctx context.Context, first Condition, restoreCut bool) error {
	var settled []string
	aside, err := Settle(ctx, p.FS, p.target.Path)
	p.decision.Aside = append(p.decision.Aside, aside...)
	if err != nil {
		return err
	}
	if len(aside) > 0 {
		settled = append(settled, "a replacement of it that was cut has been finished")
	}
	if restoreCut {
		if settled, err = p.recover(ctx, settled); err != nil {
			return err
		}
	}
	now := p.examine(ctx)
	if !now.Usable() && now.Err == nil && !restoreCut {
		// Where the engine keeps its journal may not be known here.
		before := len(settled)
		if settled, err = p.recover(ctx, settled); err != nil {
			return err
		}
		if len(settled) > before {
			now = p.examine(ctx)
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case now.Usable():
		p.keep(now, strings.Join(settled, "; "), first)
		return nil
	case now.Err != nil:
		return p.failed(now, now.Err)
	}
	return p.bringBack(ctx, now)
}

func (p *preparation) examine(ctx context.Context) Condition {
	c := Examine(ctx, p.Source, ExamineOptions{Trusted: p.Trusted, Budget: p.Budget, Doubtful: p.torn != "" || p.bareLog})
	c = p.weigh(ctx, c)
	p.decision.Found = string(c.State)
	return c
}

// journalFile is the engine's journal of a restore in its state directory.
const journalFile = "restore-journal.json"

// restoreWasCut tells whether the engine's journal is there: a restore was cut, or
// is at work in another process.
func (p *preparation) restoreWasCut() (bool, error) {
	if p.StateDir == "" {
		return false, nil
	}
	_, err := os.Lstat(filepath.Join(p.StateDir, journalFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return false, explain("look into", p.StateDir, err)
	}
	return err == nil, nil
}

// recover lets the engine finish or undo a restore that was cut, and adds to what
// is told.
func (p *preparation) recover(ctx context.Context, settled []string) ([]string, error) {
	e, err := p.engine(ctx)
	if e == nil {
		cut, _ := p.restoreWasCut()
		switch {
		case ctx.Err() != nil:
			return settled, context.Cause(ctx)
		case cut && err != nil:
			return settled, &holdfast.Error{Op: "settle a restore that was cut", Err: err}
		}
		return settled, nil // what could not be asked is told when backups are looked for
	}
	var found *engine.RecoverResult
	err = p.patiently(ctx, func() (err error) {
		found, err = e.Recover(ctx)
		return err
	})
	if errors.Is(err, engine.ErrUnsettled) { // in a store of its own, which no program waits for
		return append(settled, err.Error()), nil
	}
	if err == nil && found.Found {
		settled = append(settled, found.Detail)
	}
	return settled, err
}

// patiently repeats what meets a lock of another process until the deadline.
func (p *preparation) patiently(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, holdfast.ErrLocked) || time.Now().After(p.deadline) {
			return err
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}
