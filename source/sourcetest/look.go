package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A LookFixture is what RunLook needs to know about one kind of source.
type LookFixture struct {
	Source holdfast.Looker
	// Copy is a capture of it with at least one table that has several rows with
	// texts.
	Copy fs.FS
	// Roots are the files and directories that must not change.
	Roots []string
	// Unsearched are fields whose texts a search does not look at, such as the mode
	// of a file.
	Unsearched []string
}

// RunLook holds a source to the contract of holdfast.Looker and holdfast.Inside. One
// fixture is enough for all subtests: nothing changes it.
func RunLook(t *testing.T, f LookFixture) {
	before := Fingerprint(t, f.Roots...)
	in, err := f.Source.Look(t.Context(), f.Copy)
	if err != nil {
		t.Fatal(err)
	}
	l := &look{Inside: in, unsearched: f.Unsearched}
	tests := []struct {
		name string
		test func(t *testing.T)
	}{
		{"Tables come in the order of their names, always the same", l.testTables},
		{"Rows come in one order, each with a key of its own", l.testRows},
		{"Rows by key come in the order of Sort", l.testByKey},
		{"Rows go on after any of them", l.testPages},
		{"Rows are cut where that is asked for", l.testCut},
		{"Row gives each row whole", l.testRow},
		{"What is not there is not found", l.testMissing},
		{"Search finds what Rows show", l.testSearch},
		{"Search looks at the tables that it is told", l.testSearchBounds},
		{"A stream ends when nobody wants more, or is cancelled", l.testStop},
		{"Several may look at once", l.testConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.test)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	sameTree(t, before, Fingerprint(t, f.Roots...))
}

// A look is the copy that is tested.
type look struct {
	holdfast.Inside
	unsearched []string
}

// tables are those whose rows can be read.
func (l *look) tables(t *testing.T) []holdfast.Table {
	t.Helper()
	all, err := l.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := slices.DeleteFunc(all, func(t holdfast.Table) bool { return t.Closed != "" })
	if len(open) == 0 {
		t.Fatal("no table can be read")
	}
	return open
}

// rows reads a stream that must not fail.
func (l *look) rows(t testing.TB, table string, o holdfast.RowsOptions) []holdfast.Row {
	t.Helper()
	var rows []holdfast.Row
	for r, err := range l.Rows(t.Context(), table, o) {
		if err != nil {
			t.Fatalf("%s %+v: %v", table, o, err)
		}
		rows = append(rows, r)
	}
	return rows
}

func (l *look) testTables(t *testing.T) {
	all, err := l.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Tables(t.Context())
	if err != nil || !reflect.DeepEqual(all, again) {
		t.Errorf("first %+v, then %+v, %v", all, again, err)
	}
	for i, table := range all {
		if table.Name == "" || table.Kind == "" {
			t.Errorf("a table without name or kind: %+v", table)
		}
		if i > 0 && all[i-1].Name >= table.Name {
			t.Errorf("%q comes after %q", table.Name, all[i-1].Name)
		}
		if table.Closed != "" {
			for _, err := range l.Rows(t.Context(), table.Name, holdfast.RowsOptions{}) {
				clearError(t, err)
			}
			continue
		}
		if n := int64(len(l.rows(t, table.Name, holdfast.RowsOptions{}))); table.Rows != nil && *table.Rows != n {
			t.Errorf("%s: said to have %d rows, has %d", table.Name, *table.Rows, n)
		}
	}
}

func (l *look) testRows(t *testing.T) {
	for _, table := range l.tables(t) {
		rows := l.rows(t, table.Name, holdfast.RowsOptions{})
		if again := l.rows(t, table.Name, holdfast.RowsOptions{}); !reflect.DeepEqual(rows, again) {
			t.Errorf("%s: the second time differs", table.Name)
		}
		keys := map[string]bool{}
		for _, r := range rows {
			if r.Key == "" || keys[r.Key] {
				t.Errorf("%s: the key %q is empty or of two rows", table.Name, r.Key)
			}
			keys[r.Key] = true
			for _, f := range r.Fields {
				if !isValue(f.Value) || f.Name == "" {
					t.Errorf("%s %s: field %q is a %T", table.Name, r.Key, f.Name, f.Value)
				}
			}
		}
	}
}

func (l *look) testByKey(t *testing.T) {
	for _, table := range l.tables(t) {
		natural := l.rows(t, table.Name, holdfast.RowsOptions{})
		byKey := l.rows(t, table.Name, holdfast.RowsOptions{ByKey: true})
		for i, r := range byKey {
			if i > 0 && byKey[i-1].Sort >= r.Sort {
				t.Errorf("%s: %q (%x) comes after %q (%x)", table.Name, r.Key, r.Sort, byKey[i-1].Key, byKey[i-1].Sort)
			}
		}
		if got, want := fieldsByKey(byKey), fieldsByKey(natural); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: by key there are other rows: %v, want %v", table.Name,
				slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

func (l *look) testPages(t *testing.T) {
	for _, table := range l.tables(t) {
		for _, byKey := range []bool{false, true} {
			rows := l.rows(t, table.Name, holdfast.RowsOptions{ByKey: byKey})
			step := 1 + len(rows)/20
			for i := 0; i < len(rows); i += step {
				rest := l.rows(t, table.Name, holdfast.RowsOptions{ByKey: byKey, After: rows[i].Cursor})
				if want := rows[i+1:]; len(rest) != len(want) || len(want) > 0 && !reflect.DeepEqual(rest, want) {
					t.Errorf("%s, by key %v, after %q: %d rows follow, want %d the same", table.Name, byKey, rows[i].Key, len(rest), len(want))
				}
			}
		}
	}
}

func (l *look) testCut(t *testing.T) {
	const limit = 3
	for _, table := range l.tables(t) {
		whole := l.rows(t, table.Name, holdfast.RowsOptions{Vectors: true})
		for i, r := range l.rows(t, table.Name, holdfast.RowsOptions{MaxValue: limit, Vectors: true}) {
			if r.Key != whole[i].Key || r.Cursor != whole[i].Cursor {
				t.Fatalf("%s: cut, row %d is %q", table.Name, i, r.Key)
			}
			for j, f := range r.Fields {
				wantCut(t, fmt.Sprintf("%s %s %s", table.Name, r.Key, f.Name), f, whole[i].Fields[j], limit)
			}
		}
	}
}

func (l *look) testRow(t *testing.T) {
	for _, table := range l.tables(t) {
		rows := l.rows(t, table.Name, holdfast.RowsOptions{Vectors: true})
		step := 1 + len(rows)/50
		for i := 0; i < len(rows); i += step {
			got, err := l.Row(t.Context(), table.Name, rows[i].Key)
			if err != nil {
				t.Fatalf("%s %q: %v", table.Name, rows[i].Key, err)
			}
			if got.Key != rows[i].Key || len(got.Fields) < len(rows[i].Fields) {
				t.Errorf("%s %q: got %+v, want %+v", table.Name, rows[i].Key, got, rows[i])
				continue
			}
			for j, f := range rows[i].Fields {
				if f.Length == 0 && !reflect.DeepEqual(got.Fields[j], f) {
					t.Errorf("%s %q: got %+v, want %+v", table.Name, rows[i].Key, got.Fields[j], f)
				}
			}
		}
	}
}

func (l *look) testMissing(t *testing.T) {
	const missing = "no-such-thing-4711"
	wantMissing := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("%s: got %v, want one that matches ErrNotFound", what, err)
		}
	}
	_, err := l.Row(t.Context(), missing, "1")
	wantMissing("a row of no table", err)
	table := l.tables(t)[0]
	row, err := l.Row(t.Context(), table.Name, missing)
	if !errors.Is(err, holdfast.ErrNotFound) && !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("no row: got %+v, %v", row, err)
	}
	for _, err = range l.Rows(t.Context(), missing, holdfast.RowsOptions{}) {
	}
	wantMissing("rows of no table", err)
	for _, err = range l.Search(t.Context(), holdfast.SearchQuery{Text: "x", Tables: []string{missing}}) {
	}
	wantMissing("a search in no table", err)
	err = nil
	for _, err = range l.Rows(t.Context(), table.Name, holdfast.RowsOptions{After: missing}) {
	}
	if err != nil && !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("a place that is none: got %v, want one that matches ErrUsage", err)
	}
	for _, err = range l.Search(t.Context(), holdfast.SearchQuery{}) {
	}
	if !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("a search for nothing: got %v, want one that matches ErrUsage", err)
	}
}

