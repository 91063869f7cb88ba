package files_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/files"
)

// What went into a repository comes out of it as it was, also what had to be
// read twice.
func TestCapture_ThroughARepositoryAndBack(t *testing.T) {
	ctx := t.Context()
	dir := tree(t, map[string]string{
		"plain": "hello", "empty/": "", "sub/link": "->../plain", "ไทย/فارسی": "names", "new\nline": "x",
		"big": noise(700 << 10), "busy": string(bytes.Repeat([]byte{'A'}, 600<<10)),
	})
	at := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	must(t, os.Chmod(filepath.Join(dir, "plain"), 0o751))
	must(t, os.Chtimes(filepath.Join(dir, "plain"), at, at))
	must(t, os.Chmod(dir, 0o751))

	r, err := repo.Init(ctx, mem.New(), repo.Options{})
	must(t, err)
	lease, err := r.Lock(ctx, "test")
	must(t, err)
	defer func() { must(t, lease.Release()) }()
	p, err := r.Create(ctx, "b", true, repo.CreateOptions{Compress: true})
	must(t, err)
	sink := &meddlingSink{Sink: p.Sink("notes"), name: "busy", once: func() {
		must(t, os.WriteFile(filepath.Join(dir, "busy"), bytes.Repeat([]byte{'B'}, 500<<10), 0o644))
	}}
	src := newSource(t, dir, files.Options{})
	c, err := src.Capture(ctx, sink)
	must(t, err)
	if len(c.Problems) > 0 {
		t.Errorf("problems: %+v", c.Problems)
	}
	_, err = p.Commit(ctx, &holdfast.Metadata{
		CreatedAt: holdfast.At(time.Now()), Type: holdfast.Standard,
		Sources: []holdfast.SourceMetadata{{Name: "notes", Kind: holdfast.KindFiles}},
	})
	must(t, err)

	b, err := r.Backup(ctx, "b")
	must(t, err)
	defer b.Close()
	out := filepath.Join(t.TempDir(), "out")
	must(t, b.Extract(ctx, "notes", out, durable.OS, nil))
	sameTree(t, dir, out)
}

// meddlingSink calls once at the first bytes of one file.
type meddlingSink struct {
	holdfast.Sink
	name string
	once func()
}

func (s *meddlingSink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	w, err := s.Sink.Create(e)
	if err == nil && e.Path == s.name && s.once != nil {
		w, s.once = &meddled{FileWriter: w, once: s.once}, nil
	}
	return w, err
}

// sameTree wants every entry of a in b, with type, mode, time and content, and
// nothing else.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	names := map[string]bool{}
	for _, root := range []string{a, b} {
		must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			rel, relErr := filepath.Rel(root, path)
			must(t, relErr)
			names[rel] = true
			return err
		}))
	}
	for name := range names {
		was, err := os.Lstat(filepath.Join(a, name))
		must(t, err)
		is, err := os.Lstat(filepath.Join(b, name))
		must(t, err)
		if was.Mode() != is.Mode() {
			t.Errorf("%q: mode %v, was %v", name, is.Mode(), was.Mode())
		}
		switch was.Mode().Type() {
		case fs.ModeSymlink:
			x, errA := os.Readlink(filepath.Join(a, name))
			y, errB := os.Readlink(filepath.Join(b, name))
			if errA != nil || errB != nil || x != y {
				t.Errorf("%q: link to %s, was %s", name, y, x)
			}
			continue
		case 0:
			x, errA := os.ReadFile(filepath.Join(a, name))
			y, errB := os.ReadFile(filepath.Join(b, name))
			if errA != nil || errB != nil || !bytes.Equal(x, y) {
				t.Errorf("%q: content differs", name)
			}
		}
		if !was.ModTime().Equal(is.ModTime()) {
			t.Errorf("%q: time %v, was %v", name, is.ModTime(), was.ModTime())
		}
	}
}
