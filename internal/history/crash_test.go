package history

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// The power is cut after every single operation: what was written down before is known
// afterwards, and the record goes on.
func TestRecorder_EveryCutLeavesWhatWasWritten(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		for cut := 1; ; cut++ {
			root := filepath.Join(t.TempDir(), "state")
			if err := os.Mkdir(root, 0o700); err != nil {
				t.Fatal(err)
			}
			disk, err := crashfs.New(root, cut)
			if err != nil {
				t.Fatal(err)
			}
			clock := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
			var known int64 // of what was told to be durable
			life := func() *Recorder {
				return Open(Options{Dir: root, FS: disk, Now: func() time.Time { return clock }, Logger: slog.New(slog.DiscardHandler)})
			}
			r := life()
			r.file.lines = slack - 3 // so that the file is written anew on the way
			for n := range int64(8) {
				r.Observe(engine.Verb{Op: "backup", Unchanged: true, Begun: clock})
				if !r.unsaved {
					known = n + 1
				}
				clock = clock.Add(10 * time.Minute)
			}
			cutAt := disk.CutAt()
			if err := disk.Reboot(mode); err != nil {
				t.Fatal(err)
			}
			count := func(r *Recorder) (n int64) {
				for _, b := range r.Log(1).Buckets {
					n += b.Unchanged
				}
				return n
			}
			r = life()
			if got := count(r); got < known || got > 8 {
				t.Fatalf("%s, cut after operation %d (%s): %d checks are known, %d were written", mode, cut, cutAt, got, known)
			}
			before := count(r)
			r.Observe(engine.Verb{Op: "backup", Unchanged: true, Begun: clock})
			if got := count(life()); got != before+1 {
				t.Fatalf("%s, cut after operation %d: it does not go on: %d after %d", mode, cut, got, before)
			}
			if err := disk.Close(); err != nil {
				t.Fatal(err)
			}
			if cutAt == "" {
				break
			}
		}
	}
}
