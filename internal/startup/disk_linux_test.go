package startup_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// mount mounts a small disk.
func (w *world) mount(dir, size string) {
	w.t.Helper()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		w.t.Fatalf("mount a tmpfs: %v: %s(this test needs root)", err, out)
	}
	w.t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			w.t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// A disk without room: what is there stays, and the error says what is missing.
func TestPrepare_DiskFull(t *testing.T) {
	for _, from := range []string{"repository", "mirror"} {
		t.Run(from, func(t *testing.T) {
			w := newWorld(t)
			if from == "mirror" {
				w.mirrored("40000", time.Now())
			} else {
				w.fill(10000)
				w.backup()
			}
			w.wipe()
			if err := exec.Command("mkdir", "-p", filepath.Dir(w.database)).Run(); err != nil {
				t.Fatal(err)
			}
			w.mount(filepath.Dir(w.database), "600k")
			write(t, w.database, make([]byte, 9000)) // damaged, and perhaps dear to somebody
			d, err := w.refuse(holdfast.ErrRefused)
			if errors.Is(err, startup.ErrOutOfReach) {
				t.Errorf("the storage is at fault, not the backups: %v", err)
			}
			wantWords(t, d.Reason, "was no database")
		})
	}
}

// A repository without room for an emergency backup does not keep the data from
// coming back: what was there is kept aside.
func TestPrepare_NoRoomForAnEmergencyBackup(t *testing.T) {
	w := newWorld(t)
	w.fill(500)
	if err := os.MkdirAll(w.repoDir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.mount(w.repoDir, "3m")
	makeRepo(t, w.repoDir)
	name := w.backup()
	data := read(t, w.database)
	copy(data[4096:], strings.Repeat("x", 4000))
	write(t, w.database, data)
	f, err := os.Create(filepath.Join(w.repoDir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	d := w.prepare()
	if d.Action != holdfast.StartRestored || d.Backup != name || len(d.Aside) == 0 {
		t.Fatalf("got %+v", d)
	}
	if w.notes() != "500" || !bytes.Equal(read(t, d.Aside[0]), data) {
		t.Error("something is not where it should be")
	}
}
