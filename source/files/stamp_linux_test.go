package files_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-backup/holdfast/internal/inode"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// wantContent wants the captured file to hold text.
func wantContent(t *testing.T, sink *sourcetest.Sink, name, text string) {
	t.Helper()
	got, err := os.ReadFile(sink.Path(name))
	must(t, err)
	if string(got) != text {
		t.Errorf("%s holds %q, want %q", name, got, text)
	}
}

// A program that writes through mapped memory makes no calls, and its second
// store to a page would leave no trace until the page was written out.
func TestCapture_SeesStoresToMappedMemory(t *testing.T) {
	dir := tree(t, map[string]string{"state": "0000"})
	f, err := os.OpenFile(filepath.Join(dir, "state"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(mem)
	src := newSource(t, dir, files.Options{})
	var last *sourcetest.Sink
	for i := byte('1'); i <= '9'; i++ {
		mem[3] = i
		time.Sleep(60 * time.Millisecond) // the store is older than the grain of times
		_, last = sourcetest.Again(t, src, last)
		wantContent(t, last, "state", "000"+string(i))
	}
	if inode.ShowsWrites(f, inode.Mappings) && len(last.Stamps()) == 0 {
		t.Error("the file has no stamp")
	}
}

// Only what changed is read again; new names of a file are other files.
func TestCapture_ReadsOnlyWhatChanged(t *testing.T) {
	dir := tree(t, map[string]string{"a": "one", "sub/b": "two", "sub/c": "three", "link": "->a"})
	must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "hard")))
	src := newSource(t, dir, files.Options{})
	first := sourcetest.Stamped(t, src)
	if first == nil {
		return
	}
	must(t, os.WriteFile(filepath.Join(dir, "sub", "b"), []byte("TWO"), 0o644))
	must(t, os.Rename(filepath.Join(dir, "sub", "c"), filepath.Join(dir, "sub", "d")))
	got, second := sourcetest.Again(t, src, first)
	if second.Reused() != 2 { // a and hard
		t.Errorf("reused %d files, want 2", second.Reused())
	}
	for name, text := range map[string]string{"a": "one", "hard": "one", "sub/b": "TWO", "sub/d": "three"} {
		wantContent(t, second, name, text)
	}
	if f := got.Facts.Files; f.Files != 4 || f.Bytes != 14 || f.Symlinks != 1 || f.Dirs != 1 {
		t.Errorf("facts %+v", f)
	}
	// A file that is written through one of its names has changed under both.
	must(t, os.WriteFile(filepath.Join(dir, "hard"), []byte("new"), 0o644))
	_, third := sourcetest.Again(t, src, second)
	wantContent(t, third, "a", "new")
}
