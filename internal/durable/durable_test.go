package durable_test

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

	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

func TestWriteFile_Replaces(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ไฟล์ پرونده.json")
	for _, want := range []string{"first", "", strings.Repeat("third", 10_000)} {
		if err := durable.WriteFile(durable.OS, name, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Fatalf("read %d bytes (%v), want %d", len(got), err, len(want))
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o037 != 0 {
		t.Errorf("mode %v (%v), want no more than rw-r-----", info.Mode(), err)
	}
	onlyEntry(t, filepath.Dir(name), filepath.Base(name))
}

func onlyEntry(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != want {
		t.Errorf("%s holds %v (%v), want only %s", dir, entries, err, want)
	}
}

func TestWriteFileFunc_AFailureLeavesTheOldFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	if err := durable.WriteFile(durable.OS, name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := durable.WriteFileFunc(durable.OS, name, 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, "half of the n")
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of fill", err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "old" {
		t.Errorf("the old file holds %q (%v)", got, err)
	}
	onlyEntry(t, filepath.Dir(name), "state")
}

func TestPublishFile_AReaderMeetsOneStateOrTheNext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "status")
	state := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*97%9000) }
	if err := durable.PublishFile(durable.OS, name, state(0), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for i := range 300 {
			if err := durable.PublishFile(durable.OS, name, state(i), 0o600); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for reading := true; reading; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			reading = false
		default:
		}
		got, err := os.ReadFile(name)
		if err != nil || len(got) == 0 || bytes.Count(got, got[:1]) != len(got) {
			t.Fatalf("read %d bytes (%v), want one whole state", len(got), err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, state(299)) {
		t.Errorf("read %d bytes (%v), want the last state", len(got), err)
	}
	onlyEntry(t, filepath.Dir(name), filepath.Base(name))
}

func TestPublishFile_NeedsNoSyncAndLeavesTheOldFileOnFailure(t *testing.T) {
	for op, works := range map[string]bool{"sync": true, "syncdir": true, "create": false, "write": false, "rename": false} {
		t.Run(op, func(t *testing.T) {
			root := t.TempDir()
			name := filepath.Join(root, "status")
			if err := durable.PublishFile(durable.OS, name, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := crashfs.New(root, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			d.Inject(func(o, _ string) error {
				if o == op {
					return syscall.EIO
				}
				return nil
			})
			want := "old"
			if works {
				want = "new"
			}
			if err := durable.PublishFile(d, name, []byte("new"), 0o600); (err == nil) != works {
				t.Errorf("got %v, want success: %v", err, works)
			}
			if got, err := os.ReadFile(name); err != nil || string(got) != want {
				t.Errorf("the file holds %q (%v), want %q", got, err, want)
			}
			onlyEntry(t, root, "status")
		})
	}
}

func TestWriteFile_AFailedSyncIsAFailedWrite(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			root := t.TempDir()
			d, err := crashfs.New(root, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			d.Inject(func(o, _ string) error {
				if o == op {
					return syscall.EIO
				}
				return nil
			})
			if err := durable.WriteFile(d, filepath.Join(root, "a"), []byte("x"), 0o600); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v, want the error of the disk", err)
			}
		})
	}
}

func TestTempName_IsRecognisedAndNothingElseIs(t *testing.T) {
	for _, base := range []string{"a", "state.json", ".hidden", "with-dash-", strings.Repeat("ยาว", 90), ".tmp-a-AAAAAAAAAAAAA"} {
		name := durable.TempName(base)
		if !durable.IsTemp(name) || !durable.IsTemp(filepath.Join("dir", name)) {
			t.Errorf("TempName(%q) = %q is not recognised", base, name)
		}
		if len(name) > 255 || strings.ToValidUTF8(name, "?") != name {
			t.Errorf("TempName(%q) = %q is no good name", base, name)
		}
		if name == durable.TempName(base) {
			t.Errorf("TempName(%q) gave %q twice", base, name)
		}
	}
	for _, name := range []string{
		"", ".", ".tmp-", ".tmp-a", ".tmp-a-short", "tmp-a-ABCDEFGHIJKLM", ".tmp-a-abcdefghijklm",
		".tmp--ABCDEFGHIJKLM", ".tmp-a-ABCDEFGHIJKL1", ".tmp-aABCDEFGHIJKLMN", ".tmp-a-ABCDEFGHIJKLM.bak",
	} {
		if durable.IsTemp(name) {
			t.Errorf("IsTemp(%q) takes a name of somebody else", name)
		}
	}
}

func TestCleanTemps_RemovesOnlyItsOwn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"keep", ".tmp-mine", ".tmp-notes-2024", durable.TempName("a")} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stage := durable.TempName("tree")
	if err := os.MkdirAll(filepath.Join(dir, stage, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	removed, err := durable.CleanTemps(durable.OS, dir)
	if err != nil || len(removed) != 2 {
		t.Errorf("removed %v (%v), want two", removed, err)
	}
	entries, err := os.ReadDir(dir)
	if got := fmt.Sprint(entries); err != nil || got != "[- .tmp-mine - .tmp-notes-2024 - keep]" {
		t.Errorf("left %s (%v)", got, err)
	}
	if removed, err := durable.CleanTemps(durable.OS, filepath.Join(dir, "absent")); err != nil || removed != nil {
		t.Errorf("an absent directory gave %v, %v", removed, err)
	}
}

func TestCreate_RefusesWhatExists(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), name); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.OS.Create(name, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create through a dangling link gave %v, want %v", err, fs.ErrExist)
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the link was followed")
	}
}

