package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A record comes back into a real server in one command, a backup goes into another one,
// and the records of it go out and in.
func TestRestore_IntoARunningServer(t *testing.T) {
	ctx := t.Context()
	s := chromatest.Start(t, chromatest.Old, t.TempDir())
	client := s.Client()
	defer client.Close()
	notes, err := client.Create(ctx, chromatest.CollectionSpec{Name: "notes"})
	if err != nil {
		t.Fatal(err)
	}
	document := func(text string) *string { return &text }
	var all []chromatest.Record
	for i, text := range []string{"one", "two", "three"} {
		all = append(all, chromatest.Record{ID: "doc-" + text, Document: document(text), Embedding: []float32{float32(i), 1, 0.1}})
	}
	if err := client.Add(ctx, notes.ID, all); err != nil {
		t.Fatal(err)
	}
	holds := func(want string) {
		t.Helper()
		c, err := client.Collection(ctx, "notes")
		if err != nil {
			t.Fatal(err)
		}
		records, err := client.Get(ctx, c.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records {
			got = append(got, r.ID+"="+*r.Document)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the server holds %q, want %q", strings.Join(got, " "), want)
		}
	}
	t.Chdir(t.TempDir())
	run := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		code := Main(ctx, System{
			Args: append(args, "--chroma-url", s.URL()), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, Version: "1.2.3",
		})
		if code != 0 {
			t.Fatalf("holdfast %s: exit status %d\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
		}
		return out.String()
	}

	run("backup", "--name", "monday")
	if err := client.Delete(ctx, notes.ID, []string{"doc-two"}); err != nil {
		t.Fatal(err)
	}
	out := run("restore", "latest", "--collection", "notes", "--id", "doc-two") // replaces nothing, asks nothing
	if !strings.Contains(out, "notes: merge, 1") || !strings.Contains(out, "emergency_restore_") {
		t.Errorf("the restore says %s", out)
	}
	holds("doc-one=one doc-three=three doc-two=two")
	run("rollback", "--yes")
	holds("doc-one=one doc-three=three")

	run("restore", "monday", "--collection", "notes=notes-monday")
	if c, err := client.Collection(ctx, "notes-monday"); err != nil || c.ID == notes.ID {
		t.Errorf("the collection under a new name: %+v, %v", c, err)
	}
	out = run("restore", "monday", "--yes")
	if !strings.Contains(out, "look these up again") {
		t.Errorf("the restore says %s", out)
	}
	holds("doc-one=one doc-two=two doc-three=three")

	dir := filepath.Join(t.TempDir(), "records")
	run("export", "monday", dir, "--format", "jsonl")
	if _, err := os.Stat(filepath.Join(dir, "chromadb", "default_tenant", "default_database", "notes.jsonl")); err != nil {
		t.Error(err)
	}
	c, err := client.Collection(ctx, "notes")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(ctx, c.ID, []string{"doc-one"}); err != nil {
		t.Fatal(err)
	}
	run("import", dir, "--collection", "notes", "--yes")
	holds("doc-one=one doc-two=two doc-three=three")

	newer := chromatest.Start(t, chromatest.New, t.TempDir())
	run("restore", "monday", "--into", newer.URL())
	there := newer.Client()
	defer there.Close()
	c, err = there.Collection(ctx, "notes")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := there.Count(ctx, c.ID); err != nil || n != 3 {
		t.Errorf("the other server holds %d, %v", n, err)
	}
	run("rollback", "--yes", "--into", newer.URL())
	if _, err := there.Collection(ctx, "notes"); err == nil {
		t.Error("the rollback left what the restore made")
	}
}
