package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// smallAtOnce is the number of small files written, or files synced, side by
// side.
const smallAtOnce = 4

// openAtOnce bounds the files that are written and not yet synced.
const openAtOnce = 64

// Extract writes the entries below prefix (a source, or "." for all) into the
// directory dir, which must not exist or be empty: modes, times, links and
// holes as they were, every byte checked against its digest, everything
// synced. Paths in dir are relative to prefix. A mismatch is a *DamagedError
// naming the file; what was written until then stays for the caller to remove.
func (b *Backup) Extract(ctx context.Context, prefix, dir string, fsys durable.FS, progress func(path string, done, total int64)) error {
	root := b.view.tree.entries[prefix]
	if root == nil || root.Type != typeDir {
		return &holdfast.Error{Op: "extract", Object: prefix, Err: holdfast.Kindf(holdfast.ErrNotFound, "backup %s has no such folder", b.name)}
	}
	x := &extraction{b: b, fs: fsys, dir: dir, prefix: prefix, progress: progress}
	if err := x.plan(); err != nil {
		return err
	}
	created, err := x.makeRoot()
	if err != nil {
		return &holdfast.Error{Op: "extract", Object: dir, Err: err}
	}
	defer x.abandon()
	for _, step := range []func(context.Context) error{x.makeDirs, x.writeFiles, x.makeLinks, x.setDirs, x.syncFiles, x.finishDirs} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if created {
		if err := fsys.SyncDir(filepath.Dir(dir)); err != nil {
			return &holdfast.Error{Op: "extract", Object: dir, Err: err}
		}
	}
	return nil
}

// extraction is one run of Extract.
type extraction struct {
	b           *Backup
	fs          durable.FS
	dir, prefix string
	progress    func(path string, done, total int64)

	dirs, files, links []*entry
	total              int64

	mu       sync.Mutex
	done     int64
	unsynced []writtenFile
}

// writtenFile is a file that has its content, mode and time, but is not durable.
type writtenFile struct {
	e *entry
	f durable.File
}

// plan sorts the entries by what is to be done and refuses names that this
// system could not hold, before anything is written.
func (x *extraction) plan() error {
	for _, e := range x.b.view.tree.below(x.prefix) {
		if _, err := filepath.Localize(e.Path); err != nil {
			return &holdfast.Error{Op: "extract", Object: e.Path, Err: fmt.Errorf("this system cannot have a file of this name")}
		}
		switch e.Type {
		case typeDir:
			x.dirs = append(x.dirs, e)
		case typeSymlink:
			x.links = append(x.links, e)
		default:
			x.files = append(x.files, e)
			x.total += e.Size
		}
	}
	return nil
}

// target is where e goes.
func (x *extraction) target(e *entry) string {
	rel := e.Path
	if x.prefix != "." {
		rel = strings.TrimPrefix(strings.TrimPrefix(e.Path, x.prefix), "/")
	}
	return filepath.Join(x.dir, filepath.FromSlash(rel))
}

// makeRoot makes the directory, or checks that it is empty.
func (x *extraction) makeRoot() (created bool, err error) {
	list, err := os.ReadDir(x.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, x.fs.Mkdir(x.dir, 0o700)
	case err != nil:
		return false, err
	case len(list) > 0:
		return false, &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "the directory is not empty"), Hint: "choose a new or empty directory"}
	}
	return false, nil
}

func (x *extraction) makeDirs(context.Context) error {
	for _, e := range x.dirs {
		if e.Path == x.prefix {
			continue
		}
		if err := x.fs.Mkdir(x.target(e), 0o700); err != nil {
			return x.fail(e, err)
		}
	}
	return nil
}

func (x *extraction) fail(e *entry, err error) error {
	return &holdfast.Error{Op: "extract", Object: e.Path, Err: x.b.damagedEntry(e, err)}
}

