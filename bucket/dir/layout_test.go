//go:build unix

package dir_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

func TestBucket_IsPrivate(t *testing.T) {
	root := started(t)
	lease, err := open(t, root, dir.Options{}).Lock(t.Context(), holdfast.Owner{Host: "h", PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v: others can look", path, info.Mode())
		}
		seen++
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("looked at %d entries: %v", seen, err)
	}
}

func TestBucket_ReadingMakesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "absent")
	b := open(t, root, dir.Options{})
	ctx := t.Context()
	if _, err := b.Open(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open gave %v", err)
	}
	_, cerr := b.Clean(ctx)
	n, ok, ferr := b.Free(ctx)
	if err := errors.Join(cerr, ferr, b.Delete(ctx, "a"), b.RemoveTree(ctx, "a", marker)); err != nil || !ok || n <= 0 {
		t.Errorf("%v; %d bytes free, known %v", err, n, ok)
	}
	if got := contents(t, b); len(got) > 0 {
		t.Errorf("it holds %s", describe(got))
	}
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made (%v)", err)
	}
}

func TestNew_AFileIsNoRepository(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.New(file, dir.Options{}); !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
}

func TestBucket_ReservedNamesAreRefused(t *testing.T) {
	b := open(t, started(t), dir.Options{})
	for _, key := range []string{".tmp-a-ABCDEFGHIJKLM", ".tmp-a-ABCDEFGHIJKLM/x", ".deleted-a-ABCDEFGHIJKLM/x", ".holdfast/lock"} {
		if err := b.Put(t.Context(), key, nil, bucket.Replace); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("Put(%s) gave %v, want %v", key, err, holdfast.ErrUsage)
		}
	}
	// With its folder the lock would go.
	if err := b.RemoveTree(t.Context(), ".holdfast", marker); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("RemoveTree(.holdfast) gave %v, want %v", err, holdfast.ErrUsage)
	}
	for _, key := range []string{".tmp-a", ".deleted-notes", ".holdfast/lock2"} {
		if err := b.Put(t.Context(), key, nil, bucket.Replace); err != nil {
			t.Errorf("Put(%s) gave %v: the name is nobody's", key, err)
		}
	}
}

func TestBucket_CleanKeepsWhatIsNotItsOwn(t *testing.T) {
	root := started(t)
	for _, name := range []string{".tmp-mine", ".deleted-files", ".tmp-a-abcdefghijklm", "tmp-a-ABCDEFGHIJKLM", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".tmp-a-ABCDEFGHIJKLM", ".deleted-a-ABCDEFGHIJKLM"} {
		if err := os.MkdirAll(filepath.Join(root, name, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, root, dir.Options{})
	before := contents(t, b)
	removed, err := b.Clean(t.Context())
	if err != nil || len(removed) != 2 {
		t.Errorf("removed %q (%v), want two", removed, err)
	}
	if got := contents(t, b); describe(got) != describe(before) || got["notes.txt"] != "mine" || got[".tmp-mine"] != "mine" {
		t.Errorf("holds %s, want %s", describe(got), describe(before))
	}
}

func TestStage_WritesBesideTheFinalFolder(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	s, err := b.Stage(t.Context(), "enhanced_backup_20241030_143000", bucket.StageOptions{Marker: marker})
	if err != nil {
		t.Fatal(err)
	}
	got := transient(t, root)
	if ok, _ := filepath.Match(".tmp-enhanced_backup_20241030_143000-*", got[0]); len(got) != 1 || !ok {
		t.Errorf("the stage lies in %q", got)
	}
	if err := s.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBucket_SpecialFilesAreNoObjects(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	before := contents(t, b)
	makePipe(t, filepath.Join(root, "old", "pipe"))
	if _, err := b.Open(t.Context(), "old/pipe"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pipe gave %v", err)
	}
	if got := contents(t, b); describe(got) != describe(before) {
		t.Errorf("holds %s, want %s", describe(got), describe(before))
	}
}

func TestWriter_SkipLeavesARealHole(t *testing.T) {
	const hole = 64 << 20
	root := started(t)
	b := open(t, root, dir.Options{})
	s, err := b.Stage(t.Context(), "sparse", bucket.StageOptions{Marker: marker})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := io.WriteString(w, "head")
	err2 := w.Skip(hole)
	_, err3 := io.WriteString(w, "middle")
	if err := errors.Join(err1, err2, err3, w.Skip(hole), w.Close(), s.Commit(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "sparse", "data"))
	if err != nil || info.Size() != 2*hole+10 {
		t.Fatalf("size %d (%v), want %d", info.Size(), err, 2*hole+10)
	}
	if used := blocksOf(info); used > hole/4 {
		t.Errorf("%d bytes on the disk, want only the written ones", used)
	}
}
