package jobs_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/jobs"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// events gives all that was told of a job.
func events(t *testing.T, w *webtest.World, id string) (out []job.Event) {
	t.Helper()
	for e, err := range w.Core().Jobs.Past(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// recorded does real work of each kind and gives its jobs, with their events.
func recorded(t *testing.T) (names []string, all map[string][]job.Event, ended map[string]job.Job) {
	t.Helper()
	w := webtest.New(t, webtest.Options{Change: func(f *config.Flags) {
		f.Replicas = []config.Replica{{Name: "copies", URL: filepath.Join(t.TempDir(), "replica")}}
	}})
	all, ended = map[string][]job.Event{}, map[string]job.Job{}
	note := func(name string, j job.Job) {
		names = append(names, name)
		all[name], ended[name] = events(t, w, j.ID), j
	}
	ops, ctx := w.Core().Operations, t.Context()
	note("backup", w.Backup("monday"))
	w.Write("second")
	note("backup-again", w.Backup("tuesday"))
	note("verify", w.Ended(ops.Verify(ctx, "tester", "", operation.VerifyRequest{Name: "monday"})))
	note("verify-all", w.Ended(ops.Verify(ctx, "tester", "", operation.VerifyRequest{All: true})))
	note("drill", w.Ended(ops.Drill(ctx, "tester", "", operation.DrillRequest{Name: "monday"})))
	note("restore", w.Ended(ops.Restore(ctx, "tester", "", operation.RestoreRequest{Name: "monday"})))
	note("rollback", w.Ended(ops.Rollback(ctx, "tester", "", operation.RollbackRequest{})))
	note("recover", w.Ended(ops.Recover(ctx, "tester", "", operation.RecoverRequest{})))
	note("replicate", w.Ended(ops.Replicate(ctx, "tester", "", operation.ReplicateRequest{})))
	note("delete", w.Ended(ops.Delete(ctx, "tester", "", operation.DeleteRequest{Names: []string{"tuesday"}})))
	note("prune", w.Ended(ops.Prune(ctx, "tester", "", operation.PruneRequest{})))
	note("compact", w.Ended(ops.Compact(ctx, "tester", "", operation.CompactRequest{})))
	note("confirm", w.Ended(ops.Confirm(ctx, "tester", "", operation.ConfirmRequest{})))
	note("restore-refused", w.Ended(ops.Restore(ctx, "tester", "", operation.RestoreRequest{Name: "nobody"})))
	return names, all, ended
}

// outline is a track without what differs from run to run.
func outline(t *jobs.Track) string {
	var b strings.Builder
	b.WriteString(t.Kind + ": " + string(t.State) + "\n")
	for _, s := range t.Steps {
		op := ""
		if s.Op != t.Kind {
			op = s.Op + "/"
		}
		b.WriteString("  " + op + string(s.Name) + ": " + string(s.State) + "\n")
	}
	return b.String()
}

// The steps of each kind of real work are as they were found good.
func TestTrack_OfRealWork(t *testing.T) {
	names, all, ended := recorded(t)
	var got strings.Builder
	for _, name := range names {
		track := jobs.NewTrack(ended[name].Kind)
		for _, e := range all[name] {
			track.Apply(e)
		}
		if track.State != ended[name].State {
			t.Errorf("%s: the track ended %s, the job %s", name, track.State, ended[name].State)
		}
		got.WriteString("# " + name + "\n" + outline(track))
		for _, s := range track.Steps {
			if s.State == jobs.Running || s.State == jobs.Waiting || !s.Since.IsZero() {
				t.Errorf("%s has ended, and its step %s is %s", name, s.Name, s.State)
			}
			if s.Took < 0 || s.Took > time.Hour {
				t.Errorf("%s: step %s took %s", name, s.Name, s.Took)
			}
		}
	}
	golden := filepath.Join("testdata", "tracks.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the tracks are (-update rewrites them)\n%s", got.String())
	}
	prefixes(t, all, ended)
}
