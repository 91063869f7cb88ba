package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A builder is a directory that can be made of the records of a server.
type builder struct {
	*rag
	ran string
}

func (*builder) MustBuild(f holdfast.Facts) bool { return f.Chroma != nil && f.Chroma.Server != nil }

func (b *builder) Check(ctx context.Context, copied fs.FS, o holdfast.CheckOptions) (holdfast.Report, error) {
	if _, err := fs.Stat(copied, "tables"); err == nil {
		return (&server{}).Check(ctx, copied, o)
	}
	return b.rag.Check(ctx, copied, o)
}

func (b *builder) Build(_ context.Context, copied fs.FS, dir, command string, progress func(done, total int64)) ([]holdfast.Problem, error) {
	t, err := copiedTables(copied)
	if err != nil {
		return nil, err
	}
	b.ran = command
	progress(1, 1)
	var problems []holdfast.Problem
	if t["notes"]["lost"] != "" {
		problems = append(problems, holdfast.Problem{Object: "collection notes", Severity: holdfast.Incomplete, Message: "a record has no embedding"})
	}
	return problems, os.WriteFile(filepath.Join(dir, "chroma.sqlite3"), []byte(t["notes"]["doc-1"]+"\n"), 0o600)
}

var _ holdfast.Builder = (*builder)(nil)

// built is a world whose Chroma is a directory now, with a backup of the time when it
// was a server.
func built(t *testing.T) (*world, *builder, *server) {
	w, s := served(t)
	w.backup("served")
	b := &builder{rag: w.rag}
	w.opts.Sources = []holdfast.Source{w.bot, b}
	w.set("two")
	return w, b, s
}

func TestBuild_ADirectoryIsMadeOfTheRecordsOfAServer(t *testing.T) {
	w, b, _ := built(t)
	req := engine.RestoreRequest{Name: "served", Only: []string{"chromadb"}}
	if _, err := w.engine().Restore(t.Context(), req); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "--into URL") {
		t.Errorf("without a command: %v (%s)", err, holdfast.HintOf(err))
	}
	w.want("two")
	req.Commands = map[holdfast.Kind]string{holdfast.KindChroma: "chroma run"}
	r := w.restore(req)
	if got := read(t, w.rag.databasePath()); got != "one\n" || b.ran != "chroma run" || r.Emergency == "" {
		t.Errorf("the directory holds %q, made by %q: %+v", got, b.ran, r)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want("two")
}

func TestBuild_WhatIsLostMustBeAccepted(t *testing.T) {
	w, _, s := built(t)
	s.put(tables{"notes": {"doc-1": "one", "lost": "x"}})
	w.opts.Sources = []holdfast.Source{w.bot, s}
	w.backup("later")
	w.opts.Sources = []holdfast.Source{w.bot, &builder{rag: w.rag}}
	req := engine.RestoreRequest{Name: "later", Only: []string{"chromadb"}, Commands: map[holdfast.Kind]string{holdfast.KindChroma: "chroma run"}}
	if _, err := w.engine().Restore(t.Context(), req); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "--accept-losses") {
		t.Errorf("a loss that nobody accepted: %v (%s)", err, holdfast.HintOf(err))
	}
	w.want("two")
	req.AcceptLosses = true
	r := w.restore(req)
	if len(r.Problems) != 1 || r.Problems[0].Source != "chromadb" || r.Problems[0].Severity != holdfast.Incomplete {
		t.Errorf("problems: %+v", r.Problems)
	}
}

func TestCollections_OneComesBackIntoAStoppedDirectory(t *testing.T) {
	w := newWorld(t)
	write(t, w.rag.memoryPath("notes"), "a b\n")
	w.backup("monday")
	w.set("two")
	write(t, w.rag.memoryPath("notes"), "c\n")
	w.restore(engine.RestoreRequest{Name: "latest", Parts: parts(holdfast.Part{Table: "notes"})})
	if got := read(t, w.rag.memoryPath("notes")); got != "a\nb\n" {
		t.Errorf("the collection holds %q", got)
	}
	w.want("two") // and all else is as it was
	w.clean()
	w.restore(engine.RestoreRequest{Name: "monday", Parts: parts(holdfast.Part{Table: "notes", As: "before"})})
	if got := read(t, w.rag.memoryPath("before")); got != "a\nb\n" {
		t.Errorf("the collection under a new name holds %q", got)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, w.rag.memoryPath("before")); got != "" {
		t.Errorf("after the rollback the new collection still holds %q", got)
	}
}

