package startup_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// smallDisk mounts a tmpfs where the data belongs.
func (w *world) smallDisk(size string) {
	w.t.Helper()
	dir := filepath.Dir(w.database)
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
			w.smallDisk("600k")
			write(t, w.database, make([]byte, 9000)) // damaged, and perhaps dear to somebody
			d, err := w.refuse(holdfast.ErrRefused)
			if errors.Is(err, startup.ErrOutOfReach) {
				t.Errorf("the storage is at fault, not the backups: %v", err)
			}
			wantWords(t, d.Reason, "was no database")
		})
	}
}
