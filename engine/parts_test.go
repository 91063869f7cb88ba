package engine_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// shared is a world whose repository two programs share. The oldest backup holds both
// sources with memory; then come one of the bot, one of the assistant without memory, and
// emergency backups of both.
func shared(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.backup("whole")
	of := func(s holdfast.Source, memory bool) engine.Options {
		o := w.opts
		o.Sources, o.Settings.IncludeMemory = []holdfast.Source{s}, memory
		return o
	}
	makes := func(o engine.Options, req engine.BackupRequest) {
		t.Helper()
		e, err := engine.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Backup(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	w.set("two")
	makes(of(w.bot, true), engine.BackupRequest{Name: "bot-only"})
	w.set("three")
	makes(of(w.rag, false), engine.BackupRequest{Name: "rag-only"})
	w.set("four")
	makes(w.opts, engine.BackupRequest{Trigger: holdfast.TriggerEmergency})
	return w
}

func TestRestore_LatestIsTheNewestThatHasTheParts(t *testing.T) {
	for _, c := range []struct {
		only   string
		want   string
		passed string // why the newest was
	}{
		{"", "rag-only", ""},
		{"chromadb", "rag-only", ""},
		{"bot", "bot-only", "has no source bot"},
		{"memory", "whole", "includes no memory"},
		{"bot memory", "whole", "has no source bot"},
	} {
		for name, place := range map[string]func(*world){
			"repository": func(*world) {},
			"replica": func(w *world) {
				w.replica("near", w.bucket, retention.Policy{})
				w.opts.Repository = nil
			},
		} {
			t.Run(c.only+" from the "+name, func(t *testing.T) {
				w := shared(t)
				place(w)
				req := engine.RestoreRequest{Name: "latest", Only: strings.Fields(c.only), To: filepath.Join(w.dir, "copy")}
				plan, err := w.engine().PlanRestore(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				result := w.restore(req)
				if string(plan.Backup.Name) != c.want || string(result.Plan.Backup.Name) != c.want {
					t.Errorf("planned from %s, restored from %s", plan.Backup.Name, result.Plan.Backup.Name)
				}
				for when, told := range map[string][]holdfast.Problem{"plan": plan.Warnings, "result": result.Problems} {
					switch {
					case c.passed == "" && len(told) == 0:
					case c.passed != "" && len(told) == 1 && told[0].Severity == holdfast.Warning && told[0].Object == "rag-only" && strings.Contains(told[0].Message, c.want) && strings.Contains(told[0].Message, c.passed):
					default:
						t.Errorf("the %s tells %+v", when, told)
					}
				}
			})
		}
	}
}

func TestRestore_LatestPartInItsPlace(t *testing.T) {
	w := shared(t)
	w.restore(engine.RestoreRequest{Name: "latest", Only: []string{"bot"}})
	if got := read(t, w.bot.path); got != "two\ntwo\n" {
		t.Errorf("the bot has %q", got)
	}
	if got := read(t, w.rag.databasePath()); got != "four\n" {
		t.Errorf("the assistant has %q", got)
	}
}

// What is in emergency backups only is taken from there; what is in none is not there.
func TestRestore_LatestPartsInNoOtherBackup(t *testing.T) {
	w := shared(t)
	for _, name := range []holdfast.BackupName{"whole", "bot-only"} {
		if _, err := w.engine().Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	result := w.restore(engine.RestoreRequest{Name: "latest", Only: []string{"bot"}})
	if m := result.Plan.Backup.Metadata; m.Trigger != holdfast.TriggerEmergency {
		t.Errorf("taken from %s", m.BackupName)
	}
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "latest", Only: []string{"nothing"}})
	if !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(err.Error(), "restore nothing: backup rag-only has no such source") || holdfast.HintOf(err) != "it has: chromadb" {
		t.Errorf("%v (%s)", err, holdfast.HintOf(err))
	}
}

// A place that has only other programs' backups is passed over for one that has ours.
func TestRestore_LatestPartInAReplica(t *testing.T) {
	w := newWorld(t)
	far := mem.New()
	w.replica("far", far, retention.Policy{})
	w.backup("whole")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	all := w.opts.Sources
	w.opts.Sources = all[1:]
	w.backup("rag-only")
	w.opts.Sources = all
	if _, err := w.engine().Delete(t.Context(), "whole"); err != nil {
		t.Fatal(err)
	}
	result := w.restore(engine.RestoreRequest{Name: "latest", Only: []string{"bot"}})
	if result.Plan.Backup.Name != "whole" || result.Plan.From != "far" {
		t.Errorf("taken: %s from %q", result.Plan.Backup.Name, result.Plan.From)
	}
}
