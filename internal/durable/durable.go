// Package durable is the one way in which holdfast changes files that matter:
// whole files that exist completely or not at all, renames that reach the
// disk, swaps that can be undone. It is a leaf that any package may use.
//
// Everything that changes the disk goes through an [FS], so that tests can cut
// the power after every single operation (package durable/crashfs). [OS] is the
// real one.
//
// Start from [WriteFile] for one file, [SyncTree] and [Rename] for many, and
// [MkdirAll] for folders. The single operations of an FS promise nothing about
// a power cut by themselves: data is durable after Sync or SyncFile, a name
// after SyncDir of the folder that holds it.
package durable

import (
	"io"
	"io/fs"
	"time"
)

// FS is the set of operations that change files. Reading needs no
// abstraction: use package os. Paths are those of the operating system.
type FS interface {
	// Create makes a new file for writing; the file must not exist.
	Create(name string, perm fs.FileMode) (File, error)
	// OpenWrite opens an existing file for writing, without truncating it.
	OpenWrite(name string) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	// Rename replaces newname if it is a file.
	Rename(oldname, newname string) error
	// RenameNew renames only if newname does not exist; otherwise the error
	// matches fs.ErrExist. It is atomic where the system can.
	RenameNew(oldname, newname string) error
	// Exchange swaps two names atomically where the system can; the error
	// matches errors.ErrUnsupported where it cannot.
	Exchange(a, b string) error
	Remove(name string) error
	// RemoveAll removes a tree, entry by entry; absent is success.
	RemoveAll(name string) error
	Symlink(oldname, newname string) error
	Chmod(name string, mode fs.FileMode) error
	Chtimes(name string, mtime time.Time) error
	// SyncFile makes the data of a file durable that was written before
	// through another handle; the file need not be writable.
	SyncFile(name string) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
}

// A File is a file being written.
type File interface {
	io.Writer
	io.WriterAt
	io.ReaderAt
	io.Closer
	// Truncate sets the size; growing adds a hole.
	Truncate(size int64) error
	Sync() error
	Name() string
}