func TestCollections_WhatNeedsARunningServerIsRefused(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	for name, p := range map[string]holdfast.Part{
		"a record":   {Table: "notes", Keys: []string{"doc-1"}},
		"a database": {Table: "default_tenant/default_database/*"},
		"all":        {},
		"exactly":    {Table: "notes", Exact: true},
	} {
		_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Parts: parts(p)})
		if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "--into URL") {
			t.Errorf("%s: %v (%s)", name, err, holdfast.HintOf(err))
		}
	}
	w.want("two")
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Parts: parts(holdfast.Part{Table: "nothing"})})
	if !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a collection that the backup has not: %v", err)
	}
	w.want("two")
	w.clean()
}

// copyOf captures a source into a directory.
func copyOf(t *testing.T, w *world, from string) fs.FS {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.engine().Export(t.Context(), from, dir); err != nil {
		t.Fatal(err)
	}
	return os.DirFS(filepath.Join(dir, "chromadb"))
}

func TestImport_IntoARunningStore(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	copied := copyOf(t, w, "monday")
	s.set("two")
	plan, err := w.engine().PlanImport(t.Context(), engine.ImportRequest{Copy: copied, From: "./out"})
	if err != nil || plan.Import != "./out" || plan.Obstacle != nil || len(plan.Targets[0].Parts.Changes) != 2 {
		t.Fatalf("plan: %+v, %v", plan, err)
	}
	s.want(t, stateTwo)
	r, err := w.engine().Import(t.Context(), engine.ImportRequest{Copy: copied, From: "./out", Parts: []holdfast.Part{{Table: "notes"}}})
	if err != nil || r.Emergency == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	s.want(t, "memory: m=two; notes: doc-1=one doc-2=one")
	if last, err := w.engine().LastRestore(); err != nil || last.Import != "./out" {
		t.Errorf("last restore: %+v, %v", last, err)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(t, stateTwo)
}

func TestImport_IntoADirectory(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	copied := copyOf(t, w, "monday")
	w.set("two")
	r, err := w.engine().Import(t.Context(), engine.ImportRequest{Copy: copied, From: "./out"})
	if err != nil || r.Emergency == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := read(t, w.rag.databasePath()) + read(t, filepath.Join(w.rag.path, "segment", "data_level0.bin")); got != "one\none\n" {
		t.Errorf("the directory holds %q", got)
	}
	if got := read(t, w.bot.path); got != "two\ntwo\n" {
		t.Errorf("the other source holds %q", got)
	}
	w.clean()
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want("two")
}

func TestImport_Refusals(t *testing.T) {
	w, s := served(t)
	s.put(tables{"notes": {"doc-1": broken}})
	w.backup("monday")
	copied := copyOf(t, w, "monday")
	s.set("two")
	for name, c := range map[string]struct {
		req  engine.ImportRequest
		kind error
	}{
		"damage":             {engine.ImportRequest{Copy: copied}, holdfast.ErrDamaged},
		"a source of no-one": {engine.ImportRequest{Copy: copied, Source: "nobody"}, holdfast.ErrNotFound},
	} {
		if _, err := w.engine().Import(t.Context(), c.req); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
		s.want(t, stateTwo)
	}
	if _, err := w.engine().Import(t.Context(), engine.ImportRequest{Copy: copied, Force: true}); err != nil {
		t.Errorf("with force: %v", err)
	}
	w.opts.Sources = []holdfast.Source{w.bot}
	if _, err := w.engine().Import(t.Context(), engine.ImportRequest{Copy: copied}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("without a Chroma: %v", err)
	}
}
