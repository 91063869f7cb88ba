package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// RecoverResult tells what Recover found and did.
type RecoverResult struct {
	Found    bool   // a restore had been cut
	Outcome  string // "finished", "undone"
	Detail   string
	Problems []holdfast.Problem // what is worth knowing afterwards
}

// opRecover is the verb itself; others do the same first.
const opRecover = "recover"

// The outcomes of a recovery.
const (
	outcomeFinished = "finished"
	outcomeUndone   = "undone"
)

// Recover finishes or undoes a restore that was cut. Without one it does
// nothing. Backup, Restore, Rollback and Prune call it first.
func (e *Engine) Recover(ctx context.Context) (*RecoverResult, error) {
	r := e.start(ctx, opRecover)
	if cut, err := e.wasCut(); err != nil || !cut {
		return &RecoverResult{}, err
	}
	if e.o.Repository == nil {
		return r.recover(ctx)
	}
	var result *RecoverResult
	err := r.underLease(ctx, e.o.Repository.Lock, func(ctx context.Context) (err error) {
		result, err = r.recover(ctx)
		return err
	})
	return result, err
}

// wasCut tells whether the state directory holds anything to settle. Files of
// a verb that is at work right now look the same: the lease tells them apart.
func (e *Engine) wasCut() (bool, error) {
	entries, err := os.ReadDir(e.o.StateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, &holdfast.Error{Op: "look into", Object: e.o.StateDir, Err: err}
	}
	return slices.ContainsFunc(entries, func(d fs.DirEntry) bool {
		return d.Name() == journalFile || d.Name() == partsJournalFile || durable.TempOf(d.Name(), journalFile) ||
			durable.TempOf(d.Name(), partsJournalFile) || durable.TempOf(d.Name(), lastRestoreFile)
	}), nil
}

// recover is Recover under the lease, which no restore in progress lets go. Others
// write to the state directory without that, so that only what the verbs here write
// is cleaned up.
func (r *run) recover(ctx context.Context) (*RecoverResult, error) {
	if _, err := durable.CleanTemps(r.e.o.FS, r.e.o.StateDir, journalFile, partsJournalFile, lastRestoreFile); err != nil {
		return nil, &holdfast.Error{Op: "clean up", Object: r.e.o.StateDir, Err: err}
	}
	j, err := r.e.loadJournal()
	if err != nil {
		return nil, err
	}
	if j == nil {
		return r.recoverParts(ctx) // which no restore of files begins beside
	}
	found := j.Phase
	result := &RecoverResult{Found: true}
	var told RestoreResult
	err = r.step(ctx, holdfast.StepRollback, func(ctx context.Context) (string, error) {
		result.Outcome, err = r.settle(ctx, j, &told)
		result.Detail = fmt.Sprintf("the %s of %s that began at %s was cut in phase %s: %s", j.Op, describeBackup(j), j.Begun, found, outcomeText(result.Outcome))
		return result.Detail, err
	})
	result.Problems = told.Problems
	if err != nil {
		return result, &holdfast.Error{Op: "recover", Object: filepath.Join(r.e.o.StateDir, journalFile), Err: err, Hint: "nothing is lost: remove the cause, then run `holdfast recover` again"}
	}
	r.log.Warn("a restore that was cut has been settled", "outcome", result.Outcome, "phase", found, keyBackup, j.Backup)
	return result, nil
}

func describeBackup(j *journal) string {
	switch {
	case j.Import != "":
		return j.Import
	case j.Backup == "":
		return "the replaced state"
	}
	return string(j.Backup)
}

func outcomeText(outcome string) string {
	if outcome == outcomeFinished {
		return "the new state was complete and stands"
	}
	return "the previous state is in place"
}

// settle brings a journal to its end: forward if the new state is complete in
// place, else back.
func (r *run) settle(ctx context.Context, j *journal, told *RestoreResult) (outcome string, err error) {
	// A phase that could not be made durable for certain may be recorded
	// although the restore went back: the disk decides.
	if (j.Phase == phaseStarting || j.Phase == phaseConfirmed) && !j.arrived() {
		j.Phase = phasePlaced
	}
	switch j.Phase {
	case phaseConfirmed:
		return outcomeFinished, r.finish(ctx, j, told)
	case phaseUndone:
		return outcomeUndone, r.tidyUndone(ctx, j, told)
	case phaseStarting:
		return outcomeFinished, r.goForward(ctx, j, told)
	case phasePlaced:
		complete, err := r.complete(ctx, j)
		if err != nil {
			return outcomeUndone, err
		}
		if complete {
			return outcomeFinished, r.goForward(ctx, j, told)
		}
	}
	return outcomeUndone, r.putBack(ctx, j, told)
}

// goForward finishes a restore whose new state is in place and good.
func (r *run) goForward(ctx context.Context, j *journal, told *RestoreResult) error {
	r.decideAsides(ctx, j)
	if err := r.e.advance(j, phaseStarting); err != nil {
		return err
	}
	if r.e.o.Hooks.Start != "" {
		if err := r.startHook(ctx, j); err != nil {
			told.Problems = append(told.Problems, r.problem(holdfast.Problem{Severity: holdfast.Incomplete, Message: err.Error(), Hint: "the restored state is in place; start its owner by hand"}))
		}
	}
	if err := r.e.advance(j, phaseConfirmed); err != nil {
		return err
	}
	return r.finish(ctx, j, told)
}

// complete tells whether every new set is whole in its target's place: the
// very files that were checked, or, if an owner has opened them meanwhile, files
// that pass the source's own check.
func (r *run) complete(ctx context.Context, j *journal) (bool, error) {
	if !j.arrived() {
		return false, nil
	}
	for _, t := range j.Targets {
		if t.inPlaceAsChecked() == nil {
			continue
		}
		good, err := r.passesCheck(ctx, t)
		if err != nil || !good {
			return false, err
		}
	}
	return true, nil
}

func (r *run) passesCheck(ctx context.Context, t *replacement) (bool, error) {
	checker := r.e.checker(holdfast.SourceMetadata{Name: t.Source, Kind: t.Kind})
	if checker == nil {
		return false, nil
	}
	var tree fs.FS = os.DirFS(t.Path)
	if !t.Dir {
		tree = oneFile{path: t.Path, name: t.File}
	}
	report, err := checker.Check(ctx, tree, holdfast.CheckOptions{})
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, nil
	}
	for _, p := range report.Problems {
		if p.Severity == holdfast.Damaged {
			return false, nil
		}
	}
	return true, nil
}

// oneFile shows a single file of the disk under the name it has in a backup.
type oneFile struct{ path, name string }

// Open implements fs.FS.
func (o oneFile) Open(name string) (fs.File, error) {
	if name != o.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(o.path)
}

// ReadDir implements fs.ReadDirFS.
func (o oneFile) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	info, err := os.Stat(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(renamed{info, o.name})}, nil
}

type renamed struct {
	fs.FileInfo
	name string
}

// Name gives the name in the backup.
func (r renamed) Name() string { return r.name }
