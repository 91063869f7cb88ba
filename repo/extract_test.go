package repo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// What Extract reports as done survives any cut after it: more files than are
// synced at once, a large one, folders, a link, and files that may not be
// opened for writing.
func TestExtract_IsDurableWhenItReturns(t *testing.T) {
	r, _ := newRepo(t)
	p := create(t, r, "victim", CreateOptions{Compress: true})
	s := p.Sink("bot")
	want := map[string][]byte{"large": text(3*smallFile+17, 1), "sparse": append(make([]byte, 2*smallFile), "end"...)}
	for i := range 2*openAtOnce + 3 {
		want[fmt.Sprintf("sub/%d/x", i)] = text(100+i, uint64(i))
	}
	for name, data := range want {
		w, err := s.Create(holdfast.Entry{Path: name, Mode: 0o400, ModTime: testTime})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []holdfast.Entry{
		{Path: "link", Mode: fs.ModeSymlink | 0o777, ModTime: testTime, Link: "large"},
		{Path: "sub", Mode: fs.ModeDir | 0o750, ModTime: testTime},
		{Path: "sub/0", Mode: fs.ModeDir | 0o710, ModTime: testTime},
	} {
		if err := s.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, p)
	back := open(t, r, "victim")
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			root := t.TempDir()
			disk, err := crashfs.New(root, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(root, "restored")
			if err := back.Extract(t.Context(), "bot", dir, disk, nil); err != nil {
				t.Fatal(err)
			}
			if err := disk.Reboot(mode); err != nil {
				t.Fatal(err)
			}
			compare(t, contents(t, os.DirFS(dir)), want)
			if link, err := os.Readlink(filepath.Join(dir, "link")); err != nil || link != "large" {
				t.Errorf("the link leads to %q (%v)", link, err)
			}
			for name, mode := range map[string]fs.FileMode{"large": 0o400, "sub": 0o750, "sub/0": 0o710} {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil || info.Mode().Perm() != mode || !info.ModTime().Equal(testTime) {
					t.Errorf("%s came back as %v of %v (%v)", name, info.Mode(), info.ModTime(), err)
				}
			}
			if err := disk.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
