package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// again asks for a backup if something has changed.
func (w *world) again(trigger holdfast.Trigger) *engine.BackupResult {
	w.t.Helper()
	r, err := w.engine().Backup(w.t.Context(), engine.BackupRequest{Trigger: trigger, IfChanged: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// A restart loop adds nothing to the repository, however backups are stored.
func TestBackup_IfChanged_MakesNoneOfTheSame(t *testing.T) {
	for _, deltas := range []engine.Deltas{engine.DeltasAuto, engine.DeltasAlways, engine.DeltasNever} {
		t.Run(string(deltas), func(t *testing.T) {
			w := newWorld(t).remembering()
			w.opts.Settings.Deltas = deltas
			first := w.again(holdfast.TriggerStartup)
			if first.Unchanged {
				t.Fatal("there was nothing to be the same as")
			}
			for range 3 {
				for _, trigger := range []holdfast.Trigger{holdfast.TriggerShutdown, holdfast.TriggerStartup, holdfast.TriggerChange, holdfast.TriggerScheduled} {
					w.forget()
					r := w.again(trigger)
					if !r.Unchanged || r.Backup.Name != first.Backup.Name || r.Backup.Metadata == nil {
						t.Fatalf("%s: made %s, unchanged %v", trigger, r.Backup.Name, r.Unchanged)
					}
					w.wantNoNews(first.Backup.Name)
				}
			}
			if got := w.names(); len(got) != 1 {
				t.Errorf("the repository holds %v", got)
			}
			w.set("two")
			second := w.again(holdfast.TriggerChange)
			if second.Unchanged || second.Backup.Name == first.Backup.Name {
				t.Errorf("a change made %s, unchanged %v", second.Backup.Name, second.Unchanged)
			}
			if deltas == engine.DeltasNever && second.Backup.Metadata.Parent != "" {
				t.Error("a delta was made, although there shall be none")
			}
			if r := w.again(holdfast.TriggerShutdown); !r.Unchanged || r.Backup.Name != second.Backup.Name {
				t.Errorf("after the change made %s, unchanged %v", r.Backup.Name, r.Unchanged)
			}
			w.set("one") // as the first was, but not the newest
			if r := w.again(holdfast.TriggerChange); r.Unchanged {
				t.Error("what an older backup holds counts as saved")
			}
			if problems := left(t, w); problems != "" {
				t.Errorf("left in the repository: %s", problems)
			}
		})
	}
}

// wantNoNews wants the events to say that nothing has changed, and none that a
// backup was made.
func (w *world) wantNoNews(since holdfast.BackupName) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.events[len(w.events)-1]
	if last.Step != holdfast.StepResult || last.State != holdfast.Finished || last.Backup != since || last.Message != "nothing has changed since "+string(since) {
		w.t.Errorf("the end is told as %+v", last)
	}
	skipped := false
	for _, e := range w.events {
		if e.Step != holdfast.StepCommit {
			continue
		}
		if e.State != holdfast.Skipped || !strings.Contains(e.Message, string(since)) {
			w.t.Errorf("the commit is told as %+v", e)
		}
		skipped = true
	}
	if !skipped {
		w.t.Error("no event tells that nothing was committed")
	}
}

// left names what a pending backup left behind.
func left(t *testing.T, w *world) string {
	t.Helper()
	var names []string
	for info, err := range w.bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		folder, _, inside := strings.Cut(info.Key, "/")
		if _, err := holdfast.ParseBackupName(folder); inside && err == nil && !slices.Contains(w.names(), holdfast.BackupName(folder)) {
			names = append(names, info.Key)
		}
	}
	return strings.Join(names, ", ")
}

func TestBackup_IfChanged_MakesWhatIsNotTheSame(t *testing.T) {
	tomorrow := func(w *world, d time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now = w.now.Add(d)
	}
	for name, change := range map[string]func(t *testing.T, w *world, req *engine.BackupRequest){
		"a note":         func(_ *testing.T, _ *world, req *engine.BackupRequest) { req.Note = "before the party" },
		"a pin":          func(_ *testing.T, _ *world, req *engine.BackupRequest) { req.Pin = true },
		"a name":         func(_ *testing.T, _ *world, req *engine.BackupRequest) { req.Name = "mine" },
		"a full":         func(_ *testing.T, _ *world, req *engine.BackupRequest) { req.Full = true },
		"without memory": func(_ *testing.T, _ *world, req *engine.BackupRequest) { req.Type = holdfast.Standard },
		"another memory": func(_ *testing.T, w *world, _ *engine.BackupRequest) {
			w.rag.collections = append(w.rag.collections, "more")
		},
		"one source only":    func(_ *testing.T, w *world, _ *engine.BackupRequest) { w.opts.Sources = w.opts.Sources[:1] },
		"a full that is due": func(_ *testing.T, w *world, _ *engine.BackupRequest) { tomorrow(w, 8*24*time.Hour) },
		"the newest is disproven": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			bad := holdfast.Proof{At: holdfast.At(time.Now()), Kind: holdfast.ProofVerify}
			if err := w.repo.AddProof(t.Context(), w.names()[0], bad); err != nil {
				t.Fatal(err)
			}
		},
		"the newest is gone": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			if _, err := w.engine().Delete(t.Context(), w.names()[0]); err != nil {
				t.Fatal(err)
			}
		},
		"another machine made a newer one": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			r, err := repo.Open(t.Context(), w.bucket, repo.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w.opts.Repository = r // it remembers nothing
			w.set("elsewhere")
			w.backup("other")
			w.opts.Repository = w.repo
			w.set("one")
		},
		"a file less": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			if err := os.Remove(filepath.Join(w.rag.path, "segment", "data_level0.bin")); err != nil {
				t.Fatal(err)
			}
		},
		"the time of a file": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			if err := os.Chtimes(w.bot.path, later, later); err != nil {
				t.Fatal(err)
			}
		},
		"permissions of a file": func(t *testing.T, w *world, _ *engine.BackupRequest) {
			if err := os.Chmod(w.bot.path, 0o640); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, deltas := range []engine.Deltas{engine.DeltasAlways, engine.DeltasNever} {
				w := newWorld(t).remembering()
				w.opts.Settings.Deltas = deltas
				w.bot.files = true // modes count for files
				write(t, w.rag.memoryPath("more"), "more\n")
				first := w.again(holdfast.TriggerStartup)
				req := engine.BackupRequest{Trigger: holdfast.TriggerStartup, IfChanged: true}
				change(t, w, &req)
				r, err := w.engine().Backup(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				if r.Unchanged || r.Backup.Name == first.Backup.Name && r.Backup.Metadata.CreatedAt == first.Backup.Metadata.CreatedAt {
					t.Errorf("deltas %s: %s was not made: unchanged %v", deltas, r.Backup.Name, r.Unchanged)
				}
			}
		})
	}
}

