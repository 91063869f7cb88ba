// Package survival tells what becomes of a storage over restarts: kept, wiped,
// or used by two instances at once.
//
// A marker lies beside the data and dies with it. A record of it lies in the
// repository and outlives it, with a lease that is renewed as long as the
// program lives. A start that finds its marker was kept. One that finds none,
// but the record of an instance that is gone, was wiped, and takes over its
// history. Two records that are renewed are two instances. Clocks decide
// nothing alone: whether another instance lives is seen by its record changing
// while time passes here (lease.go).
//
// Two processes on one storage share the marker; the one that has the lock
// beside it keeps it up to date, and the kernel frees the lock of a process that
// is killed.
//
// Start from [Open]; then [Marker.Reconcile] once the repository can be reached,
// [Marker.Renew] about every third of the lease, and [Marker.Close] at the end.
// The decisions lie in state.go and history.go, without any file or network.
package survival

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/repo"
)

// DefaultLease is how long an instance counts as alive that was not heard of.
const DefaultLease = 90 * time.Second

// Options are what a marker is opened with.
type Options struct {
	// Data is the path of the database or directory; the marker lies beside it.
	Data string
	// Source is the name of the source; markers of different sources in one
	// repository have nothing to do with each other.
	Source string
	// FS is what changes the disk; durable.OS if nil.
	FS durable.FS
	// Now is the clock whose times are recorded; time.Now if nil. Nothing is
	// decided by it alone.
	Now func() time.Time
	// Logger hears what is remarkable; nil is silent.
	Logger *slog.Logger
	// Lease is how long others must believe in this instance after each
	// Renew; DefaultLease if zero.
	Lease time.Duration
}

// A Marker is the presence of this process on a storage. Its methods may be
// called from several goroutines.
type Marker struct {
	o         Options
	host, run string

	asking  sync.Mutex      // one conversation with the repository at a time
	damaged map[string]bool // records that were told to be unreadable

	mu     sync.Mutex // of what follows; not held while a repository answers
	path   string     // of the marker
	lock   string     // of the lock's file
	flock  *flock.Flock
	reason error  // why no marker can be kept; nil if it can
	told   string // why the marker that was found cannot be used
	other  string // who has the lock
	state  state
	// trusted is what the process before left on a clean end.
	trusted string
	closed  bool
}

// Open reads the marker beside the data and tries to take the local lock. An
// error still gives a usable Marker, whose Survival is unknown; it tries again
// whenever it is asked whether it holds the lock.
func Open(o Options) (*Marker, error) {
	if o.FS == nil {
		o.FS = durable.OS
	}
	o.Lease = cmp.Or(o.Lease, DefaultLease)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if abs, err := filepath.Abs(o.Data); err == nil {
		o.Data = abs
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // the name only helps people
	}
	m := &Marker{o: o, host: host, run: newID(), damaged: map[string]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m, m.begin()
}

// MarkerPath is where the marker of some data lies: beside it, or in it if it is
// a directory that a volume is mounted on, for what lies beside is on another
// storage then.
func MarkerPath(data string) string { return beside(data, ".json") }

// LockPath is where the lock of some data lies. It is never removed: another
// process may be about to lock it.
func LockPath(data string) string { return beside(data, ".lock") }

func beside(data, ext string) string {
	dir := filepath.Dir(data)
	if info, err := os.Stat(data); err == nil && info.IsDir() {
		if mounted, err := durable.IsMountPoint(data); err == nil && mounted {
			dir = data
		}
	}
	return filepath.Join(dir, "."+filepath.Base(data)+".holdfast"+ext)
}

func newID() string { return strings.ToLower(rand.Text()) }

// Holds tells whether this process has the local lock, and tries to take it if
// not. False means that another process on this storage has it. With an error no
// lock can be kept here at all, so that nobody else is known of: it is true then.
func (m *Marker) Holds() (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, nil
	}
	err := m.begin()
	return err != nil || m.other == "", err
}

// Other tells who has the local lock, in words; empty if this process has it, or
// nobody can.
func (m *Marker) Other() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.other
}

// begin takes the lock, if it is free, and begins a start by the marker.
func (m *Marker) begin() error {
	if m.state.begun && m.reason == nil && m.lockInPlace() {
		return nil
	}
	m.reason = m.tryBegin()
	return m.reason
}

// lockInPlace tells whether this process has the lock, and the locked file is
// still the one that others would lock: a storage that is wiped under a living
// program takes it away.
func (m *Marker) lockInPlace() bool {
	if m.flock == nil || !m.flock.Locked() {
		return false
	}
	mine, err := m.flock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(m.lock)
	return err == nil && os.SameFile(mine, now)
}

