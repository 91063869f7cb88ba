//go:build unix

package engine_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A file that another user made first in an open directory does not become the
// mirror, whose mode it would give, and a link leads nowhere.
func TestMirror_OfAnotherUserIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	path := w.mirrored()
	if err := os.Chmod(filepath.Dir(path), fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	w.backup("monday")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the mirror: %v, %v", info.Mode(), err)
	}
	if os.Geteuid() != 0 { // giving files away takes root
		return
	}
	left := filepath.Join(filepath.Dir(path), durable.TempName(filepath.Base(path)))
	write(t, left, "of somebody else")
	if err := os.Chown(left, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w.set("more")
	if r := w.backup("evening"); len(r.Problems) > 0 || read(t, left) != "of somebody else" || read(t, path) != "more\nmore\n" {
		t.Errorf("beside what another user left: %+v", r.Problems)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w.set("two")
	r := w.backup("tuesday")
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "belongs to user 65534") || r.Problems[0].Hint == "" {
		t.Errorf("problems: %+v", r.Problems)
	}
	if read(t, path) != "more\nmore\n" {
		t.Error("the mirror was touched")
	}
}
