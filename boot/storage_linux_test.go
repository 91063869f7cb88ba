package boot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// mount mounts something for the time of a test, which needs root.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v: %s(this test needs root)", args, err, out)
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
		t.Fatalf("umount %s: %v: %s", dir, err, out)
	}
}

// smallDisk gives the data a disk of its own.
func (w *world) smallDisk(size string) (dir string) {
	w.t.Helper()
	dir = filepath.Dir(w.o.Database)
	mount(w.t, dir, "-t", "tmpfs", "-o", "size="+size, "tmpfs")
	w.t.Cleanup(func() { unmount(w.t, dir) })
	return dir
}

// A failing storage can fail in one way, and work again.
type failing struct {
	name       string
	fail, mend func()
}

// failures gives the ways in which the storage of a world can fail.
func failures(w *world, how string) failing {
	dir := w.smallDisk("6m")
	if how == "full" {
		name := filepath.Join(dir, "ballast")
		return failing{how, func() {
			f, err := os.Create(name)
			if err != nil {
				w.t.Fatal(err)
			}
			defer f.Close()
			for block := make([]byte, 4096); ; {
				if _, err := f.Write(block); err != nil {
					return // full
				}
			}
		}, func() {
			if err := os.Remove(name); err != nil {
				w.t.Fatal(err)
			}
		}}
	}
	// Whoever has files open keeps a mount from becoming read-only, so a view of
	// it that is read-only is laid over it.
	view := filepath.Join(w.dir, "view")
	if err := os.Mkdir(view, 0o700); err != nil {
		w.t.Fatal(err)
	}
	mount(w.t, view, "--bind", dir)
	w.t.Cleanup(func() { unmount(w.t, view) })
	mount(w.t, view, "-o", "remount,bind,ro")
	covered := false
	w.t.Cleanup(func() {
		if covered {
			unmount(w.t, dir)
		}
	})
	return failing{how, func() {
		mount(w.t, dir, "--bind", view)
		covered = true
	}, func() {
		unmount(w.t, dir)
		covered = false
	}}
}

// What was acknowledged before, while and after the storage failed is there, and
// the bot noticed nothing.
func TestStorage_FailsAndComesBackUnderTheRunningBot(t *testing.T) {
	for _, how := range []string{"full", "read-only"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			f := failures(w, how)
			s := w.start()
			s.DB().SetMaxIdleConns(0) // open files of a mount that is gone can still be written
			fill(t, s.DB(), 10)

			var acknowledged atomic.Int64
			acknowledged.Store(10)
			var wg sync.WaitGroup
			ended := make(chan struct{})
			stop := sync.OnceFunc(func() { close(ended); wg.Wait() })
			defer stop()
			for range 3 {
				wg.Go(func() {
					for {
						select {
						case <-ended:
							return
						default:
						}
						if _, err := s.DB().Exec("INSERT INTO users(name) VALUES(?)", strings.Repeat("x", 500)); err != nil {
							t.Errorf("refused: %v", err)
							return
						}
						acknowledged.Add(1)
						time.Sleep(2 * time.Millisecond) // the disk is small
					}
				})
			}
			eventually(t, "rows", func() bool { return acknowledged.Load() > 50 })
			f.fail()
			eventually(t, "degraded", func() bool { return s.Status().State == Degraded })
			st := s.Status()
			if src := st.Sources[0]; src.At != "memory" || src.Reason == "" || src.DegradedSince == nil || len(st.Problems) == 0 {
				t.Errorf("the status: %+v with %+v", src, st.Problems)
			}
			before := acknowledged.Load()
			eventually(t, "rows in memory", func() bool { return acknowledged.Load() > before+50 })
			f.mend()
			eventually(t, "back", func() bool { return s.Status().State == Ready })
			before = acknowledged.Load()
			eventually(t, "rows on disk", func() bool { return acknowledged.Load() > before+20 })
			stop()
			if n := int64(rows(t, s)); n != acknowledged.Load() {
				t.Errorf("%d rows were acknowledged, %d are there", acknowledged.Load(), n)
			}
			if p := s.Status().Problems; len(p) > 0 {
				t.Errorf("afterwards: %+v", p)
			}
			w.close(s)
			s = w.start()
			if n := int64(rows(t, s)); n != acknowledged.Load() {
				t.Errorf("after a restart %d rows of %d are there", n, acknowledged.Load())
			}
			if left, _ := filepath.Glob(filepath.Join(w.dir, "data", "*.before-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A start on a storage that cannot hold a database goes on in memory, with what is
// there, and Close brings back what it can.
func TestStorage_FailsAtTheStart(t *testing.T) {
	for _, how := range []string{"full", "read-only"} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(how, ", lost ", lost), func(t *testing.T) {
				w := newWorld(t)
				f := failures(w, how)
				s := w.start()
				fill(t, s.DB(), 10)
				w.close(s)
				if lost {
					if err := os.Remove(w.o.Database); err != nil {
						t.Fatal(err)
					}
				}
				f.fail()
				s = w.start()
				st := s.Status()
				if st.State != Degraded || st.Sources[0].Start == nil {
					t.Fatalf("the status: %s, %+v", st.State, st.Sources[0])
				}
				want := holdfast.StartKept
				if lost {
					want = holdfast.StartRestored
				}
				if d := decision(t, s); d.Action != want {
					t.Errorf("the decision: %+v, want %s", d, want)
				}
				if n := rows(t, s); n != 10 {
					t.Errorf("%d rows, want 10", n)
				}
				fill(t, s.DB(), 5)
				b, err := s.Backup(t.Context(), BackupOptions{Name: "from-memory"})
				if err != nil || b.Rows != 15 {
					t.Errorf("a backup from memory: %+v, %v", b, err)
				}
				fill(t, s.DB(), 5)
				f.mend()
				w.close(s)
				s = w.start()
				if n := rows(t, s); n != 20 {
					t.Errorf("after the end %d rows are on disk, want 20", n)
				}
			})
		}
	}
}

func TestStorage_NoMemoryRefuses(t *testing.T) {
	w := newWorld(t)
	f := failures(w, "read-only")
	f.fail()
	w.o.NoMemory = true
	if err := w.fails(); !strings.Contains(err.Error(), "read-only") {
		t.Errorf("the error: %v", err)
	}
}
