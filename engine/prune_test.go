package engine_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// A plan says which removals make room and which do not yet; carried out, all
// room is told once, when it is there.
func TestPrune_TellsWhatIsFreedAndWhatStaysHidden(t *testing.T) {
	w := newWorld(t)
	var err error
	if w.repo, err = repo.Open(t.Context(), w.bucket, repo.Options{Cache: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	w.opts.Repository, w.opts.Sources = w.repo, []holdfast.Source{w.bot}
	w.opts.Settings.Deltas, w.opts.Settings.Compress = engine.DeltasAlways, false
	w.opts.Settings.Retention = retention.Policy{KeepLast: 1}

	data := make([]byte, 1<<20)
	noise := rand.NewChaCha8([32]byte{1})
	noise.Read(data)
	stored := int64(0)
	backup := func(name string, full bool) {
		t.Helper()
		write(t, w.bot.path, string(data))
		r, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: name, Full: full})
		if err != nil {
			t.Fatal(err)
		}
		stored += r.Backup.Metadata.StoredBytes
	}
	// went prunes, holds the outcome to the plan, and tells what went and what
	// of it stays hidden.
	went := func() (gone, hidden []holdfast.BackupName, freed int64) {
		t.Helper()
		plan, err := w.engine().PlanPrune(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range w.prune() {
			if p := plan[i]; d.Name != p.Name || d.Remove != p.Remove || d.Hides != p.Hides || d.Reason != p.Reason || d.Frees < p.Frees {
				t.Errorf("planned %+v, became %+v", p, d)
			}
			if d.Remove {
				gone = append(gone, d.Name)
			}
			if d.Hides {
				hidden = append(hidden, d.Name)
			}
			freed += d.Frees
		}
		return gone, hidden, freed
	}

	backup("full", false)
	noise.Read(data[:8192])
	backup("first", false)
	noise.Read(data[:8192]) // the second needs nothing of the first
	backup("second", false)
	gone, hidden, freed := went()
	if !slices.Equal(gone, []holdfast.BackupName{"first", "full"}) || !slices.Equal(hidden, []holdfast.BackupName{"full"}) || freed == 0 || freed >= 1<<20 {
		t.Errorf("%v went, %v of it hidden, %d bytes freed", gone, hidden, freed)
	}
	if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "second"}); err != nil {
		t.Errorf("what stays: %v", err)
	}

	before := stored
	w.now = w.now.AddDate(0, 0, 1)
	backup("another_full", true)
	if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "another_full"}); err != nil {
		t.Fatal(err)
	}
	gone, hidden, rest := went()
	if !slices.Equal(gone, []holdfast.BackupName{"second"}) || len(hidden) > 0 {
		t.Errorf("%v went, %v of it hidden", gone, hidden)
	}
	if freed+rest != before {
		t.Errorf("%d bytes are told as freed of %d", freed+rest, before)
	}
}

// While the metadata of a backup cannot be read, nobody knows what it needs: it
// stays, others go out of sight, and their space stays. The plan says so before.
func TestPrune_BesideABackupThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.opts.Settings.Retention = retention.Policy{KeepLast: 1}
	for _, name := range []string{"unreadable", "old", "new"} {
		w.backup(name)
	}
	w.spoil("unreadable/backup_metadata.json")
	plan, err := w.engine().PlanPrune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range w.prune() {
		if d.Reason != plan[i].Reason || d.Remove != (d.Name == "old") || d.Hides != d.Remove || d.Frees != 0 {
			t.Errorf("planned %+v, became %+v", plan[i], d)
		}
		if d.Hides && d.Reason != "no rule keeps it (its space stays, since unreadable cannot be read)" {
			t.Errorf("the reason is %q", d.Reason)
		}
	}
	if got := w.names(); !slices.Equal(got, []holdfast.BackupName{"new", "unreadable"}) {
		t.Errorf("left are %v", got)
	}
}
