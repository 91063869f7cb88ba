package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// compare gives what a comparison tells, a line each.
func (w *world) compare(req engine.DiffRequest) (told []string, result *engine.DiffResult) {
	w.t.Helper()
	result, err := w.engine().Diff(w.t.Context(), req, func(i engine.DiffItem) error {
		if t := i.Table; t != nil {
			same := "?"
			if t.Same != nil {
				same = fmt.Sprint(*t.Same)
			}
			told = append(told, fmt.Sprintf("%s/%s %s +%d ~%d -%d =%s", t.Source, t.Table, t.Change, t.Added, t.Changed, t.Removed, same))
			return nil
		}
		line := fmt.Sprintf("%s/%s %s %s", i.Row.Source, i.Row.Table, i.Row.Key, i.Row.Change)
		for _, f := range i.Row.Fields {
			line += fmt.Sprintf(" %s: %s -> %s", f.Name, valueOf(f.Before), valueOf(f.After))
		}
		told = append(told, line)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return told, result
}

func valueOf(f *holdfast.Field) string {
	switch {
	case f == nil:
		return "nothing"
	case f.Length > 0:
		return fmt.Sprintf("%v of %d", f.Value, f.Length)
	}
	return fmt.Sprint(f.Value)
}

func TestDiff_TellsCountsFirstAndThenRows(t *testing.T) {
	w, s := stocked(t, stock{
		"gone": {"1": {"x": "y"}}, "same": {"1": {"x": "y"}},
		"users": {"1": {"name": "Alice"}, "2": {"name": "Bob", "age": 3.0}, "3": {"name": "Carol"}, "5": {"v": []float32{1, 2}}},
	})
	w.backup("monday")
	w.stock(s, stock{
		"new": {"1": {"x": "y"}, "2": {}}, "same": {"1": {"x": "y"}},
		"users": {"1": {"name": "Alice"}, "2": {"name": "Bobby", "email": "b"}, "4": {"name": "Dave"}, "5": {"v": []float32{1, 3}}},
	})
	w.backup("tuesday")
	counts := []string{
		"shop/gone removed +0 ~0 -1 =?", "shop/new added +2 ~0 -0 =?", "shop/same same +0 ~0 -0 =1", "shop/users changed +1 ~2 -1 =1",
	}
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "tuesday"})
	if !slices.Equal(told, counts) {
		t.Errorf("%q", told)
	}
	if result.Tables != 4 || result.Same != 1 || result.Added != 3 || result.Changed != 2 || result.Removed != 2 || !result.Differs() || result.A.Name != "monday" || result.B.Name != "tuesday" {
		t.Errorf("%+v", result)
	}
	told, result = w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Details: true, Values: true, MaxValue: 3})
	rows := []string{
		"shop/gone 1 removed x: y -> nothing", "shop/new 1 added x: nothing -> y", "shop/new 2 added",
		"shop/users 2 changed age: 3 -> nothing name: Bob -> Bob of 5 email: nothing -> b",
		"shop/users 3 removed name: Car of 5 -> nothing", "shop/users 4 added name: nothing -> Dav of 4",
		"shop/users 5 changed v: <nil> of 2 -> <nil> of 2",
	}
	if !slices.Equal(told, append(counts, rows...)) || result.More {
		t.Errorf("%q", told)
	}
	told, result = w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Tables: []string{"users"}, Details: true, Limit: 2})
	if !slices.Equal(told, []string{counts[3], "shop/users 2 changed", "shop/users 3 removed"}) || !result.More {
		t.Errorf("%q %+v", told, result)
	}
	told, _ = w.compare(engine.DiffRequest{A: "monday", B: engine.Live})
	if !slices.Equal(told, counts) || len(w.scratches()) > 0 {
		t.Errorf("%q, left %v", told, w.scratches())
	}
}

