package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

var (
	errEnded    = fmt.Errorf("the stage has ended: %w", fs.ErrClosed)
	errOpen     = errors.New("an object is still being written")
	errNotReady = fmt.Errorf("the object is not complete: %w", fs.ErrNotExist)
)

// stage is a tree in a temporary folder of the root.
type stage struct {
	b      *Bucket
	l      *lease // under which it began
	rel    string // the final place
	dir    string // the temporary folder
	marker string // local path below dir, written last
	resume bool
	home   string // the folder that goes when the stage ends
	open   string // where objects are written if the stage can be resumed

	mu      sync.Mutex
	folders map[string]bool    // made below dir
	writers map[string]*writer // being written, by path below dir
	opened  int
	ended   bool
}

// Stage implements bucket.Bucket.
func (b *Bucket) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	rel, err := b.begin(ctx, prefix)
	if err != nil {
		return nil, err
	}
	marker, err := localKey(o.Marker)
	if err != nil {
		return nil, err
	}
	s := &stage{
		b: b, l: b.holder(), rel: rel, marker: marker, resume: o.Resume,
		folders: map[string]bool{".": true}, writers: map[string]*writer{},
	}
	if err := s.l.check(); err != nil {
		return nil, s.fail("write", "", err)
	}
	if err := durable.MkdirAll(b.fsys, b.root, dirMode); err != nil {
		return nil, volume.Explain("write to", b.root, pathless(err))
	}
	if s.resume {
		err = s.take()
	} else {
		s.dir = b.tempPath(rel)
		s.home = s.dir
		err = b.fsys.Mkdir(s.dir, dirMode)
	}
	if err != nil {
		return nil, volume.Explain("write to", b.root, pathless(err))
	}
	return s, nil
}

// begin looks at what can stop an operation before it starts; the caller holds
// the mutex.
func (s *stage) begin(ctx context.Context, key string) (string, error) {
	rel, err := localKey(key)
	switch {
	case err != nil:
		return "", err
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case s.ended:
		return "", s.fail("write", rel, errEnded)
	}
	return rel, nil
}

// fail names the object by its final place, not by the temporary one.
func (s *stage) fail(op, rel string, err error) error {
	return volume.Explain(op, filepath.Join(s.b.root, s.rel, rel), pathless(err))
}

// Create implements bucket.Stage.
func (s *stage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, err := s.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	if s.writers[rel] != nil {
		return nil, s.fail("write", rel, errOpen)
	}
	if err := s.mkdir(filepath.Dir(rel)); err != nil {
		return nil, s.fail("write", rel, err)
	}
	w := &writer{s: s, rel: rel, path: s.place(rel)}
	f, err := s.create(rel, w.path)
	if err != nil {
		return nil, s.fail("write", rel, err)
	}
	w.content = content{ctx: ctx, fail: func(err error) error { return s.fail("write", rel, err) }, f: f}
	s.writers[rel] = w
	return w, nil
}

// mkdir makes a folder of the stage and those above it. The stage began empty,
// so a folder that exists and was not made by this name is that of another
// name, which the file system takes for the same.
func (s *stage) mkdir(rel string) error {
	if s.folders[rel] {
		return nil
	}
	if err := s.mkdir(filepath.Dir(rel)); err != nil {
		return err
	}
	if err := s.b.fsys.Mkdir(filepath.Join(s.dir, rel), dirMode); err != nil {
		return err
	}
	s.folders[rel] = true
	return nil
}

// create makes the file at path for an object of the stage, in place of a
// complete one of its name. That is removed, not truncated: whoever has it open
// goes on reading. Windows allows this because os.Root opens files so that they
// can be deleted.
func (s *stage) create(rel, path string) (durable.File, error) {
	old := filepath.Join(s.dir, rel)
	if path != old { // what is written will get the name later: the old must go now
		if err := s.removeOld(old); err != nil {
			return nil, err
		}
		return s.b.fsys.Create(path, fileMode)
	}
	f, err := s.b.fsys.Create(path, fileMode)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := s.removeOld(old); err != nil {
		return nil, err
	}
	return s.b.fsys.Create(path, fileMode)
}

