package startup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
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
// The decision is complete in either case.
func Prepare(ctx context.Context, o Options) (holdfast.StartDecision, error) {
	o = o.withDefaults()
	begun := time.Now()
	p := &preparation{Options: o, target: o.Source.Target(), deadline: begun.Add(o.Wait)}
	err := p.prepare(ctx)
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
	cut, err := p.wasCut()
	if err != nil {
		return err
	}
	var first Condition
	if !cut {
		if first = p.examine(ctx); ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if first.Usable() || first.Err != nil {
			return p.settleFor(first)
		}
		if err := durable.MkdirAll(p.FS, filepath.Dir(p.target.Path), 0o755); err != nil {
			return p.failed(first, explain("make the directory of", p.target.Path, err))
		}
	}
	return exclusively(ctx, p.target.Path, p.deadline, func() error { return p.alone(ctx, first, cut) })
}

// alone is what has to be done by one process only.
func (p *preparation) alone(ctx context.Context, first Condition, cut bool) error {
	settled, err := p.settle(ctx, cut)
	if err != nil {
		return err
	}
	now := p.examine(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case now.Usable():
		p.keep(now, settled, first)
		return nil
	case now.Err != nil:
		return p.failed(now, now.Err)
	}
	return p.bringBack(ctx, now)
}

// settleFor ends a preparation that has nothing to do, or can do nothing.
func (p *preparation) settleFor(c Condition) error {
	if c.Err != nil {
		return p.failed(c, c.Err)
	}
	p.keep(c, "", Condition{})
	return nil
}

func (p *preparation) examine(ctx context.Context) Condition {
	c := Examine(ctx, p.Source, ExamineOptions{Trusted: p.Trusted, Budget: p.Budget})
	p.decision.Found = string(c.State)
	return c
}

// wasCut tells whether an earlier replacement of the data was cut.
func (p *preparation) wasCut() (bool, error) {
	if _, err := os.Lstat(planPath(p.target.Path)); err == nil {
		return true, nil
	}
	if p.StateDir == "" {
		return false, nil
	}
	_, err := os.Lstat(filepath.Join(p.StateDir, journalFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, explain("look into", p.StateDir, err)
	}
	return err == nil, nil
}

// journalFile is the engine's journal of a restore in its state directory.
const journalFile = "restore-journal.json"

// settle finishes or undoes what was cut, and says so.
func (p *preparation) settle(ctx context.Context, cut bool) (string, error) {
	aside, err := Settle(ctx, p.FS, p.target.Path)
	p.decision.Aside = append(p.decision.Aside, aside...)
	if err != nil {
		return "", err
	}
	e, err := p.engine(ctx)
	switch {
	case e == nil && cut && err != nil:
		return "", &holdfast.Error{Op: "settle a restore that was cut", Object: p.Source.Name(), Err: err}
	case e == nil:
		return told(aside), ctx.Err()
	}
	var found *engine.RecoverResult
	err = p.patiently(ctx, func() (err error) {
		found, err = e.Recover(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	if found.Found {
		return found.Detail, nil
	}
	return told(aside), nil
}

// told says what a finished Place has done.
func told(aside []string) string {
	if len(aside) == 0 {
		return ""
	}
	return "a replacement of it that was cut has been finished"
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
