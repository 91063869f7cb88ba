//go:build unix

package dir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

const marker = "backup_metadata.json"

// commitTree makes a tree with a hole, a folder and a marker.
func commitTree(ctx context.Context, b bucket.Bucket, prefix string) error {
	s, err := b.Stage(ctx, prefix, bucket.StageOptions{Marker: marker})
	if err != nil {
		return err
	}
	// Abort as a writer does that meets an error; after a cut it cannot.
	defer func() { _ = s.Abort(context.WithoutCancel(ctx)) }()
	for _, key := range []string{"a", "sub/b", "sub/deep/c"} {
		w, err := s.Create(ctx, key)
		if err != nil {
			return err
		}
		_, werr := io.WriteString(w, "content of "+key)
		if err := errors.Join(werr, w.Skip(3000), w.Close()); err != nil {
			return err
		}
	}
	if err := s.Remove(ctx, "a"); err != nil {
		return err
	}
	return s.Commit(ctx, []byte("{}"))
}

// contents reads a whole bucket: every key with its content.
func contents(t *testing.T, b bucket.Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		o, err := b.Open(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err := errors.Join(err, o.Close()); err != nil {
			t.Fatal(err)
		}
		all[info.Key] = string(data)
	}
	return all
}

// started gives a root that holds two trees and two objects. It is written
// without real syncs, which would take most of the time of these tests.
func started(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "repository")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	disk, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, root, dir.Options{FS: disk})
	err = errors.Join(
		commitTree(t.Context(), b, "old"),
		commitTree(t.Context(), b, "deep/old"),
		b.Put(t.Context(), "repository.json", []byte("v1"), bucket.Replace),
		b.Put(t.Context(), ".holdfast/note", []byte("old note"), bucket.Replace),
		disk.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// copyOf gives a copy of a root, faster than making it anew.
func copyOf(t *testing.T, root string) string {
	t.Helper()
	again := filepath.Join(t.TempDir(), "repository")
	if err := os.CopyFS(again, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	return again
}

// transient gives the entries of the root that should not outlive Clean.
func transient(t *testing.T, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp-") || strings.HasPrefix(e.Name(), ".deleted-") {
			found = append(found, e.Name())
		}
	}
	return found
}

func describe(m map[string]string) string {
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(m)))
}

