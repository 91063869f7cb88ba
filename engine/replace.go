package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A ceremony replaces the present state of some targets by a new one: the part
// that restore and rollback share, from the stages to the confirmation.
type ceremony struct {
	*run
	works   []*work
	journal *journal
	force   bool
	result  *RestoreResult
}

// newCeremony plans the replacements in a journal, which nobody sees before
// its first phase is saved.
func (r *run) newCeremony(works []*work, backup, emergency holdfast.BackupName, force bool, result *RestoreResult) *ceremony {
	now := r.e.o.Now()
	c := &ceremony{run: r, works: works, force: force, result: result}
	c.journal = &journal{Version: journalVersion, ID: r.id, Op: r.op, Backup: backup, Emergency: emergency, Begun: holdfast.At(now)}
	for i, w := range works {
		t := &replacement{
			Source: w.source.Name(), Kind: w.source.Kind(), Path: w.path, Dir: w.target.Dir, File: w.target.File,
			Companions: w.target.Companions, Method: w.method, Existed: exists(w.path), In: w.back,
			MadeDirs: missingParents(w.path), SavedState: w.savedState,
		}
		t.Aside = free(t.asidePath(now))
		if w.fill != nil {
			t.Stage = t.stagePath(fmt.Sprintf("%s-%d", r.id, i+1))
		}
		c.journal.Targets = append(c.journal.Targets, t)
	}
	return c
}

// asidePath is where the old set of a target goes.
func (t *replacement) asidePath(at time.Time) string {
	name := filepath.Base(t.Path) + asideInfix + at.UTC().Format("20060102_150405")
	if t.Method == methodInPlace {
		return filepath.Join(t.Path, name)
	}
	return filepath.Join(filepath.Dir(t.Path), name)
}

// stagePath is where the new set of a target waits: on the same file system.
func (t *replacement) stagePath(id string) string {
	if t.Method == methodInPlace {
		return filepath.Join(t.Path, stagePrefix+id)
	}
	return filepath.Join(filepath.Dir(t.Path), stagePrefix+id)
}

// missingParents lists the directories above a path that do not exist, the
// innermost last.
func missingParents(path string) []string {
	var missing []string
	for dir := filepath.Dir(path); !exists(dir) && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	return missing
}

// carryOut takes the journal from its first phase to its last. On an error
// the previous state is in place again, or the error says that it is not.
func (c *ceremony) carryOut(ctx context.Context) error {
	if err := c.e.advance(c.journal, phaseStaging); err != nil {
		return err
	}
	if err := c.replaceAll(ctx); err != nil {
		return c.abandon(ctx, spaceError(err))
	}
	// The new state stands. What is left must not fail the restore, and a
	// cancellation comes too late.
	ctx, cancel := detached(ctx)
	defer cancel()
	return c.finish(ctx, c.journal, c.result)
}

