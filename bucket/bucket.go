// Package bucket is the small interface between the repository format and the
// place where its objects lie: a directory (bucket/dir), memory (bucket/mem),
// any S3-compatible service (bucket/s3) or a Telegram chat (bucket/telegram). Every sentence on the interfaces is a
// subtest of bucket/buckettest, which all implementations pass.
//
// Keys are slash-separated relative paths without ".", ".." or empty elements;
// anything else is refused with ErrUsage before the store is touched.
package bucket

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Bucket holds named, immutable objects.
type Bucket interface {
	// Location tells people where the objects are: a path or a URL without
	// secrets.
	Location() string

	// Open gives random access to an object. An absent object is an error
	// that matches fs.ErrNotExist. The context should last as long as the
	// object is read: where reading is a download, it is stopped by it.
	Open(ctx context.Context, key string) (Object, error)

	// Put writes a whole small object; on nil it is durable. With
	// IfAbsent an existing object is left alone and the error matches
	// fs.ErrExist; otherwise it is replaced atomically: a reader, or a
	// crash, meets the old or the new object whole.
	Put(ctx context.Context, key string, data []byte, mode PutMode) error

	// List gives the objects below prefix ("" = all; "a/" = below a) in the
	// order of their keys. Objects of uncommitted stages and trees that are
	// being removed are not listed.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]

	// Folders gives the next element of the keys that go on below it:
	// "b" if "a/b/c" exists, for the prefix "a/". Each comes once, in the
	// order of the keys, and whatever lies below is not looked at, so that
	// a large tree costs no more than its name. A folder that lost its last
	// object may still be given. The prefix is "" or ends with a slash;
	// else the error matches ErrUsage.
	Folders(ctx context.Context, prefix string) iter.Seq2[string, error]

	// Delete removes one object durably. An absent object is no error, so
	// that cleanup can repeat.
	Delete(ctx context.Context, key string) error

	// Create streams one object, in a tree that is visible or beside all
	// trees. It shows, whole and durable, when the writer was closed, in
	// place of what had the key; whoever has that open goes on reading it.
	Create(ctx context.Context, key string) (Writer, error)

	// Stage begins a tree of objects below prefix that becomes visible all
	// at once. If objects exist below prefix, Commit fails and matches
	// fs.ErrExist.
	Stage(ctx context.Context, prefix string, o StageOptions) (Stage, error)

	// RemoveTree removes all objects below prefix, the object marker (a key
	// relative to prefix) first: a cut leaves a whole tree, or one without
	// marker that Clean removes. An absent tree is no error.
	RemoveTree(ctx context.Context, prefix, marker string) error

	// Clean removes what crashes left behind: stages never committed,
	// temporary files, trees half removed. Stages that can be resumed stay
	// for a week. It tells what it removed. The caller must hold the lease.
	Clean(ctx context.Context) ([]string, error)

	// Lock takes the single-writer lease or fails with a *LockedError that
	// names the owner. A lease of a dead owner is taken over. From the moment
	// that somebody else may hold it, whatever this bucket was told to
	// change fails and matches ErrLocked: a writer that was paused finds its
	// stage refused at Commit. Where the store cannot compare before it
	// writes, the bucket looks before each change, and its documentation says
	// what remains.
	Lock(ctx context.Context, owner holdfast.Owner) (Lease, error)

	// Free tells how many bytes can still be written; ok is false if the
	// store does not know.
	Free(ctx context.Context) (bytes int64, ok bool, err error)
}

// StageOptions are what a stage needs to know from its beginning.
type StageOptions struct {
	// Marker is the object, relative to the prefix, that Commit writes last.
	Marker string
	// Resume begins with the complete objects of a stage of the same prefix
	// that was given up without Abort, and lets this one be resumed too.
	// Open tells what is there: where the other process has ended it may be
	// nothing, and what is written again need not be sent again.
	Resume bool
}

// PutMode tells what Put does with an existing object.
type PutMode int

// The modes of Put.
const (
	Replace  PutMode = iota // replace an existing object
	IfAbsent                // leave an existing object and fail with fs.ErrExist
)

// Info describes an object.
type Info struct {
	Key     string
	Size    int64
	ModTime time.Time
}

// An Object gives random access to the bytes of one object. ReadAt may be
// called from several goroutines.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// A Stage is a tree of objects that nobody sees until Commit. Its keys are
// relative to its prefix. After Commit or Abort its operations fail and match
// fs.ErrClosed.
type Stage interface {
	// Create starts an object below the stage's prefix. Several objects may
	// be written side by side, each by one goroutine. Creating a key again
	// after its writer was closed replaces the object; whoever has the old
	// one open goes on reading it.
	Create(ctx context.Context, key string) (Writer, error)
	// Open reads an object back whose writer was closed.
	Open(ctx context.Context, key string) (Object, error)
	// Remove drops an object whose writer was closed; whoever has it open
	// goes on reading it.
	Remove(ctx context.Context, key string) error
	// Commit makes every object durable, writes the marker with data last and
	// shows the tree. On nil it is durable and complete; on an error, or
	// after a cut at any point, nothing is visible (or all of it is, if the
	// error came after the rename; then List shows the marker). While an
	// object is still being written Commit is refused.
	Commit(ctx context.Context, data []byte) error
	// Abort removes everything, of a stage that can be resumed too. After
	// Commit it does nothing. It works on a cancelled context.
	Abort(ctx context.Context) error
}

// A Writer writes one object of a stage.
type Writer interface {
	io.Writer
	// Skip adds n zero bytes, as a hole where the store can.
	Skip(n int64) error
	// Close ends the object. Its bytes need not be durable before Commit. It
	// fails if anything before it failed, so that half an object is never
	// taken for a whole one.
	Close() error
	// Discard drops the object. After Close it does nothing.
	Discard() error
}

// A Lease is the right to write, held until Release.
type Lease interface {
	// Lost is closed when the lease was lost; the holder must stop. It stays
	// open over Release.
	Lost() <-chan struct{}
	// Release gives the lease back; it can repeat.
	Release() error
}

// ErrFenced is how changes fail after the lease was lost.
var ErrFenced = holdfast.Kindf(holdfast.ErrLocked, "the lease was lost: somebody else may write here now")

// CheckFolder tells whether prefix stands for a folder: "" or a key and a
// slash.
func CheckFolder(prefix string) error {
	if prefix == "" {
		return nil
	}
	folder, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return &holdfast.Error{Op: "list", Object: prefix, Err: holdfast.Kindf(holdfast.ErrUsage, "not a folder")}
	}
	return CheckKey(folder)
}

// FoldersOf gives what Bucket.Folders promises out of the list of a prefix: for stores to
// which a list costs nothing.
func FoldersOf(list iter.Seq2[Info, error], prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := CheckFolder(prefix); err != nil {
			yield("", err)
			return
		}
		last := ""
		for info, err := range list {
			if err != nil {
				yield("", err)
				return
			}
			name, _, below := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
			if !below || name == last {
				continue
			}
			last = name
			if !yield(name, nil) {
				return
			}
		}
	}
}

// CheckKey tells whether key names an object.
func CheckKey(key string) error {
	if !fs.ValidPath(key) || key == "." || strings.ContainsAny(key, "\\\x00") {
		return &holdfast.Error{Op: "object", Object: key, Err: holdfast.Kindf(holdfast.ErrUsage, "not a valid key")}
	}
	return nil
}
