package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// loadWait bounds the wait for locks on the way into memory: a program waits for
// its database meanwhile.
const loadWait = 5 * time.Second

// LoadMemory fills the in-memory database at uri with the database that lies at
// file in fsys, which may be a backup: nothing is unpacked and nothing is written
// anywhere. What the in-memory database held before is replaced in one
// transaction. Afterwards it is checked.
//
// The file is taken as it is: a -wal or -journal beside it is not looked for. For
// a live database see LoadMemoryFrom. Somebody must keep the in-memory database
// open (see Memory), or it is gone when LoadMemory returns.
func LoadMemory(ctx context.Context, uri string, fsys fs.FS, file string) error {
	if err := loadMemory(ctx, uri, fsys, file); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &holdfast.Error{Op: "load into memory", Object: file, Err: err}
	}
	return nil
}

func loadMemory(ctx context.Context, uri string, fsys fs.FS, file string) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A database in memory has no log, so the copy must not ask for one.
	source := &oneFile{fsys: fsys, name: file, asRollback: true}
	f, err := source.open()
	if err != nil {
		return err
	}
	pageSize, err := loadable(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	db, err := openDSN(uri, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return explain("open database", uri, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	r := &onlineRestore{path: uri, staged: file, wait: loadWait, progress: noProgress, source: source, pageSize: pageSize}
	if err := conn.Raw(func(c any) error { return r.write(ctx, c) }); err != nil {
		return explain("write database", uri, err)
	}
	return quickCheck(ctx, conn)
}

// loadable gives the page size, and refuses what is no database or too large for
// memory.
func loadable(f *blockFile) (pageSize int64, err error) {
	if f.size == 0 {
		return 4096, nil // there is no page
	}
	if err := identify(f, f.size); err != nil {
		return 0, err
	}
	head, err := readHeader(f)
	if err != nil {
		return 0, err
	}
	if f.size > MemoryLimit {
		return 0, &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "the database has %d MiB, and SQLite holds at most %d MiB in memory", f.size>>20, MemoryLimit>>20),
			Hint: "give the program a storage that can hold its database",
		}
	}
	return int64(head.pageSize), nil
}

// quickCheck is SQLite's own check of every page.
func quickCheck(ctx context.Context, conn *sql.Conn) error {
	findings, err := column(ctx, conn, "PRAGMA quick_check(1)")
	if err != nil {
		return fmt.Errorf("quick_check: %w", err)
	}
	if len(findings) != 1 || findings[0] != "ok" {
		return &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrDamaged, "quick_check: %s", findings[0]),
			Hint: "load an older backup",
		}
	}
	return nil
}

// LoadMemoryFrom is LoadMemory for the live database at path, whose storage may
// be full, read-only or failing. Everything that was committed there comes along,
// also what lies in the -wal only: on such a storage SQLite cannot always move it
// into the file. No connection of this process may have the database open.
//
// It reads through SQLite, under its locks. Where that needs to write beside the
// database and cannot, the file alone is read if that is all there is; otherwise
// the file and its companions are copied to the system's directory for temporary
// files, for SQLite to put together there.
func LoadMemoryFrom(ctx context.Context, uri, path string) error {
	path = followLinks(path)
	if _, err := statDatabase(path); err != nil {
		return err
	}
	err := loadLive(ctx, uri, path)
	if storage, _ := Fault(err); err == nil || !storage || ctx.Err() != nil {
		return err
	}
	if noLog(path) && noJournal(path) {
		return LoadMemory(ctx, uri, os.DirFS(filepath.Dir(path)), filepath.Base(path))
	}
	if second := loadScratch(ctx, uri, path); second != nil {
		return errors.Join(err, second)
	}
	return nil
}

// loadLive reads through SQLite where the database lies.
func loadLive(ctx context.Context, uri, path string) error {
	l, err := OpenLive(ctx, path, LiveOptions{Wait: loadWait})
	if err != nil {
		return err
	}
	if err := l.Begin(ctx); err != nil {
		return errors.Join(err, l.Close())
	}
	err = LoadMemory(ctx, uri, livePages{ctx, l}, filepath.Base(path))
	// Closing tidies up, which such a storage may not allow. What is in
	// memory has been checked.
	_ = l.Close()
	return err
}

// loadScratch copies the files of the database to where SQLite can write.
func loadScratch(ctx context.Context, uri, path string) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-")
	if err != nil {
		return fmt.Errorf("no place to put the database and its log together: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, filepath.Base(path))
	for _, suffix := range []string{"", "-wal", "-journal"} {
		err := copyPlain(ctx, copied+suffix, path+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return loadLive(ctx, uri, copied)
}

func copyPlain(ctx context.Context, to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return copyRange(ctx, out, in, info.Size(), noProgress)
}

// livePages shows the database of a transaction as a file, page by page as SQLite
// gives them: the log included.
type livePages struct {
	ctx context.Context // an fs.FS has no other way to hand it on
	l   *Live
}

func (p livePages) Open(name string) (fs.File, error) {
	size, count, err := p.l.pages(p.ctx)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &pagesFile{livePages: p, name: name, pageSize: size, count: count}, nil
}

// pagesFile is the one file of livePages.
type pagesFile struct {
	livePages
	name            string
	pageSize, count int64
}

func (f *pagesFile) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (f *pagesFile) Close() error             { return nil }

func (f *pagesFile) Stat() (fs.FileInfo, error) { return pagesInfo{f}, nil }

// ReadAt reads whole pages into a buffer and gives of them what is asked for.
func (f *pagesFile) ReadAt(p []byte, off int64) (int, error) {
	total := f.pageSize * f.count
	want := min(int64(len(p)), max(0, total-off))
	if want == 0 {
		return 0, io.EOF
	}
	first, last := off/f.pageSize, (off+want-1)/f.pageSize
	window := &window{skip: off - first*f.pageSize, into: p[:want]}
	if err := f.l.copySome(f.ctx, window, f.pageSize, first+1, last+1); err != nil {
		return 0, err
	}
	if want < int64(len(p)) {
		return int(want), io.EOF
	}
	return int(want), nil
}

// window keeps a part of what is written to it.
type window struct {
	skip int64
	into []byte
	n    int
}

func (w *window) Write(p []byte) (int, error) {
	drop := min(w.skip, int64(len(p)))
	w.skip -= drop
	w.n += copy(w.into[w.n:], p[drop:])
	return len(p), nil
}

type pagesInfo struct{ f *pagesFile }

func (i pagesInfo) Name() string       { return i.f.name }
func (i pagesInfo) Size() int64        { return i.f.pageSize * i.f.count }
func (i pagesInfo) Mode() fs.FileMode  { return 0o400 }
func (i pagesInfo) ModTime() time.Time { return time.Time{} }
func (i pagesInfo) IsDir() bool        { return false }
func (i pagesInfo) Sys() any           { return nil }
