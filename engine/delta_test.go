package engine_test

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A countingRag counts how often its copy is checked and its memory exported.
type countingRag struct {
	*rag
	checks, exports int
}

func (c *countingRag) Check(ctx context.Context, copied fs.FS, o holdfast.CheckOptions) (holdfast.Report, error) {
	c.checks++
	r, err := c.rag.Check(ctx, copied, o)
	r.Facts.Chroma.QuickCheck = holdfast.CheckOK
	return r, err
}

func (c *countingRag) ExportMemory(ctx context.Context, copied fs.FS, collection string, w io.Writer) (holdfast.MemoryCollection, error) {
	c.exports++
	return c.rag.ExportMemory(ctx, copied, collection, w)
}

func TestBackup_AnUnchangedSourceIsNeitherCheckedNorExportedAgain(t *testing.T) {
	w := newWorld(t).remembering()
	counted := &countingRag{rag: w.rag}
	w.opts.Sources = []holdfast.Source{w.bot, counted}
	write(t, w.rag.memoryPath("enhanced_rag_memory"), strings.Repeat("memory ", 9000))
	first := w.backup("first")
	second := w.backup("second")
	if counted.checks != 1 || counted.exports != 1 {
		t.Errorf("checked %d times, exported %d times", counted.checks, counted.exports)
	}
	if second.Form.Base != "first" || second.Backup.Metadata.Parent != "first" {
		t.Errorf("the second is a %s", second.Form)
	}
	if got, want := second.Backup.Metadata.Sources[1].Facts.Chroma, first.Backup.Metadata.Sources[1].Facts.Chroma; got.Records != want.Records || got.QuickCheck != holdfast.CheckOK {
		t.Errorf("facts %+v, want %+v", got, want)
	}
	if n := second.Backup.Metadata.StoredBytes; n > 4096 {
		t.Errorf("nothing changed, but %d bytes are stored", n)
	}
	b, err := w.repo.Backup(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	memory, err := fs.ReadFile(b, holdfast.MemoriesFile)
	if err != nil || strings.Count(string(memory), "memory") != 9000 {
		t.Errorf("the memory reads as %d bytes, %v", len(memory), err)
	}
	if problems, err := b.Verify(t.Context(), nil); err != nil || len(problems) > 0 {
		t.Errorf("verify: %v, %v", problems, err)
	}
	w.set("changed")
	w.backup("third")
	if counted.checks != 2 || counted.exports != 2 {
		t.Errorf("after a change checked %d times, exported %d times", counted.checks, counted.exports)
	}
}

func TestBackup_WhatWasFoundInASourceIsLookedForAgain(t *testing.T) {
	w := newWorld(t).remembering()
	counted := &countingRag{rag: w.rag}
	w.opts.Sources = []holdfast.Source{w.bot, counted}
	write(t, filepath.Join(w.rag.path, "segment", "data_level0.bin"), "other\n")
	for i, name := range []string{"first", "second"} {
		r := w.backup(name)
		if counted.checks != i+1 || !r.Incomplete() {
			t.Errorf("%s: checked %d times, problems %+v", name, counted.checks, r.Problems)
		}
	}
}

func TestBackup_AnotherVersionChecksAgain(t *testing.T) {
	w := newWorld(t).remembering()
	counted := &countingRag{rag: w.rag}
	w.opts.Sources = []holdfast.Source{w.bot, counted}
	w.backup("first")
	w.opts.ToolVersion = "2"
	w.backup("second")
	if counted.checks != 2 || counted.exports != 2 {
		t.Errorf("checked %d times, exported %d times", counted.checks, counted.exports)
	}
}

func TestBackup_FullIsAskedForOrRemembered(t *testing.T) {
	w := newWorld(t).remembering()
	w.backup("first")
	r, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: "full", Full: true})
	if err != nil || r.Form.Base != "" || r.Backup.Metadata.Parent != "" {
		t.Fatalf("with --full a %s, %v", r.Form, err)
	}
	if r := w.backup("next"); r.Form.Base != "full" {
		t.Errorf("after a full a %s", r.Form)
	}
	w.restore(engine.RestoreRequest{Name: "first"})
	if r := w.backup("last"); r.Form.Base != "next" {
		t.Errorf("after a restore, which made an emergency backup, a %s", r.Form)
	}
}