// Whatever two states hold, a comparison tells exactly what takes the one to the other.
func TestDiff_TakesOneStateToTheOther(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	held := func() map[string]map[string]any {
		rows := map[string]map[string]any{}
		for range r.IntN(30) {
			fields := map[string]any{}
			for _, name := range []string{"a", "b", "c"} {
				if r.IntN(3) > 0 {
					fields[name] = []any{"", "x", "y", 1.5, true}[r.IntN(5)]
				}
			}
			rows[fmt.Sprintf("k%02d", r.IntN(40))] = fields
		}
		return rows
	}
	w, s := stocked(t, stock{})
	for round := range 40 {
		before, after := held(), held()
		w.stock(s, stock{"t": before})
		a, b := fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)
		w.backup(a)
		w.stock(s, stock{"t": after})
		w.backup(b)
		got := rowsCopied(t, before)
		result, err := w.engine().Diff(t.Context(), engine.DiffRequest{A: a, B: b, Details: true, Values: true}, func(i engine.DiffItem) error {
			if i.Row == nil {
				return nil
			}
			switch {
			case i.Row.Change == engine.ChangeRemoved:
				delete(got, i.Row.Key)
				return nil
			case i.Row.Change == engine.ChangeAdded:
				got[i.Row.Key] = map[string]any{}
			case len(i.Row.Fields) == 0:
				t.Errorf("seed %d: %s changed in nothing", seed, i.Row.Key)
			}
			for _, f := range i.Row.Fields {
				delete(got[i.Row.Key], f.Name)
				if f.After != nil {
					got[i.Row.Key][f.Name] = f.After.Value
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rowsCopied(t, after)) {
			t.Fatalf("seed %d: %v, want %v", seed, got, after)
		}
		if result.Differs() != !reflect.DeepEqual(rowsCopied(t, before), rowsCopied(t, after)) {
			t.Errorf("seed %d: differs %v", seed, result.Differs())
		}
		if want := int64(len(before)) + result.Added - result.Removed; want != int64(len(after)) {
			t.Errorf("seed %d: the counts lead to %d rows, want %d", seed, want, len(after))
		}
	}
}

func rowsCopied(t *testing.T, rows map[string]map[string]any) (out map[string]map[string]any) {
	t.Helper()
	data, err := json.Marshal(rows)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What has the same bytes in both backups is not read to be compared.
func TestDiff_TheSameBytesAreNotRead(t *testing.T) {
	w, s := stocked(t, someStock)
	w.backup("monday")
	w.backup("tuesday")
	s.reads.Store(0)
	_, result := w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Details: true})
	if n := s.reads.Load(); n != 0 || result.Differs() || result.Tables != 4 {
		t.Errorf("%d rows were read, %+v", n, result)
	}
}

// Of a source in which something changed, a table with files of its own is not read if
// those are the same.
func TestDiff_ATableWithFilesOfItsOwn(t *testing.T) {
	w, s := stocked(t, stock{"a": {"1": {}}, "t": {"1": {}, "2": {}}})
	s.beside = filepath.Join(w.dir, "shop", "of-t")
	s.shape = func(t *holdfast.Table) {
		if t.Name == "t" {
			t.Files = []string{"of-t"}
		}
	}
	write(t, s.beside, "one")
	w.backup("monday")
	w.stock(s, stock{"a": {"1": {"x": "y"}}, "t": {"1": {}, "2": {}}})
	w.backup("tuesday")
	s.reads.Store(0)
	told, _ := w.compare(engine.DiffRequest{A: "monday", B: "tuesday"})
	if !slices.Equal(told, []string{"shop/a changed +0 ~1 -0 =0", "shop/t same +0 ~0 -0 =2"}) || s.reads.Load() != 2 {
		t.Errorf("%q, %d rows were read", told, s.reads.Load())
	}
	write(t, s.beside, "two")
	w.backup("wednesday")
	s.reads.Store(0)
	if told, _ := w.compare(engine.DiffRequest{A: "monday", B: "wednesday"}); told[1] != "shop/t same +0 ~0 -0 =2" || s.reads.Load() != 6 {
		t.Errorf("%q, %d rows were read", told, s.reads.Load())
	}
}

func TestDiff_RoundedEmbeddingsAreTheSameAndToldAsSuch(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {"v": []float32{0.5, 0.25}}, "b": {"v": []float32{0.5, 0.25}}, "c": {"v": []float32{0.5, 0.25}}, "d": {"v": []float32{1}}}})
	w.backup("monday")
	w.stock(s, stock{"t": {"a": {"v": []float32{0.500001, 0.25}}, "b": {"v": []float32{0.5001, 0.25}}, "c": {"v": []float32{0.5, 0.25}}, "d": {"v": []float32{1, 0}}}})
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "live"})
	if !slices.Equal(told, []string{"shop/t changed +0 ~2 -0 =2"}) || result.Rounded != 1 {
		t.Errorf("%q %+v", told, result)
	}
}

