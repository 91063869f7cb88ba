//go:build unix

package boot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// The copy from before migrations is for nobody else to read, goes through no
// link, and clears away what a start that was cut has left of one.
func TestMigrations_TheCopyIsPrivate(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	s := w.start()
	fill(t, s.DB(), 3)
	dir := filepath.Dir(w.o.Database)
	copied, victim := s.beside(beforeSuffix), filepath.Join(w.dir, "victim")
	left := filepath.Join(dir, durable.TempName(filepath.Base(copied)))
	if err := errors.Join(os.Mkdir(left, 0o700), os.Symlink(victim, copied)); err != nil {
		t.Fatal(err)
	}
	m := &migration{s: s, uri: s.diskURI, db: s.o.private(s.diskURI)}
	defer m.db.Close()
	if err := m.copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(copied); err != nil || info.Mode() != 0o600 || m.copied != copied {
		t.Errorf("%v of mode %v, noted as %q: %v", copied, info.Mode(), m.copied, err)
	}
	if err := sqlite.CheckFile(t.Context(), copied); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
	// Other files may be written beside it just now.
	if found, _ := filepath.Glob(filepath.Join(dir, ".tmp-"+filepath.Base(copied)+"*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// A start whose lock another user has planted says so at once, and makes nothing
// where a link leads.
func TestStart_LockThatIsPlanted(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Dir(w.o.Database)
	lock, victim := filepath.Join(dir, "."+filepath.Base(w.o.Database)+lockSuffix), filepath.Join(w.dir, "victim")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, fs.ModeSticky|0o777), os.Symlink(victim, lock)); err != nil {
		t.Fatal(err)
	}
	if err := w.fails(); !strings.Contains(err.Error(), lock) || holdfast.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, holdfast.HintOf(err))
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
	if os.Geteuid() != 0 { // giving files away takes root
		return
	}
	if err := errors.Join(os.Remove(lock), os.WriteFile(lock, nil, 0o666), os.Chown(lock, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if err := w.fails(); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("error %v", err)
	}
}
