package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

// replacedTries is how often a capture begins again because another file took
// the database's place: applications that write a new file and rename it do
// that once in a while, not all the time.
const replacedTries = 3

// Capture copies the database as it is at one instant.
//
// In WAL mode the pages come from SQLite in one read transaction and nobody
// waits. In rollback mode the file is first read without any lock; if a moment
// of SHARED then shows that nothing was written meanwhile, that was it.
// Otherwise it is read again under SHARED, and the time for which writers had
// to wait is reported. A database that has the stamp of the last backup is not
// read at all.
func (s *Source) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	fail := func(err error) (holdfast.Captured, error) {
		if ctx.Err() != nil {
			return holdfast.Captured{}, context.Cause(ctx)
		}
		return holdfast.Captured{}, err
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	path := followLinks(s.path)
	info, err := statDatabase(path)
	if err != nil {
		return fail(err)
	}
	e := holdfast.Entry{Path: s.file(), Mode: info.Mode().Perm(), ModTime: info.ModTime(), Size: info.Size()}
	if out, done, err := reuse(path, e, sink); err != nil {
		return fail(err)
	} else if done {
		return out, nil
	}
	w, err := sink.Create(e)
	if err != nil {
		return fail(err)
	}
	c := &capture{path: path, opts: s.opts, w: &headKeeper{FileWriter: w}}
	if err := c.run(ctx); err != nil {
		return fail(errors.Join(err, w.Discard()))
	}
	out := c.outcome(s.file())
	if len(out.Problems) == 0 { // otherwise they could not be told again
		w.Stamp(c.stamp)
	}
	// All locks are released; the work of a second pass happens here.
	if err := w.Close(); err != nil {
		return fail(errors.Join(err, w.Discard()))
	}
	return out, nil
}

// reuse takes the database over from the last backup, if it has the same stamp.
func reuse(path string, e holdfast.Entry, sink holdfast.Sink) (out holdfast.Captured, done bool, err error) {
	k, ok := peek(path)
	if !ok {
		return out, false, nil
	}
	if done, err = sink.Reuse(e, k.stamp()); err != nil || !done {
		return out, false, err
	}
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	if k.log == (inode.State{}) {
		if head, err := parseHeader(k.head[:]); err == nil {
			head.fill(facts, k.file.Size)
		}
	} else {
		facts.JournalMode = ModeWAL // the log may have another header
	}
	return holdfast.Captured{Method: "unchanged", Facts: holdfast.Facts{SQLite: facts}}, true, nil
}

// capture is one capture of one file.
type capture struct {
	path string
	opts Options
	w    *headKeeper

	written   bool // something was written since the last Reset
	mode      string
	method    string
	stamp     string
	stall     time.Duration
	recovered bool
}

func (c *capture) run(ctx context.Context) error {
	for try := 1; ; try++ {
		err := c.once(ctx)
		if err == nil || try == replacedTries || !errors.Is(err, errReplaced) {
			return err
		}
	}
}

func (c *capture) once(ctx context.Context) error {
	if err := c.restart(); err != nil {
		return err
	}
	l, err := OpenLive(ctx, c.path, LiveOptions{Wait: c.opts.Wait})
	if err != nil {
		return err
	}
	err = c.read(ctx, l)
	err = errors.Join(err, l.Close())
	c.stall = max(c.stall, l.Held())
	c.recovered = c.recovered || l.Recovered()
	return err
}

// read copies the database by the way that makes nobody wait, if there is
// one.
func (c *capture) read(ctx context.Context, l *Live) error {
	if l.file != nil {
		done, err := c.readUnlocked(ctx, l)
		if done || err != nil {
			return err
		}
		if err := c.restart(); err != nil {
			return err
		}
	}
	if err := l.Begin(ctx); err != nil {
		return err
	}
	c.mode = l.Mode()
	c.method = "shared lock"
	if c.mode == ModeWAL {
		c.method = "wal snapshot"
	}
	c.written = true
	err := l.Copy(ctx, c.w, nil)
	c.stamp = l.Stamp()
	return errors.Join(err, l.End())
}

// restart makes the writer begin again if anything was written.
func (c *capture) restart() error {
	c.stamp = ""
	if !c.written {
		return nil
	}
	c.written = false
	return c.w.Reset()
}

