package disk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func TestSchema_NamesTheReleases(t *testing.T) {
	for _, c := range []struct {
		queue, meta, sys int
		want             string
	}{
		{1, 1, 3, "0.4.0"},
		{1, 3, 4, "0.4.15"},
		{2, 4, 9, "0.5.6-0.6.3"},
		{2, 5, 10, "1.3-1.4"},
		{1, 2, 4, "between 0.4.0 and 0.4.15"},
		{1, 1, 2, "before 0.4.0"},
		{2, 6, 11, "newer than this build of holdfast knows (1.5 or later)"},
	} {
		dir := fixture(t)
		alter(t, dir, `DELETE FROM migrations`)
		for name, version := range map[string]int{"embeddings_queue": c.queue, "metadb": c.meta, "sysdb": c.sys} {
			alter(t, dir, `INSERT INTO migrations (dir, version, filename, sql, hash) VALUES (?, ?, '', '', '')`, name, version)
		}
		s := open(t, dir).Schema()
		if s.EmbeddingsQueue != c.queue || s.MetaDB != c.meta || s.SysDB != c.sys || s.Release != c.want {
			t.Errorf("got %+v, want %+v", s, c)
		}
	}
}

func TestCollection_IsFoundByNameIDAndDatabase(t *testing.T) {
	dir := fixture(t)
	memory, err := open(t, dir).Collection("enhanced_rag_memory")
	if err != nil {
		t.Fatal(err)
	}
	// A second database with a collection of the same name.
	memories, info := export(t, dir, "documents")
	info.Name, info.Database = memory.Name, "second"
	restore(t, dir, info, memories)

	d := open(t, dir)
	if n := len(d.Collections()); n != 3 {
		t.Fatalf("%d collections", n)
	}
	for name, records := range map[string]int64{
		memory.ID: 12,
		"default_tenant/default_database/enhanced_rag_memory": 12,
		"default_tenant/second/enhanced_rag_memory":           39,
		"documents": 39,
	} {
		if c, err := d.Collection(name); err != nil || c.Records != records {
			t.Errorf("%s: %d records, %v", name, c.Records, err)
		}
	}
	_, err = d.Collection(memory.Name)
	if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(holdfast.HintOf(err), "default_tenant/default_database/") {
		t.Errorf("an ambiguous name: %v (hint %q)", err, holdfast.HintOf(err))
	}
}

func TestFacts_TellJournalAndOrphans(t *testing.T) {
	dir := fixture(t)
	if err := os.Mkdir(filepath.Join(dir, "01234567-89ab-cdef-0123-456789abcdef"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "notes of somebody"), 0o700); err != nil {
		t.Fatal(err)
	}
	facts, err := open(t, dir).Facts(t.Context())
	if err != nil || facts.JournalMode != "rollback" || facts.OrphanFolders != 1 || facts.QuickCheck != holdfast.CheckUnchecked {
		t.Errorf("%+v, %v", facts, err)
	}
	alter(t, dir, `PRAGMA journal_mode = WAL`)
	if facts, err = open(t, dir).Facts(t.Context()); err != nil || facts.JournalMode != "wal" || facts.Records != 51 {
		t.Errorf("%+v, %v", facts, err)
	}
}

func TestCheck_SaysWhatTheBudgetCut(t *testing.T) {
	dir := fixture(t)
	if err := os.Remove(filepath.Join(folderOf(t, dir, "documents"), "header.bin")); err != nil {
		t.Fatal(err)
	}
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{Budget: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if report.Facts.Chroma.QuickCheck != holdfast.CheckUnfinished {
		t.Errorf("quick check is %q", report.Facts.Chroma.QuickCheck)
	}
	if len(report.Problems) != 1 {
		t.Errorf("what belongs together is looked at whatever the budget: %+v", report.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := disk.Check(ctx, os.DirFS(dir), holdfast.CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRestoreMemory_ReadsWhatChromaAnswers(t *testing.T) {
	dir := fixture(t)
	err := disk.RestoreMemory(t.Context(), dir, holdfast.MemoryCollection{Name: "fresh", Space: "ip"}, strings.NewReader(
		`{"include":["documents",{"deep":[1,[2]]}],"embeddings":[[0.5,-1],[1e-3,2]],"metadatas":null,"ids":["a","b"],"data":null,"documents":["ก",null]}`))
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	same(t, "fresh", read(t, d, "fresh"), content{
		IDs: []string{"a", "b"}, Documents: []*string{new("ก"), nil}, Metadatas: make([]holdfast.Values, 2),
		Embeddings: [][]float32{{0.5, -1}, {0.001, 2}},
	})
	c, err := d.Collection("fresh")
	if err != nil || c.Space != disk.SpaceIP || c.Dimension != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestRestoreMemory_IsUndoneWhenCancelled cancels in the middle of the input:
// the directory is as it was.
func TestRestoreMemory_IsUndoneWhenCancelled(t *testing.T) {
	dir := fixture(t)
	want := read(t, open(t, dir), "documents")
	memories, info := export(t, dir, "documents")
	ctx, cancel := context.WithCancel(t.Context())
	r := &cancelling{Reader: strings.NewReader(string(memories)), after: len(memories) / 2, cancel: cancel}
	if err := disk.RestoreMemory(ctx, dir, info, r); holdfast.ExitCode(err) != holdfast.ExitInterrupted {
		t.Errorf("got %v", err)
	}
	same(t, "documents", read(t, open(t, dir), "documents"), want)
	if left, _ := filepath.Glob(filepath.Join(dir, ".holdfast-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// cancelling cancels a context once so much has been read.
type cancelling struct {
	*strings.Reader
	after  int
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 64)])
	if c.after -= n; c.after < 0 {
		c.cancel()
	}
	return n, err
}
