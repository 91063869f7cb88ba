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

// A backup that holds damage does not stand for a new one: whoever asks is told each
// time.
func TestBackup_WhatIsDamagedIsNotReused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f, err := os.OpenFile(w.database, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	const secondPage = 4096 // the root of the table
	if _, err := f.WriteAt(make([]byte, 64), secondPage); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.rest()
	for _, attempt := range []string{"the first", "the one after it"} {
		j := w.end(w.Backup(t.Context(), "tester", "", BackupRequest{Trigger: holdfast.TriggerAuto}))
		var made report.BackupResult
		if err := json.Unmarshal(j.Result, &made); err != nil {
			t.Fatalf("%s: %s: %v", attempt, j.State, err)
		}
		if j.State != job.Incomplete || made.Reused || !made.Incomplete {
			t.Errorf("%s: %s: %s", attempt, j.State, j.Result)
		}
	}
}