func (c *ceremony) replaceAll(ctx context.Context) error {
	stopFirst := slices.ContainsFunc(c.works, func(w *work) bool { return w.memory })
	if stopFirst { // the stage is a copy of the present state, which must not move on
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	for i := range c.works {
		if err := c.stage(ctx, c.works[i], c.journal.Targets[i]); err != nil {
			return err
		}
	}
	if err := c.e.advance(c.journal, phaseStaged); err != nil {
		return err
	}
	if !stopFirst {
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	if err := c.swap(ctx); err != nil {
		return err
	}
	c.tellMemory()
	if err := c.restart(ctx); err != nil {
		return err
	}
	return c.confirm(ctx)
}

// stop runs the stop hook, asks the owner to let go, then makes sure that nobody
// uses the targets.
func (c *ceremony) stop(ctx context.Context) error {
	line, owner := c.e.o.Hooks.Stop, c.e.o.Owner
	switch {
	case c.online():
		c.skip(holdfast.StepStop, "an online restore needs no stop")
		return nil
	case line == "" && owner == nil:
		c.skip(holdfast.StepStop, "no stop hook is configured")
		return c.refuseHandles(ctx, 0, c.hintInUse())
	}
	return c.step(ctx, holdfast.StepStop, func(ctx context.Context) (message string, err error) {
		if line != "" {
			c.journal.Stopped = true
			if err := c.e.saveJournal(c.journal); err != nil {
				return "", err
			}
			if err := c.runHook(ctx, line, c.journal.Backup); err != nil {
				return "", &holdfast.Error{Op: "stop hook", Err: err, Hint: "correct the command, or stop the owner by hand and leave the hook empty"}
			}
		}
		if owner != nil {
			if err := c.stopOwner(ctx); err != nil {
				return "", err
			}
			message = "the program was stopped"
		}
		return message, c.refuseHandles(ctx, settleTime, c.hintStillOpen())
	})
}

// online tells whether everything happens through the database itself.
func (c *ceremony) online() bool {
	return !slices.ContainsFunc(c.journal.Targets, func(t *replacement) bool { return t.Method != methodOnline })
}

// swap moves the old sets aside and the new sets into place.
func (c *ceremony) swap(ctx context.Context) error {
	return c.step(ctx, holdfast.StepSwap, func(ctx context.Context) (string, error) {
		err := c.swapOnce(ctx)
		for range c.journal.Targets {
			stuck := c.stuck(err)
			if stuck < 0 {
				break
			}
			if err = c.switchToInPlace(ctx, stuck); err != nil {
				return "", err
			}
			err = c.swapOnce(ctx)
		}
		if err != nil {
			return "", err
		}
		return c.swapped(), nil
	})
}

func (c *ceremony) swapped() string {
	var parts []string
	for _, t := range c.journal.Targets {
		parts = append(parts, t.Source+": "+t.Method)
	}
	return strings.Join(parts, ", ")
}

// A stuckError tells that a target cannot be renamed.
type stuckError struct {
	target *replacement
	err    error
}

func (s *stuckError) Error() string { return s.err.Error() }
func (s *stuckError) Unwrap() error { return s.err }

func (c *ceremony) swapOnce(ctx context.Context) error {
	fsys, targets := c.e.o.FS, c.journal.Targets
	for _, t := range targets {
		if err := t.planOut(); err != nil {
			return err
		}
		if err := t.planIn(); err != nil {
			return err
		}
	}
	if err := c.e.advance(c.journal, phaseAside); err != nil {
		return err
	}
	for _, t := range targets {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := t.moveOut(fsys); err != nil {
			return &stuckError{t, err}
		}
	}
	if err := c.e.advance(c.journal, phasePlaced); err != nil {
		return err
	}
	for i, t := range targets {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if t.Method == methodOnline {
			if err := c.placeOnline(ctx, c.works[i], t); err != nil {
				return err
			}
			continue
		}
		if err := t.moveIn(fsys); err != nil {
			return err
		}
		if err := t.inPlaceAsChecked(); err != nil {
			return err
		}
	}
	return nil
}

// placeOnline brings the staged file into the live database through the
// database's own transaction.
func (c *ceremony) placeOnline(ctx context.Context, w *work, t *replacement) error {
	restorer, ok := w.source.(holdfast.OnlineRestorer)
	if !ok {
		return fmt.Errorf("source %s cannot be restored online", t.Source)
	}
	tell := c.progress(holdfast.StepSwap, t.Source)
	return restorer.RestoreOnline(ctx, filepath.Join(t.Stage, t.File), func(done, total int64) { tell(t.File, done, total) })
}

// inPlaceAsChecked compares what is in the target's place with what was
// checked in the stage.
func (t *replacement) inPlaceAsChecked() error {
	if t.Fingerprint == "" {
		return nil
	}
	got, err := fingerprint(t.In, placed)
	if err != nil {
		return err
	}
	if got != t.Fingerprint || !t.arrived() {
		return fmt.Errorf("%s does not hold the files that were checked", t.Path)
	}
	return nil
}

// stuck gives the index of a directory that turned out not to be renameable,
// or -1.
func (c *ceremony) stuck(err error) int {
	s, ok := errors.AsType[*stuckError](err)
	if !ok || !s.target.Dir || s.target.Method != methodRename {
		return -1
	}
	if s.target.Stage == "" && len(s.target.In) > 0 {
		return -1 // an earlier aside lies where it lies
	}
	for _, cause := range []error{syscall.EBUSY, syscall.EXDEV, syscall.EACCES, syscall.EPERM} {
		if errors.Is(err, cause) {
			return slices.Index(c.journal.Targets, s.target)
		}
	}
	return -1
}

// switchToInPlace puts everything back and stages one target anew, inside of
// itself.
func (c *ceremony) switchToInPlace(ctx context.Context, i int) error {
	t := c.journal.Targets[i]
	c.log.Info("the target cannot be renamed; its entries are swapped inside of it", keySource, t.Source)
	if err := c.undoAll(c.journal, c.result); err != nil {
		return err
	}
	if err := c.e.advance(c.journal, phaseStaged); err != nil {
		return err
	}
	if err := t.removeStage(c.e.o.FS); err != nil {
		return err
	}
	t.Method = methodInPlace
	if t.Stage != "" {
		t.Stage = t.stagePath(fmt.Sprintf("%s-%d", c.id, i+1))
	}
	t.Aside = free(t.asidePath(c.journal.Begun.Time))
	if err := c.e.advance(c.journal, phaseStaging); err != nil {
		return err
	}
	if err := c.stage(ctx, c.works[i], t); err != nil {
		return err
	}
	return c.e.advance(c.journal, phaseStaged)
}

// tellMemory says what became of memory.
func (c *ceremony) tellMemory() {
	if c.result.Plan == nil {
		return
	}
	if c.result.Plan.Memory != memoryRestore {
		c.skip(holdfast.StepMemory, c.result.Plan.Memory)
		return
	}
	message := "came with the database"
	if slices.ContainsFunc(c.works, func(w *work) bool { return w.memory }) {
		message = "its collections were replaced"
	}
	c.send(holdfast.Event{Step: holdfast.StepMemory, State: holdfast.Started})
	c.send(holdfast.Event{Step: holdfast.StepMemory, State: holdfast.Finished, Message: message})
}

// restart runs the start hook. From here on the owner may open the new state.
func (c *ceremony) restart(ctx context.Context) error {
	switch {
	case c.online():
		c.skip(holdfast.StepStart, "an online restore stops nothing")
		return nil
	case c.e.o.Hooks.Start == "":
		if !c.journal.OwnerStopped {
			c.skip(holdfast.StepStart, "no start hook is configured")
		}
		return nil
	}
	return c.step(ctx, holdfast.StepStart, func(ctx context.Context) (string, error) {
		c.decideAsides(ctx, c.journal)
		c.journal.Stopped = true
		if err := c.e.advance(c.journal, phaseStarting); err != nil {
			return "", err
		}
		return "", c.startHook(ctx, c.journal)
	})
}

func (r *run) startHook(ctx context.Context, j *journal) error {
	if err := r.runHook(ctx, r.e.o.Hooks.Start, j.Backup); err != nil {
		return &holdfast.Error{Op: "start hook", Err: err, Hint: "correct the command and start the owner by hand"}
	}
	return nil
}

// confirm looks at each source where it lives now.
func (c *ceremony) confirm(ctx context.Context) error {
	return c.step(ctx, holdfast.StepConfirm, func(ctx context.Context) (string, error) {
		var counts []string
		for i, w := range c.works {
			if len(c.journal.Targets[i].In) == 0 && w.method != methodOnline {
				continue // a rollback to nothing
			}
			now, err := w.source.Inspect(ctx, holdfast.InspectOptions{Counts: true})
			if err != nil {
				return "", &holdfast.Error{Op: "confirm", Object: w.source.Name(), Err: err}
			}
			if !now.Exists {
				return "", &holdfast.Error{Op: "confirm", Object: w.source.Name(), Err: fmt.Errorf("%s is not there after the swap", w.path)}
			}
			if n, ok := now.Facts.Records(); ok {
				counts = append(counts, w.source.Name()+": "+count(n, "record", "records"))
			}
		}
		c.decideAsides(ctx, c.journal)
		return strings.Join(counts, ", "), c.e.advance(c.journal, phaseConfirmed)
	})
}
