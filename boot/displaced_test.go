package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// displacements are ways to take a database from under a running bot.
var displacements = map[string]func(w *world) error{
	"the directory removed": func(w *world) error { return w.removeData() },
	"the files removed": func(w *world) error {
		found, err := filepath.Glob(w.o.Database + "*")
		for _, f := range found {
			err = errors.Join(err, os.Remove(f))
		}
		return err
	},
	"the directory replaced": func(w *world) error {
		dir := filepath.Dir(w.o.Database)
		return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
	},
	"another file in its place": func(w *world) error {
		other := filepath.Join(w.dir, "other.db")
		return errors.Join(os.WriteFile(other, []byte("something else"), 0o600), os.Rename(other, w.o.Database))
	},
}

// isAt tells whether the file that the bot has open lies where it belongs.
func isAt(s *Store) bool {
	s.mu.Lock()
	file := s.file
	s.mu.Unlock()
	return s.fallen() == nil && file != nil && !s.displaced()
}

// removeData removes the directory of the database, in which the bot may be
// making files.
func (w *world) removeData() (err error) {
	for range 100 {
		if err = os.RemoveAll(filepath.Dir(w.o.Database)); err == nil {
			break
		}
	}
	return err
}

// What SQLite writes on into a file without a name is not lost, nor is what is
// written while nobody has noticed.
func TestDisplaced_NothingIsLost(t *testing.T) {
	for name, displace := range displacements {
		for _, noMemory := range []bool{false, true} {
			if noMemory {
				name += ", no memory"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				w.o.NoMemory = noMemory
				s := w.start()
				fill(t, s.DB(), 10)
				if _, err := s.Backup(t.Context(), BackupOptions{}); err != nil {
					t.Fatal(err)
				}
				fill(t, s.DB(), 10) // in no backup
				if err := displace(w); err != nil {
					t.Fatal(err)
				}
				fill(t, s.DB(), 10)
				eventually(t, "back on disk", func() bool { return isAt(s) })
				fill(t, s.DB(), 5)
				if n := rows(t, s); n != 35 {
					t.Errorf("%d rows, want 35", n)
				}
				if strings.Contains(name, "another file") != s.noted(problemAside) {
					t.Errorf("what is told of files kept aside: %+v", s.Status().Problems)
				}
				w.close(s)
				s = w.start()
				if n := rows(t, s); n != 35 {
					t.Errorf("after a restart %d rows, want 35", n)
				}
			})
		}
	}
}

// A bot whose connections sleep is no worse off, and one that ends before the
// monitor has looked neither.
func TestDisplaced_AtTheEnd(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 20)
	if err := w.removeData(); err != nil {
		t.Fatal(err)
	}
	w.close(s)
	if _, err := os.Stat(w.o.Database); err != nil {
		t.Error(err)
	}
	s = w.start()
	if n := rows(t, s); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
}

// A new connection does not begin an empty database beside the one that others
// have open.
func TestDisplaced_NewConnections(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 10)
	held, err := s.DB().Conn(t.Context()) // keeps one, so that another is needed
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := os.Remove(w.o.Database); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}

// Nothing is restored over a database whose content could not be saved first.
func TestDisplaced_ARestoreSavesFirst(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 10)
	b, err := s.Backup(t.Context(), BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s.DB(), 10)
	if err := w.removeData(); err != nil {
		t.Fatal(err)
	}
	restored := restoreMoving(t, s, b.Name)
	if n := rows(t, s); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
	restoreMoving(t, s, restored.Emergency)
	if n := rows(t, s); n != 20 {
		t.Errorf("the emergency backup holds %d rows, want 20", n)
	}
}

// restoreMoving restores while the database moves into memory and back.
func restoreMoving(t *testing.T, s *Store, name string) (restored Restored) {
	t.Helper()
	eventually(t, "a restore", func() bool {
		var err error
		restored, err = s.Restore(t.Context(), name)
		if err != nil && !errors.Is(err, holdfast.ErrRefused) && !errors.Is(err, holdfast.ErrLocked) {
			t.Fatal(err)
		}
		return err == nil
	})
	return restored
}

// With no connection left there is nothing to copy: memory begins from the newest
// backup, and that is told.
func TestDisplaced_WithoutAConnection(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 10)
	if _, err := s.Backup(t.Context(), BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), holdLimit)
	defer cancel()
	hold, err := s.pool.Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.removeData(); err != nil {
		t.Fatal(err)
	}
	hold.Release()
	if n := rows(t, s); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
	if !s.noted(problemLost) {
		t.Errorf("it is not told that changes may be lost: %+v", s.Status().Problems)
	}
}

// Another library's connections are asked in the same way.
func TestDisplaced_AnotherLibrary(t *testing.T) {
	w := newWorld(t)
	w.o.Open = openForeign
	s := w.start()
	fill(t, s.DB(), 20)
	if err := w.removeData(); err != nil {
		t.Fatal(err)
	}
	fill(t, s.DB(), 10)
	eventually(t, "back on disk", func() bool { return isAt(s) })
	if n := rows(t, s); n != 30 {
		t.Errorf("%d rows, want 30", n)
	}
}