func (l *look) testSearch(t *testing.T) {
	searched := 0
	for _, table := range l.tables(t) {
		rows := l.rows(t, table.Name, holdfast.RowsOptions{})
		step := 1 + len(rows)/8
		for i := 0; i < len(rows); i += step {
			for _, f := range rows[i].Fields {
				text, ok := f.Value.(string)
				if !ok || strings.TrimSpace(text) == "" || f.Length > 0 || slices.Contains(l.unsearched, f.Name) {
					continue
				}
				searched++
				l.wantHit(t, table.Name, rows[i].Key, piece(text))
			}
		}
	}
	if searched == 0 {
		t.Fatal("no table has a text to search for")
	}
}

// wantHit searches a table and wants a row among the hits.
func (l *look) wantHit(t *testing.T, table, key, text string) {
	t.Helper()
	found, told := false, int64(0)
	q := holdfast.SearchQuery{Text: text, Tables: []string{table}, Progress: func(_ string, done, _ int64) { told = max(told, done) }}
	for h, err := range l.Search(t.Context(), q) {
		if err != nil {
			t.Fatalf("%s: search for %q: %v", table, text, err)
		}
		found = found || h.Key == key
		if h.Table != table || h.Field == "" || h.At < 0 || h.At+h.Length > len(h.Snippet) {
			t.Fatalf("%s: a hit for %q is %+v", table, text, h)
		}
		if got := h.Snippet[h.At : h.At+h.Length]; !strings.EqualFold(got, text) {
			t.Errorf("%s: the hit for %q is at %q of %q", table, text, got, h.Snippet)
		}
	}
	if !found {
		t.Errorf("%s: a search for %q does not find row %q", table, text, key)
	}
	if told == 0 {
		t.Errorf("%s: a search told of no progress", table)
	}
}

