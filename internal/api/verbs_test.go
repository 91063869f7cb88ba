package api

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// await starts a job, waits for it and reads its result.
func (w *world) await(method, path string, body map[string]any, into any) job.Job {
	w.t.Helper()
	var j job.Job
	if method == http.MethodDelete {
		w.ask(method, path+"?wait=true", nil).want(http.StatusOK, &j)
	} else {
		whole := map[string]any{"wait": true}
		for name, v := range body {
			whole[name] = v
		}
		w.ask(method, path, whole).want(http.StatusOK, &j)
	}
	if into != nil {
		if err := json.Unmarshal(j.Result, into); err != nil {
			w.t.Fatalf("%s %s: result %s: %v", method, path, j.Result, err)
		}
	}
	return j
}

func TestVerbs_ARestoreAndItsRollback(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	w.write("second")
	var plan report.RestorePlan
	w.ask("POST", "backups/one/restore-plan", map[string]any{"only": []string{"bot"}}).want(http.StatusOK, &plan)
	if len(plan.Targets) != 1 || *plan.Targets[0].RecordsNow != 2 || *plan.Targets[0].RecordsBackup != 1 {
		t.Errorf("%+v", plan)
	}
	var restored report.Restore
	j := w.await("POST", "backups/one/restore", nil, &restored)
	if j.State != job.Succeeded || restored.Emergency == "" || w.rows() != 1 {
		t.Fatalf("%+v, %d rows", restored, w.rows())
	}
	w.await("POST", "rollback", nil, &restored)
	if restored.Type != "rollback" || w.rows() != 2 {
		t.Errorf("%+v, %d rows", restored, w.rows())
	}
	var recovered report.Recover
	w.await("POST", "recover", nil, &recovered)
	if recovered.Found {
		t.Errorf("%+v", recovered)
	}
	w.ask("POST", "backups/one/restore-plan", nil).want(http.StatusOK)
	w.ask("POST", "backups/none/restore-plan", nil).problem(http.StatusNotFound, "not_found")
	w.ask("POST", "backups/one/restore-plan", map[string]any{"to": "/tmp/x"}).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("POST", "backups/one/restore", map[string]any{"to": "/tmp/x"}).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("POST", "backups/one/restore", map[string]any{"only": []string{"../x"}}).problem(http.StatusBadRequest, "usage")
}

func TestVerbs_Proofs(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	var verified report.Verify
	w.await("POST", "backups/one/verify", map[string]any{"full": true}, &verified)
	var drilled report.Drill
	w.await("POST", "backups/latest/drill", nil, &drilled)
	if !verified.OK || !drilled.OK {
		t.Errorf("%+v %+v", verified, drilled)
	}
	w.await("POST", "verify", nil, &verified)
	if len(verified.Results) != 1 {
		t.Errorf("%+v", verified)
	}
	var show report.Show
	w.ask("GET", "backups/one", nil).want(http.StatusOK, &show)
	if len(show.Proofs) != 3 || show.Backup.Drilled == nil {
		t.Errorf("%d proofs, drilled %v", len(show.Proofs), show.Backup.Drilled)
	}
	var j job.Job
	r := w.ask("POST", "backups/latest/verify", nil).want(http.StatusAccepted, &j)
	if r.header.Get("Location") != Root+"/jobs/"+j.ID {
		t.Errorf("Location %s", r.header.Get("Location"))
	}
	w.ended(j.ID)
	for _, path := range []string{"backups/one/drill", "verify"} {
		w.ask("POST", path, nil).want(http.StatusAccepted, &j)
		w.ended(j.ID)
	}
}

// Damage is a failure of the job, and names the file.
func TestVerbs_DamageIsTold(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	w.damage("one")
	p := w.ask("POST", "backups/one/verify", map[string]any{"wait": true}).problem(http.StatusInternalServerError, "damaged")
	if p.Exit != 12 || p.Operation == "" {
		t.Errorf("%+v", p)
	}
	var j job.Job
	w.ask("GET", "jobs/"+p.Operation, nil).want(http.StatusOK, &j)
	var verified report.Verify
	if err := json.Unmarshal(j.Result, &verified); err != nil || verified.OK || len(verified.Results[0].Damage) == 0 {
		t.Errorf("%v %s", err, j.Result)
	}
}