func TestRenameNew_NeverReplaces(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, data := range map[string]string{"a": "A", "b": "B"} {
		if err := os.WriteFile(in(name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.RenameNew(durable.OS, in("a"), in("b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if got, err := os.ReadFile(in("b")); err != nil || string(got) != "B" {
		t.Errorf("b holds %q (%v), want B", got, err)
	}
	if err := durable.RenameNew(durable.OS, in("a"), in("c")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(in("c")); err != nil || string(got) != "A" {
		t.Errorf("c holds %q (%v), want A", got, err)
	}
}

func TestExchange_SwapsTreesOrSaysItCannot(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b"} {
		if err := errors.Join(os.Mkdir(in(name), 0o700), os.WriteFile(filepath.Join(in(name), "who"), []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	wantA := "b"
	if err := durable.Exchange(durable.OS, in("a"), in("b")); errors.Is(err, errors.ErrUnsupported) {
		wantA = "a" // nothing may have happened
	} else if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(in("a"), "who")); err != nil || string(got) != wantA {
		t.Errorf("a is now %q (%v), want %q", got, err, wantA)
	}
}

func TestOS_LargeFilesArriveWhole(t *testing.T) {
	// More than one piece of the early writeback, in odd sizes.
	name := filepath.Join(t.TempDir(), "large")
	f, err := durable.OS.Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("0123456789abcde"), 70_000)
	for range 20 {
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Close(), durable.OS.SyncFile(name)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, bytes.Repeat(piece, 20)) {
		t.Errorf("read %d bytes (%v), want %d", len(got), err, 20*len(piece))
	}
}

func TestSyncFile_NeedsNoPermissionToWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "read-only")
	if err := os.WriteFile(name, []byte("x"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := durable.OS.SyncFile(name); err != nil {
		t.Error(err)
	}
	if err := durable.OS.SyncFile(name + ".absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file gave %v", err)
	}
}

func TestMkdirAll_SyncsWhatItMakes(t *testing.T) {
	for n := 0; ; n++ {
		root := filepath.Join(t.TempDir(), "disk")
		if err := os.Mkdir(root, 0o700); err != nil {
			t.Fatal(err)
		}
		d, err := crashfs.New(root, n)
		if err != nil {
			t.Fatal(err)
		}
		deep := filepath.Join(root, "a", "b", "c")
		err = durable.MkdirAll(d, deep, 0o700)
		cut := d.WasCut()
		if err := d.Reboot(crashfs.PowerCut); err != nil {
			t.Fatal(err)
		}
		_, serr := os.Stat(deep)
		if err == nil && serr != nil {
			t.Fatalf("after %d operations: reported as made, but %v", n, serr)
		}
		if !cut {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

func TestMkdirAll_AFileInTheWay(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{name, filepath.Join(name, "below")} {
		if err := durable.MkdirAll(durable.OS, path, 0o700); err == nil {
			t.Errorf("MkdirAll(%s) succeeded over a file", path)
		}
	}
}

func TestSyncTree_MakesEverythingDurable(t *testing.T) {
	root := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(root, "tree")
	if err := errors.Join(d.Mkdir(tree, 0o700), d.SyncDir(root), d.Mkdir(filepath.Join(tree, "sub"), 0o700),
		d.Symlink("nowhere", filepath.Join(tree, "link"))); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		f, err := d.Create(filepath.Join(tree, "sub", fmt.Sprint(i)), 0o400)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprint(f, "content ", i)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.SyncTree(t.Context(), d, tree); err != nil {
		t.Fatal(err)
	}
	if err := d.Reboot(crashfs.PowerCut); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		got, err := os.ReadFile(filepath.Join(tree, "sub", fmt.Sprint(i)))
		if want := fmt.Sprint("content ", i); err != nil || string(got) != want {
			t.Errorf("file %d holds %q (%v), want %q", i, got, err, want)
		}
	}
	if to, err := os.Readlink(filepath.Join(tree, "link")); err != nil || to != "nowhere" {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
}

func TestSyncTree_ReportsTheFirstFailure(t *testing.T) {
	root := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	d.Inject(func(op, name string) error {
		if op == "sync" && filepath.Base(name) == "7" {
			return syscall.EIO
		}
		return nil
	})
	if err := durable.SyncTree(t.Context(), d, root); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want the failed sync", err)
	}
}

func TestRename_LeavesAtLeastOneName(t *testing.T) {
	for n := 0; ; n++ {
		root := filepath.Join(t.TempDir(), "disk")
		from, to := filepath.Join(root, "from", "x"), filepath.Join(root, "to", "x")
		if err := errors.Join(os.MkdirAll(filepath.Dir(from), 0o700), os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(from, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		d, err := crashfs.New(root, n)
		if err != nil {
			t.Fatal(err)
		}
		err = durable.Rename(d, from, to)
		cut := d.WasCut()
		if err := d.Reboot(crashfs.PowerCut); err != nil {
			t.Fatal(err)
		}
		_, ferr := os.Stat(from)
		_, terr := os.Stat(to)
		if ferr != nil && terr != nil {
			t.Fatalf("after %d operations both names are gone", n)
		}
		if !cut {
			if err != nil || terr != nil || ferr == nil {
				t.Fatalf("at the end: %v, from %v, to %v", err, ferr, terr)
			}
			return
		}
	}
}

func TestRemove_AbsentIsSuccess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "absent")
	if err := errors.Join(durable.Remove(durable.OS, name), durable.RemoveAll(durable.OS, name)); err != nil {
		t.Error(err)
	}
}
