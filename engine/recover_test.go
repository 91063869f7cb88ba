package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// cut leaves a restore cut in the moment before a name would be renamed to,
// with the machine unable to undo anything.
func (w *world) cut(to string) {
	w.t.Helper()
	w.cutBefore(func(op, name string) bool { return op == "rename" && name == to })
}

// cutBefore leaves a restore cut before the first operation that is chosen.
func (w *world) cutBefore(chosen func(op, name string) bool) {
	w.t.Helper()
	var mu sync.Mutex // files are staged side by side
	dead := false
	alive := w.opts.FS
	w.opts.FS = faulty{unsynced{durable.OS}, func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if dead = dead || chosen(op, name); dead {
			return syscall.EIO
		}
		return nil
	}}
	if _, err := w.engine().Restore(w.t.Context(), engine.RestoreRequest{Name: "monday"}); err == nil || !dead {
		w.t.Fatalf("the restore was not cut: %v", err)
	}
	w.opts.FS = alive
}

func (w *world) recover() *engine.RecoverResult {
	w.t.Helper()
	r, err := w.engine().Recover(w.t.Context())
	if err != nil {
		w.t.Fatalf("recover: %v", err)
	}
	return r
}

func TestRecover_NothingToDo(t *testing.T) {
	w := newWorld(t)
	if r := w.recover(); r.Found {
		t.Errorf("found %+v", r)
	}
}

func TestRecover_SetsApartWhatOthersMadeMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.cut(w.rag.path)
	// Both old sets are aside, the bot's new one is in place. Its owner starts
	// and writes a log; the assistant makes itself an empty directory.
	write(t, w.bot.path+"-wal", "log of one")
	write(t, w.rag.databasePath(), "fresh\n")
	r := w.recover()
	if !r.Found || r.Outcome != "undone" || !strings.Contains(r.Detail, "phase placed") {
		t.Errorf("result: %+v", r)
	}
	w.want("two")
	if got := read(t, w.bot.path+"-wal"); got != "log of two" {
		t.Errorf("the old database got another log: %q", got)
	}
	var apart []string
	for _, path := range w.leftovers() {
		if strings.Contains(path, ".found-") {
			apart = append(apart, path)
		} else {
			t.Errorf("left behind: %s", path)
		}
	}
	if len(r.Problems) < 2 || len(apart) < 2 {
		t.Errorf("what others made was lost or not told: %v, %v", apart, r.Problems)
	}
	if r := w.recover(); r.Found {
		t.Errorf("a second recovery found %+v", r)
	}
}

// A verb that settles a cut restore first must not do so in silence, and what it
// found is no flaw of the backup that it makes.
func TestRecover_ByTheNextVerbIsTold(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.cut(w.bot.path)
	b := w.backup("tuesday")
	if len(b.Problems) != 1 || b.Problems[0].Severity != holdfast.Warning || !strings.Contains(b.Problems[0].Message, "the restore of monday") {
		t.Errorf("the backup told %+v", b.Problems)
	}
	if p := b.Backup.Metadata.Problems; len(p) > 0 {
		t.Errorf("the backup's metadata blames it for %+v", p)
	}
	w.cut(w.bot.path)
	r := w.restore(engine.RestoreRequest{Name: "tuesday"})
	if len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Message, "an unfinished restore was found") {
		t.Errorf("the restore told %+v", r.Problems)
	}
}

func TestRecover_RunsTheStartHookOfWhatWasStopped(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	started := filepath.Join(w.dir, "started")
	w.opts.Hooks = engine.Hooks{Stop: "true", Start: "cat '" + w.bot.path + "' > '" + started + "'"}
	w.cut(w.rag.path)
	os.Remove(started)
	w.recover()
	if got := read(t, started); got != "two\ntwo\n" {
		t.Errorf("the owner was started over %q", got)
	}
}

func TestRecover_WithoutTheRepository(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.cut(w.bot.path)
	w.opts.Repository = nil
	if r := w.recover(); r.Outcome != "undone" {
		t.Errorf("result: %+v", r)
	}
	w.want("two")
	w.clean()
}

func TestRecover_RefusesAJournalItCannotRead(t *testing.T) {
	for name, content := range map[string]string{"newer": `{"version": 99}`, "torn": `{"version": 1, "targ`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			journal := filepath.Join(w.opts.StateDir, "restore-journal.json")
			write(t, journal, content)
			_, err := w.engine().Recover(t.Context())
			if err == nil || holdfast.HintOf(err) == "" || !strings.Contains(err.Error(), journal) {
				t.Errorf("got %v", err)
			}
			if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{}); err == nil {
				t.Error("a backup went on over a restore that may be half done")
			}
			if read(t, journal) != content {
				t.Error("the journal was changed")
			}
		})
	}
}
