package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// broken marks content that a fake owner cannot open.
const broken = "BROKEN"

// A database is a single-file source whose records are its lines. Its log
// lies beside it, and belongs to it.
type database struct {
	name, path string
	onCapture  func() error // before each capture
	onInspect  func() error
	onCheck    func() []holdfast.Problem
	files      bool // pretends to be of kind files
	uncounted  bool // its rows are not counted
	stall      time.Duration
}

func (d *database) Name() string { return d.name }

func (d *database) Kind() holdfast.Kind {
	if d.files {
		return holdfast.KindFiles
	}
	return holdfast.KindSQLite
}

func (d *database) Target() holdfast.Target {
	return holdfast.Target{Path: d.path, File: filepath.Base(d.path), Companions: []string{"-wal", "-shm", "-journal"}, LiveFiles: []string{""}}
}

func (d *database) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	if err := call(d.onInspect); err != nil {
		return holdfast.Inspection{}, err
	}
	data, err := os.ReadFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	return holdfast.Inspection{Exists: err == nil, Bytes: int64(len(data)), Facts: rows(data)}, err
}

func (d *database) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	if err := call(d.onCapture); err != nil {
		return holdfast.Captured{}, err
	}
	if err := ctx.Err(); err != nil {
		return holdfast.Captured{}, err
	}
	c := holdfast.Captured{Stall: d.stall, Method: "copy", Facts: holdfast.Facts{SQLite: &holdfast.SQLiteFacts{JournalMode: "wal"}}}
	return c, put(sink, d.path, filepath.Base(d.path))
}

func (d *database) Check(ctx context.Context, copied fs.FS, _ holdfast.CheckOptions) (holdfast.Report, error) {
	if err := ctx.Err(); err != nil {
		return holdfast.Report{}, err
	}
	data, err := fs.ReadFile(copied, filepath.Base(d.path))
	if err != nil {
		return holdfast.Report{}, err
	}
	r := holdfast.Report{Facts: rows(data)}
	if d.uncounted {
		r.Facts.SQLite.Rows = nil
	}
	if d.onCheck != nil {
		r.Problems = d.onCheck()
	}
	if bytes.Contains(data, []byte(broken)) {
		r.Problems = append(r.Problems, holdfast.Problem{Object: filepath.Base(d.path), Severity: holdfast.Damaged, Message: "page 7 is torn"})
	}
	return r, nil
}

// RestoreOnline writes into the live file, as a transaction would.
func (d *database) RestoreOnline(_ context.Context, path string, progress func(done, total int64)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	progress(int64(len(data)), int64(len(data)))
	return os.WriteFile(d.path, data, 0o600)
}

func rows(data []byte) holdfast.Facts {
	n := int64(bytes.Count(data, []byte("\n")))
	return holdfast.Facts{SQLite: &holdfast.SQLiteFacts{Rows: &n}}
}

// A rag is a directory with a database, an index folder and the memory of an
// assistant, one memory a line.
type rag struct {
	name, path  string
	collections []string
	mode        string
	schema      int
	unseen      holdfast.CheckState // the check sees nothing, and says so
	onCapture   func() error
	onInspect   func() error
}

func (g *rag) Name() string                  { return g.name }
func (g *rag) Kind() holdfast.Kind           { return holdfast.KindChroma }
func (g *rag) Target() holdfast.Target       { return holdfast.Target{Path: g.path, Dir: true} }
func (g *rag) MemoryCollections() []string   { return g.collections }
func (g *rag) RAGMode() string               { return g.mode }
func memoryOf(collection string) string      { return "memory-" + collection }
func (g *rag) databasePath() string          { return filepath.Join(g.path, "chroma.sqlite3") }
func (g *rag) memoryPath(name string) string { return filepath.Join(g.path, memoryOf(name)) }

func (g *rag) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	if err := call(g.onInspect); err != nil {
		return holdfast.Inspection{}, err
	}
	data, err := os.ReadFile(g.databasePath())
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	facts := &holdfast.ChromaFacts{Records: int64(bytes.Count(data, []byte("\n"))), Schema: holdfast.ChromaSchema{SysDB: g.schema, Release: fmt.Sprintf("release %d", g.schema)}}
	matches, _ := filepath.Glob(g.memoryPath("*"))
	for _, m := range matches {
		facts.Collections = append(facts.Collections, holdfast.ChromaCollection{Name: strings.TrimPrefix(filepath.Base(m), memoryOf(""))})
	}
	return holdfast.Inspection{Exists: err == nil, Bytes: int64(len(data)), Facts: holdfast.Facts{Chroma: facts}}, err
}