func (m *Marker) tryBegin() error {
	if !m.lockInPlace() {
		locked, err := m.tryLock()
		if err != nil {
			m.other = ""
			return m.failed("lock", m.lock, err)
		}
		if !locked {
			m.standBy()
			return nil
		}
	}
	m.other = ""
	found, err := readMarker(m.path, m.o.Source)
	if err != nil && err.Error() != m.told {
		m.told = err.Error()
		m.o.Logger.Warn("the marker beside the data cannot be used; it counts as absent", "path", m.path, "error", err)
	}
	// What was sound at the last end may be written from now on: the state of
	// before is remembered here, and no longer in the file.
	before, trusted := m.state, m.trusted
	if !m.state.begun {
		m.state.begin(found, m.run, holdfast.At(m.o.Now()))
		if found != nil {
			m.trusted = found.Trusted
		}
	}
	if err := m.write(); err != nil {
		m.state, m.trusted = before, trusted // the real marker may still show up
		return err
	}
	return nil
}

// tryLock looks for the place of the marker, which a volume may have been
// mounted on since, and takes the lock there if it is free.
func (m *Marker) tryLock() (bool, error) {
	m.path, m.lock = MarkerPath(m.o.Data), LockPath(m.o.Data)
	if err := m.unlock(); err != nil {
		return false, err
	}
	if err := planted.Check(m.lock); err != nil {
		return false, err // somebody could hold it for ever
	}
	m.flock = flock.New(m.lock, flock.SetFlag(os.O_CREATE|os.O_RDWR|planted.NoFollow), flock.SetPermissions(0o600))
	return m.flock.TryLock()
}

func (m *Marker) unlock() error {
	if m.flock == nil {
		return nil
	}
	return m.flock.Unlock()
}

// standBy notes who has the lock, and what the marker says.
func (m *Marker) standBy() {
	m.other = "another process on this storage"
	found, err := readMarker(m.path, m.o.Source)
	if err != nil || found == nil {
		return // the holder is only just beginning
	}
	m.other = found.holder()
	if !m.state.begun {
		m.state.me = found.record
	}
}

// write makes what is known durable beside the data.
func (m *Marker) write() error {
	err := writeMarker(m.o.FS, m.path, marker{
		record: m.state.me, Source: m.o.Source, Host: m.host, PID: os.Getpid(), Trusted: m.state.trusted,
	})
	if err != nil {
		return m.failed("write", m.path, err)
	}
	return nil
}

func (m *Marker) failed(op, path string, err error) error {
	return &holdfast.Error{
		Op: op + " marker", Object: path, Err: pathless(err),
		Hint: "without it nobody knows whether this storage outlives a restart; the data itself is not affected",
	}
}

// pathless drops the path that the system call names: the caller has named it.
func pathless(err error) error {
	if e, ok := errors.AsType[*holdfast.Error](err); ok && e.Err != nil {
		return e.Err
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Trusted is the state of the data at which the last process knew it to be
// sound, or "" if that did not say so at its end.
func (m *Marker) Trusted() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trusted
}

// Trust records the state of the data at which it is known to be sound. Call it
// when nothing will write any more: the next start believes it.
func (m *Marker) Trust(state string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.active() || m.reason != nil {
		return m.reason
	}
	m.state.trusted = state
	return m.write()
}

// active tells whether this process speaks for the storage.
func (m *Marker) active() bool { return m.state.begun && m.other == "" && !m.closed }

// Survival is what is known now.
func (m *Marker) Survival() holdfast.Survival {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.survival(m.reason, m.other)
}

// Close ends this instance in order: it notes the end beside the data and in the
// repository, which may be nil, and gives back the lock, whatever fails. A Renew
// that is at work is waited for; whoever is in a hurry cancels its context.
func (m *Marker) Close(ctx context.Context, r *repo.Repository) error {
	m.asking.Lock()
	defer m.asking.Unlock()
	var errs []error
	if m.end(&errs) && r != nil {
		errs = append(errs, r.PutInstance(ctx, m.instance()))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unlock(); err != nil {
		errs = append(errs, m.failed("unlock", m.lock, err))
	}
	return errors.Join(errs...)
}

// end notes the end beside the data, and tells whether the repository must hear
// of it.
func (m *Marker) end(errs *[]error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	spoke := m.active()
	m.closed = true
	if !spoke {
		return false
	}
	m.state.me.Ended = new(holdfast.At(m.o.Now()))
	if m.reason == nil {
		*errs = append(*errs, m.write())
	}
	return true
}
