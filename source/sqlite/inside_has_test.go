package sqlite

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A table may have more columns than a function of SQLite has arguments; each row counts once.
func TestSearch_LooksAtEveryColumn(t *testing.T) {
	var columns, values []string
	for i := range 350 {
		columns = append(columns, fmt.Sprintf("c%d", i))
		values = append(values, fmt.Sprintf("'value %d of'", i))
	}
	const rows = 3 * searchBeat
	dir, s := makeDatabase(t, "CREATE TABLE wide("+strings.Join(columns, ",")+"); INSERT INTO wide VALUES("+strings.Join(values, ",")+"), ("+strings.Repeat("7.5,", 349)+"7.5);"+
		fmt.Sprintf("CREATE TABLE long(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO long SELECT 'row ' || i FROM n; INSERT INTO long VALUES(x'524f57');", rows))
	in := openInside(t, s, os.DirFS(dir))
	find := func(table, text string) (found []string, told []int64) {
		q := holdfast.SearchQuery{Text: text, Tables: []string{table}, Progress: func(_ string, done, _ int64) { told = append(told, done) }}
		for h, err := range in.Search(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, h.Key+" "+h.Field)
		}
		return found, told
	}
	for text, want := range map[string][]string{
		"VALUE 7 OF": {"1 c7"}, "value 149 of": {"1 c149"}, "value 349 of": {"1 c349"}, "7.5": {"2 c0"}, "value 350": nil,
	} {
		if got, told := find("wide", text); !slices.Equal(got, want) || !slices.Equal(told, []int64{2}) {
			t.Errorf("%s: %v, want %v; told %v", text, got, want, told)
		}
	}
	got, told := find("long", fmt.Sprint("row ", rows))
	if !slices.Equal(got, []string{fmt.Sprint(rows, " x")}) || !slices.Equal(told, []int64{searchBeat, 2 * searchBeat, rows, rows + 1}) {
		t.Errorf("%v, told %v", got, told)
	}
}
