package sqlite

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// hardNames are what tables and columns may be called.
var hardNames = []string{
	"past", "live", "staged", "main", "temp", "select", "rowid", "c0", "c1", "rid", "n", "a.b", "a/b", "it's", `say "x"`, "[b]", "`tick`", "new\nline", "ร้าน", "x; DROP TABLE y; --", "%s", "?1", ":a", " ",
}

// hardTables are shapes of tables with two columns besides the key; %s are names.
var hardTables = []string{
	"CREATE TABLE %s(%s INTEGER PRIMARY KEY, %s, %s TEXT)",
	"CREATE TABLE %s(%s INTEGER PRIMARY KEY AUTOINCREMENT, %s INT, %s REAL)",
	"CREATE TABLE %s(%s PRIMARY KEY, %s, %s)",
	"CREATE TABLE %s(%s TEXT COLLATE NOCASE PRIMARY KEY, %s, %s)",
	"CREATE TABLE %s(%s PRIMARY KEY, %s, %s BLOB) WITHOUT ROWID",
	"CREATE TABLE %[1]s(%[2]s, %[3]s, %[4]s, PRIMARY KEY(%[3]s DESC, %[2]s))",
	"CREATE TABLE %[1]s(%[2]s, %[3]s, %[4]s NUMERIC, PRIMARY KEY(%[4]s, %[2]s)) WITHOUT ROWID",
	"CREATE TABLE %s(%s, %s, %s)",
	"CREATE TABLE %[1]s(%[2]s, %[3]s, %[4]s AS (%[2]s || %[3]s))",
}

// hardValues are values as SQL that are easily taken for others.
var hardValues = []string{
	"NULL", "0", "1", "2", "2.0", "-0.0", "'2'", "'2.0'", "x'32'", "9007199254740993", "9007199254740992.0", "9223372036854775807", "-9223372036854775808", "1e999", "1e-320", "''", "x''", "'a'", "'A'", "'a '", "'a'||char(0)||'b'",
	"CAST(x'ff41' AS TEXT)", "'ข้อความ'", "'2024-01-02 03:04:05'", "zeroblob(70000)", "'NULL'", "'[1]'",
}

// A shape is a table that was made up.
type shape struct {
	name    string
	columns []string
	numbers bool // the first column takes nothing but integers
}

// madeUp makes a database up: several tables, each with some rows.
func madeUp(r *rand.Rand) (statements string, shapes []shape) {
	b := &strings.Builder{}
	b.WriteString("PRAGMA synchronous=OFF; BEGIN;")
	names := r.Perm(len(hardNames))
	for range 3 {
		s := shape{name: hardNames[names[0]]}
		args := []any{schema.Quote(s.name)}
		for _, n := range names[1:4] {
			s.columns = append(s.columns, hardNames[n])
			args = append(args, schema.Quote(hardNames[n]))
		}
		names = names[4:]
		definition := hardTables[r.IntN(len(hardTables))]
		if strings.Contains(definition, " AS (") {
			s.columns = s.columns[:2]
		}
		fmt.Fprintf(b, definition+";\n", args...)
		s.numbers = strings.Contains(definition, "INTEGER PRIMARY")
		shapes = append(shapes, s)
		b.WriteString(s.insert(r, 12))
	}
	return b.String() + "COMMIT;", shapes
}

// insert makes up rows. Those whose key is taken replace others, those that are refused are
// left out.
func (s shape) insert(r *rand.Rand, rows int) string {
	var b strings.Builder
	for range rows {
		columns, values := make([]string, len(s.columns)), make([]string, len(s.columns))
		for i, c := range s.columns {
			columns[i], values[i] = schema.Quote(c), hardValues[r.IntN(len(hardValues))]
		}
		if s.numbers {
			values[0] = fmt.Sprint(r.IntN(20) - 5)
		}
		fmt.Fprintf(&b, "INSERT OR IGNORE INTO %s(%s) VALUES(%s);\n", schema.Quote(s.name), strings.Join(columns, ", "), strings.Join(values, ", "))
	}
	return b.String()
}

