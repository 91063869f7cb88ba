package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A stock is what a shop holds: by table and key the fields of each row.
type stock map[string]map[string]map[string]any

// A shop is a source whose single file is a stock as JSON, and that can be looked into.
// Numbers in it are float64, lists of numbers are embeddings.
type shop struct {
	name, path string
	kind       holdfast.Kind
	// uncounted leaves the numbers of rows to the facts.
	uncounted bool
	bytes     int64 // what Inspect tells; zero: as it is
	reads     *atomic.Int64
	beside    string // a further file that is captured
	shape     func(*holdfast.Table)
}

var _ holdfast.Looker = (*shop)(nil)

func (s *shop) Name() string        { return s.name }
func (s *shop) Kind() holdfast.Kind { return cmp.Or(s.kind, holdfast.KindSQLite) }
func (s *shop) Target() holdfast.Target {
	return holdfast.Target{Path: s.path, File: filepath.Base(s.path)}
}

func (s *shop) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	return holdfast.Inspection{Exists: true, Bytes: cmp.Or(s.bytes, int64(len(data))), Facts: stockFacts(data)}, err
}

func (s *shop) Capture(_ context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	if s.beside != "" {
		if err := put(sink, s.beside, filepath.Base(s.beside)); err != nil {
			return holdfast.Captured{}, err
		}
	}
	return holdfast.Captured{Method: "copy"}, put(sink, s.path, filepath.Base(s.path))
}

func (s *shop) Check(_ context.Context, copied fs.FS, _ holdfast.CheckOptions) (holdfast.Report, error) {
	data, err := fs.ReadFile(copied, filepath.Base(s.path))
	return holdfast.Report{Facts: stockFacts(data)}, err
}

func stockFacts(data []byte) holdfast.Facts {
	var held stock
	if json.Unmarshal(data, &held) != nil {
		return holdfast.Facts{SQLite: &holdfast.SQLiteFacts{}}
	}
	f := &holdfast.SQLiteFacts{Tables: map[string]int64{}, Rows: new(int64(0))}
	for table, rows := range held {
		f.Tables[table] = int64(len(rows))
		*f.Rows += int64(len(rows))
	}
	return holdfast.Facts{SQLite: f}
}

func (s *shop) Look(_ context.Context, copied fs.FS) (holdfast.Inside, error) {
	data, err := fs.ReadFile(copied, filepath.Base(s.path))
	if err != nil {
		return nil, err
	}
	in := &inShop{shop: s}
	return in, json.NewDecoder(bytes.NewReader(data)).Decode(&in.held)
}

type inShop struct {
	shop *shop
	held stock
}

func (i *inShop) Close() error { return nil }

func (i *inShop) Tables(context.Context) ([]holdfast.Table, error) {
	var tables []holdfast.Table
	for _, name := range slices.Sorted(maps.Keys(i.held)) {
		t := holdfast.Table{Name: name, Kind: holdfast.KindTable}
		if strings.Contains(name, "/") {
			t.Kind, t.Title = holdfast.KindCollection, name[strings.LastIndexByte(name, '/')+1:]
		}
		if !i.shop.uncounted {
			t.Rows = new(int64(len(i.held[name])))
		}
		if i.shop.shape != nil {
			i.shop.shape(&t)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (i *inShop) Rows(_ context.Context, table string, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		rows, ok := i.held[table]
		if !ok {
			yield(holdfast.Row{}, holdfast.Kindf(holdfast.ErrNotFound, "no table %s", table))
			return
		}
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			if key <= o.After {
				continue
			}
			if i.shop.reads != nil {
				i.shop.reads.Add(1)
			}
			if !yield(rowOf(key, rows[key]), nil) {
				return
			}
		}
	}
}

func rowOf(key string, fields map[string]any) holdfast.Row {
	row := holdfast.Row{Key: key, Sort: key, Cursor: key}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if list, ok := v.([]any); ok {
			vector := make([]float32, len(list))
			for n, x := range list {
				vector[n] = float32(x.(float64))
			}
			v = vector
		}
		row.Fields = append(row.Fields, holdfast.Field{Name: name, Value: v})
	}
	return row
}

func (i *inShop) Row(_ context.Context, table, key string) (holdfast.Row, error) {
	fields, ok := i.held[table][key]
	if !ok {
		return holdfast.Row{}, holdfast.Kindf(holdfast.ErrNotFound, "no row %s", key)
	}
	return rowOf(key, fields), nil
}

func (i *inShop) Search(ctx context.Context, q holdfast.SearchQuery) iter.Seq2[holdfast.Hit, error] {
	return func(yield func(holdfast.Hit, error) bool) {
		for _, table := range slices.Sorted(maps.Keys(i.held)) {
			if len(q.Tables) > 0 && !slices.Contains(q.Tables, table) {
				continue
			}
			for row := range i.Rows(ctx, table, holdfast.RowsOptions{}) {
				for _, f := range row.Fields {
					text := fmt.Sprint(f.Value)
					at := strings.Index(strings.ToLower(text), strings.ToLower(q.Text))
					if at < 0 {
						continue
					}
					if !yield(holdfast.Hit{Table: table, Key: row.Key, Field: f.Name, Snippet: text, At: at, Length: len(q.Text)}, nil) {
						return
					}
					break
				}
			}
		}
	}
}

// stocked gives a world with one shop that holds something.
func stocked(t *testing.T, held stock) (*world, *shop) {
	t.Helper()
	w := newWorld(t)
	s := &shop{name: "shop", path: filepath.Join(w.dir, "shop", "shop.json"), reads: &atomic.Int64{}}
	w.opts.Sources = []holdfast.Source{s}
	w.stock(s, held)
	return w, s
}

// stock puts something into a shop.
func (w *world) stock(s *shop, held stock) {
	w.t.Helper()
	data, err := json.Marshal(held)
	if err != nil {
		w.t.Fatal(err)
	}
	write(w.t, s.path, string(data))
}

// A grove is a source of files.
type grove struct {
	dir     string
	without string // is not captured
}

var _ holdfast.Looker = (*grove)(nil)

func (*grove) Name() string              { return "tree" }
func (*grove) Kind() holdfast.Kind       { return holdfast.KindFiles }
func (g *grove) Target() holdfast.Target { return holdfast.Target{Path: g.dir, Dir: true} }

func (g *grove) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	return holdfast.Inspection{Exists: true}, nil
}

func (g *grove) Capture(_ context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	return holdfast.Captured{Method: "copy"}, filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(g.dir, path)
		switch {
		case err != nil || name == "." || name == g.without:
			return err
		case e.IsDir():
			return sink.Add(holdfast.Entry{Path: name, Mode: fs.ModeDir | 0o755})
		}
		return put(sink, path, name)
	})
}

func (g *grove) Check(context.Context, fs.FS, holdfast.CheckOptions) (holdfast.Report, error) {
	return holdfast.Report{Facts: holdfast.Facts{Files: &holdfast.FilesFacts{}}}, nil
}

func (g *grove) Look(context.Context, fs.FS) (holdfast.Inside, error) { return inGrove{}, nil }

// inGrove tells that there is a tree. The tests compare it by the engine alone.
type inGrove struct{ holdfast.Inside }

func (inGrove) Close() error { return nil }

func (inGrove) Tables(context.Context) ([]holdfast.Table, error) {
	return []holdfast.Table{{Name: "files", Kind: holdfast.KindTree}}, nil
}
