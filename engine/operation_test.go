package engine_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Every line of the log of a verb says which verb, and which operation it is part of.
func TestOperation_GoesThroughTheLog(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.opts.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx := holdfast.WithOperation(t.Context(), "job-7")
	e := w.engine()
	if _, err := e.Backup(ctx, engine.BackupRequest{Name: "monday"}); err != nil {
		t.Fatal(err)
	}
	w.set("two")
	if _, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Verify(ctx, engine.VerifyRequest{Name: "monday"}); err != nil {
		t.Fatal(err)
	}
	ops := map[string]int{}
	lines := json.NewDecoder(&log)
	for lines.More() {
		var line struct {
			Op string `json:"op"`
			ID string `json:"op_id"`
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if ops[line.Op]++; line.ID != "job-7" {
			t.Errorf("a line of %q has the id %q", line.Op, line.ID)
		}
	}
	if ops["backup"] == 0 || ops["restore"] == 0 || ops["verify"] == 0 || ops[""] > 0 {
		t.Errorf("lines of the log: %v", ops)
	}
}

func TestOperation_WithoutANameHasOneOfItsOwn(t *testing.T) {
	w, told := witnessed(t)
	w.backup("monday")
	w.backup("tuesday")
	if a, b := told.after[0].Operation, told.after[1].Operation; a == "" || a == b || a != told.before[0].Operation {
		t.Errorf("the operations are %q and %q", a, b)
	}
}

// Whoever asks for a verb sees the same events as the engine's own observer.
func TestObserver_OfTheContextSeesTheSame(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.forget()
	var seen []holdfast.Event
	ctx := holdfast.WithObserver(t.Context(), func(e holdfast.Event) { seen = append(seen, e) })
	if _, err := w.engine().Verify(ctx, engine.VerifyRequest{Name: "monday"}); err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 || len(seen) != len(w.events) {
		t.Fatalf("seen were %d events, and %d", len(seen), len(w.events))
	}
	for i, e := range w.events {
		if seen[i] != e {
			t.Errorf("event %d is %+v, and %+v", i, seen[i], e)
		}
	}
}
