package boot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// beside names a file of ours beside the database.
func (s *Store) beside(suffix string) string {
	dir, file := filepath.Split(s.o.Database)
	return filepath.Join(dir, "."+file+suffix)
}

// place puts the database in a file of a tree where the database belongs. What
// it replaced is removed once it stands.
func (s *Store) place(ctx context.Context, fsys fs.FS, file string) error {
	aside, err := s.placed(ctx, func(ctx context.Context, stage string) error { return copyOut(ctx, fsys, file, stage) })
	if err != nil {
		return err
	}
	return removeAll(aside)
}

// placed puts what fill writes where the database belongs, once it has passed the
// database's own check, and tells where it left what was there.
func (s *Store) placed(ctx context.Context, fill func(ctx context.Context, stage string) error) (aside []string, err error) {
	target := s.disk.Target()
	return startup.Place(ctx, durable.OS, target.Path, target.Companions, fill, sqlite.CheckFile)
}

// remove removes the database and what belongs to it.
func (s *Store) remove() error {
	target := s.disk.Target()
	files := []string{target.Path}
	for _, suffix := range target.Companions {
		files = append(files, target.Path+suffix)
	}
	return removeAll(files)
}

// removeAll removes files of one directory durably; absent ones are gone already.
func removeAll(files []string) error {
	var errs []error
	for _, f := range files {
		if err := durable.OS.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(files) > 0 {
		errs = append(errs, durable.OS.SyncDir(filepath.Dir(files[0])))
	}
	return errors.Join(errs...)
}

// copyOut copies one file of a tree to a new file, and syncs it.
func copyOut(ctx context.Context, fsys fs.FS, file, to string) (err error) {
	in, err := fsys.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := durable.OS.Create(to, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, contextReader{ctx, in}); err != nil {
		return err
	}
	return out.Sync()
}

// contextReader stops reading when its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
