package operation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// withReplica gives the world a replica in a directory, and tells its name.
func withReplica(t *testing.T, w *world) string {
	t.Helper()
	if err := w.config.SetReplicas([]config.Replica{config.AdHocReplica(filepath.Join(w.dir, "copies"))}); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w.config.Replicas[0].Name
}

func TestReplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"replicate_after_backup": "false"})
	name := withReplica(t, w)
	w.backup("monday")
	w.write()
	w.backup("tuesday")
	var out report.Replicate
	j, err := w.Replicate(t.Context(), "tester", "", ReplicateRequest{To: []string{name}, Names: []string{"monday"}})
	if w.done(&out, j, err); len(out.Replicas) != 1 || len(out.Replicas[0].Copied) != 1 || out.Replicas[0].Copied[0].Backup != "monday" {
		t.Errorf("copied were %+v", out)
	}
	var verified report.Verify
	j, err = w.Verify(t.Context(), "tester", "", VerifyRequest{Name: "monday", Replica: name})
	if w.done(&verified, j, err); len(verified.Results) != 1 || verified.Results[0].From != name {
		t.Errorf("verified was %+v", verified)
	}

	// A place is no name: what a request says is never opened.
	place := filepath.Join(w.dir, "elsewhere")
	for _, to := range []string{place, "s3://bucket/prefix", "../copies", "all"} {
		_, err := w.Replicate(t.Context(), "tester", "", ReplicateRequest{To: []string{to}})
		mustBe(t, to, err, holdfast.ErrNotFound)
		_, err = w.Verify(t.Context(), "tester", "", VerifyRequest{Replica: to})
		mustBe(t, to, err, holdfast.ErrNotFound)
	}
	_, err = w.Replicate(t.Context(), "tester", "", ReplicateRequest{Names: []string{"../monday"}})
	mustBe(t, "a path", err, holdfast.ErrUsage)
	if _, err := os.Stat(place); err == nil {
		t.Error("a place of a request was made")
	}

	// A replica that cannot be used makes the job incomplete, and the result says why.
	if err := os.RemoveAll(filepath.Join(w.dir, "copies")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "copies"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	j = w.end(w.Replicate(t.Context(), "tester", "", ReplicateRequest{}))
	var failed report.Replicate
	if w.read(&failed, j); j.State != job.Incomplete || failed.OK || len(failed.Replicas) != 1 || len(failed.Replicas[0].Errors) == 0 {
		t.Errorf("the job is %+v, %+v", j, failed)
	}
}
