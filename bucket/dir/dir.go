// Package dir is a bucket in a directory: every object is a file that people
// can read with ls and cat, every key its path below the root.
//
// Start from [New].
//
// What is being written lies in one folder of the root, ".tmp-<name>-<random>",
// or ".resume-<name>-<digest>" if it can be resumed, until everything in it is
// durable and it gets its name by one rename; what is being removed is first
// renamed to ".deleted-<name>-<random>". They stand directly in the root,
// whatever the key: there no file of anybody else has such a name, while trees
// further down may hold files of any name. Clean removes exactly these patterns.
//
// Folders are made 0700 and files 0600. Objects are read through os.Root, so
// that no symbolic link leads a reader out of the root, and nothing is written
// through a link either. All changes go through a durable.FS.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

var _ bucket.Bucket = (*Bucket)(nil)

// Options are the optional parts of New.
type Options struct {
	// FS changes files; nil is the real file system.
	FS durable.FS
	// LockCheck is how often a lease looks whether its lock file is still
	// there; zero is every 5 seconds.
	LockCheck time.Duration
}

// Bucket keeps objects below a directory. Make one with New.
type Bucket struct {
	root string
	fsys durable.FS
	o    Options

	mu    sync.Mutex
	lease *lease // the last one taken, until it was given back: it may be lost
}

// New makes a bucket of a directory. The directory need not exist: it counts as
// empty, and the first write makes it.
func New(root string, o Options) (*Bucket, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, &holdfast.Error{Op: "open", Object: root, Err: err}
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		return nil, &holdfast.Error{Op: "open", Object: abs, Err: holdfast.Kindf(holdfast.ErrUsage, "is a file"), Hint: "a repository is a directory; name another one"}
	}
	b := &Bucket{root: abs, fsys: o.FS, o: o}
	if b.fsys == nil {
		b.fsys = durable.OS
	}
	if b.o.LockCheck == 0 {
		b.o.LockCheck = 5 * time.Second
	}
	return b, nil
}

// Location implements bucket.Bucket.
func (b *Bucket) Location() string { return b.root }

// Free implements bucket.Bucket.
func (b *Bucket) Free(ctx context.Context) (int64, bool, error) {
	if ctx.Err() != nil {
		return 0, false, context.Cause(ctx)
	}
	info, err := volume.Stat(b.root)
	if err != nil {
		return 0, false, volume.Explain("look for free space", b.root, err)
	}
	return info.Free, info.Free >= 0, nil
}

// begin looks at what can stop an operation on key before it starts, and gives
// the key as a path of this system, relative to the root.
func (b *Bucket) begin(ctx context.Context, key string) (string, error) {
	rel, err := localKey(key)
	if err != nil {
		return "", err
	}
	if isTransient(firstElement(key)) || key == lockKey || key == path.Dir(lockKey) {
		return "", &holdfast.Error{Op: "object", Object: key, Err: holdfast.Kindf(holdfast.ErrUsage, "the name is reserved")}
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return rel, nil
}

// localKey gives a key as a relative path of this system.
func localKey(key string) (string, error) {
	if err := bucket.CheckKey(key); err != nil {
		return "", err
	}
	rel, err := filepath.Localize(key)
	if err != nil {
		return "", &holdfast.Error{Op: "object", Object: key, Err: holdfast.Kindf(holdfast.ErrUsage, "this system cannot have a file of that name")}
	}
	return rel, nil
}

func firstElement(key string) string {
	first, _, _ := strings.Cut(key, "/")
	return first
}

// Open implements bucket.Bucket.
func (b *Bucket) Open(ctx context.Context, key string) (bucket.Object, error) {
	rel, err := b.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	return openObject(b.root, rel)
}

// object is an open file; the size is that at the opening, since objects never
// change.
type object struct {
	*os.File
	size int64
}

// Size implements bucket.Object.
func (o *object) Size() int64 { return o.size }

// openObject opens a regular file below root, and nothing else: a folder, a
// pipe or a device is no object.
func openObject(root, rel string) (bucket.Object, error) {
	fail := func(err error) error { return volume.Explain("open", filepath.Join(root, rel), pathless(err)) }
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fail(err)
	}
	defer r.Close()
	info, err := r.Stat(rel) // before opening: a pipe would block
	if err != nil {
		if isNotDirectory(err) {
			err = fs.ErrNotExist
		}
		return nil, fail(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fail(fmt.Errorf("not an object: %w", fs.ErrNotExist))
	}
	f, err := r.Open(rel)
	if err != nil {
		return nil, fail(err)
	}
	// The size is that of the file that is open: since the look above, Put
	// may have replaced the object.
	if info, err = f.Stat(); err != nil {
		return nil, fail(errors.Join(err, f.Close()))
	}
	return &object{f, info.Size()}, nil
}

// parent gives the path of the folder that holds rel, after making it with all
// folders above it, or refusing if a link leads out of the root.
func (b *Bucket) parent(rel string) (string, error) {
	if err := b.inside(filepath.Dir(rel)); err != nil {
		return "", err
	}
	dir := filepath.Join(b.root, filepath.Dir(rel))
	return dir, durable.MkdirAll(b.fsys, dir, dirMode)
}

// inside refuses a folder that a symbolic link puts outside of the root. One
// that does not exist is inside.
func (b *Bucket) inside(rel string) error {
	r, err := os.OpenRoot(b.root)
	if err == nil {
		defer r.Close()
		_, err = r.Stat(rel)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// pathless drops the operation and path of a system call's error: whoever
// reports it names the object once.
func pathless(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	if le, ok := err.(*os.LinkError); ok {
		return le.Err
	}
	return err
}
