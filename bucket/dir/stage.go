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
	rel    string // the final place
	dir    string // the temporary folder
	marker string // local path below dir, written last

	mu      sync.Mutex
	folders map[string]bool    // made below dir
	writers map[string]*writer // being written, by path below dir
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
	s := &stage{b: b, rel: rel, dir: b.tempPath(rel), marker: marker, folders: map[string]bool{".": true}, writers: map[string]*writer{}}
	if err := durable.MkdirAll(b.fsys, b.root, dirMode); err != nil {
		return nil, volume.Explain("write to", b.root, pathless(err))
	}
	if err := b.fsys.Mkdir(s.dir, dirMode); err != nil {
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
	f, err := s.create(rel)
	if err != nil {
		return nil, s.fail("write", rel, err)
	}
	w := &writer{s: s, ctx: ctx, rel: rel, f: f}
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

// create makes a file of the stage, in place of a complete one of its name.
// That is removed, not truncated: whoever has it open goes on reading. Windows
// allows this because os.Root opens files so that they can be deleted.
func (s *stage) create(rel string) (durable.File, error) {
	path := filepath.Join(s.dir, rel)
	f, err := s.b.fsys.Create(path, fileMode)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if _, err := exactName(path); err != nil {
		return nil, err
	}
	if err := s.b.fsys.Remove(path); err != nil {
		return nil, err
	}
	return s.b.fsys.Create(path, fileMode)
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
	if err := s.b.fsys.RenameNew(s.dir, filepath.Join(parent, filepath.Base(s.rel))); err != nil {
		return err
	}
	s.ended = true // from here the tree is whole and visible, come what may
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
	if _, err := os.Lstat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, s.b.fsys.RemoveAll(s.dir))
	}
	return s.fail("abort", "", errors.Join(errs...))
}
