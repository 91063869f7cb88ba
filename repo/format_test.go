package repo

import (
	"bytes"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

var update = flag.Bool("update", false, "rewrite testdata/format1 (only for a new format version)")

// goldenPath is a repository that this code wrote, byte for byte.
var goldenPath = filepath.Join("testdata", "format1")

// The backups of the example in FORMAT.md.
const (
	exampleFull  = "enhanced_backup_20241030_143000"
	exampleDelta = "auto_backup_20241030_144500"
	exampleSame  = "scheduled_backup_20241030_150000"
)

// exampleFiles is the content of a backup of the example.
func exampleFiles(backup holdfast.BackupName) map[string][]byte {
	chroma := append(append(text(3*blockSize, 1), make([]byte, 64*blockSize)...), text(blockSize+100, 2)...)
	if backup != exampleFull { // a page changed, and one was added
		copy(chroma[blockSize:], text(blockSize, 4))
		chroma = append(chroma[:68*blockSize], text(blockSize, 5)...)
	}
	return map[string][]byte{
		"chromadb/chroma.sqlite3": chroma,
		"bot/bot_database.db":     text(40, 3),
	}
}

// writeExample makes the example repository with fixed id and times: a full
// backup that was verified, a delta, and one in which nothing changed.
func writeExample(t *testing.T, o Options) *mem.Bucket {
	t.Helper()
	b := mem.New()
	o.Cache = t.TempDir()
	r, err := initAt(t.Context(), b, o, "exampleid", testTime)
	if err != nil {
		t.Fatal(err)
	}
	writeExampleBackup(t, r, exampleFull, CreateOptions{Compress: true, Remember: true}, holdfast.Metadata{
		CreatedAt: holdfast.At(testTime), Trigger: holdfast.TriggerManual,
		DatabaseInfo: holdfast.DatabaseInfo{TotalRecords: 447, DatabasePath: "./data/chromadb", DatabaseSizeMB: 0.27},
	})
	proof := holdfast.Proof{At: holdfast.At(testTime), Kind: holdfast.ProofVerify, OK: true, Bytes: 29000}
	if err := r.AddProof(t.Context(), exampleFull, proof); err != nil {
		t.Fatal(err)
	}
	writeExampleBackup(t, r, exampleDelta, CreateOptions{Compress: true, Base: exampleFull, Remember: true}, holdfast.Metadata{
		CreatedAt: holdfast.At(testTime.Add(15 * time.Minute)), Trigger: holdfast.TriggerAuto,
		DatabaseInfo: holdfast.DatabaseInfo{TotalRecords: 448, DatabasePath: "./data/chromadb", DatabaseSizeMB: 0.27},
	})
	writeExampleBackup(t, r, exampleSame, CreateOptions{Compress: true, Base: exampleDelta}, holdfast.Metadata{
		CreatedAt: holdfast.At(testTime.Add(30 * time.Minute)), Trigger: holdfast.TriggerScheduled,
		DatabaseInfo: holdfast.DatabaseInfo{TotalRecords: 448, DatabasePath: "./data/chromadb", DatabaseSizeMB: 0.27},
	})
	return b
}

func writeExampleBackup(t *testing.T, r *Repository, name holdfast.BackupName, o CreateOptions, m holdfast.Metadata) {
	t.Helper()
	p := create(t, r, name, o)
	files := exampleFiles(name)
	put(t, p.Sink("chromadb"), "chroma.sqlite3", files["chromadb/chroma.sqlite3"])
	put(t, p.Sink("bot"), "bot_database.db", files["bot/bot_database.db"])
	if err := p.Sink("chromadb").Add(holdfast.Entry{Path: ".", Mode: fs.ModeDir | 0o755, ModTime: testTime}); err != nil {
		t.Fatal(err)
	}
	w, err := p.create(holdfast.MemoriesFile, holdfast.Entry{Mode: 0o600, ModTime: testTime}, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "{\"ids\":[]}\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m.Type, m.IncludesMemory, m.RAGMode, m.ToolVersion = holdfast.Enhanced, true, "enhanced", "1.0.0"
	m.Sources = []holdfast.SourceMetadata{
		{Name: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db"},
		{Name: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb"},
	}
	if _, err := p.Commit(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
}

// What this code writes must not change silently.
func TestFormat_GoldenBytes(t *testing.T) {
	b := writeExample(t, Options{})
	if *update {
		if err := os.RemoveAll(goldenPath); err != nil {
			t.Fatal(err)
		}
	}
	written := map[string]bool{}
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		written[key] = true
		file := filepath.Join(goldenPath, filepath.FromSlash(key))
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, want) {
			t.Errorf("%s changed: the format may only change with its version\n got: %.400s\nwant: %.400s", key, data, want)
		}
	}
	err := fs.WalkDir(os.DirFS(goldenPath), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !written[path] {
			t.Errorf("%s is no longer written", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A repository written by the first release reads for ever.
func TestFormat_GoldenReads(t *testing.T) {
	root := filepath.Join(t.TempDir(), "repository")
	if err := os.CopyFS(root, os.DirFS(goldenPath)); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := r.Stat(t.Context(), exampleFull)
	if _, proven := info.Proven(); err != nil || !proven || info.Metadata.DatabaseInfo.TotalRecords != 447 {
		t.Fatalf("%v %+v", err, info)
	}
	for _, backup := range []holdfast.BackupName{exampleFull, exampleDelta, exampleSame} {
		back := open(t, r, backup)
		verify(t, back)
		for name, want := range exampleFiles(backup) {
			if got := readAll(t, back, name); !bytes.Equal(got, want) {
				t.Errorf("%s of %s: wrong bytes", name, backup)
			}
		}
	}
}

// FORMAT.md quotes the example; the quotes must be its bytes.
func TestFormat_DocumentQuotesTheExample(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	quotes := map[string]string{}
	for _, part := range strings.Split(string(doc), "<!-- file: ")[1:] {
		name, rest, _ := strings.Cut(part, " -->")
		_, rest, _ = strings.Cut(rest, "```")
		_, rest, _ = strings.Cut(rest, "\n")
		body, _, _ := strings.Cut(rest, "```")
		quotes[name] = body
	}
	if len(quotes) < 4 {
		t.Fatalf("FORMAT.md quotes only %d files", len(quotes))
	}
	for name, quoted := range quotes {
		want, err := os.ReadFile(filepath.Join(goldenPath, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if quoted != string(want) {
			t.Errorf("FORMAT.md quotes %s wrongly", name)
		}
	}
}

// readerScript is the page of Python at the end of FORMAT.md.
func readerScript(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```python\n")
	script, _, _ := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("FORMAT.md has no script")
	}
	file := filepath.Join(t.TempDir(), "reader.py")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFormat_ScriptReadsTheExample(t *testing.T) {
	script := readerScript(t)
	root, err := filepath.Abs(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, backup := range []holdfast.BackupName{exampleFull, exampleDelta, exampleSame} {
		for name, want := range exampleFiles(backup) {
			if got := run(t, root, "python3", script, root, string(backup), name); got != string(want) {
				t.Errorf("%s of %s: the script gives %d bytes, not %d", name, backup, len(got), len(want))
			}
		}
	}
}