// That the deltas have outgrown their full makes the next backup a full one, but no
// backup needed.
func TestBackup_IfChanged_WaitsWithAFullForAChange(t *testing.T) {
	w := newWorld(t).remembering()
	w.again(holdfast.TriggerStartup)
	for i := 0; ; i++ {
		w.set(fmt.Sprint("state", i))
		r := w.again(holdfast.TriggerChange)
		if r.Backup.Metadata.Parent == "" {
			break // the deltas before outgrew it
		}
		if again := w.again(holdfast.TriggerStartup); !again.Unchanged || again.Backup.Name != r.Backup.Name {
			t.Fatalf("after %d deltas: %s, unchanged %v", i+1, again.Form, again.Unchanged)
		}
		if i > 100 {
			t.Fatal("the deltas never outgrew their full")
		}
	}
}

// An emergency backup holds what was replaced: it is neither the newest nor what
// the next is compared with.
func TestBackup_IfChanged_PassesOverEmergencyBackups(t *testing.T) {
	w := newWorld(t).remembering()
	first := w.again(holdfast.TriggerStartup)
	w.set("two")
	w.restore(engine.RestoreRequest{Name: string(first.Backup.Name)})
	if r := w.again(holdfast.TriggerStartup); !r.Unchanged || r.Backup.Name != first.Backup.Name {
		t.Errorf("after the restore of %s: %s, unchanged %v", first.Backup.Name, r.Backup.Name, r.Unchanged)
	}
	w.set("two") // what the emergency backup holds
	if r := w.again(holdfast.TriggerChange); r.Unchanged {
		t.Error("what only an emergency backup holds counts as saved")
	}
}

// A checkpoint gives a database another time and the bytes it had: nobody who opens
// it would notice.
func TestBackup_IfChanged_LooksAtWhatADatabaseHolds(t *testing.T) {
	w := newWorld(t).remembering()
	first := w.again(holdfast.TriggerStartup)
	if err := errors.Join(os.Chmod(w.bot.path, 0o640), os.Chtimes(w.bot.path, later, later)); err != nil {
		t.Fatal(err)
	}
	if r := w.again(holdfast.TriggerStartup); !r.Unchanged || r.Backup.Name != first.Backup.Name {
		t.Errorf("%s, unchanged %v", r.Backup.Name, r.Unchanged)
	}
}

// Damage that is found again is told again, although it is no news.
func TestBackup_IfChanged_TellsWhatIsWrong(t *testing.T) {
	w := newWorld(t).remembering()
	write(t, w.bot.path, broken+"\n")
	if r := w.again(holdfast.TriggerStartup); !r.Incomplete() {
		t.Fatalf("the damage went unnoticed: %+v", r.Problems)
	}
	if r := w.again(holdfast.TriggerStartup); !r.Unchanged || !r.Incomplete() {
		t.Errorf("unchanged %v, problems %+v", r.Unchanged, r.Problems)
	}
}