// writeFiles writes the files in groups. Each is synced before the next one,
// the last by a step of its own, after all that changes names and times: so the
// file system puts all of it into one entry of its journal.
func (x *extraction) writeFiles(ctx context.Context) error {
	for group := range slices.Chunk(x.files, openAtOnce) {
		if err := x.syncFiles(ctx); err != nil {
			return err
		}
		if err := x.writeGroup(ctx, group); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// writeGroup writes large files one after the other, each on all cores, and
// small ones side by side.
func (x *extraction) writeGroup(ctx context.Context, files []*entry) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(smallAtOnce)
	for _, e := range files {
		if gctx.Err() != nil {
			break
		}
		if e.Size <= smallFile {
			g.Go(func() error { return x.writeFile(gctx, e) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range files {
		if e.Size > smallFile {
			if err := x.writeFile(ctx, e); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

func (x *extraction) writeFile(ctx context.Context, e *entry) error {
	name := x.target(e)
	f, err := x.fs.Create(name, 0o600)
	if err != nil {
		return x.fail(e, err)
	}
	err = x.fill(ctx, e, f)
	if err == nil {
		err = x.fs.Chmod(name, e.perm)
	}
	if err == nil {
		err = x.fs.Chtimes(name, e.modTime)
	}
	if err != nil {
		return x.fail(e, errors.Join(err, f.Close()))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unsynced = append(x.unsynced, writtenFile{e, f})
	return nil
}

// syncFiles makes what was written durable. The handles are those of the
// writing: the mode may forbid to open a file again.
func (x *extraction) syncFiles(context.Context) error {
	var g errgroup.Group
	g.SetLimit(smallAtOnce)
	for _, w := range x.unsynced {
		g.Go(func() error {
			if err := errors.Join(w.f.Sync(), w.f.Close()); err != nil {
				return x.fail(w.e, err)
			}
			return nil
		})
	}
	x.unsynced = nil
	return g.Wait()
}

// abandon closes what a failed extraction left open. Its files are of no use,
// and so are the errors of closing them.
func (x *extraction) abandon() {
	for _, w := range x.unsynced {
		_ = w.f.Close()
	}
}

// fill writes the bytes of e to f, holes as holes.
func (x *extraction) fill(ctx context.Context, e *entry, f durable.File) error {
	if data, ok := x.b.view.literal[e.Path]; ok {
		x.advance(e, int64(len(data)))
		_, err := f.Write(data)
		return err
	}
	c, err := newContent(e, x.b, x.b.view.cache)
	if err != nil {
		return err
	}
	defer c.close()
	if e.Size > 0 {
		// The size comes first: it makes the holes, also one at the end.
		if err := f.Truncate(e.Size); err != nil {
			return err
		}
	}
	// One goroutine writes, in order: the file system likes it, and durable
	// files begin to write out early by it.
	return c.scan(ctx, false, func(fr *frame) error {
		x.advance(e, fr.size())
		return fr.data(func(off int64, b []byte) error {
			_, err := f.WriteAt(b, off)
			return err
		})
	})
}

func (x *extraction) advance(e *entry, n int64) {
	if x.progress == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done += n
	x.progress(e.Path, x.done, x.total)
}

// makeLinks comes after all files, so that no link can lead a file astray.
func (x *extraction) makeLinks(context.Context) error {
	for _, e := range x.links {
		if err := x.fs.Symlink(e.Link, x.target(e)); err != nil {
			return x.fail(e, err)
		}
	}
	return nil
}

// recorded tells whether a directory itself was captured; else it is only
// there because something lies in it.
func (e *entry) recorded() bool { return e.ModTime != "" }

// locks tells whether a directory's mode forbids its owner to open it.
func (e *entry) locks() bool { return e.perm&0o500 != 0o500 }

// setDirs gives directories their times and modes, now that everything is made
// in them. A mode that keeps even us out has to wait.
func (x *extraction) setDirs(context.Context) error {
	for _, e := range x.dirs {
		if !e.recorded() {
			continue
		}
		err := x.fs.Chtimes(x.target(e), e.modTime)
		if err == nil && !e.locks() {
			err = x.chmodDir(e)
		}
		if err != nil {
			return x.fail(e, err)
		}
	}
	return nil
}

func (x *extraction) chmodDir(e *entry) error {
	return x.fs.Chmod(x.target(e), e.perm.Perm()|e.perm&modeBits)
}

// finishDirs makes directories durable, the deepest first. A mode that waited
// comes after its sync; after a power cut such a directory may be open to its
// owner.
func (x *extraction) finishDirs(context.Context) error {
	for _, e := range slices.Backward(x.dirs) {
		err := x.fs.SyncDir(x.target(e))
		if err == nil && e.recorded() && e.locks() {
			err = x.chmodDir(e)
		}
		if err != nil {
			return x.fail(e, err)
		}
	}
	return nil
}
