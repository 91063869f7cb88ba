package startup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/repo"
)

// opReplace is the operation of errors that tell that others have the data open.
const opReplace = "replace"

// errRestoredByOther ends the search because the data is healthy by now.
var errRestoredByOther = errors.New("another process has restored it")

// bringBack restores the best candidate that proves good.
func (p *preparation) bringBack(ctx context.Context, c Condition) error {
	f, err := p.survey(ctx)
	if err != nil {
		return err
	}
	if len(f.candidates) > 0 {
		if err := p.writable(); err != nil {
			return p.failed(c, err)
		}
	}
	outOfReach := len(f.outOfReach) > 0
	var full error // the storage does not take what the engine restores
	shut := map[string]error{}
	for _, cand := range f.candidates {
		if !cand.mirror && (full != nil || shut[cand.from] != nil) {
			continue // each of them needs as much, or the same key; a mirror neither
		}
		err := p.restoreUnheld(ctx, f, cand, c)
		switch {
		case err == nil:
			p.decision.Passed = slices.Concat(p.decision.Passed, f.unreadable, f.outOfReach)
			p.restored(cand, c)
			return nil
		case errors.Is(err, errRestoredByOther):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case heldOpen(err):
			return p.failed(c, err)
		case noRoom(err):
			full = err
		case lacksKey(err):
			shut[cand.from] = err
		case !provesBad(err):
			outOfReach = true
		}
		p.pass(cand, err)
	}
	tried := len(p.decision.Passed)+len(f.unreadable) > 0
	p.decision.Passed = slices.Concat(p.decision.Passed, f.unreadable, f.outOfReach)
	if full != nil {
		return p.failed(c, full)
	}
	for _, err := range shut {
		return p.failed(c, &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "%w: %s", ErrNothingUsable, p.why()),
			Hint: cmp.Or(holdfast.HintOf(err), "give the key of the backups"),
		})
	}
	return p.nothingRestored(c, tried, outOfReach)
}

// writable makes sure that a file can be restored where it belongs, so that a
// storage that is at fault is not taken for backups that are. A directory may be
// restored inside of itself; the engine finds out.
func (p *preparation) writable() error {
	if p.target.Dir {
		return nil
	}
	dir, base := filepath.Split(p.target.Path)
	name := filepath.Join(dir, stagePrefix+durable.TempName(base))
	f, err := p.FS.Create(name, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), p.FS.Remove(name))
	}
	return explain("write beside", p.target.Path, err)
}

// nothingRestored decides what it means that nothing came back.
func (p *preparation) nothingRestored(c Condition, tried, outOfReach bool) error {
	switch {
	case outOfReach:
		return p.failed(c, &holdfast.Error{
			Err:  fmt.Errorf("%w: %s", ErrOutOfReach, p.why()),
			Hint: "make the repository reachable and start again, so that the program does not begin with empty data beside its backups",
		})
	case tried:
		return p.failed(c, &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrDamaged, "%w: %s", ErrNothingUsable, p.why()),
			Hint: "look at the backups with `holdfast list` and `holdfast verify --all`; nothing was changed",
		})
	case c.holdsNothing():
		p.begin(c)
		return nil
	}
	return p.failed(c, &holdfast.Error{
		Err:  holdfast.Kindf(holdfast.ErrDamaged, "%w: there is none", ErrNothingUsable),
		Hint: "move it away to begin anew, or save what can be read of a database with sqlite3's .recover",
	})
}

// glanceTime is how long a process may have the data open that only looks at it,
// as another start does before it waits for this one.
const glanceTime = time.Second

// restoreUnheld is restore, and waits a moment for who has the data open.
func (p *preparation) restoreUnheld(ctx context.Context, f offer, cand candidate, c Condition) error {
	for until := time.Now().Add(glanceTime); ; {
		err := p.restore(ctx, f, cand, c)
		if !heldOpen(err) || time.Now().After(until) {
			return err
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// restore brings one candidate back. The data is as it was after an error.
func (p *preparation) restore(ctx context.Context, f offer, cand candidate, c Condition) error {
	if cand.mirror {
		return p.restoreMirror(ctx)
	}
	// What an empty file has beside it would not survive being opened.
	r, err := p.restoreBackup(ctx, f.engine, cand, c, c.holdsNothing() || sizeOf(p.target.Path) == 0)
	if emergencyFailed(err) && ctx.Err() == nil {
		p.Logger.Warn("no emergency backup of the damaged data can be made; it is kept beside the restored data", "source", p.Source.Name(), "error", err)
		r, err = p.restoreBackup(ctx, f.engine, cand, c, true)
	}
	if r != nil && err == nil {
		p.decision.Aside = append(p.decision.Aside, r.Aside...)
		p.took(r)
	}
	return err
}

// restoreBackup restores one backup, waiting for whoever holds the repository. They
// may be restoring this very data.
func (p *preparation) restoreBackup(ctx context.Context, e *engine.Engine, cand candidate, c Condition, noEmergency bool) (r *engine.RestoreResult, err error) {
	waited := false
	err = p.patiently(ctx, func() (err error) {
		if waited {
			if now := p.examine(ctx); now.Usable() {
				p.keep(now, "", c)
				return errRestoredByOther
			}
		}
		r, err = e.Restore(ctx, engine.RestoreRequest{Name: string(cand.name), Only: []string{p.Source.Name()}, NoEmergency: noEmergency})
		waited = true
		return err
	})
	return r, err
}

// emergencyFailed tells that the backup of the damaged data could not be made.
func emergencyFailed(err error) bool {
	e, ok := errors.AsType[*holdfast.Error](err)
	return ok && e.Op == "emergency backup"
}

// heldOpen tells that a process has the data open, which no other candidate
// changes.
func heldOpen(err error) bool {
	e, ok := errors.AsType[*holdfast.Error](err)
	return ok && e.Op == opReplace && errors.Is(err, holdfast.ErrRefused)
}

// noRoom tells that the storage does not take a restore.
func noRoom(err error) bool {
	if volume.IsFull(err) || volume.IsReadOnly(err) {
		return true
	}
	e, ok := errors.AsType[*holdfast.Error](err)
	return ok && e.Op == "space"
}

// lacksKey tells that a place opens nothing for whoever starts: each try costs a
// second, and there may be hundreds of backups.
func lacksKey(err error) bool {
	return errors.Is(err, repo.ErrNoKey) || errors.Is(err, repo.ErrWrongPassphrase)
}

// provesBad tells that a candidate itself is of no use, rather than the way to
// it.
func provesBad(err error) bool {
	for _, kind := range []error{holdfast.ErrDamaged, holdfast.ErrRefused, holdfast.ErrNotFound} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