func TestDiff_ChangesOfTheSchemaAreTold(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {}}})
	shape := holdfast.Table{Columns: []holdfast.Column{{Name: "id", Type: "INTEGER", Key: true}, {Name: "old", Type: "TEXT"}}, Dimension: 3, Space: "l2"}
	s.shape = func(t *holdfast.Table) { t.Columns, t.Dimension, t.Space = shape.Columns, shape.Dimension, shape.Space }
	w.backup("monday")
	w.stock(s, stock{"t": {"a": {}, "b": {}}})
	w.backup("tuesday")
	var got []engine.SchemaChange
	calls := 0
	s.shape = func(t *holdfast.Table) {
		if calls++; calls == 1 {
			t.Columns, t.Dimension, t.Space = shape.Columns, shape.Dimension, shape.Space
			return
		}
		t.Columns, t.Space = []holdfast.Column{{Name: "id", Type: "TEXT", Key: true}, {Name: "new"}}, "cosine"
	}
	if _, err := w.engine().Diff(t.Context(), engine.DiffRequest{A: "monday", B: "tuesday"}, func(i engine.DiffItem) error {
		got = i.Table.Schema
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []engine.SchemaChange{
		{What: "column id", Before: "INTEGER, key", After: "TEXT, key"},
		{What: "column old", Before: "TEXT"},
		{What: "column new", After: "any type"},
		{What: "dimension", Before: "3"},
		{What: "space", Before: "l2", After: "cosine"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// What a collection says of itself is no record, and counts all the same.
func TestDiff_TheMetadataOfACollectionAreCompared(t *testing.T) {
	w, s := stocked(t, stock{"d/t/c": {"a": {"x": "1"}}})
	w.backup("monday")
	long := strings.Repeat("ñ", 200)
	held := []holdfast.Values{
		{"owner": "anna", "two": int64(2), "same": 1.5, "gone": true, "list": []any{int64(1)}, "long": long + "a"},
		{"owner": "bob", "two": 2.0, "same": 1.5, "empty": "", "list": []any{int64(1)}, "long": long + "b"},
	}
	s.shape = func(t *holdfast.Table) { t.Metadata, held = held[0], held[1:] }
	var got engine.DiffTable
	result, err := w.engine().Diff(t.Context(), engine.DiffRequest{A: "monday", B: "live"}, func(i engine.DiffItem) error {
		got = *i.Table
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cut := `"` + strings.Repeat("ñ", 99) + "…"
	want := []engine.SchemaChange{
		{What: "metadata empty", After: `""`},
		{What: "metadata gone", Before: "true"},
		{What: "metadata long", Before: cut, After: cut},
		{What: "metadata owner", Before: `"anna"`, After: `"bob"`},
		{What: "metadata two", Before: "2", After: "2.0"},
	}
	if !slices.Equal(got.Schema, want) || got.Change != engine.ChangeChanged || !result.Differs() {
		t.Errorf("%+v", got)
	}
}

// A column that is new and empty is told once, and not for every row.
func TestDiff_ANewColumnWithoutValuesChangesNoRow(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {"x": "1", "gone": nil}, "b": {"x": "2"}}, "d/t/c": {"a": {"x": "1"}}})
	w.backup("monday")
	w.stock(s, stock{"t": {"a": {"x": "1", "new": nil}, "b": {"x": "2", "new": "3"}}, "d/t/c": {"a": {"x": "1", "new": nil}}})
	told, _ := w.compare(engine.DiffRequest{A: "monday", B: "live", Details: true, Values: true})
	if !slices.Equal(told, []string{
		"shop/d/t/c changed +0 ~1 -0 =0", "shop/t changed +0 ~1 -0 =1",
		"shop/d/t/c a changed new: nothing -> <nil>", "shop/t b changed new: nothing -> 3",
	}) {
		t.Errorf("%q", told)
	}
}

// Rows that come in two orders would look added and removed.
func TestDiff_TwoOrdersAreNotLaidSideBySide(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {"x": "1"}}})
	w.backup("monday")
	w.stock(s, stock{"t": {"a": {"x": "2"}}})
	w.backup("tuesday")
	calls := 0
	s.shape = func(t *holdfast.Table) {
		if calls++; calls == 1 {
			t.Order = "another"
		}
	}
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Details: true})
	if !slices.Equal(told, []string{"shop/t unknown +0 ~0 -0 =?"}) || result.Unread != 1 {
		t.Errorf("%q %+v", told, result)
	}
}

func TestDiff_WhatCannotBeReadIsToldAsUnknown(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "live"})
	if !slices.Equal(told, []string{"bot/ unknown +0 ~0 -0 =?", "chromadb/ unknown +0 ~0 -0 =?"}) || result.Unread != 2 || result.Differs() {
		t.Errorf("%q %+v", told, result)
	}
	// Unless its bytes say enough.
	w.backup("tuesday")
	told, result = w.compare(engine.DiffRequest{A: "monday", B: "tuesday"})
	if !slices.Equal(told, []string{"bot/ same +0 ~0 -0 =?", "chromadb/ same +0 ~0 -0 =?"}) || result.Unread != 0 {
		t.Errorf("%q %+v", told, result)
	}
}

