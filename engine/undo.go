package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// abandon puts the previous state back after cause. It works on a cancelled
// context. If it fails itself, the journal stays and the next start tries
// again.
func (c *ceremony) abandon(ctx context.Context, cause error) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	moved := c.journal.Phase == phaseAside || c.journal.Phase == phasePlaced || c.journal.Phase == phaseStarting
	err := c.step(ctx, holdfast.StepRollback, func(ctx context.Context) (string, error) {
		return "the previous state is in place", c.putBack(ctx, c.journal, c.result)
	})
	if err != nil {
		hint := "nothing is lost: remove the cause, then run `holdfast recover`"
		if c.journal.OwnerStopped {
			hint += "; the program stays stopped until then"
		}
		return errors.Join(cause, &holdfast.Error{Op: "put the previous state back", Err: err, Hint: hint})
	}
	c.result.RolledBack = moved
	return cause
}

// putBack undoes a journal in any of its phases and removes it.
func (r *run) putBack(ctx context.Context, j *journal, result *RestoreResult) error {
	if j.Phase == phaseStarting && r.e.o.Hooks.Stop != "" {
		// The owner may have opened the new state.
		if err := r.runHook(ctx, r.e.o.Hooks.Stop, j.Backup); err != nil {
			r.log.Warn("the stop hook failed before the previous state was put back", keyError, err)
		}
	}
	if err := r.undoAll(j, result); err != nil {
		return err
	}
	if err := r.e.advance(j, phaseUndone); err != nil {
		return err
	}
	return r.tidyUndone(ctx, j, result)
}

// undoAll moves everything back to where it was.
func (r *run) undoAll(j *journal, result *RestoreResult) error {
	if j.Phase != phaseAside && j.Phase != phasePlaced && j.Phase != phaseStarting {
		return nil // nothing was moved
	}
	stamp := j.Begun.UTC().Format("20060102_150405")
	for _, t := range j.Targets {
		found, err := t.undo(r.e.o.FS, j.Phase != phaseAside, stamp)
		for _, f := range found {
			result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: t.Source, Object: f, Severity: holdfast.Warning, Message: "something wrote here while the restore was under way; it was set apart", Hint: "look at it and remove it"}))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tidyUndone removes what an undone restore left, starts what it stopped and
// removes the journal.
func (r *run) tidyUndone(ctx context.Context, j *journal, result *RestoreResult) error {
	for _, t := range j.Targets {
		if err := errors.Join(t.removeStage(r.e.o.FS), t.removeMadeDirs(r.e.o.FS)); err != nil {
			r.leftover(result, t.Source, t.Stage, err)
		}
	}
	if j.Stopped && r.e.o.Hooks.Start != "" {
		if err := r.startHook(ctx, j); err != nil {
			result.Problems = append(result.Problems, r.problem(holdfast.Problem{Severity: holdfast.Incomplete, Message: err.Error(), Hint: "the previous state is in place; start its owner by hand"}))
		}
	}
	r.startOwner(ctx, j, result)
	return r.e.removeJournal()
}

// leftover tells of something that could not be removed. Too much is safe.
func (r *run) leftover(result *RestoreResult, source, path string, err error) {
	result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: source, Object: path, Severity: holdfast.Warning, Message: "could not be removed: " + err.Error(), Hint: "remove it by hand"}))
}

// finish tidies up after the new state was confirmed: it lets the owner go on,
// records what a rollback needs, lets go of what is safe elsewhere and removes the journal.
// Each part can be repeated.
func (r *run) finish(ctx context.Context, j *journal, result *RestoreResult) error {
	r.startOwner(ctx, j, result)
	if err := r.recordLast(j); err != nil {
		return &holdfast.Error{Op: r.op, Err: err, Hint: "the new state is in place; run `holdfast recover` to complete its record"}
	}
	for _, t := range j.Targets {
		if t.kept() {
			result.Aside = append(result.Aside, t.Aside)
			result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: t.Source, Object: t.Aside, Severity: holdfast.Warning, Message: "the replaced state is kept here: " + t.Keep, Hint: "remove it when you are sure"}))
		} else if err := t.removeAside(r.e.o.FS); err != nil {
			r.leftover(result, t.Source, t.Aside, err)
		}
		if err := t.removeStage(r.e.o.FS); err != nil {
			r.leftover(result, t.Source, t.Stage, err)
		}
		if err := t.removeEmptiedAside(r.e.o.FS); err != nil {
			r.leftover(result, t.Source, t.Aside, err)
		}
	}
	return r.e.removeJournal()
}

