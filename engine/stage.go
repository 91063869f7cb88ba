package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// stage fills and checks the stage of one target.
func (c *ceremony) stage(ctx context.Context, w *work, t *replacement) error {
	if w.fill == nil {
		return c.stageAside(t)
	}
	err := c.stepOf(ctx, holdfast.StepStage, t.Source, func(ctx context.Context) (string, error) {
		if err := c.makeStage(w, t); err != nil {
			return "", err
		}
		if err := c.needSpace(t.Stage, w.bytes); err != nil {
			return "", err
		}
		if err := w.fill(ctx, t.Stage); err != nil {
			return "", &holdfast.Error{Op: "stage", Object: t.Source, Err: err}
		}
		for _, p := range named(t.Source, w.notes) {
			c.result.Problems = append(c.result.Problems, c.problem(p))
		}
		w.notes = nil
		if err := t.nameStagedFile(c.e.o.FS); err != nil {
			return "", err
		}
		return t.Stage, c.dress(t)
	})
	if err != nil {
		return err
	}
	return c.stepOf(ctx, holdfast.StepCheck, t.Source, func(ctx context.Context) (string, error) {
		return c.checkStage(ctx, w, t)
	})
}

// makeStage makes the directory of the stage, and the parents of a target
// that had none. Where the parent cannot be written, the stage goes inside the
// target.
func (c *ceremony) makeStage(w *work, t *replacement) error {
	fsys := c.e.o.FS
	if len(t.MadeDirs) > 0 {
		if err := durable.MkdirAll(fsys, filepath.Dir(t.Path), 0o755); err != nil {
			return &holdfast.Error{Op: "make the directory of", Object: t.Path, Err: err}
		}
	}
	err := fsys.Mkdir(t.Stage, 0o700)
	if err == nil {
		return nil
	}
	closed := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
	if !closed || !t.Dir || !t.Existed || t.Method != methodRename {
		return &holdfast.Error{Op: "make the stage", Object: t.Stage, Err: err, Hint: "the directory of the target must be writable for a restore"}
	}
	c.log.Info("the directory of the target cannot be written; its entries are swapped inside of it", keySource, t.Source)
	t.Method, w.method = methodInPlace, methodInPlace
	t.Stage = t.stagePath(filepath.Base(t.Stage)[len(stagePrefix):])
	t.Aside = free(t.asidePath(c.journal.Begun.Time))
	if err := c.e.saveJournal(c.journal); err != nil {
		return err
	}
	if err := fsys.Mkdir(t.Stage, 0o700); err != nil {
		return &holdfast.Error{Op: "make the stage", Object: t.Stage, Err: err, Hint: "neither the target nor the directory it lies in can be written"}
	}
	return nil
}

// nameStagedFile gives a single file the name it has here: the backup may come
// from a place where it was called otherwise.
func (t *replacement) nameStagedFile(fsys durable.FS) error {
	if t.Dir || exists(filepath.Join(t.Stage, t.File)) {
		return nil
	}
	entries, err := os.ReadDir(t.Stage)
	if err != nil {
		return err
	}
	if len(entries) != 1 || !entries[0].Type().IsRegular() {
		return &holdfast.Error{Op: "stage", Object: t.Source, Err: holdfast.Kindf(holdfast.ErrDamaged, "the backup holds %d entries where one file was expected", len(entries))}
	}
	return durable.RenameNew(fsys, filepath.Join(t.Stage, entries[0].Name()), filepath.Join(t.Stage, t.File))
}

// dress gives the stage the mode and owner of what it replaces.
func (c *ceremony) dress(t *replacement) error {
	info, err := os.Stat(t.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	at := t.Stage
	if !t.Dir {
		at = filepath.Join(t.Stage, t.File)
	}
	if t.Method != methodInPlace {
		if err := c.e.o.FS.Chmod(at, info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := ownLike(at, info); err != nil {
		c.log.Warn("the restored files could not be given to the owner of the target", keySource, t.Source, keyError, err)
		c.result.Problems = append(c.result.Problems, holdfast.Problem{Source: t.Source, Severity: holdfast.Warning, Message: "the restored files could not be given to the owner of the replaced ones: " + err.Error(), Hint: "look at the owner with ls -l"})
	}
	return c.e.o.FS.SyncDir(t.Stage)
}

// checkStage opens the staged copy as its owner would, and remembers which
// files were found good.
func (c *ceremony) checkStage(ctx context.Context, w *work, t *replacement) (string, error) {
	report, err := w.source.Check(ctx, os.DirFS(t.Stage), holdfast.CheckOptions{})
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", &holdfast.Error{Op: "check the staged copy of", Object: t.Source, Err: err}
	}
	for _, p := range named(t.Source, report.Problems) {
		if p.Severity == holdfast.Damaged && !w.acceptDamage {
			return "", &holdfast.Error{Op: "check the staged copy of", Object: t.Source, Err: holdfast.Kindf(holdfast.ErrDamaged, "%s", describe(p)), Hint: "the source was damaged when it was captured: choose another backup, or take this one with --force"}
		}
		c.result.Problems = append(c.result.Problems, c.problem(p))
	}
	if err := t.planIn(); err != nil {
		return "", err
	}
	if t.Fingerprint, err = fingerprint(t.In, staged); err != nil {
		return "", err
	}
	if n, ok := report.Facts.Records(); ok {
		return count(n, "record", "records"), nil
	}
	return "", nil
}

// stageAside remembers what an earlier aside holds, which comes back as it is.
func (c *ceremony) stageAside(t *replacement) (err error) {
	if len(t.In) > 0 {
		t.Fingerprint, err = fingerprint(t.In, staged)
	}
	return err
}
