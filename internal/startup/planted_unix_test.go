//go:build unix

package startup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// openToAll lets everybody make files beside the database, as in /tmp.
func (w *world) openToAll() {
	w.t.Helper()
	if err := os.Chmod(filepath.Dir(w.database), fs.ModeSticky|0o777); err != nil {
		w.t.Fatal(err)
	}
}

// beside is a name beside the database.
func (w *world) beside(name string) string { return filepath.Join(filepath.Dir(w.database), name) }

// foreign makes a file of another user, which takes root; as somebody else it
// makes a link to one of root's, which is refused in its own right.
func (w *world) foreign(path, content string) {
	w.t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Symlink("/etc/passwd", path); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o666), os.Chown(path, 65534, 65534)); err != nil {
		w.t.Fatal(err)
	}
}

// A plan, a stage and a lock beside a database that another user has made are not
// followed, and do not keep a program from its data or its backups.
func TestPrepare_PlansOfAnotherUser(t *testing.T) {
	base := "bot_database.db"
	stage := ".holdfast-place-" + durable.TempName(base)
	plan := fmt.Sprintf(`{"version":1,"stage":%q,"aside":"%s.before-x","companions":["-wal","-shm","-journal"],"begun":"2026-11-03T14:00:00.000Z"}`, stage, base)
	for _, c := range []struct {
		name   string
		plant  func(w *world)
		passed string
	}{
		{"plan and stage", func(w *world) {
			w.foreign(w.beside(".holdfast-place-"+base+".plan"), plan)
			w.foreign(w.beside(stage), "a database, really")
		}, "of a replacement by another user"},
		{"stage", func(w *world) { w.foreign(w.beside(stage), "a database, really") }, ""},
		{"lock", func(w *world) {
			name := w.beside(".holdfast-start-" + base + ".lock")
			w.foreign(name, "")
			if f, err := os.OpenFile(name, os.O_RDWR, 0); err == nil {
				w.t.Cleanup(func() { f.Close() })
				if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
					w.t.Fatal(err)
				}
			}
		}, ""},
	} {
		for _, lost := range []bool{false, true} {
			if os.Geteuid() != 0 && c.passed != "" {
				continue // links are no foreign files, and a plan that is one stands in the way
			}
			t.Run(fmt.Sprintf("%s, lost %v", c.name, lost), func(t *testing.T) {
				w := newWorld(t)
				w.openToAll()
				w.fill(10)
				w.backup()
				c.plant(w)
				if lost {
					if err := os.Remove(w.database); err != nil {
						t.Fatal(err)
					}
				}
				d, err := startup.Prepare(t.Context(), w.opts)
				if want := map[bool]holdfast.StartAction{false: holdfast.StartKept, true: holdfast.StartRestored}[lost]; err != nil || d.Action != want {
					t.Fatalf("%+v, %v", d, err)
				}
				if got := w.sql("SELECT count(*) FROM notes"); strings.TrimSpace(got) != "10" {
					t.Errorf("%s notes", got)
				}
				if c.passed != "" && (len(d.Passed) != 1 || !strings.Contains(d.Passed[0].Message, c.passed)) {
					t.Errorf("passed %+v", d.Passed)
				}
			})
		}
	}
}

// A mirror that another user has put in an open directory, with a time of its
// choosing, is passed over and named.
func TestPrepare_MirrorOfAnotherUser(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	w.mirrored("7", time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	w.mirror = w.beside("bot_database.db.backup")
	if err := os.Rename(w.opts.Mirror, w.mirror); err != nil {
		t.Fatal(err)
	}
	w.opts.Mirror = w.mirror
	w.openToAll()
	says := ""
	if os.Geteuid() == 0 {
		says = "belongs to user 65534"
		if err := os.Chown(w.mirror, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Remove(w.mirror); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.database); err != nil {
		t.Fatal(err)
	}
	d, err := startup.Prepare(t.Context(), w.opts)
	if err != nil || d.Action != holdfast.StartRestored || d.Backup == "" {
		t.Fatalf("%+v, %v", d, err)
	}
	if got := strings.TrimSpace(w.sql("SELECT count(*) FROM notes")); got != "10" {
		t.Errorf("%s notes", got)
	}
	if says != "" && (len(d.Passed) != 1 || !strings.Contains(d.Passed[0].Message, says)) {
		t.Errorf("passed %+v", d.Passed)
	}
}

// A database that another user may have put there is kept, since it may be the
// only one, and that is said.
func TestExamine_DatabaseOfAnotherUser(t *testing.T) {
	w := newWorld(t)
	w.openToAll()
	w.fill(10)
	c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{})
	if !c.Usable() || len(c.Problems) != 0 {
		t.Errorf("our own: %+v", c)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(w.database, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	c = startup.Examine(t.Context(), w.source, startup.ExamineOptions{})
	if !c.Usable() || len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Message, "another user may have put it there") {
		t.Errorf("somebody else's: %+v", c)
	}
}
