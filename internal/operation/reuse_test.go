package operation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A backup that somebody removed beside the daemon stands for nothing, nor does one in a
// repository that was taken away: what is uploaded next could not be undone.
func TestBackup_ReusesOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]string{"a deleted backup": "backups/monday", "a repository that is gone": "backups"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.rest()
			w.backup("monday")
			if _, ok := w.keeper.Recent(time.Hour); !ok {
				t.Fatal("the keeper does not know the backup that it made")
			}
			place := filepath.Join(w.dir, filepath.FromSlash(remove))
			if err := os.Rename(place, filepath.Join(w.dir, "away")); err != nil {
				t.Fatal(err)
			}
			j := w.end(w.Backup(t.Context(), "tester", "", BackupRequest{Trigger: holdfast.TriggerAuto}))
			var made report.BackupResult
			if err := json.Unmarshal(j.Result, &made); err != nil {
				t.Fatalf("%s: %v", j.State, err)
			}
			if j.State != job.Succeeded || made.Reused || made.Backup == nil || made.Backup.Name == "monday" {
				t.Errorf("%s: %s", j.State, j.Result)
			}
		})
	}
}
