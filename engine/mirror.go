package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/repo"
)

// A mirror is a plain database file that holds the newest backup of a source, for
// people and programs that know nothing of repositories. Its time of modification
// says which backup that is. It is a convenience: whatever keeps it from being
// written is a warning, and the backup stands.

// refreshMirrors brings the mirrors of the sources of a backup up to it.
func (b *backup) refreshMirrors(ctx context.Context, result *BackupResult) {
	if b.trigger == holdfast.TriggerEmergency {
		return // the state that is about to be replaced
	}
	for _, s := range b.sources {
		path := b.e.o.Mirrors[s.Name()]
		if path == "" || s.Kind() != holdfast.KindSQLite {
			continue
		}
		if err := b.refreshMirror(ctx, s, path, result); err != nil {
			hint := holdfast.HintOf(err)
			if hint == "" {
				hint = "the backup stands; correct the path of the mirror, or make room for it"
			}
			result.Problems = append(result.Problems, b.problem(holdfast.Problem{
				Source: s.Name(), Object: path, Severity: holdfast.Warning,
				Message: "the mirror was not brought up to " + string(result.Backup.Name) + ": " + err.Error(), Hint: hint,
			}))
		}
	}
}

func (b *backup) refreshMirror(ctx context.Context, s holdfast.Source, path string, result *BackupResult) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	if err := b.e.mirrorOutside(path); err != nil {
		return err
	}
	if err := b.cleanMirrorTemps(path); err != nil {
		return err
	}
	m := mirror{path: path, mode: 0o600}
	if err := m.look(ctx); err != nil {
		return err
	}
	at := result.Backup.Metadata.CreatedAt
	if b.mirrorFits(s, m, result) {
		if m.info.ModTime().Equal(at.Time) {
			return nil
		}
		return b.e.o.FS.Chtimes(path, at.Time)
	}
	from, err := b.repository.Backup(ctx, result.Backup.Name)
	if err != nil {
		return err
	}
	defer from.Close()
	from.Until(ctx)
	if err := m.write(ctx, b.e.o.FS, from, s.Name()+"/"+s.Target().File); err != nil {
		return err
	}
	b.log.Info("mirror written", keySource, s.Name(), keyObject, path)
	return errors.Join(b.e.o.FS.Chmod(path, m.mode), b.e.o.FS.Chtimes(path, at.Time))
}

// mirrorFits tells whether the mirror already has the bytes of the backup: it is
// as large, of the time of a backup since which the source has not changed, and
// nobody has it open as a database.
func (b *backup) mirrorFits(s holdfast.Source, m mirror, result *BackupResult) bool {
	if m.info == nil || len(m.companions) > 0 {
		return false
	}
	size := int64(-1)
	for _, md := range result.Backup.Metadata.Sources {
		if md.Name == s.Name() {
			size = md.LogicalBytes
		}
	}
	if m.info.Size() != size {
		return false
	}
	of := holdfast.At(m.info.ModTime())
	if result.Unchanged {
		return of.Equal(result.Backup.Metadata.CreatedAt.Time)
	}
	return b.base != nil && result.Form.Base == b.base.BackupName && b.pending.Unchanged(s.Name()) && of.Equal(b.base.CreatedAt.Time)
}

// mirrorOutside refuses a mirror in the place of live data or of backups, or where
// it would be backed up itself, each time as a change.
func (e *Engine) mirrorOutside(path string) error {
	refuse := func(format string, args ...any) error {
		return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, format, args...), Hint: "give the mirror a place of its own"}
	}
	for _, s := range e.o.Sources {
		target := s.Target()
		source, err := resolve(target.Path)
		if err != nil {
			return err
		}
		if within(path, source) || slices.ContainsFunc(target.Companions, func(suffix string) bool { return path == source+suffix }) {
			return refuse("it lies in the place of the source %s", s.Name())
		}
	}
	if repository, ok := e.repositoryDir(); ok && within(path, repository) {
		return refuse("it lies in the repository %s", repository)
	}
	return nil
}

// cleanMirrorTemps removes what a cut left of writing this mirror; the lease keeps
// other writers of it away.
func (b *backup) cleanMirrorTemps(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		left := filepath.Join(dir, d.Name())
		if !durable.TempOf(d.Name(), base) || planted.Check(left) != nil {
			continue
		}
		if err := b.e.o.FS.Remove(left); err != nil {
			return err
		}
	}
	return nil
}

// A mirror is what is found in its place.
type mirror struct {
	path       string
	info       fs.FileInfo // nil: there is none
	mode       fs.FileMode
	companions []string // logs of somebody who opened it
}

// look looks at what is there. A log beside the mirror tells that somebody opened
// it as a database: while it is open it cannot be replaced, and what a program that
// is gone has left would be taken for a part of the new one.
func (m *mirror) look(ctx context.Context) error {
	info, err := os.Lstat(m.path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "something else than a file is there"), Hint: "name a file that does not exist yet"}
	case err == nil:
		if err := planted.Check(m.path); err != nil {
			return err // its mode would say who reads the database
		}
		m.info, m.mode = info, info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, suffix := range []string{"-wal", "-journal", "-shm"} {
		if exists(m.path + suffix) {
			m.companions = append(m.companions, suffix)
		}
	}
	if len(m.companions) == 0 {
		return nil
	}
	handles, _, err := liveHandles(ctx, []place{{m.path, m.companions}})
	if err != nil {
		return err
	}
	if len(handles[0]) > 0 {
		return inUse("the mirror", m.path, handles[0], "close it there; read a mirror only as a copy, or immutable")
	}
	return nil
}

// write makes the mirror hold a file of a backup, at once. Logs of the old one go
// before the new one comes: a stale log must never meet another database.
func (m *mirror) write(ctx context.Context, fsys durable.FS, from *repo.Backup, name string) error {
	f, err := from.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = durable.WriteFileFunc(fsys, m.path, m.mode, func(w io.Writer) error {
		if _, err := io.Copy(w, contextReader{ctx, f}); err != nil {
			return err
		}
		for _, suffix := range m.companions {
			if err := durable.Remove(fsys, m.path+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, syscall.ENOSPC) {
		return &holdfast.Error{Err: err, Hint: "the backup stands; make room where the mirror lies: it needs the size of the database"}
	}
	return err
}

// A contextReader stops with its context, which the files of a backup do not know.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fmt.Errorf("stopped: %w", context.Cause(c.ctx))
	}
	return c.r.Read(p)
}