// readUnlocked copies the plain file without a lock and tells whether the copy
// is good: nothing can have been written to the file meanwhile.
func (c *capture) readUnlocked(ctx context.Context, l *Live) (bool, error) {
	info, err := l.file.Stat()
	if err != nil {
		return false, err
	}
	if err := identify(l.file, info.Size()); err != nil {
		return false, located(c.path, err)
	}
	if info.Size() == 0 {
		return c.readEmpty(ctx, l)
	}
	head, err := readHeader(l.file)
	if err != nil {
		return false, located(c.path, err)
	}
	if head.wal() {
		return c.readClosed(ctx, l)
	}
	before, err := l.atRest(ctx)
	if err != nil || l.mode != ModeRollback {
		return false, err
	}
	if whole, err := c.readPlain(ctx, l, before.state.Size); !whole || err != nil {
		return false, err
	}
	if err := l.Begin(ctx); err != nil {
		return false, err
	}
	still, err := l.isStill(before)
	c.stamp = l.Stamp()
	c.mode, c.method = ModeRollback, "optimistic"
	return still && c.w.hasHeader(before.head), errors.Join(err, l.End())
}

// readPlain copies the first size bytes of the file and tells whether it has so
// many: a writer may make it shorter.
func (c *capture) readPlain(ctx context.Context, l *Live, size int64) (bool, error) {
	adviseSequential(l.file)
	c.written = true
	err := copyRange(ctx, c.w, l.file, size, noProgress)
	if isShort(err) {
		return false, nil
	}
	if err != nil {
		return false, located(c.path, err)
	}
	return true, nil
}

// readClosed copies a database in WAL mode that nobody has open. Taking a lock
// through SQLite would create -wal and -shm, so their absence is looked at: a
// writer would make a log, and moving the log into the file, which removes it,
// would change the file.
func (c *capture) readClosed(ctx context.Context, l *Live) (bool, error) {
	if err := settle(ctx, l.file); err != nil {
		return false, located(c.path, err)
	}
	now := inode.Clock()
	if !noLog(c.path) {
		return false, nil // the log holds pages that the file does not
	}
	before, err := lookAt(c.path, l.file)
	if err != nil {
		return false, located(c.path, err)
	}
	if !before.quiet(now) || before.journal != (inode.State{}) {
		return false, nil // a change could not have been seen
	}
	if whole, err := c.readPlain(ctx, l, before.file.Size); !whole || err != nil {
		return false, err
	}
	after, err := lookAt(c.path, l.file)
	if err != nil {
		return false, located(c.path, err)
	}
	if err := l.sameFile(); err != nil {
		return false, err
	}
	c.mode, c.method = ModeWAL, "closed file"
	if inode.ShowsWrites(l.file, inode.Calls) {
		c.stamp = before.stamp()
	}
	return after == before && noLog(c.path), nil
}

// readEmpty captures a file of no bytes.
func (c *capture) readEmpty(ctx context.Context, l *Live) (bool, error) {
	if err := l.Begin(ctx); err != nil {
		return false, err
	}
	info, err := l.file.Stat()
	if err := errors.Join(err, l.End()); err != nil {
		return false, err
	}
	c.mode, c.method = ModeRollback, "optimistic"
	return info.Size() == 0 && l.mode == ModeRollback, nil
}

// outcome tells what was captured.
func (c *capture) outcome(file string) holdfast.Captured {
	out := holdfast.Captured{Stall: c.stall, Method: c.method}
	facts := &holdfast.SQLiteFacts{JournalMode: c.mode, QuickCheck: holdfast.CheckUnchecked}
	out.Facts.SQLite = facts
	if c.recovered {
		out.Problems = append(out.Problems, holdfast.Problem{
			Object: file, Severity: holdfast.Warning,
			Message: "a crashed process had left a transaction half-done; SQLite rolled it back, as at the next start of the application",
		})
	}
	if c.w.size == 0 {
		out.Problems = append(out.Problems, emptyProblem(file))
		return out
	}
	if head, err := parseHeader(c.w.head); err == nil {
		head.fill(facts, c.w.size)
		out.Problems = append(out.Problems, shapeProblems(file, head, c.w.size)...)
	}
	return out
}

// noLog tells that no -wal lies beside a database.
func noLog(path string) bool {
	_, err := os.Lstat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}

// located adds the path to an error that has none yet.
func located(path string, err error) error {
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		if e.Object == "" {
			e.Op, e.Object = "open database", path
		}
		return err
	}
	return fmt.Errorf("read %s: %w", path, err)
}

// headKeeper remembers the header of what is written through it.
type headKeeper struct {
	holdfast.FileWriter
	head []byte
	size int64
}

func (k *headKeeper) Write(p []byte) (int, error) {
	if missing := headerSize - len(k.head); missing > 0 {
		k.head = append(k.head, p[:min(missing, len(p))]...)
	}
	n, err := k.FileWriter.Write(p)
	k.size += int64(n)
	return n, err
}

func (k *headKeeper) Reset() error {
	k.head, k.size = k.head[:0], 0
	return k.FileWriter.Reset()
}

// hasHeader tells whether what was written begins with the header h, the
// change counter included: every commit in rollback mode raises it.
func (k *headKeeper) hasHeader(h header) bool {
	kept, err := parseHeader(k.head)
	return err == nil && kept == h
}
