package crashfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

var (
	oldData = bytes.Repeat([]byte("old "), 100)
	newData = bytes.Repeat([]byte("the new content "), 500)
)

// disk gives a root with one old file in it and a crashfs over it.
func disk(t *testing.T, cut int) (*crashfs.Disk, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "disk")
	if err := os.MkdirAll(filepath.Join(root, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "file"), oldData, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := crashfs.New(root, cut)
	if err != nil {
		t.Fatal(err)
	}
	return d, root
}

func reboot(t *testing.T, d *crashfs.Disk, mode crashfs.Mode) {
	t.Helper()
	if err := d.Reboot(mode); err != nil {
		t.Fatalf("reboot %s: %v", mode, err)
	}
}

// state describes a tree: every name with its content.
func state(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch {
		case e.IsDir():
			fmt.Fprintf(&b, "%s/\n", rel)
		case e.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			fmt.Fprintf(&b, "%s -> %s\n", rel, to)
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s = %q\n", rel, data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A writer replaces "file" below root; a good one leaves old or new.
type writer func(fsys durable.FS, root string) error

func write(fsys durable.FS, name string, sync bool) error {
	f, err := fsys.Create(name, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(newData); err != nil {
		return err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

func durableWriter(fsys durable.FS, root string) error {
	return durable.WriteFile(fsys, filepath.Join(root, "file"), newData, 0o600)
}

func withoutFsync(fsys durable.FS, root string) error {
	tmp := filepath.Join(root, "tmp")
	return errors.Join(write(fsys, tmp, false), fsys.Rename(tmp, filepath.Join(root, "file")), fsys.SyncDir(root))
}

func withoutSyncDir(fsys durable.FS, root string) error {
	tmp := filepath.Join(root, "tmp")
	return errors.Join(write(fsys, tmp, true), fsys.Rename(tmp, filepath.Join(root, "file")))
}

func inPlace(fsys durable.FS, root string) error {
	f, err := fsys.OpenWrite(filepath.Join(root, "file"))
	if err != nil {
		return err
	}
	_, err = f.WriteAt(newData, 0)
	return errors.Join(err, f.Sync(), f.Close())
}

func removeFirst(fsys durable.FS, root string) error {
	name := filepath.Join(root, "file")
	return errors.Join(fsys.Remove(name), write(fsys, name, true), fsys.SyncDir(root))
}

// broken gives the first crash point after which a writer's file is neither
// old nor new, or, although the writer reported success, not new.
func broken(t *testing.T, w writer, mode crashfs.Mode) string {
	t.Helper()
	for n := 0; ; n++ {
		d, root := disk(t, n)
		err := w(d, root)
		cut := d.CutAt()
		if cut == "" && err != nil {
			t.Fatalf("the writer fails without a cut: %v", err)
		}
		if cut != "" && !errors.Is(err, crashfs.ErrCut) {
			t.Fatalf("the writer reported %v after %s", err, cut)
		}
		reboot(t, d, mode)
		got, rerr := os.ReadFile(filepath.Join(root, "file"))
		if rerr != nil {
			return fmt.Sprintf("%s, %s: %v", mode, cut, rerr)
		}
		if cut == "" {
			if !bytes.Equal(got, newData) {
				return fmt.Sprintf("%s at the end: lost although reported as written", mode)
			}
			return ""
		}
		if !bytes.Equal(got, oldData) && !bytes.Equal(got, newData) {
			return fmt.Sprintf("%s, %s: %d bytes, neither old nor new", mode, cut, len(got))
		}
	}
}

func TestDisk_WriteFileSurvivesEveryCut(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		if problem := broken(t, durableWriter, mode); problem != "" {
			t.Error(problem)
		}
	}
}

func TestDisk_CatchesSloppyWriters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		writer writer
		caught []crashfs.Mode
	}{
		{"no fsync before the rename", withoutFsync, []crashfs.Mode{crashfs.PowerCut, crashfs.DataLost}},
		{"no sync of the directory", withoutSyncDir, []crashfs.Mode{crashfs.PowerCut}},
		{"overwritten in place", inPlace, crashfs.Modes()},
		{"removed before written", removeFirst, []crashfs.Mode{crashfs.Kill, crashfs.DataLost}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, mode := range tt.caught {
				if broken(t, tt.writer, mode) == "" {
					t.Errorf("%s: a broken writer was not caught", mode)
				}
			}
		})
	}
}

// Each case is a short history; want is the state after a power cut.
func TestDisk_PowerCutKeepsWhatWasSynced(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(d *crashfs.Disk, in func(string) string) error
		want string
	}{
		{"nothing synced", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Mkdir(in("new"), 0o700), d.Symlink("file", in("link")), d.Remove(in("file")))
		}, "file = OLD\nsub/\n"},
		{"synced names", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Mkdir(in("new"), 0o700), d.Symlink("file", in("link")), d.Remove(in("file")), d.SyncDir(in("")))
		}, "link -> file\nnew/\nsub/\n"},
		{"a file synced in a directory that was not", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Mkdir(in("new"), 0o700), write(d, in("new/a"), true), d.SyncDir(in("new")))
		}, "file = OLD\nsub/\n"},
		{"a directory synced without the data", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), false), d.SyncDir(in("sub")))
		}, "file = OLD\nsub/\nsub/a = \"\"\n"},
		{"data synced by name", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), false), d.SyncFile(in("sub/a")), d.SyncDir(in("sub")))
		}, "file = OLD\nsub/\nsub/a = NEW\n"},
		{"moved, new name synced", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Rename(in("file"), in("sub/file")), d.SyncDir(in("sub")))
		}, "file = OLD\nsub/\nsub/file = OLD\n"},
		{"moved, old name synced first", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Rename(in("file"), in("sub/file")), d.SyncDir(in("")))
		}, "sub/\n"},
		{"a directory moved, both synced", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(d.Mkdir(in("to"), 0o700), d.SyncDir(in("")), d.Rename(in("sub"), in("to/sub")), d.SyncDir(in("to")))
		}, "file = OLD\nto/\nto/sub/\n"},
		{"an exchange across directories", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), true), d.SyncDir(in("sub")), d.Exchange(in("file"), in("sub/a")), d.SyncDir(in("sub")))
		}, "file = NEW\nsub/\nsub/a = OLD\n"},
		{"an exchange across directories, the other one synced", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), true), d.SyncDir(in("sub")), d.Exchange(in("file"), in("sub/a")), d.SyncDir(in("")))
		}, "file = NEW\nsub/\nsub/a = OLD\n"},
		{"an exchange without a sync", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), true), d.SyncDir(in("sub")), d.Exchange(in("file"), in("sub/a")))
		}, "file = OLD\nsub/\nsub/a = NEW\n"},
		{"a tree removed without a sync", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("sub/a"), true), d.SyncDir(in("sub")), d.RemoveAll(in("sub")))
		}, "file = OLD\nsub/\nsub/a = NEW\n"},
		{"truncated without a sync", func(d *crashfs.Disk, in func(string) string) error {
			f, err := d.OpenWrite(in("file"))
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(10), f.Truncate(5), f.Close())
		}, "file = OLD\nsub/\n"},
		{"appended without a sync", func(d *crashfs.Disk, in func(string) string) error {
			f, err := d.OpenWrite(in("file"))
			if err != nil {
				return err
			}
			_, err = f.WriteAt(newData, int64(len(oldData)))
			return errors.Join(err, f.Close())
		}, "file = OLD\nsub/\n"},
		{"an older file takes the name of a removed one", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(write(d, in("b"), true), d.SyncDir(in("")), d.Rename(in("b"), in("file")))
		}, "b = NEW\nfile = OLD\nsub/\n"},
		{"made by somebody else", func(d *crashfs.Disk, in func(string) string) error {
			return errors.Join(os.Mkdir(in("other"), 0o700), os.WriteFile(in("other/x"), oldData, 0o600), os.Remove(in("file")))
		}, "other/\nother/x = OLD\nsub/\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, root := disk(t, crashfs.Never)
			if err := tt.do(d, func(name string) string { return filepath.Join(root, name) }); err != nil {
				t.Fatal(err)
			}
			reboot(t, d, crashfs.PowerCut)
			want := strings.NewReplacer("OLD", fmt.Sprintf("%q", oldData), "NEW", fmt.Sprintf("%q", newData)).Replace(tt.want)
			if got := state(t, root); got != want {
				t.Errorf("after the power cut:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestDisk_KillKeepsEverything(t *testing.T) {
	d, root := disk(t, crashfs.Never)
	err := errors.Join(write(d, filepath.Join(root, "sub", "a"), false), d.Remove(filepath.Join(root, "file")))
	if err != nil {
		t.Fatal(err)
	}
	before := state(t, root)
	reboot(t, d, crashfs.Kill)
	if after := state(t, root); after != before {
		t.Errorf("after kill:\n%s\nwant:\n%s", after, before)
	}
}

func TestDisk_CutTearsTheWriteItMeets(t *testing.T) {
	d, root := disk(t, 1) // create, but not the write
	if err := write(d, filepath.Join(root, "a"), false); !errors.Is(err, crashfs.ErrCut) {
		t.Fatalf("got %v, want the cut", err)
	}
	reboot(t, d, crashfs.Kill)
	got, err := os.ReadFile(filepath.Join(root, "a"))
	if err != nil || len(got) == 0 || len(got) >= len(newData) {
		t.Errorf("%d of %d bytes were written (%v), want a part", len(got), len(newData), err)
	}
}

func TestDisk_ModesAndTimesNeedASync(t *testing.T) {
	d, root := disk(t, crashfs.Never)
	name := filepath.Join(root, "file")
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	set := func() {
		if err := errors.Join(d.Chmod(name, 0o640), d.Chtimes(name, then)); err != nil {
			t.Fatal(err)
		}
	}
	set()
	reboot(t, d, crashfs.PowerCut)
	got, err := os.Stat(name)
	if err != nil || got.Mode() != before.Mode() || !got.ModTime().Equal(before.ModTime()) {
		t.Errorf("unsynced: %v %v %v, want %v %v", got.Mode(), got.ModTime(), err, before.Mode(), before.ModTime())
	}
	set()
	if err := d.SyncFile(name); err != nil {
		t.Fatal(err)
	}
	reboot(t, d, crashfs.PowerCut)
	got, err = os.Stat(name)
	if err != nil || got.Mode() != 0o640 || !got.ModTime().Equal(then) {
		t.Errorf("synced: %v %v %v, want -rw-r----- %v", got.Mode(), got.ModTime(), err, then)
	}
}

func TestDisk_CountsEveryOperation(t *testing.T) {
	d, root := disk(t, crashfs.Never)
	in := func(name string) string { return filepath.Join(root, name) }
	f, err := d.Create(in("sub/a"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := f.Write(newData)
	_, err2 := f.WriteAt(newData, 7)
	err = errors.Join(err1, err2, f.Truncate(9), f.Sync(), f.Close(),
		d.Mkdir(in("m"), 0o700), d.Symlink("x", in("s")), d.Chmod(in("m"), 0o750), d.Chtimes(in("m"), time.Now()),
		d.Rename(in("s"), in("t")), d.Exchange(in("t"), in("m")), d.SyncFile(in("sub/a")), d.SyncDir(in("")),
		d.RemoveAll(in("sub")), // two: the file, then the directory
		d.Remove(in("t")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Ops(), 16; got != want {
		t.Errorf("%d operations counted, want %d", got, want)
	}
}

func TestDisk_NothingWorksAfterTheCut(t *testing.T) {
	d, root := disk(t, 2)
	in := func(name string) string { return filepath.Join(root, name) }
	f, err := d.Create(in("a"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	_, werr := f.Write(newData)
	_, rerr := f.ReadAt(make([]byte, 1), 0)
	_, oerr := d.OpenWrite(in("file"))
	for i, err := range []error{
		werr, rerr, oerr, f.Truncate(0), f.Sync(), f.Close(), d.RemoveAll(in("sub")), d.Remove(in("file")),
		d.Mkdir(in("m"), 0o700), d.SyncDir(root), d.SyncFile(in("file")), d.Rename(in("file"), in("b")),
	} {
		if !errors.Is(err, crashfs.ErrCut) {
			t.Errorf("operation %d after the cut gave %v", i, err)
		}
	}
	if !d.WasCut() || !strings.Contains(d.CutAt(), "write") {
		t.Errorf("cut at %q, want the write", d.CutAt())
	}
	reboot(t, d, crashfs.Kill)
	if err := d.Remove(in("file")); err != nil {
		t.Errorf("after the reboot: %v", err)
	}
}

func TestDisk_RefusesPathsOutside(t *testing.T) {
	d, root := disk(t, crashfs.Never)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "way-out")); err != nil {
		t.Fatal(err)
	}
	_, cerr := d.Create(filepath.Join(outside, "a"), 0o600)
	_, lerr := d.Create(filepath.Join(root, "way-out", "a"), 0o600)
	for i, err := range []error{cerr, lerr, d.Mkdir(filepath.Join(root, "..", "b"), 0o700), d.RemoveAll(outside), d.Remove(root), d.SyncDir(outside)} {
		if !errors.Is(err, crashfs.ErrOutside) {
			t.Errorf("case %d: got %v, want %v", i, err, crashfs.ErrOutside)
		}
	}
}

func TestDisk_InjectedFaultsAreTheOutcome(t *testing.T) {
	d, root := disk(t, crashfs.Never)
	d.Inject(func(op, name string) error {
		if op == "write" && filepath.Base(name) != "file" {
			return syscall.ENOSPC
		}
		return nil
	})
	err := durable.WriteFileFunc(d, filepath.Join(root, "file"), 0o600, func(w io.Writer) error {
		_, err := w.Write(newData)
		return err
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want a full disk", err)
	}
	if got, want := state(t, root), fmt.Sprintf("file = %q\nsub/\n", oldData); got != want {
		t.Errorf("a full disk left:\n%s\nwant:\n%s", got, want)
	}
}