// damage flips a bit in the database of a backup.
func (w *world) damage(name string) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "backups", name, "bot", "bot.db*"))
	if err != nil || len(files) != 1 {
		w.t.Fatalf("%v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		w.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestVerbs_Upkeep(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	w.write("second")
	w.backup("two")
	var pruned report.Prune
	w.ask("GET", "prune-plan", nil).want(http.StatusOK, &pruned)
	if len(pruned.Decisions) != 2 || !pruned.DryRun {
		t.Errorf("%+v", pruned)
	}
	w.await("POST", "prune", map[string]any{"dry_run": true}, &pruned)
	if !pruned.DryRun {
		t.Errorf("%+v", pruned)
	}
	w.await("POST", "prune", nil, &pruned)
	w.await("POST", "hold/confirm", nil, &pruned)
	var compacted report.Compact
	w.ask("GET", "compact-plan", nil).want(http.StatusOK, &compacted)
	w.await("POST", "compact", map[string]any{"dry_run": true}, &compacted)
	w.await("POST", "compact", nil, &compacted)
	w.ask("DELETE", "backups/latest", nil).problem(http.StatusBadRequest, "usage")
	w.ask("PATCH", "backups/one", map[string]any{"pinned": true}).want(http.StatusOK)
	w.ask("DELETE", "backups/one?wait=true", nil).problem(http.StatusConflict, "refused")
	w.ask("PATCH", "backups/one", map[string]any{"pinned": false}).want(http.StatusOK)
	var deleted report.Delete
	w.await("DELETE", "backups/one", nil, &deleted)
	if len(deleted.Deleted) != 1 || deleted.Deleted[0] != "one" {
		t.Errorf("%+v", deleted)
	}
	w.ask("GET", "backups/one", nil).problem(http.StatusNotFound, "not_found")
	w.ask("DELETE", "backups/one?wait=true", nil).problem(http.StatusNotFound, "not_found")
	// At once, too: each answers with a job.
	for _, call := range [][2]string{
		{"POST", "prune"}, {"POST", "compact"}, {"POST", "hold/confirm"}, {"POST", "rollback"}, {"POST", "recover"}, {"POST", "backups/two/restore"}, {"DELETE", "backups/two"},
	} {
		var j job.Job
		w.ask(call[0], call[1], nil).want(http.StatusAccepted, &j)
		w.ended(j.ID)
	}
}

func TestVerbs_Replicas(t *testing.T) {
	w := newWorld(t, nil, func(f *config.Flags) {
		f.Replicas = []config.Replica{config.AdHocReplica(filepath.Join(t.TempDir(), "copy"))}
	})
	w.backup("one")
	var out replicasOutput
	w.ask("GET", "replicas", nil).want(http.StatusOK, &out.Body)
	if len(out.Body.Replicas) != 1 {
		t.Fatalf("%+v", out.Body)
	}
	var copied report.Replicate
	w.await("POST", "replicate", nil, &copied)
	if !copied.OK || len(copied.Replicas) != 1 {
		t.Errorf("%+v", copied)
	}
	name := out.Body.Replicas[0].Name
	w.await("POST", "replicate", map[string]any{"to": []string{name}, "names": []string{"one"}}, &copied)
	w.await("POST", "backups/one/verify", map[string]any{"replica": name}, nil)
	w.ask("POST", "replicate", map[string]any{"to": []string{"/etc"}}).problem(http.StatusNotFound, "not_found")
	w.ask("POST", "backups/one/verify", map[string]any{"replica": "/etc"}).problem(http.StatusNotFound, "not_found")
	var j job.Job
	w.ask("POST", "replicate", nil).want(http.StatusAccepted, &j)
	w.ended(j.ID)
	if got := w.rows(); got != 1 {
		t.Errorf("%d rows", got)
	}
}

// Another restore is at work: the caller is told to come again.
func TestVerbs_OneRestoreAtATime(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	_, _, release := w.slow("restore")
	r := w.ask("POST", "backups/one/restore", nil)
	r.problem(http.StatusLocked, "locked")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	release()
}

func TestVerbs_NothingBeginsAtTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	w.core.Jobs.Close(t.Context())
	w.ask("POST", "backups", nil).problem(http.StatusServiceUnavailable, "interrupted")
}
