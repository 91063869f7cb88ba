package repo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// acknowledged is what the code under test was told to be done.
type acknowledged struct{ committed, pinned, deleted bool }

// crashContent is made once; making it costs more than storing it.
var crashContent = sync.OnceValue(func() [2][]byte {
	return [2][]byte{text(4*frameSize+100, 1), text(4*frameSize+100, 2)}
})

// replaceOld backs up as new, pins it and deletes old, until an error.
func replaceOld(ctx context.Context, root string, disk durable.FS) (done acknowledged, err error) {
	b, err := dir.New(root, dir.Options{FS: disk})
	if err != nil {
		return done, err
	}
	r, err := Open(ctx, b, Options{})
	if err != nil {
		return done, err
	}
	lease, err := r.Lock(ctx, "crash test")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	p, err := r.Create(ctx, "new", true, CreateOptions{Compress: true})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, p.Abort(ctx)) }()
	for name, passes := range map[string]int{"a": 1, "sub/b": 1, "busy": 2} {
		size := 10_000
		if passes > 1 {
			size = len(crashContent()[0]) // large enough to be compared
		}
		w, err := p.Sink("bot").Create(holdfast.Entry{Path: name, Mode: 0o600, ModTime: testTime})
		if err != nil {
			return done, err
		}
		for pass := range passes {
			if pass > 0 {
				err = w.Reset()
			}
			if err == nil {
				_, err = w.Write(crashContent()[pass][:size])
			}
			if err != nil {
				return done, errors.Join(err, w.Discard())
			}
		}
		if err := w.Close(); err != nil {
			return done, err
		}
	}
	if _, err := p.Commit(ctx, &holdfast.Metadata{CreatedAt: holdfast.At(testTime)}); err != nil {
		return done, err
	}
	done.committed = true
	if err := r.SetPinned(ctx, "new", true); err != nil {
		return done, err
	}
	done.pinned = true
	if _, err := r.Delete(ctx, "old"); err != nil {
		return done, err
	}
	done.deleted = true
	return done, nil
}

// A cut after any operation leaves every visible backup whole, and what was
// acknowledged is there.
func TestRepository_EveryCutLeavesWholeBackups(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			before := oldRepository(t)
			for n := 0; ; n++ {
				root := filepath.Join(t.TempDir(), "repository")
				if err := os.CopyFS(root, os.DirFS(before)); err != nil {
					t.Fatal(err)
				}
				disk, err := crashfs.New(root, n)
				if err != nil {
					t.Fatal(err)
				}
				done, err := replaceOld(t.Context(), root, disk)
				cut, at := disk.WasCut(), disk.CutAt()
				if !cut && err != nil {
					t.Fatal(err)
				}
				if err := disk.Reboot(mode); err != nil {
					t.Fatal(err)
				}
				checkAfterCut(t, root, done, at)
				if err := disk.Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(root); err != nil {
					t.Fatal(err)
				}
				if !cut {
					if !done.deleted {
						t.Error("the run without a cut did not finish")
					}
					return
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// oldRepository makes a directory repository with the backup old.
func oldRepository(t *testing.T) string {
	t.Helper()
	r, root := dirRepo(t)
	p := create(t, r, "old", CreateOptions{Compress: true})
	put(t, p.Sink("bot"), "a", text(100_000, 7))
	put(t, p.Sink("bot"), "sub/b", []byte("tiny"))
	commit(t, p)
	if err := r.SetPinned(t.Context(), "old", false); err != nil {
		t.Fatal(err)
	}
	return root
}

func checkAfterCut(t *testing.T, root string, done acknowledged, at string) {
	t.Helper()
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatalf("cut at %s: %v", at, err)
	}
	lease, err := r.Lock(t.Context(), "check")
	if err != nil {
		t.Fatalf("cut at %s: %v", at, err)
	}
	defer lease.Release()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatalf("cut at %s: %v", at, err)
	}
	var names []string
	for _, info := range list {
		names = append(names, string(info.Name))
		back, err := r.Backup(t.Context(), info.Name)
		if err != nil {
			t.Errorf("cut at %s: %v", at, err)
			continue
		}
		problems, err := back.Verify(t.Context(), nil)
		if err != nil || len(problems) > 0 {
			t.Errorf("cut at %s: %s: %v %+v", at, info.Name, err, problems)
		}
		if info.Name == "new" && done.pinned && !info.Pinned {
			t.Errorf("cut at %s: the pin is gone", at)
		}
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}
	switch {
	case len(names) == 0,
		done.committed && !slices.Contains(names, "new"),
		!done.committed && !slices.Contains(names, "old"),
		done.deleted && slices.Contains(names, "old"):
		t.Errorf("cut at %s: done %+v, there are %v", at, done, names)
	}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		folder, _, inside := strings.Cut(info.Key, "/")
		if inside && !strings.HasPrefix(folder, ".") && !slices.Contains(names, folder) {
			t.Errorf("cut at %s: %s was left behind", at, info.Key)
		}
	}
}

// A compaction that is cut after any operation on the disk leaves every backup
// whole, and the next writer settles it.
func TestCompact_EveryCutLeavesWholeBackups(t *testing.T) {
	w := emptyWeek(t, Options{})
	data := text(frameSize+3*blockSize+9, 1)
	w.backUp(t, "monday", "", map[string][]byte{"a": data, "b": []byte("unchanged")})
	data = append(bytes.Clone(data), text(blockSize, 2)...)
	w.backUp(t, "tuesday", "monday", map[string][]byte{"a": data, "b": []byte("unchanged")})
	data = append(bytes.Clone(data), text(blockSize, 3)...)
	w.backUp(t, "wednesday", "tuesday", map[string][]byte{"a": data, "b": []byte("unchanged")})
	remove(t, w.r, "monday")
	before := filepath.Join(t.TempDir(), "before")
	writeTree(t, w.b, before)
	// A kill, which loses nothing, is TestCompact_EveryFailureLeavesWholeBackups.
	for _, mode := range []crashfs.Mode{crashfs.PowerCut, crashfs.DataLost} {
		t.Run(mode.String(), func(t *testing.T) {
			for n := 0; compactAndCut(t, w, before, mode, n) && !t.Failed(); n++ {
			}
		})
	}
}

// compactAndCut compacts a copy of the repository until a cut after n operations;
// false if there was none.
func compactAndCut(t *testing.T, w *week, before string, mode crashfs.Mode, n int) bool {
	t.Helper()
	root := filepath.Join(t.TempDir(), "repository")
	if err := os.CopyFS(root, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
	disk, err := crashfs.New(root, n)
	if err != nil {
		t.Fatal(err)
	}
	at := func(fs durable.FS) *week {
		b, err := dir.New(root, dir.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		return &week{r: opened(t, b, Options{}), days: w.days}
	}
	_, err = at(disk).r.Compact(t.Context(), CompactOptions{})
	cut := disk.WasCut()
	if cut == (err == nil) {
		t.Errorf("cut at %q, reported %v", disk.CutAt(), err)
	}
	when := "cut at " + disk.CutAt()
	if err := disk.Reboot(mode); err != nil {
		t.Fatal(err)
	}
	now := at(disk)
	relock(t, now.r)
	now.check(t, when)
	if n%8 == 0 || !cut {
		compact(t, now.r)
		now.check(t, "again after "+when)
		if hidden, err := now.r.Hidden(t.Context()); err != nil || len(hidden) > 0 {
			t.Errorf("%s: %v %+v", when, err, hidden)
		}
	}
	if err := errors.Join(disk.Close(), os.RemoveAll(root)); err != nil {
		t.Fatal(err)
	}
	return cut
}