// recordLast makes a restore undoable, and a rollback final.
func (r *run) recordLast(j *journal) error {
	last := &lastRestore{Version: journalVersion, ID: j.ID, At: holdfast.At(r.e.o.Now()), Backup: j.Backup, Import: j.Import, Emergency: j.Emergency}
	if j.Op == opRollback {
		at := last.At
		last.Undone = &at
	}
	for _, t := range j.Targets {
		lt := lastTarget{Source: t.Source, Path: t.Path, Existed: t.Existed && !t.Empty, Online: t.Method == methodOnline}
		if t.kept() {
			lt.Aside = t.Aside
			for _, m := range t.Out {
				lt.Back = append(lt.Back, move{From: m.To, To: m.From})
			}
		}
		last.Targets = append(last.Targets, lt)
	}
	return r.e.writeState(lastRestoreFile, last)
}

// decideAsides decides for every old set whether all it holds is also in the
// emergency backup. If not, it is kept.
func (r *run) decideAsides(ctx context.Context, j *journal) {
	const reason = "no emergency backup was made"
	for _, t := range j.Targets {
		t.Empty = t.holdsNothing()
	}
	if j.Emergency == "" {
		keepAll(j, reason)
		return
	}
	b, err := r.e.o.Repository.Backup(ctx, j.Emergency)
	if err != nil {
		keepAll(j, "the emergency backup cannot be read: "+err.Error())
		return
	}
	defer b.Close()
	saved := map[string]bool{}
	for _, f := range b.Files() {
		saved[f.Path] = true
	}
	for _, t := range j.Targets {
		switch {
		case t.Keep != "":
		case !sourceIn(b, t.Source):
			t.Keep = reason
		default:
			t.Keep = r.unsaved(ctx, t, b, saved)
		}
		if t.Keep == "" && saved[t.Source] {
			t.Empty = false // an empty tree of files is a source like any other: it is in the backup
		}
	}
}

// unsaved says what of the old set may be missing in the emergency backup, whose
// files are given; empty if nothing is.
func (r *run) unsaved(ctx context.Context, t *replacement, b *repo.Backup, saved map[string]bool) string {
	left, err := r.leftBehind(t, b)
	if err != nil {
		return err.Error()
	}
	extra, err := t.notIn(saved, left)
	if err != nil {
		return err.Error()
	}
	if extra != "" {
		return fmt.Sprintf("%s is in no backup", extra)
	}
	state, err := dataState(t.oldSet(placed))
	if err != nil {
		return err.Error()
	}
	if state == t.SavedState {
		return ""
	}
	held, err := t.heldBy(ctx, b, left)
	switch {
	case err != nil:
		return "it changed after the emergency backup had begun, and cannot be compared with it: " + err.Error()
	case !held:
		return "it was written to after the emergency backup had begun"
	}
	t.SavedState = state // need not be compared again
	return ""
}

func keepAll(j *journal, why string) {
	for _, t := range j.Targets {
		if t.Keep == "" {
			t.Keep = why
		}
	}
}

func sourceIn(b *repo.Backup, name string) bool {
	return sourceMetadata(b, name).Path != ""
}

// kept tells whether there is an old set that stays where it was moved.
func (t *replacement) kept() bool { return len(t.Out) > 0 && t.Keep != "" && !t.Empty }

// holdsNothing tells whether the old set is nothing but empty directories, or the
// empty file that SQLite makes before the first write.
func (t *replacement) holdsNothing() bool {
	if t.Method == methodOnline {
		return false // nothing was moved, but there was something
	}
	for _, m := range t.Out {
		err := filepath.WalkDir(m.To, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if info, err := d.Info(); t.Kind == holdfast.KindSQLite && err == nil && info.Mode().IsRegular() && info.Size() == 0 {
				return nil
			}
			return errHolds
		})
		if err != nil {
			return false
		}
	}
	return true
}

var errHolds = errors.New("it holds something")

// notIn gives a file of the old set that a backup does not hold. The journals
// of a database are in the captured database itself.
func (t *replacement) notIn(saved map[string]bool, left leftovers) (extra string, err error) {
	if !t.Dir {
		return "", nil // the file was captured; the rest are its companions
	}
	for _, m := range t.Out {
		err = filepath.WalkDir(m.To, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel := m.From
			if sub, err := filepath.Rel(m.To, path); err == nil {
				rel = filepath.Join(m.From, sub)
			}
			inside, err := filepath.Rel(t.Path, rel)
			if err != nil {
				return err
			}
			if name := t.Source + "/" + filepath.ToSlash(inside); !saved[name] && !saved[withoutCompanion(name)] && !left.hold(inside) {
				extra = inside
				return fs.SkipAll
			}
			return nil
		})
		if err != nil || extra != "" {
			return extra, err
		}
	}
	return "", nil
}

func withoutCompanion(name string) string {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base
		}
	}
	return name
}
