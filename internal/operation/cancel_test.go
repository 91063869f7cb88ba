package operation

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A backup that is cancelled leaves nothing, or was committed before and says so.
func TestCancel_OfABackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sourcetest.SQLite(t, w.database, "INSERT INTO notes(text) SELECT hex(randomblob(5000)) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 1000) SELECT x FROM c);")
	for _, step := range []holdfast.Step{"", holdfast.StepPreflight, holdfast.StepCapture, holdfast.StepCommit, holdfast.StepResult} {
		before := len(w.committed(t))
		j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		for ev := range w.jobs.Events(t.Context(), j.ID, 0) {
			if step == "" || ev.Event != nil && ev.Event.Step == step {
				break
			}
		}
		if _, err := w.jobs.Cancel(j.ID); err != nil {
			t.Fatal(err)
		}
		j = w.end(j, nil)
		made := len(w.committed(t)) - before
		if made == 1 && j.State != job.Succeeded || made == 0 && j.State != job.Cancelled {
			t.Errorf("cancelled at %q: %d backups were made, and it is %s, %+v", step, made, j.State, j.Error)
		}
		left, err := filepath.Glob(filepath.Join(w.dir, "backups", "*_backup_*"))
		if err != nil || len(left) != before+made {
			t.Errorf("cancelled at %q: left are %v, %v", step, left, err)
		}
	}
}

// committed are the folders of committed backups; none before there is a repository.
func (w *world) committed(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(w.dir, "backups", "*", holdfast.MetadataFile))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A state directory that takes nothing keeps nobody from a backup, and from nothing
// but a backup is that hidden.
func TestBackup_WithoutARecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.state = filepath.Join(w.dir, "file", "jobs")
	if err := os.WriteFile(filepath.Dir(w.state), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Name: "monday"})
	j = w.done(nil, j, err)
	if len(j.Problems) != 1 || len(w.backups()) != 1 {
		t.Errorf("the job is %+v", j)
	}
	for name, begin := range map[string]func(context.Context) error{
		"verify": func(ctx context.Context) error { _, err := w.Verify(ctx, "", "", VerifyRequest{}); return err },
		"restore": func(ctx context.Context) error {
			_, err := w.Restore(ctx, "", "", RestoreRequest{Name: "monday"})
			return err
		},
		"delete": func(ctx context.Context) error {
			_, err := w.Delete(ctx, "", "", DeleteRequest{Names: []string{"monday"}})
			return err
		},
	} {
		if err := begin(t.Context()); err == nil || holdfast.HintOf(err) == "" {
			t.Errorf("%s was begun: %v", name, err)
		}
	}
	if len(w.backups()) != 1 {
		t.Error("it was deleted")
	}
}
