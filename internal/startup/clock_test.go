package startup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/startup"
)

// A backup from the future may hide newer ones behind it: nobody can tell which
// clock was wrong, so that it is said.
func TestPrepare_ABackupFromTheFuture(t *testing.T) {
	for ahead, said := range map[time.Duration]bool{-time.Hour: false, 5 * time.Minute: false, 24 * time.Hour: true} {
		w := newWorld(t)
		w.fill(10)
		w.backup()
		made := w.now
		w.opts.Now = func() time.Time { return made.Add(-ahead) }
		w.wipe()
		d, err := startup.Prepare(t.Context(), w.opts)
		if err != nil || strings.Contains(d.Reason, "in the future") != said {
			t.Errorf("%s ahead: %q, %v", ahead, d.Reason, err)
		}
	}
}