func (l *look) testSearchBounds(t *testing.T) {
	for _, table := range l.tables(t) {
		for h, err := range l.Search(t.Context(), holdfast.SearchQuery{Text: "e", Tables: []string{table.Name}}) {
			if err != nil {
				t.Fatal(err)
			}
			if h.Table != table.Name {
				t.Errorf("a search in %s found something in %s", table.Name, h.Table)
			}
		}
	}
}

func (l *look) testStop(t *testing.T) {
	table := l.tables(t)[0].Name
	for range l.Rows(t.Context(), table, holdfast.RowsOptions{}) {
		break
	}
	for range l.Search(t.Context(), holdfast.SearchQuery{Text: "e"}) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	for _, err = range l.Rows(ctx, table, holdfast.RowsOptions{}) {
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("rows that were cancelled: %v", err)
	}
	for _, err = range l.Search(ctx, holdfast.SearchQuery{Text: "e"}) {
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a search that was cancelled: %v", err)
	}
}

func (l *look) testConcurrent(t *testing.T) {
	tables := l.tables(t)
	want := map[string][]holdfast.Row{}
	for _, table := range tables {
		want[table.Name] = l.rows(t, table.Name, holdfast.RowsOptions{})
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for _, table := range tables {
				n := 0
				for r, err := range l.Rows(t.Context(), table.Name, holdfast.RowsOptions{}) {
					if err != nil || n >= len(want[table.Name]) || !reflect.DeepEqual(r, want[table.Name][n]) {
						t.Errorf("%s, row %d: %+v, %v", table.Name, n, r, err)
						return
					}
					// A request in the middle of another's stream.
					if n%(i+2) == 0 && n < 20 {
						if _, err := l.Row(t.Context(), table.Name, r.Key); err != nil {
							t.Errorf("%s, row %q: %v", table.Name, r.Key, err)
						}
					}
					n++
				}
			}
		})
	}
	wg.Wait()
}
