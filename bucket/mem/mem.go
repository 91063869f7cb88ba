// Package mem is a bucket in memory: for tests, and for programs that keep a
// repository only as long as they run. Holes cost nothing. Corrupt, Inject and
// Break let tests damage what is stored, make operations fail and lose a lease.
//
// Start from [New].
package mem

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var _ bucket.Bucket = (*Bucket)(nil)

// Bucket holds objects in memory. Make one with New.
type Bucket struct {
	mu      sync.Mutex
	objects map[string]object
	stages  map[*stage]bool // neither committed nor aborted
	lease   *lease          // held now
	taken   *lease          // the last one, until it was given back: it may be lost
	inject  func(op, key string) error
}

// object is one stored object. Its blob is never changed, only replaced.
type object struct {
	blob    *blob
	modTime time.Time
}

// New makes an empty bucket.
func New() *Bucket {
	return &Bucket{objects: map[string]object{}, stages: map[*stage]bool{}}
}

// Location implements bucket.Bucket.
func (b *Bucket) Location() string { return "memory" }

// Corrupt replaces the bytes of an object by what change makes of them, as a
// failing disk would.
func (b *Bucket) Corrupt(key string, change func([]byte) []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if !ok {
		return absent("corrupt", key)
	}
	o.blob = newBlob(change(o.blob.bytes()))
	b.objects[key] = o
	return nil
}

// Inject sets a function that is asked before each operation ("open", "put",
// "list", "delete", "create", "write", "commit" …) on a key; an error that it
// returns is the operation's outcome.
func (b *Bucket) Inject(fault func(op, key string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inject = fault
}

// begin looks at everything that can stop an operation before it starts.
func (b *Bucket) begin(ctx context.Context, op, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.mu.Lock()
	fault := b.inject
	b.mu.Unlock()
	if fault != nil {
		if err := fault(op, key); err != nil {
			return &holdfast.Error{Op: op, Object: key, Err: err}
		}
	}
	return nil
}

func (b *Bucket) beginKey(ctx context.Context, op, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return b.begin(ctx, op, key)
}

// Open implements bucket.Bucket.
func (b *Bucket) Open(ctx context.Context, key string) (bucket.Object, error) {
	if err := b.beginKey(ctx, "open", key); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if !ok {
		return nil, absent("open", key)
	}
	return reader{o.blob}, nil
}

// Put implements bucket.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	if err := b.beginKey(ctx, "put", key); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("put", key); err != nil {
		return err
	}
	if _, ok := b.objects[key]; ok && mode == bucket.IfAbsent {
		return exists("put", key)
	}
	b.objects[key] = object{newBlob(slices.Clone(data)), time.Now()}
	return nil
}

// List implements bucket.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		if err := b.begin(ctx, "list", prefix); err != nil {
			yield(bucket.Info{}, err)
			return
		}
		b.mu.Lock()
		objects := maps.Clone(b.objects)
		b.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			if ctx.Err() != nil {
				yield(bucket.Info{}, context.Cause(ctx))
				return
			}
			o := objects[key]
			if !yield(bucket.Info{Key: key, Size: o.blob.size, ModTime: o.modTime}, nil) {
				return
			}
		}
	}
}

// Folders implements bucket.Bucket.
func (b *Bucket) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return bucket.FoldersOf(b.List(ctx, prefix), prefix)
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.beginKey(ctx, "delete", key); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("delete", key); err != nil {
		return err
	}
	delete(b.objects, key)
	return nil
}

// RemoveTree implements bucket.Bucket.
func (b *Bucket) RemoveTree(ctx context.Context, prefix, marker string) error {
	if err := bucket.CheckKey(marker); err != nil {
		return err
	}
	if err := b.beginKey(ctx, "remove", prefix); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("remove", prefix); err != nil {
		return err
	}
	maps.DeleteFunc(b.objects, func(key string, _ object) bool { return strings.HasPrefix(key, prefix+"/") })
	return nil
}

// Clean implements bucket.Bucket. Stages that are still open count as left
// behind: whoever holds the lease knows of no other writer.
func (b *Bucket) Clean(ctx context.Context) ([]string, error) {
	if err := b.begin(ctx, "clean", ""); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.taken.fenced("clean", ""); err != nil {
		return nil, err
	}
	var removed []string
	for s := range b.stages {
		if s.resume && time.Since(s.begun) < keepResumable {
			continue
		}
		removed = append(removed, s.prefix)
		s.end()
	}
	slices.Sort(removed)
	return removed, nil
}

// Free implements bucket.Bucket; memory does not know.
func (b *Bucket) Free(ctx context.Context) (int64, bool, error) {
	return 0, false, b.begin(ctx, "free", "")
}

func absent(op, key string) error {
	return &holdfast.Error{Op: op, Object: key, Err: fmt.Errorf("no such object: %w", fs.ErrNotExist)}
}

func exists(op, key string) error {
	return &holdfast.Error{Op: op, Object: key, Err: fmt.Errorf("taken: %w", fs.ErrExist)}
}