// Each change, cut after each of its operations, leaves everything as before or
// everything as after; reported as done, it is done.
func TestBucket_EveryCrashLeavesOldOrNew(t *testing.T) {
	for _, change := range []struct {
		name string
		do   func(ctx context.Context, b bucket.Bucket) error
	}{
		{"commit", func(ctx context.Context, b bucket.Bucket) error { return commitTree(ctx, b, "new") }},
		{"commit of a deep prefix", func(ctx context.Context, b bucket.Bucket) error { return commitTree(ctx, b, "deep/er/new") }},
		{"abort", func(ctx context.Context, b bucket.Bucket) error {
			s, err := b.Stage(ctx, "new", bucket.StageOptions{Marker: marker})
			if err != nil {
				return err
			}
			w, err := s.Create(ctx, "sub/a")
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, "x")
			return errors.Join(err, w.Close(), s.Abort(ctx))
		}},
		{"remove tree", func(ctx context.Context, b bucket.Bucket) error { return b.RemoveTree(ctx, "old", marker) }},
		{"remove a deep tree", func(ctx context.Context, b bucket.Bucket) error { return b.RemoveTree(ctx, "deep/old", marker) }},
		{"put new", func(ctx context.Context, b bucket.Bucket) error {
			return b.Put(ctx, ".holdfast/pins/old", []byte("{}"), bucket.IfAbsent)
		}},
		{"put again", func(ctx context.Context, b bucket.Bucket) error {
			return b.Put(ctx, ".holdfast/note", []byte("a longer new note"), bucket.Replace)
		}},
		{"put at the root", func(ctx context.Context, b bucket.Bucket) error {
			return b.Put(ctx, "repository.json", []byte("v2"), bucket.Replace)
		}},
		{"create new", func(ctx context.Context, b bucket.Bucket) error { return createObject(ctx, b, "old/sub/deeper/new") }},
		{"create again", func(ctx context.Context, b bucket.Bucket) error { return createObject(ctx, b, "old/sub/b") }},
		{"discard", func(ctx context.Context, b bucket.Bucket) error {
			w, err := b.Create(ctx, "old/sub/b")
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, "x")
			return errors.Join(err, w.Discard())
		}},
		{"delete", func(ctx context.Context, b bucket.Bucket) error { return b.Delete(ctx, ".holdfast/note") }},
	} {
		for _, mode := range crashfs.Modes() {
			t.Run(change.name+"/"+mode.String(), func(t *testing.T) {
				before, after := outcome(t, change.do)
				template := started(t)
				for n := 0; ; n++ {
					root := copyOf(t, template)
					disk, err := crashfs.New(root, n)
					if err != nil {
						t.Fatal(err)
					}
					reported := change.do(t.Context(), open(t, root, dir.Options{FS: disk}))
					cut := disk.CutAt()
					if err := disk.Reboot(mode); err != nil {
						t.Fatal(err)
					}
					b := open(t, root, dir.Options{FS: disk})
					visible := contents(t, b) // before Clean, as a reader meets it
					if _, err := b.Clean(t.Context()); err != nil {
						t.Fatalf("cut at %s: clean: %v", cut, err)
					}
					if got := transient(t, root); len(got) > 0 {
						t.Errorf("cut at %s: Clean left %q", cut, got)
					}
					got := contents(t, b)
					if !maps.Equal(visible, got) {
						t.Errorf("cut at %s: Clean changed what is visible from %s to %s", cut, describe(visible), describe(got))
					}
					isNew := maps.Equal(got, after)
					if !isNew && !maps.Equal(got, before) {
						t.Errorf("cut at %s: neither old nor new: %s", cut, describe(got))
					}
					if reported == nil && !isNew {
						t.Errorf("cut at %s: reported as done, but is not", cut)
					}
					if cut == "" {
						if reported != nil {
							t.Errorf("without a cut: %v", reported)
						}
						return
					}
				}
			})
		}
	}
}

// createObject streams one object with a hole.
func createObject(ctx context.Context, b bucket.Bucket, key string) error {
	w, err := b.Create(ctx, key)
	if err != nil {
		return err
	}
	_, werr := io.WriteString(w, "streamed")
	return errors.Join(werr, w.Skip(5000), w.Close())
}

// resumeTree goes on with a tree until all objects are there, and commits.
func resumeTree(ctx context.Context, b bucket.Bucket, whole func(key, content string)) error {
	s, err := b.Stage(ctx, "new", bucket.StageOptions{Marker: marker, Resume: true})
	if err != nil {
		return err
	}
	for _, key := range []string{"a", "sub/b", "sub/deep/c"} {
		o, err := s.Open(ctx, key)
		if err == nil {
			data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
			if err := errors.Join(err, o.Close()); err != nil {
				return err
			}
			whole(key, string(data))
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		w, err := s.Create(ctx, key)
		if err != nil {
			return err
		}
		_, werr := io.WriteString(w, "content of "+key)
		if err := errors.Join(werr, w.Skip(3000), w.Close()); err != nil {
			return err
		}
	}
	return s.Commit(ctx, []byte("{}"))
}

// A stage cut anywhere is resumed with objects that are whole, or it begins
// anew; either way the tree is right in the end, and nothing stays.
func TestStage_EveryCutCanBeResumed(t *testing.T) {
	template := started(t)
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			resumed := 0
			whole := func(key, content string) {
				resumed++
				if content != "content of "+key+strings.Repeat("\x00", 3000) {
					t.Errorf("%s was resumed with %d other bytes", key, len(content))
				}
			}
			for n := 0; ; n++ {
				root := copyOf(t, template)
				disk, err := crashfs.New(root, n)
				if err != nil {
					t.Fatal(err)
				}
				b := open(t, root, dir.Options{FS: disk})
				before := contents(t, b)
				done := resumeTree(t.Context(), b, whole)
				cut := disk.CutAt()
				if err := disk.Reboot(mode); err != nil {
					t.Fatal(err)
				}
				if visible := contents(t, b); len(visible) != len(before) && len(visible) != len(before)+4 {
					t.Fatalf("cut at %s: half a tree is visible: %s", cut, describe(visible))
				}
				if _, err := b.Clean(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := resumeTree(t.Context(), b, whole); err != nil && !errors.Is(err, fs.ErrExist) {
					t.Fatalf("cut at %s: %v", cut, err)
				}
				after := contents(t, b)
				if len(after) != len(before)+4 {
					t.Fatalf("cut at %s: in the end there is %s", cut, describe(after))
				}
				for key, content := range after {
					if name, ok := strings.CutPrefix(key, "new/"); ok && name != marker && content != "content of "+name+strings.Repeat("\x00", 3000) {
						t.Errorf("cut at %s: %s holds %d other bytes", cut, key, len(content))
					}
				}
				if cut == "" {
					if done != nil {
						t.Errorf("without a cut: %v", done)
					}
					break
				}
			}
			if mode == crashfs.Kill && resumed < 20 {
				t.Errorf("only %d objects were resumed: the test tests little", resumed)
			}
		})
	}
}