// removeOld removes a complete object, if there is one, and no other whose name
// the file system takes for the same.
func (s *stage) removeOld(path string) error {
	if taken, err := exactName(path); err != nil || !taken {
		return err
	}
	return s.b.fsys.Remove(path)
}

// Open implements bucket.Stage.
func (s *stage) Open(ctx context.Context, key string) (bucket.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, err := s.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	if s.writers[rel] != nil {
		return nil, s.fail("open", rel, errNotReady)
	}
	return openObject(s.dir, rel)
}

// Remove implements bucket.Stage.
func (s *stage) Remove(ctx context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, err := s.begin(ctx, key)
	if err != nil {
		return err
	}
	if s.writers[rel] != nil {
		return s.fail("remove", rel, errOpen)
	}
	if s.folders[rel] {
		return nil // a folder is no object
	}
	err = s.b.fsys.Remove(filepath.Join(s.dir, rel))
	if errors.Is(err, fs.ErrNotExist) || isNotDirectory(err) {
		return nil
	}
	return s.fail("remove", rel, err)
}

// Commit implements bucket.Stage. The order is the promise: all objects and
// names durable, the marker durable, the rename, the rename durable.
func (s *stage) Commit(ctx context.Context, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.ended:
		return s.fail("commit", "", errEnded)
	}
	if err := s.l.check(); err != nil {
		return s.fail("commit", "", err) // before the work, and again after it
	}
	if len(s.writers) > 0 {
		return s.fail("commit", "", errOpen)
	}
	if err := s.seal(ctx, data); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.fail("commit", "", err)
	}
	return s.fail("commit", "", s.show())
}

// seal makes the tree durable and complete where nobody sees it.
func (s *stage) seal(ctx context.Context, data []byte) error {
	if err := s.taken(); err != nil {
		return err // before the work, not after it
	}
	if err := durable.SyncTree(ctx, s.b.fsys, s.dir); err != nil {
		return err
	}
	if err := s.mkdir(filepath.Dir(s.marker)); err != nil {
		return err
	}
	path := filepath.Join(s.dir, s.marker)
	if err := s.b.fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.b.writeWhole(path, data); err != nil {
		return err
	}
	for dir := filepath.Dir(s.marker); ; dir = filepath.Dir(dir) {
		if err := s.b.fsys.SyncDir(filepath.Join(s.dir, dir)); err != nil || dir == "." {
			return err
		}
	}
}

// show gives the tree its name.
func (s *stage) show() error {
	parent, err := s.b.parent(s.rel)
	if err != nil {
		return err
	}
	if err := s.l.check(); err != nil {
		return err
	}
	if err := s.b.fsys.RenameNew(s.dir, filepath.Join(parent, filepath.Base(s.rel))); err != nil {
		return err
	}
	s.ended = true // from here the tree is whole and visible, come what may
	s.leave()
	if s.resume {
		_ = s.b.fsys.RemoveAll(s.home) // empty; Clean removes what stays
	}
	if err := s.b.fsys.SyncDir(parent); err != nil || parent == s.b.root {
		return err
	}
	return s.b.fsys.SyncDir(s.b.root)
}

// taken fails if objects exist at the final place. Empty folders, left by
// objects that were deleted one by one, are removed.
func (s *stage) taken() error {
	final := filepath.Join(s.b.root, s.rel)
	if err := s.b.inside(filepath.Dir(s.rel)); err != nil {
		return err
	}
	var empty []string
	err := filepath.WalkDir(final, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return fmt.Errorf("taken: %w", fs.ErrExist)
		}
		empty = append(empty, path)
		return nil
	})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for i := len(empty) - 1; i >= 0; i-- {
		if err := s.b.fsys.Remove(empty[i]); err != nil {
			return err
		}
	}
	return nil
}

// Abort implements bucket.Stage. What cannot be removed is removed by Clean.
func (s *stage) Abort(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	var errs []error
	for _, w := range s.writers {
		errs = append(errs, w.f.Close())
	}
	s.writers = nil
	s.leave()
	if _, err := os.Lstat(s.home); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, s.b.fsys.RemoveAll(s.home))
	}
	return s.fail("abort", "", errors.Join(errs...))
}
