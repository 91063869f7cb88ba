package dir

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// lockKey is the file that the lease locks with flock and that names its owner.
// The system frees the lock of a process that dies, so that nobody need judge
// whether an owner still lives. The file itself stays: removing it would let two
// processes hold locks on two files of one name.
const lockKey = ".holdfast/lock"

// ownerAt is where the owner stands in the lock file. The first byte is left to
// the lock: where locks are mandatory (Windows) nobody else can read it.
const ownerAt = 1

// held are the locks of this process by the real path of their file. Some
// network file systems lock by process, not by open file.
var held = struct {
	sync.Mutex
	owners map[string]holdfast.Owner
}{owners: map[string]holdfast.Owner{}}

// lease is a held lock.
type lease struct {
	b    *Bucket
	path string // real
	file *flock.Flock
	lost chan struct{}
	lose func() // closes lost, once

	ended atomic.Bool // given back, which is not lost
	once  sync.Once
	stop  chan struct{}
	done  chan struct{} // the watcher has ended
	err   error         // of Release
}

// Lock implements bucket.Bucket.
func (b *Bucket) Lock(ctx context.Context, owner holdfast.Owner) (bucket.Lease, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	path, err := b.lockFile()
	if err != nil {
		return nil, volume.Explain("lock", b.root, pathless(err))
	}
	held.Lock()
	defer held.Unlock()
	if other, taken := held.owners[path]; taken {
		return nil, &holdfast.LockedError{Object: b.root, Owner: other}
	}
	// A lock on a file that was replaced meanwhile is worth nothing: try the
	// one that is there now.
	for range 3 {
		l, err := b.tryLock(path, owner)
		if err != nil {
			return nil, err
		}
		if l != nil {
			held.owners[path] = owner
			b.mu.Lock()
			b.lease = l
			b.mu.Unlock()
			return l, nil
		}
		if path, err = b.lockFile(); err != nil {
			return nil, volume.Explain("lock", b.root, pathless(err))
		}
	}
	return nil, &holdfast.Error{Op: "lock", Object: b.root, Err: errors.New("somebody keeps replacing the lock file")}
}

// tryLock takes the lock or names its owner; nil if the file was replaced.
func (b *Bucket) tryLock(path string, owner holdfast.Owner) (*lease, error) {
	file := flock.New(path, flock.SetFlag(os.O_RDWR))
	ok, err := file.TryLock()
	switch {
	case hasNoLocks(err):
		kind := "this"
		if info, err := volume.Stat(path); err == nil {
			kind = "a " + info.Kind
		}
		return nil, &holdfast.Error{
			Op: "lock", Object: b.root,
			Err:  holdfast.Kindf(holdfast.ErrRefused, "%s file system has no locks: %w", kind, err),
			Hint: "keep the repository on a local disk, or turn on locking where the share is mounted",
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, volume.Explain("lock", b.root, pathless(err))
	case !ok:
		return nil, &holdfast.LockedError{Object: b.root, Owner: readOwner(path)}
	}
	l := &lease{b: b, path: path, file: file, lost: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	l.lose = sync.OnceFunc(func() { close(l.lost) })
	if !l.intact() {
		return nil, file.Unlock()
	}
	if err := b.writeOwner(path, owner); err != nil {
		return nil, errors.Join(volume.Explain("lock", b.root, pathless(err)), file.Unlock())
	}
	go l.watch(b.o.LockCheck)
	return l, nil
}

// lockFile gives the real path of the lock file, after making it if need be.
func (b *Bucket) lockFile() (string, error) {
	dir, err := b.parent(filepath.FromSlash(lockKey))
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(filepath.FromSlash(lockKey)))
	if info, err := os.Lstat(path); err == nil {
		if !info.Mode().IsRegular() {
			return "", errors.New("its lock file is not a file") // a link could lead anywhere
		}
		return path, nil
	}
	f, err := b.fsys.Create(path, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return path, nil // another process was faster
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write([]byte("\n"))
	return path, errors.Join(err, f.Close())
}

// writeOwner names the owner in the lock file. It need not be durable: no lock
// survives a power cut.
func (b *Bucket) writeOwner(path string, owner holdfast.Owner) error {
	data, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	return b.changeOwner(path, func(f durable.File) error {
		_, err := f.WriteAt(append(data, '\n'), ownerAt)
		return err
	})
}

func (b *Bucket) changeOwner(path string, change func(durable.File) error) error {
	f, err := b.fsys.OpenWrite(path)
	if err != nil {
		return err
	}
	if err = f.Truncate(ownerAt); err == nil && change != nil {
		err = change(f)
	}
	return errors.Join(err, f.Close())
}

// readOwner gives the owner that stands in the lock file; the zero owner if
// none can be read. An owner who has just taken the lock may still be writing.
func readOwner(path string) holdfast.Owner {
	for range 20 {
		var owner holdfast.Owner
		if data, err := readFrom(path, ownerAt); err == nil && json.Unmarshal(data, &owner) == nil {
			return owner
		}
		time.Sleep(10 * time.Millisecond)
	}
	return holdfast.Owner{}
}

func readFrom(path string, off int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, 4096)
	n, err := f.ReadAt(data, off)
	if n > 0 {
		err = nil // the end of the file is no failure
	}
	return data[:n], err
}

// intact tells whether the locked file is still the one that others will find.
func (l *lease) intact() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Lstat(l.path)
	return err == nil && os.SameFile(mine, theirs)
}

// holder gives the lease under which this bucket writes; nil if it never took
// one or gave it back.
func (b *Bucket) holder() *lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lease
}

// check fails when whoever began under this lease may change nothing any more.
// Nil is no lease. It looks at the lock file itself, which costs next to
// nothing: the watcher may not have looked since.
func (l *lease) check() error {
	if l == nil {
		return nil
	}
	select {
	case <-l.lost:
		return bucket.ErrFenced
	default:
	}
	if l.ended.Load() || l.intact() {
		return nil
	}
	l.lose()
	return bucket.ErrFenced
}

// watch closes Lost when the lock file is no longer the locked one.
func (l *lease) watch(every time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if !l.intact() {
				l.lose()
				return
			}
		}
	}
}

// Lost implements bucket.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements bucket.Lease. The owner's name goes first, so that nobody
// reads it after the lock is free.
func (l *lease) Release() error {
	l.once.Do(func() {
		close(l.stop)
		<-l.done
		var err error
		if l.check() == nil { // otherwise the name there is somebody else's
			err = l.b.changeOwner(l.path, nil)
			l.ended.Store(true)
			l.b.mu.Lock()
			if l.b.lease == l {
				l.b.lease = nil
			}
			l.b.mu.Unlock()
		}
		held.Lock()
		defer held.Unlock()
		delete(held.owners, l.path)
		l.err = volume.Explain("unlock", l.b.root, errors.Join(err, l.file.Unlock()))
	})
	return l.err
}
