package durable

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// OS is the real file system.
var OS FS = osFS{}

type osFS struct{}

// Create implements FS. O_EXCL also refuses a dangling symbolic link, so that
// nobody can redirect a new file.
func (osFS) Create(name string, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, perm)
	if err != nil {
		return nil, err
	}
	return &osFile{f: f}, nil
}

// OpenWrite implements FS.
func (osFS) OpenWrite(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &osFile{f: f}, nil
}

func (osFS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }
func (osFS) Rename(oldname, newname string) error      { return os.Rename(oldname, newname) }
func (osFS) Remove(name string) error                  { return os.Remove(name) }
func (osFS) RemoveAll(name string) error               { return os.RemoveAll(name) }
func (osFS) Symlink(oldname, newname string) error     { return os.Symlink(oldname, newname) }
func (osFS) Chmod(name string, mode fs.FileMode) error { return os.Chmod(name, mode) }

// Chtimes implements FS. The access time is left alone.
func (osFS) Chtimes(name string, mtime time.Time) error {
	return os.Chtimes(name, time.Time{}, mtime)
}

// RenameNew implements FS.
func (osFS) RenameNew(oldname, newname string) error {
	err := renameNew(oldname, newname)
	if errors.Is(err, errors.ErrUnsupported) {
		return renameUnlessThere(oldname, newname)
	}
	return err
}

// renameUnlessThere is for systems without such a rename. The moment between
// look and rename is covered by the locks that every writer of holdfast holds.
func renameUnlessThere(oldname, newname string) error {
	_, err := os.Lstat(newname)
	if err == nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(oldname, newname)
}

// Exchange implements FS.
func (osFS) Exchange(a, b string) error { return exchange(a, b) }

// SyncFile implements FS.
func (osFS) SyncFile(name string) error {
	f, err := os.OpenFile(name, syncFlag, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SyncDir implements FS.
func (osFS) SyncDir(name string) error { return syncDir(name) }

// writebackChunk is how much may wait in memory before the system is asked to
// begin writing it out. Without it the sync at the end of a large file does all
// the work while nobody computes; smaller chunks would let the writer wait for
// a busy disk.
const writebackChunk = 32 << 20

// writeSize is the most that is handed to the system at once. Larger writes let
// Linux take larger pieces of memory for its cache, which in virtual machines
// the host often has to find first: 256 KiB at once were measured to cost up to
// four times the system time of 32 KiB.
const writeSize = 32 << 10

// osFile is an os.File that begins to write out large files early.
type osFile struct {
	f       *os.File
	waiting int64 // bytes since the last writeback; one goroutine writes
}

func (f *osFile) Name() string { return f.f.Name() }

// Truncate implements File; growing adds a hole where the file system has
// them.
func (f *osFile) Truncate(size int64) error { return f.f.Truncate(size) }

func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *osFile) Write(p []byte) (int, error) {
	return f.pieces(p, func(piece []byte, _ int) (int, error) { return f.f.Write(piece) })
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	return f.pieces(p, func(piece []byte, done int) (int, error) { return f.f.WriteAt(piece, off+int64(done)) })
}

// pieces writes p in pieces of writeSize.
func (f *osFile) pieces(p []byte, write func(piece []byte, done int) (int, error)) (int, error) {
	done := 0
	for {
		n, err := write(p[done:min(done+writeSize, len(p))], done)
		done += n
		f.wrote(n)
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

func (f *osFile) wrote(n int) {
	f.waiting += int64(n)
	if f.waiting >= writebackChunk {
		f.waiting = 0
		startWriteback(f.f)
	}
}

// Close begins to write out what is still in memory, so that a later sync of
// many small files finds the disk at work already.
func (f *osFile) Close() error {
	if f.waiting > 0 {
		f.waiting = 0
		startWriteback(f.f)
	}
	return f.f.Close()
}

// Sync implements File. A failed sync must not be repeated: the system may have
// dropped the data already and would report success.
func (f *osFile) Sync() error {
	f.waiting = 0
	return f.f.Sync()
}
