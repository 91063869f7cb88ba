//go:build unix

package dir_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// failing gives a bucket whose disk fails one kind of operation.
func failing(t *testing.T, op string, fault error) (*dir.Bucket, string) {
	t.Helper()
	root := started(t)
	disk, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	disk.Inject(func(o, _ string) error {
		if o == op {
			return fault
		}
		return nil
	})
	t.Cleanup(func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return open(t, root, dir.Options{FS: disk}), root
}

func TestBucket_AFullDiskIsARefusalWithAHint(t *testing.T) {
	for _, op := range []string{"create", "write", "truncate", "sync", "mkdir", "rename", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			b, root := failing(t, op, syscall.ENOSPC)
			err := commitTree(t.Context(), b, "new")
			if !errors.Is(err, holdfast.ErrRefused) || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v, want a refusal for lack of space", err)
			}
			if hint := holdfast.HintOf(err); !strings.Contains(hint, "free some space") {
				t.Errorf("the hint is %q", hint)
			}
			if text := err.Error(); !strings.Contains(text, root) || strings.Contains(text, ".tmp-") {
				t.Errorf("the error should name the object in its final place: %s", text)
			}
			// A failed sync after the rename leaves the tree whole; all else
			// must have been taken back by Abort.
			if got := transient(t, root); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestBucket_AFailedPutLeavesTheOldObject(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename"} {
		t.Run(op, func(t *testing.T) {
			b, root := failing(t, op, syscall.EIO)
			err := b.Put(t.Context(), ".holdfast/note", []byte("new"), bucket.Replace)
			if !errors.Is(err, syscall.EIO) || holdfast.HintOf(err) == "" {
				t.Errorf("got %v, want the disk's error with a hint", err)
			}
			if got := contents(t, b)[".holdfast/note"]; got != "old note" {
				t.Errorf("the old object holds %q", got)
			}
			if got := transient(t, root); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestBucket_AFailedWriteCannotBeClosed(t *testing.T) {
	b, _ := failing(t, "write", syscall.ENOSPC)
	s, err := b.Stage(t.Context(), "new", bucket.StageOptions{Marker: marker})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	_, werr := io.WriteString(w, "x")
	if cerr := w.Close(); !errors.Is(werr, syscall.ENOSPC) || !errors.Is(cerr, syscall.ENOSPC) {
		t.Errorf("Write gave %v, Close %v, want both to tell", werr, cerr)
	}
	if _, err := s.Open(t.Context(), "a"); err == nil {
		t.Error("half an object can be opened")
	}
	if err := s.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBucket_MissingPermissionIsTold(t *testing.T) {
	b, _ := failing(t, "create", syscall.EACCES)
	for what, err := range map[string]error{
		"put":   b.Put(t.Context(), "a", nil, bucket.Replace),
		"stage": commitTree(t.Context(), b, "new"),
	} {
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(holdfast.HintOf(err), "permission") {
			t.Errorf("%s gave %v (hint %q)", what, err, holdfast.HintOf(err))
		}
	}
	readOnly, _ := failing(t, "mkdir", syscall.EROFS)
	if _, err := readOnly.Stage(t.Context(), "new", bucket.StageOptions{Marker: marker}); !strings.Contains(holdfast.HintOf(err), "read-only") {
		t.Errorf("a read-only disk gave %v (hint %q)", err, holdfast.HintOf(err))
	}
}

// A file system that takes A and a for one name must not merge two folders.
func TestStage_ClashingFoldersAreRefused(t *testing.T) {
	root := started(t)
	disk, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	disk.Inject(func(op, name string) error {
		folded := strings.ToLower(name)
		if op == "mkdir" && seen[folded] {
			return syscall.EEXIST
		}
		seen[folded] = true
		return nil
	})
	s, err := open(t, root, dir.Options{FS: disk}).Stage(t.Context(), "new", bucket.StageOptions{Marker: marker})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "Sub/x")
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "sub/y"); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want %v", err, os.ErrExist)
	}
	if err := errors.Join(s.Abort(t.Context()), disk.Close()); err != nil {
		t.Error(err)
	}
}

// outside is a folder beside the root that nothing may reach.
func outside(t *testing.T, root string) string {
	t.Helper()
	out := filepath.Join(filepath.Dir(root), "outside")
	err := errors.Join(
		os.Mkdir(out, 0o700),
		os.WriteFile(filepath.Join(out, "secret"), []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(out, marker), []byte("secret"), 0o600),
		os.Symlink(out, filepath.Join(root, "way-out")),
		os.Symlink(filepath.Join(out, "secret"), filepath.Join(root, "old", "link")),
		os.Symlink("../../outside/secret", filepath.Join(root, "old", "relative")),
	)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBucket_LinksLeadNobodyOut(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	before := contents(t, b)
	out := outside(t, root)
	ctx := t.Context()
	for _, key := range []string{"way-out/secret", "old/link", "old/relative"} {
		if _, err := b.Open(ctx, key); err == nil {
			t.Errorf("Open(%s) led out of the root", key)
		}
	}
	for what, err := range map[string]error{
		"put":          b.Put(ctx, "way-out/secret", []byte("x"), bucket.Replace),
		"put new":      b.Put(ctx, "way-out/deep/new", []byte("x"), bucket.Replace),
		"delete":       b.Delete(ctx, "way-out/secret"),
		"remove below": b.RemoveTree(ctx, "way-out/deep", marker),
		"commit":       commitTree(ctx, b, "way-out/new"),
	} {
		if err == nil {
			t.Errorf("%s went through a link", what)
		}
	}
	if err := b.RemoveTree(ctx, "way-out", marker); err != nil {
		t.Error(err) // no tree of ours, and nothing to remove
	}
	for _, prefix := range []string{"way-out/", "way-out/s"} {
		for info := range b.List(ctx, prefix) {
			t.Errorf("List(%s) shows %s", prefix, info.Key)
		}
	}
	if _, err := b.Clean(ctx); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 2 {
		t.Errorf("outside holds %v (%v), want what it held", entries, err)
	}
	if got := contents(t, b); describe(got) != describe(before) {
		t.Errorf("the bucket holds %s, want %s", describe(got), describe(before))
	}
}

// The holder of the lock may clean while somebody writes what needs no lock.
func TestBucket_PutOutlivesACleaning(t *testing.T) {
	for name, test := range map[string]struct {
		cleanings int
		mode      bucket.PutMode
		fails     bool
	}{
		"once":            {1, bucket.Replace, false},
		"once, if absent": {1, bucket.IfAbsent, false},
		"without end":     {1 << 30, bucket.Replace, true},
	} {
		t.Run(name, func(t *testing.T) {
			root := started(t)
			disk, err := crashfs.New(root, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := disk.Close(); err != nil {
					t.Error(err)
				}
			})
			cleaner, left := open(t, root, dir.Options{}), test.cleanings
			disk.Inject(func(op, _ string) error {
				if left == 0 || !strings.HasPrefix(op, "rename") {
					return nil
				}
				left--
				_, err := cleaner.Clean(t.Context())
				return err
			})
			err = open(t, root, dir.Options{FS: disk}).Put(t.Context(), "instance.json", []byte("{}"), test.mode)
			if (err != nil) != test.fails {
				t.Errorf("Put while another process cleans: %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), ".tmp-") || !strings.Contains(err.Error(), "another process")) {
				t.Errorf("the error: %v", err)
			}
		})
	}
}
