package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// tempBase is what the names of a probe are made of.
const tempBase = "probe"

// pageSize is how much a probe writes: as much as a database does at least.
const pageSize = 4096

// work tries everything that changes the disk, in a folder of its own.
func (s system) work(ctx context.Context, r *report, trySQLite bool) {
	s.sweep(r.dir)
	folder := filepath.Join(r.dir, durable.TempName(tempBase))
	if err := s.fsys.Mkdir(folder, 0o700); err != nil {
		r.failed(stepWrite, err)
		return
	}
	defer func() {
		if err := s.fsys.RemoveAll(folder); err != nil {
			r.failed(stepWrite, err)
		}
	}()
	file, ok := s.tryFile(r, folder)
	if !ok {
		return
	}
	if err := s.locks(file); err != nil {
		r.failed(stepLock, err)
		return // SQLite would fail for the same reason
	}
	if !trySQLite || ctx.Err() != nil {
		return
	}
	switch err := s.wal(ctx, filepath.Join(folder, "wal.db")); {
	case err == nil, ctx.Err() != nil:
	case errors.Is(err, sqlite.ErrNoLocks):
		r.failed(stepLock, err)
	default:
		r.failed(stepWAL, err)
	}
}

// tryFile writes, syncs, reads back and renames a file, and gives its last name.
func (s system) tryFile(r *report, folder string) (string, bool) {
	name, renamed := filepath.Join(folder, "written"), filepath.Join(folder, "renamed")
	page := make([]byte, pageSize)
	_, _ = rand.Read(page) // it never fails
	if at, err := writeSynced(s.fsys, name, page); err != nil {
		r.failed(at, err)
		return "", false
	}
	got, err := s.read(name)
	if err != nil {
		r.failed(stepRead, err)
		return "", false
	}
	if !bytes.Equal(got, page) {
		r.add(holdfast.FindingMangled, "")
		return "", false
	}
	if err := s.fsys.Rename(name, renamed); err != nil {
		r.failed(stepRename, err)
		return "", false
	}
	if _, err := os.Lstat(renamed); err != nil {
		r.failed(stepRename, err)
		return "", false
	}
	if err := s.fsys.SyncDir(folder); err != nil {
		r.failed(stepSync, err)
		return "", false
	}
	return renamed, true
}

// writeSynced makes a file and tells what failed, if something did.
func writeSynced(fsys durable.FS, name string, data []byte) (at step, err error) {
	f, err := fsys.Create(name, 0o600)
	if err != nil {
		return stepWrite, err
	}
	if _, err := f.Write(data); err != nil {
		return stepWrite, errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return stepSync, errors.Join(err, f.Close())
	}
	return stepWrite, f.Close()
}

// leftAfter is the age from which a folder of a probe belongs to one that was
// cut: a probe takes milliseconds, but another process may be at it.
const leftAfter = 10 * time.Minute

// sweep removes what earlier probes left. Whatever it cannot remove does no harm.
func (s system) sweep(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return // the probe itself tells
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(256)
		for _, name := range names {
			if !durable.IsTemp(name) || !strings.HasPrefix(name, leftPrefix) {
				continue
			}
			path := filepath.Join(dir, name)
			if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftAfter {
				_ = s.fsys.RemoveAll(path)
			}
		}
		if err != nil {
			return // the end; of a failure the probe itself tells
		}
	}
}

// leftPrefix begins all temporary names of a probe.
var leftPrefix = strings.TrimRight(durable.TempName(tempBase), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

// Quick tells whether a directory can be written now, as cheaply as it can be
// known: it looks at the free space and writes, syncs, renames and removes one
// small file. Too little space, with need as what must be free, matches
// holdfast.ErrRefused. A missing directory is an error; nothing is made.
func Quick(ctx context.Context, dir string, need int64) error {
	return quick(ctx, durable.OS, dir, need)
}

func quick(ctx context.Context, fsys durable.FS, dir string, need int64) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return volume.Explain("write to", dir, tryQuick(fsys, dir, need))
}

func tryQuick(fsys durable.FS, dir string, need int64) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errNotDir
	}
	need = max(need, leastSpace)
	if v, err := volume.Stat(dir); err == nil && v.Total > 0 && v.Free < need {
		return &holdfast.Error{
			Op: "probe", Err: holdfast.Kindf(holdfast.ErrRefused, "%s are left, and %s are needed", size(v.Free), size(need)),
			Hint: meanings[holdfast.FindingFull].hint,
		}
	}
	name := filepath.Join(dir, durable.TempName(tempBase))
	renamed := filepath.Join(dir, durable.TempName(tempBase))
	_, err = writeSynced(fsys, name, []byte("holdfast looks whether it can write here\n"))
	if err == nil {
		err = fsys.Rename(name, renamed)
	}
	for _, left := range []string{name, renamed} {
		if _, serr := os.Lstat(left); !errors.Is(serr, fs.ErrNotExist) {
			err = errors.Join(err, fsys.Remove(left))
		}
	}
	return err
}

var errNotDir = errors.New("is not a directory")
