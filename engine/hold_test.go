package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// holding is a world in which a backup with less than half puts pruning on hold
// and only the last two backups are kept.
func holding(t *testing.T) *world {
	w := newWorld(t)
	w.opts.Settings.ShrinkHold = 50
	w.opts.Settings.Retention = retention.Policy{KeepLast: 2}
	w.records(10, 10)
	return w
}

// records gives the bot's database and the assistant's directory so many
// records each.
func (w *world) records(bot, rag int) {
	w.t.Helper()
	write(w.t, w.bot.path, strings.Repeat("row\n", bot))
	for _, name := range []string{w.rag.databasePath(), filepath.Join(w.rag.path, "segment", "data_level0.bin")} {
		write(w.t, name, strings.Repeat("record\n", rag))
	}
}

// hold gives the hold in words, empty if there is none.
func (w *world) hold() string {
	w.t.Helper()
	h, err := w.repo.Hold(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if h == nil {
		return ""
	}
	return engine.ExplainHold(h)
}

// spoil changes a byte of an object.
func (w *world) spoil(key string) {
	w.t.Helper()
	err := w.bucket.Corrupt(key, func(data []byte) []byte { data[len(data)/2] ^= 0x40; return data })
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) prune() []retention.Decision {
	w.t.Helper()
	decisions, err := w.engine().Prune(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return decisions
}

// warned tells whether a result says that pruning is on hold.
func warned(r *engine.BackupResult) bool {
	return slices.ContainsFunc(r.Problems, func(p holdfast.Problem) bool {
		return p.Severity == holdfast.Warning && strings.Contains(p.Message, "pruning is on hold") && strings.Contains(p.Hint, "holdfast prune --confirm")
	})
}

func TestHold_FromTheSmallerBackupToItsConfirmation(t *testing.T) {
	w := holding(t)
	for _, name := range []string{"monday", "tuesday", "wednesday"} {
		if warned(w.backup(name)) {
			t.Fatalf("%s is on hold", name)
		}
	}
	w.records(4, 10)
	if r := w.backup("smaller"); !warned(r) || r.Incomplete() || len(r.Backup.Metadata.Problems) > 0 {
		t.Errorf("the smaller backup has %+v, in its metadata %+v", r.Problems, r.Backup.Metadata.Problems)
	}
	const why = "bot shrank from 10 records in wednesday to 4 in smaller"
	if got := w.hold(); got != why {
		t.Errorf("the hold says %q, want %q", got, why)
	}
	if !warned(w.backup("as_small")) { // by another process, as every backup here
		t.Error("the next backup says nothing of the hold")
	}
	held := 0
	for _, d := range w.prune() {
		if d.Remove || d.Held != strings.HasSuffix(d.Reason, ", but pruning is on hold: bot shrank") {
			t.Errorf("%+v", d)
		}
		held += btoi(d.Held)
	}
	if held != 3 || len(w.names()) != 5 {
		t.Errorf("%d are held of %v", held, w.names())
	}
	if ended, err := w.engine().ConfirmSmaller(t.Context()); err != nil || !ended {
		t.Fatalf("confirmed: %t, %v", ended, err)
	}
	w.prune()
	if got := w.names(); !slices.Equal(got, []holdfast.BackupName{"as_small", "smaller"}) {
		t.Errorf("left are %v", got)
	}
	if warned(w.backup("after")) {
		t.Error("the confirmed size is no yardstick")
	}
	if ended, err := w.engine().ConfirmSmaller(t.Context()); err != nil || ended {
		t.Errorf("confirmed without a hold: %t, %v", ended, err)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestHold_WhatIsAShrinkAndWhatIsNot(t *testing.T) {
	trigger := func(trigger holdfast.Trigger) func(*world) {
		return func(w *world) {
			if _, err := w.engine().Backup(w.t.Context(), engine.BackupRequest{Name: "between", Trigger: trigger}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"as before": {func(w *world) {}, ""},
		"half":      {func(w *world) { w.records(5, 5) }, ""},
		"more":      {func(w *world) { w.records(500, 11) }, ""},
		"less than half": {
			func(w *world) { w.records(10, 4) },
			"chromadb shrank from 10 records in before to 4 in after",
		},
		"empty": {
			func(w *world) { w.records(0, 0) },
			"bot shrank from 10 records in before to 0, chromadb shrank from 10 records in before to 0 in after",
		},
		"not asked for":        {func(w *world) { w.opts.Settings.ShrinkHold = 0; w.records(1, 1) }, ""},
		"another limit":        {func(w *world) { w.opts.Settings.ShrinkHold = 90; w.records(8, 9) }, "bot shrank from 10 records in before to 8 in after"},
		"a source less":        {func(w *world) { w.opts.Sources = []holdfast.Source{w.bot} }, ""},
		"a source of its name": {func(w *world) { w.rag.name = "notes"; w.records(10, 1) }, ""},
		"of another kind":      {func(w *world) { w.bot.files = true; w.records(1, 10) }, ""},
		"by little steps":      {func(w *world) { w.records(6, 10); w.backup("between"); w.records(4, 10) }, ""},
		"since the one before": {
			func(w *world) { w.records(30, 10); w.backup("between"); w.records(10, 10) },
			"bot shrank from 30 records in between to 10 in after",
		},
		"an emergency backup is none": {func(w *world) { w.records(1, 10); trigger(holdfast.TriggerEmergency)(w); w.records(10, 10) }, ""},
		"an emergency backup is no yardstick": {
			func(w *world) { w.records(30, 10); trigger(holdfast.TriggerEmergency)(w); w.records(10, 10) },
			"",
		},
		"an automatic backup is": {
			func(w *world) { w.records(30, 10); trigger(holdfast.TriggerAuto)(w); w.records(10, 10) },
			"bot shrank from 30 records in between to 10 in after",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := holding(t)
			w.backup("before")
			c.change(w)
			r := w.backup("after")
			if got := w.hold(); got != c.want {
				t.Errorf("the hold says %q, want %q", got, c.want)
			}
			if warned(r) != (c.want != "") {
				t.Errorf("the backup says %+v", r.Problems)
			}
		})
	}
}

// Of files both their number and their bytes count. Of a database only its
// records do: it may well need less room for them. Where they were not counted,
// bytes decide.
func TestHold_ByBytes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*database)
		want   string
	}{
		"files":               {func(d *database) { d.files = true }, "bot shrank from 40 B in before to 10 B in after"},
		"a database":          {func(*database) {}, ""},
		"what is not counted": {func(d *database) { d.uncounted = true }, "bot shrank from 40 B in before to 10 B in after"},
	} {
		t.Run(name, func(t *testing.T) {
			w := holding(t)
			c.change(w.bot)
			w.backup("before")
			write(t, w.bot.path, strings.Repeat("\n", 10))
			w.backup("after")
			if got := w.hold(); got != c.want {
				t.Errorf("the hold says %q, want %q", got, c.want)
			}
		})
	}
}

// What could not be looked at is not empty.
func TestHold_AnUncheckedDirectoryIsNotEmpty(t *testing.T) {
	for _, state := range []holdfast.CheckState{holdfast.CheckUnchecked, holdfast.CheckFailed} {
		w := holding(t)
		w.backup("before")
		w.rag.unseen = state
		w.backup("after")
		if got := w.hold(); got != "" {
			t.Errorf("%s: the hold says %q", state, got)
		}
	}
}

// Records that were not counted in between are compared with those before.
func TestHold_OverABackupThatDidNotCount(t *testing.T) {
	w := holding(t)
	w.backup("before")
	w.bot.uncounted = true
	w.backup("uncounted")
	w.bot.uncounted = false
	write(t, w.bot.path, "a row as long as ten of them were before.\n")
	w.backup("after")
	if got, want := w.hold(), "bot shrank from 10 records in before to 1 in after"; got != want {
		t.Errorf("the hold says %q, want %q", got, want)
	}
}

func TestHold_GrowsWithTheNextShrink(t *testing.T) {
	w := holding(t)
	w.backup("before")
	w.records(4, 10)
	w.backup("smaller")
	since, err := w.repo.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.records(1, 3)
	w.backup("smallest")
	if got, want := w.hold(), "bot shrank from 10 records in before to 1, chromadb shrank from 10 records in smaller to 3 in smallest"; got != want {
		t.Errorf("the hold says %q, want %q", got, want)
	}
	if now, err := w.repo.Hold(t.Context()); err != nil || now.Since != since.Since {
		t.Errorf("it began at %v, now at %v, %v", since.Since, now.Since, err)
	}
}

// Whoever restores an older, smaller state wants it.
func TestHold_ARestoreIsNoShrink(t *testing.T) {
	w := holding(t)
	w.records(2, 2)
	w.backup("small")
	w.records(10, 10)
	w.backup("large")
	w.restore(engine.RestoreRequest{Name: "small"})
	if warned(w.backup("after")) || w.hold() != "" {
		t.Errorf("the restored state is on hold: %s", w.hold())
	}
	w.records(0, 2)
	if !warned(w.backup("emptied")) {
		t.Error("what is smaller than the restored state is not on hold")
	}
}

// Only what was restored has another yardstick.
func TestHold_AfterARestoreOfOneSource(t *testing.T) {
	w := holding(t)
	w.records(2, 2)
	w.backup("small")
	w.records(10, 10)
	w.backup("large")
	w.restore(engine.RestoreRequest{Name: "small", Only: []string{"bot"}})
	write(t, w.rag.databasePath(), "record\n")
	w.backup("after")
	if got, want := w.hold(), "chromadb shrank from 10 records in large to 1 in after"; got != want {
		t.Errorf("the hold says %q, want %q", got, want)
	}
}

// After a rollback the state before the restore counts again.
func TestHold_AfterARollback(t *testing.T) {
	w := holding(t)
	w.records(2, 2)
	w.backup("small")
	w.records(10, 10)
	w.backup("large")
	w.restore(engine.RestoreRequest{Name: "small"})
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if warned(w.backup("back")) {
		t.Error("what was brought back is on hold")
	}
	w.records(2, 2)
	if !warned(w.backup("after")) {
		t.Error("the shrink is not noticed")
	}
}

// Whoever takes a restore back wants what was there before, however small.
func TestHold_ARollbackIsNoShrink(t *testing.T) {
	w := holding(t)
	w.backup("large")
	w.records(2, 2) // emptied, and not backed up
	w.restore(engine.RestoreRequest{Name: "large"})
	if warned(w.backup("restored")) {
		t.Error("the restored state is on hold")
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if warned(w.backup("back")) || w.hold() != "" {
		t.Errorf("what was brought back is on hold: %s", w.hold())
	}
	w.records(0, 2)
	if !warned(w.backup("emptied")) {
		t.Error("what is smaller than that is not on hold")
	}
}

func TestHold_ADamagedNoteHolds(t *testing.T) {
	w := holding(t)
	for _, name := range []string{"one", "two", "three"} {
		w.backup(name)
	}
	if err := w.repo.SetHold(t.Context(), repo.Hold{Since: holdfast.At(w.tick()), Backup: "three"}); err != nil {
		t.Fatal(err)
	}
	w.spoil(".holdfast/hold.json")
	for _, d := range w.prune() {
		if d.Remove || d.Held && !strings.Contains(d.Reason, "its note cannot be read") {
			t.Errorf("%+v", d)
		}
	}
	if !warned(w.backup("four")) || len(w.names()) != 4 {
		t.Errorf("left are %v", w.names())
	}
	w.records(1, 10)
	w.backup("smaller") // writes the note anew
	if got, want := w.hold(), "bot shrank from 10 records in four to 1 in smaller"; got != want {
		t.Errorf("the hold says %q, want %q", got, want)
	}
	w.spoil(".holdfast/hold.json")
	if ended, err := w.engine().ConfirmSmaller(t.Context()); err != nil || !ended {
		t.Fatalf("confirmed: %t, %v", ended, err)
	}
	w.prune()
	if got := w.names(); !slices.Equal(got, []holdfast.BackupName{"smaller", "four"}) {
		t.Errorf("left are %v", got)
	}
}

// A note that cannot be read for another reason is an error: nobody knows
// whether pruning is on hold.
func TestHold_UnreadableStopsPruning(t *testing.T) {
	w := holding(t)
	for _, name := range []string{"one", "two", "three"} {
		w.backup(name)
	}
	w.bucket.Inject(func(_, key string) error {
		if strings.HasSuffix(key, "hold.json") {
			return os.ErrPermission
		}
		return nil
	})
	_, err := w.engine().Prune(t.Context())
	w.bucket.Inject(nil)
	if !errors.Is(err, os.ErrPermission) || len(w.names()) != 3 {
		t.Errorf("%v, left are %v", err, w.names())
	}
}

// The hold is there before the backup is, so that no cut leaves the smaller
// backup without it.
func TestHold_IsThereBeforeTheBackup(t *testing.T) {
	w := holding(t)
	w.backup("before")
	w.records(1, 10)
	w.bucket.Inject(func(op, key string) error {
		if op == "commit" {
			return errors.New("cut")
		}
		return nil
	})
	_, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: "after"})
	w.bucket.Inject(nil)
	if err == nil || w.hold() == "" {
		t.Errorf("%v, hold %q", err, w.hold())
	}
	if got := w.names(); !slices.Equal(got, []holdfast.BackupName{"before"}) {
		t.Errorf("there are %v", got)
	}
}

func TestHold_LeavesWhatRetentionKeepsAnyway(t *testing.T) {
	w := holding(t)
	w.opts.Settings.Retention = retention.Policy{MaxAge: 7 * 24 * time.Hour}
	w.backup("before")
	w.records(1, 1)
	w.backup("after")
	for _, d := range w.prune() {
		if d.Held || strings.Contains(d.Reason, "hold") {
			t.Errorf("%+v", d)
		}
	}
}
