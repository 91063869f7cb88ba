package engine_test

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Questions that cannot be recorded cost a warning, not the backup; its drill goes
// without them, and says so.
func TestBackup_WithoutQuestions(t *testing.T) {
	w, o := drills(t)
	o.onQuestions = func() error { return errors.New("no idea") }
	made := w.backup("monday")
	if made.Incomplete() || !slices.ContainsFunc(made.Problems, func(p holdfast.Problem) bool {
		return p.Severity == holdfast.Warning && strings.Contains(p.Message, "no idea")
	}) {
		t.Errorf("the problems are %v", made.Problems)
	}
	result, err := w.drill("monday")
	if err != nil {
		t.Fatal(err)
	}
	if len(o.commands) > 0 || !slices.ContainsFunc(result.Problems, func(p holdfast.Problem) bool {
		return strings.Contains(p.Message, "no questions were recorded")
	}) {
		t.Errorf("asked by %q, problems %v", o.commands, result.Problems)
	}
}

// The questions lie in the backup like everything else: in it, checked, and taken
// over where nothing has changed.
func TestBackup_RecordsQuestions(t *testing.T) {
	w, o := drills(t)
	w.remembering()
	asked := 0
	o.onQuestions = func() error { asked++; return nil }
	for _, name := range []string{"monday", "tuesday"} {
		w.backup(name)
		b, err := w.repo.Backup(t.Context(), holdfast.BackupName(name))
		if err != nil {
			t.Fatal(err)
		}
		data, err := fs.ReadFile(b, "questions/chromadb.json")
		if err != nil || !bytes.Contains(data, []byte("one")) {
			t.Errorf("%s holds the questions %q (%v)", name, data, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, change := range []bool{false, true} {
		if change {
			write(t, w.bot.path, "more\n")
		}
		made, err := w.engine().Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerAuto, IfChanged: true})
		if err != nil {
			t.Fatal(err)
		}
		if made.Unchanged == change || asked != 1 {
			t.Errorf("backup %d: unchanged %v, asked %d times, want nothing asked of what has not changed", i, made.Unchanged, asked)
		}
	}
}
