package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// A Companion is an index or a trigger of a table.
type Companion struct {
	Name string
	SQL  string
}

// Companions reads the definitions of one kind ("index", "trigger") that belong to a
// table, without those that SQLite makes by itself.
func Companions(ctx context.Context, q Querier, kind, table string) ([]Companion, error) {
	return query(ctx, q, `SELECT name, sql FROM main.sqlite_schema
		WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid`,
		func(rows *sql.Rows) (Companion, error) {
			var c Companion
			return c, rows.Scan(&c.Name, &c.SQL)
		}, kind, table)
}

// The beginnings of definitions, as SQLite keeps them.
var (
	tableBeginnings = []string{"CREATE TABLE ", "CREATE VIRTUAL TABLE "}
	indexBeginnings = []string{"CREATE INDEX ", "CREATE UNIQUE INDEX "}
)

// DefineAs is the definition of the table under another name.
func (t *Table) DefineAs(name string) (string, error) {
	begin, rest, err := afterName(t.SQL, tableBeginnings)
	return begin + Quote(name) + rest, err
}

// IndexAs is the definition of an index for a table of another name, and the name that
// it gets there.
func IndexAs(c Companion, table string) (definition string, err error) {
	begin, rest, err := afterName(c.SQL, indexBeginnings)
	if err != nil {
		return "", err
	}
	on, rest, err := afterName(strings.TrimLeft(rest, " \t\r\n"), []string{"ON ", "on ", "On "})
	return begin + Quote(table+"_"+c.Name) + " " + on + Quote(table) + rest, err
}

// afterName takes a definition apart at the name that follows its beginning.
func afterName(definition string, beginnings []string) (begin, rest string, err error) {
	for _, begin := range beginnings {
		if after, ok := strings.CutPrefix(definition, begin); ok {
			if _, rest, ok := cutName(strings.TrimLeft(after, " \t\r\n")); ok {
				return begin, rest, nil
			}
		}
	}
	return "", "", fmt.Errorf("the definition %.60q cannot be given another name", definition)
}

// Differences tells what keeps rows of one table from being rows of another, in words;
// none if they fit.
func (t *Table) Differences(live *Table) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, c := range t.Columns {
		other := live.Column(c.Name)
		switch {
		case other == nil:
			add("column %q is only in the backup", c.Name)
		case !strings.EqualFold(c.Type, other.Type):
			add("column %q is of type %s in the backup and %s now", c.Name, orNone(c.Type), orNone(other.Type))
		case c.Generated != other.Generated:
			add("column %q is computed in one of them only", c.Name)
		}
	}
	for _, c := range live.Columns {
		if t.Column(c.Name) == nil {
			add("column %q is only in the present table", c.Name)
		}
	}
	if !slices.EqualFunc(t.Key, live.Key, func(a, b Term) bool {
		return strings.EqualFold(a.Column, b.Column) && (a.Collation == b.Collation || t.Wide != live.Wide)
	}) {
		add("the primary key is another")
	}
	if t.WithoutRowid != live.WithoutRowid || t.Module != live.Module {
		add("the kind of table is another")
	}
	return all
}

func orNone(declared string) string {
	if declared == "" {
		return "none"
	}
	return declared
}

// Stored are the columns that are written: all but the generated ones.
func (t *Table) Stored() []Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return c.Generated })
}

// HasRowID tells that a row id is kept beside the columns.
func (t *Table) HasRowID() bool { return t.RowID != "" && !strings.HasPrefix(t.RowID, `"`) }

// Staged names the column of a table without types in which the values of one of the
// stored columns are kept: c0, c1 and so on.
func (t *Table) Staged(column string) string {
	i := slices.IndexFunc(t.Stored(), func(c Column) bool { return strings.EqualFold(c.Name, column) })
	return fmt.Sprintf("c%d", i)
}