func TestDiff_SourcesOfOneStateOnly(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {}}})
	w.backup("monday")
	other := &shop{name: "other", path: filepath.Join(w.dir, "other", "other.json"), reads: s.reads}
	w.opts.Sources = []holdfast.Source{other}
	w.stock(other, stock{"x": {"1": {}, "2": {}}})
	w.backup("tuesday")
	w.opts.Sources = []holdfast.Source{s, other}
	told, _ := w.compare(engine.DiffRequest{A: "monday", B: "tuesday"})
	if !slices.Equal(told, []string{"shop/t removed +0 ~0 -1 =?", "other/x added +2 ~0 -0 =?"}) {
		t.Errorf("%q", told)
	}
	// Now, what the backup knows nothing of is not captured, and that is said.
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "live"})
	if !slices.Equal(told, []string{"shop/t same +0 ~0 -0 =1"}) || len(result.Problems) != 1 || result.Problems[0].Source != "other" {
		t.Errorf("%q %+v", told, result.Problems)
	}
	for name, req := range map[string]engine.DiffRequest{
		"source": {A: "monday", B: "tuesday", Sources: []string{"shpo"}},
		"table":  {A: "monday", B: "tuesday", Tables: []string{"u"}},
		"backup": {A: "monday", B: "wednesday"},
	} {
		if _, err := w.engine().Diff(t.Context(), req, func(engine.DiffItem) error { return nil }); !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where more differs than may be kept until the counts are told, it is walked over again,
// and what is told is the same.
func TestDiff_ManyRowsAreToldToo(t *testing.T) {
	w, s := stocked(t, stock{"a": {"1": {}}, "t": {}})
	w.backup("monday")
	held := map[string]map[string]any{}
	for i := range 300 {
		held[fmt.Sprintf("%03d", i)] = map[string]any{"text": strings.Repeat("x", 40<<10)}
	}
	w.stock(s, stock{"a": {"1": {"x": "y"}}, "t": held})
	w.backup("tuesday")
	told, result := w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Details: true, Values: true})
	if len(told) != 303 || told[2] != "shop/a 1 changed x: nothing -> y" || !strings.HasPrefix(told[3], "shop/t 000 added") || result.More {
		t.Errorf("%d told, %+v", len(told), result)
	}
	told, result = w.compare(engine.DiffRequest{A: "monday", B: "tuesday", Details: true, Limit: 299})
	if len(told) != 302 || !result.More {
		t.Errorf("%d told, %+v", len(told), result)
	}
}

func TestDiff_EndsWhenNobodyListens(t *testing.T) {
	w, s := stocked(t, stock{"t": {"a": {}}})
	w.backup("monday")
	w.stock(s, stock{"t": {"b": {}}})
	enough := errors.New("enough")
	if _, err := w.engine().Diff(t.Context(), engine.DiffRequest{A: "monday", B: "live"}, func(engine.DiffItem) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.engine().Diff(ctx, engine.DiffRequest{A: "monday", B: "live", Details: true}, func(engine.DiffItem) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || len(w.scratches()) > 0 {
		t.Errorf("%v, left %v", err, w.scratches())
	}
}

// A tree is compared by what is in its files, by digests where there are any and by bytes
// where there are none, in whatever order the two are walked.
func TestDiff_ATreeByItsContent(t *testing.T) {
	w := newWorld(t)
	tree := &grove{dir: filepath.Join(w.dir, "tree")}
	w.opts.Sources = []holdfast.Source{tree}
	for name, data := range map[string]string{"a/x": "1", "a-b": "2", "a/y": "3", "same": "4", "long": "12345"} {
		write(t, filepath.Join(tree.dir, name), data)
	}
	w.backup("monday")
	for name, data := range map[string]string{"a/x": "9", "a/new": "3", "long": "1234", "same": "4"} {
		write(t, filepath.Join(tree.dir, name), data)
	}
	tree.without = "a-b"
	w.backup("tuesday")
	want := []string{"tree/files changed +1 ~2 -1 =3", "a-b", "a/new", "a/x", "long"}
	for _, other := range []string{"tuesday", "live"} {
		told, _ := w.compare(engine.DiffRequest{A: "monday", B: other, Details: true})
		for i, line := range told {
			if i > 0 {
				told[i] = strings.Fields(line)[1]
			}
		}
		slices.Sort(told[1:])
		if !slices.Equal(told, want) {
			t.Errorf("%s: %q", other, told)
		}
	}
	if told, _ := w.compare(engine.DiffRequest{A: "tuesday", B: "live"}); !slices.Equal(told, []string{"tree/files same +0 ~0 -0 =6"}) {
		t.Errorf("%q", told)
	}
}
