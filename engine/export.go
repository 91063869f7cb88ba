package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/repo"
)

// ExportResult tells what was exported.
type ExportResult struct {
	Backup   repo.Info
	From     string // the replica whose copy it is; empty: that of the repository
	Problems []holdfast.Problem
}

// Export writes the full tree of the nearest copy of a backup into a directory
// that does not exist or is empty. A copy that turns out to be damaged is left
// for the next.
func (e *Engine) Export(ctx context.Context, name, dir string) (*ExportResult, error) {
	r := e.start(ctx, "export")
	search := e.search(name, nil)
	f, err := search.next(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if err = r.exportCopy(ctx, f, dir); err == nil || !search.leave(ctx, err) {
			break
		}
		f = search.at
	}
	if err != nil {
		return nil, err
	}
	return &ExportResult{Backup: f.info, From: f.from, Problems: search.problems()}, nil
}

// exportCopy exports one copy.
func (r *run) exportCopy(ctx context.Context, f *found, dir string) error {
	r.backup = f.info.Name
	if f.from != "" {
		r.send(holdfast.Event{Step: holdfast.StepChoose, State: holdfast.Finished, Message: f.words()})
	}
	b, err := f.at.Backup(ctx, f.info.Name)
	if err != nil {
		return err
	}
	defer b.Close()
	b.Until(ctx)
	return r.step(ctx, holdfast.StepExport, func(ctx context.Context) (string, error) {
		return dir, r.extractElsewhere(ctx, b, []string{"."}, dir, holdfast.StepExport)
	})
}

// extractElsewhere writes parts of a backup into a directory of its own: the
// whole tree ("."), or each named part into a directory of its name. A failure
// leaves the directory as it was.
func (r *run) extractElsewhere(ctx context.Context, b *repo.Backup, parts []string, dir string, step holdfast.Step) error {
	if err := r.e.checkElsewhere(dir); err != nil {
		return err
	}
	return r.extractInto(ctx, b, parts, dir, step)
}

// extractInto is extractElsewhere for a directory that is known to be nobody's.
func (r *run) extractInto(ctx context.Context, b *repo.Backup, parts []string, dir string, step holdfast.Step) (err error) {
	existed := exists(dir)
	if existed {
		if err := mustBeEmptyDir(dir); err != nil {
			return err
		}
	}
	fsys := r.e.o.FS
	if err := r.needSpace(dir, sizeOf(b, parts)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(spaceError(err), empty(fsys, dir, existed))
		}
	}()
	if err := durable.MkdirAll(fsys, dir, 0o700); err != nil {
		return volume.Explain("write to", dir, pathless(err))
	}
	for _, part := range parts {
		to := dir
		if part != "." {
			to = filepath.Join(dir, filepath.FromSlash(part))
		}
		if err := b.Extract(ctx, part, to, fsys, r.progress(step, part)); err != nil {
			return err
		}
	}
	return nil
}

func mustBeEmptyDir(dir string) error {
	empty, err := isEmptyDir(dir)
	if err != nil {
		return &holdfast.Error{Op: "write to", Object: dir, Err: pathless(err), Hint: "name a directory that does not exist yet"}
	}
	if !empty {
		return &holdfast.Error{Op: "write to", Object: dir, Err: holdfast.Kindf(holdfast.ErrRefused, "the directory is not empty"), Hint: "name a directory that does not exist yet"}
	}
	return nil
}

// pathless drops the path that a system call names, where the caller names it.
func pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// empty undoes a failed extraction into a directory that was absent or empty.
func empty(fsys durable.FS, dir string, keep bool) error {
	if !keep {
		return durable.RemoveAll(fsys, dir)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, durable.RemoveAll(fsys, filepath.Join(dir, e.Name())))
	}
	return err
}

// sizeOf estimates the bytes that parts of a backup take on a disk. What was
// stored tiny is mostly holes, which take no room when they are restored.
func sizeOf(b *repo.Backup, parts []string) int64 {
	const ratio, block = 32, 4096
	var sum int64
	for _, f := range b.Files() {
		for _, part := range parts {
			if part == "." || within(f.Path, part) {
				sum += min(f.Size, ratio*f.Stored+block)
				break
			}
		}
	}
	return sum
}