// spoilt makes up what an application did to the rows since.
func (s shape) spoilt(r *rand.Rand) string {
	return fmt.Sprintf("DELETE FROM %[1]s WHERE length(quote(%[2]s)) %% 3 = %[4]d; UPDATE OR IGNORE %[1]s SET %[2]s = %[3]s WHERE length(quote(%[2]s)) %% 2 = 0;\n",
		schema.Quote(s.name), schema.Quote(s.columns[1]), hardValues[r.IntN(len(hardValues))], r.IntN(3)) + s.insert(r, 5)
}

// rowsBySort gives all rows by what SQLite takes for one key: 2 and 2.0 are.
func rowsBySort(t *testing.T, in holdfast.Inside, table string) map[string]holdfast.Row {
	t.Helper()
	all := map[string]holdfast.Row{}
	for r, err := range in.Rows(t.Context(), table, holdfast.RowsOptions{ByKey: true}) {
		if err != nil {
			t.Fatal(err)
		}
		r.Cursor = ""
		all[r.Sort] = r
	}
	return all
}

// Whatever tables are called and hold, and whatever was done to them: a restore of rows or
// of all of a table makes these as they were and touches no others, and what was backed up
// before brings everything back.
func TestRestoreParts_WhateverIsRestoredIsAsInTheCopy(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			statements, shapes := madeUp(r)
			later := "PRAGMA synchronous=OFF; BEGIN;"
			for _, s := range shapes {
				later += s.spoilt(r)
			}
			if later += "COMMIT;"; r.IntN(3) == 0 {
				later += "VACUUM;"
			}
			f := newParts(t, statements, later)
			f.lossy = true
			copied, spoilt := openInside(t, f.src, f.copy), f.backup()
			before := openInside(t, f.src, spoilt)
			var parts []holdfast.Part
			wanted := map[string]map[string]holdfast.Row{}
			for i, s := range shapes {
				was, is := rowsBySort(t, copied, s.name), rowsBySort(t, before, s.name)
				part := holdfast.Part{Table: s.name, Exact: true}
				switch i {
				case 0:
					is = was
				case 1:
					for _, sort := range slices.Sorted(maps.Keys(was)) {
						_, there := is[sort]
						if reflect.DeepEqual(was[sort], is[sort]) || r.IntN(3) == 0 || !there && strings.Contains(was[sort].Key, "rowid") {
							continue // what a row id names does not go where another row has that
						}
						part.Keys = append(part.Keys, was[sort].Key, was[sort].Key)
						is[sort] = was[sort]
					}
					for _, sort := range slices.Sorted(maps.Keys(is)) {
						if _, had := was[sort]; !had && r.IntN(2) == 0 {
							part.Keys = append(part.Keys, is[sort].Key)
							delete(is, sort)
						}
					}
				}
				if wanted[s.name] = is; i == 0 || len(part.Keys) > 0 {
					parts = append(parts, part)
				}
			}
			result := f.must(parts...)
			same := func(what string, copy fs.FS, want map[string]map[string]holdfast.Row) {
				t.Helper()
				in := openInside(t, f.src, copy)
				for _, s := range shapes {
					if got := rowsBySort(t, in, s.name); !reflect.DeepEqual(got, want[s.name]) {
						t.Errorf("%s: %q is\n%v, want\n%v", what, s.name, got, want[s.name])
					}
				}
			}
			same("restored", f.backup(), wanted)
			if len(result.Kept) > 0 {
				t.Errorf("kept %q, all of which is backed up", result.Kept)
			}
			f.copy = spoilt
			f.must(parts...)
			undone := map[string]map[string]holdfast.Row{}
			for _, s := range shapes {
				undone[s.name] = rowsBySort(t, before, s.name)
			}
			same("undone", f.backup(), undone)
			if got := sourcetest.SQLite(t, f.path, "PRAGMA integrity_check"); strings.TrimSpace(got) != "ok" {
				t.Error(got)
			}
		})
	}
}