// dropped begins the names of what a deleted collection leaves behind.
const dropped = "dropped-"

// LeftBehind implements holdfast.Leaver.
func (*rag) LeftBehind(out []fs.DirEntry, facts holdfast.Facts) (names []string) {
	for _, e := range out {
		if e.IsDir() && strings.HasPrefix(e.Name(), dropped) {
			names = append(names, e.Name())
		}
	}
	if facts.Chroma == nil || len(names) > facts.Chroma.OrphanFolders {
		return nil
	}
	return names
}

// Capture takes the database, the index and the memory, but no file that is
// not the database's own.
func (g *rag) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	if err := call(g.onCapture); err != nil {
		return holdfast.Captured{}, err
	}
	out := holdfast.Captured{Method: "2 rounds"}
	err := filepath.WalkDir(g.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		rel, _ := filepath.Rel(g.path, path)
		switch {
		case strings.HasPrefix(rel, dropped):
			if out.Facts.Chroma == nil {
				out.Facts.Chroma = &holdfast.ChromaFacts{}
			}
			out.Facts.Chroma.OrphanFolders++
			return fs.SkipDir
		case rel == "." || strings.HasPrefix(rel, "foreign") || strings.Contains(rel, ".before-") || strings.HasPrefix(rel, ".holdfast"):
			if d.IsDir() && rel != "." {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return sink.Add(holdfast.Entry{Path: filepath.ToSlash(rel), Mode: fs.ModeDir | 0o755})
		}
		return put(sink, path, filepath.ToSlash(rel))
	})
	return out, err
}

func (g *rag) Check(_ context.Context, copied fs.FS, _ holdfast.CheckOptions) (holdfast.Report, error) {
	data, err := fs.ReadFile(copied, "chroma.sqlite3")
	if err != nil {
		return holdfast.Report{Problems: []holdfast.Problem{{Object: "chroma.sqlite3", Severity: holdfast.Damaged, Message: err.Error()}}}, nil
	}
	if g.unseen != "" {
		return holdfast.Report{Facts: holdfast.Facts{Chroma: &holdfast.ChromaFacts{QuickCheck: g.unseen}}}, nil
	}
	r := holdfast.Report{Facts: holdfast.Facts{Chroma: &holdfast.ChromaFacts{Records: int64(bytes.Count(data, []byte("\n"))), Schema: holdfast.ChromaSchema{SysDB: g.schema, Release: fmt.Sprintf("release %d", g.schema)}}}}
	if index, err := fs.ReadFile(copied, "segment/data_level0.bin"); err == nil && !bytes.Equal(index, data) {
		r.Problems = append(r.Problems, holdfast.Problem{Object: "segment", Severity: holdfast.Damaged, Message: "database and index do not belong together"})
	}
	if bytes.Contains(data, []byte(broken)) {
		r.Problems = append(r.Problems, holdfast.Problem{Object: "chroma.sqlite3", Severity: holdfast.Damaged, Message: "page 3 is torn"})
	}
	return r, nil
}

func (g *rag) ExportMemory(_ context.Context, copied fs.FS, collection string, w io.Writer) (holdfast.MemoryCollection, error) {
	data, err := fs.ReadFile(copied, memoryOf(collection))
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.MemoryCollection{}, holdfast.Kindf(holdfast.ErrNotFound, "no collection %s", collection)
	}
	if err != nil {
		return holdfast.MemoryCollection{}, err
	}
	ids := strings.Fields(string(data))
	return holdfast.MemoryCollection{Name: collection, Records: int64(len(ids))}, json.NewEncoder(w).Encode(map[string]any{"ids": ids})
}

func (g *rag) RestoreMemory(_ context.Context, dir string, info holdfast.MemoryCollection, r io.Reader) error {
	var got struct{ IDs []string }
	if err := json.NewDecoder(r).Decode(&got); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, memoryOf(info.Name)), []byte(strings.Join(got.IDs, "\n")+"\n"), 0o600)
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

// put writes one file of the disk into a sink.
func put(sink holdfast.Sink, path, name string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w, err := sink.Create(holdfast.Entry{Path: name, Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Discard()) }()
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Close()
}

var (
	_ holdfast.OnlineRestorer = (*database)(nil)
	_ holdfast.MemorySource   = (*rag)(nil)
)