func TestBucket_ResumableStagesWaitAWeek(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	if _, err := b.Stage(t.Context(), "deep/new", bucket.StageOptions{Marker: marker, Resume: true}); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, ".resume-new-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the stage lies in %q (%v)", found, err)
	}
	for _, tt := range []struct {
		age  time.Duration
		want int
	}{{-time.Hour, 0}, {6 * 24 * time.Hour, 0}, {7 * 24 * time.Hour, 1}} {
		then := time.Now().Add(-tt.age)
		if err := os.Chtimes(found[0], then, then); err != nil {
			t.Fatal(err)
		}
		removed, err := b.Clean(t.Context())
		if err != nil || len(removed) != tt.want {
			t.Errorf("begun %v ago: Clean removed %q (%v), want %d", tt.age, removed, err, tt.want)
		}
	}
}

// outcome gives what a bucket holds before and after a change.
func outcome(t *testing.T, change func(context.Context, bucket.Bucket) error) (before, after map[string]string) {
	t.Helper()
	root := started(t)
	disk, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, root, dir.Options{FS: disk})
	before = contents(t, b)
	if err := errors.Join(change(t.Context(), b), disk.Close()); err != nil {
		t.Fatal(err)
	}
	return before, contents(t, b)
}

func TestBucket_CleanCanItselfBeCut(t *testing.T) {
	template := started(t)
	for n := 0; ; n++ {
		root := copyOf(t, template)
		want := contents(t, open(t, root, dir.Options{}))
		disk, err := crashfs.New(root, crashfs.Never)
		if err != nil {
			t.Fatal(err)
		}
		// A stage and a removed tree, both left behind by cuts.
		for _, change := range []func(b bucket.Bucket) error{
			func(b bucket.Bucket) error { return commitTree(t.Context(), b, "new") },
			func(b bucket.Bucket) error { return b.RemoveTree(t.Context(), "deep/old", marker) },
		} {
			disk.CutAfter(5)
			if err := change(open(t, root, dir.Options{FS: disk})); !errors.Is(err, crashfs.ErrCut) {
				t.Fatalf("got %v, want the cut", err)
			}
			if err := disk.Reboot(crashfs.Kill); err != nil {
				t.Fatal(err)
			}
		}
		maps.DeleteFunc(want, func(key, _ string) bool { return strings.HasPrefix(key, "deep/old/") })
		if got := transient(t, root); len(got) != 2 {
			t.Fatalf("left behind: %q, want two", got)
		}
		disk.CutAfter(n)
		_, err = open(t, root, dir.Options{FS: disk}).Clean(t.Context())
		cut := disk.WasCut()
		if cut == (err == nil) {
			t.Fatalf("after %d operations: cut %v, error %v", n, cut, err)
		}
		if err := disk.Reboot(crashfs.PowerCut); err != nil {
			t.Fatal(err)
		}
		b := open(t, root, dir.Options{FS: disk})
		if _, err := b.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left, got := transient(t, root), contents(t, b); len(left) > 0 || !maps.Equal(got, want) {
			t.Fatalf("after %d operations: left %q, holds %s, want %s", n, left, describe(got), describe(want))
		}
		if !cut {
			return
		}
	}
}
