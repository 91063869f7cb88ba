// Package schema tells what the tables of a SQLite database are made of and what names
// their rows, for those that read rows in order and those that write them.
//
// Start from [Read]. A [Table] names its rows by [Table.Key] and can be read in two
// orders, [Table.Natural] and [Table.ByKey]; [Order.After] makes the ranges of either,
// each of which an index gives without sorting.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
)

// A Querier is a connection or a database.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// A Table is a table of a database.
type Table struct {
	Name string
	SQL  string // as it was created
	// Module is that of a virtual table.
	Module       string
	WithoutRowid bool
	Strict       bool
	// Wide tells that the database keeps its texts in UTF-16.
	Wide    bool
	Columns []Column
	// Key are the columns that name a row; the row id stands for itself.
	Key []Term
	// RowID is how the row id is called, quoted; empty where there is none.
	RowID string
	// Closed says why the rows cannot be read.
	Closed string

	keyIndex string // the index of the key, beside the rows
}

// A Column is a column of a table.
type Column struct {
	Name string
	Type string
	// NotNull and Default are as declared.
	NotNull bool
	Default sql.NullString
	// Key tells that it is part of the primary key.
	Key bool
	// Generated columns are computed from others.
	Generated bool
}

// A Term is a part of an order.
type Term struct {
	Expr      string // quoted
	Column    string // empty: the row id
	Collation rowkey.Collation
	Desc      bool
}

// Quote writes a name as SQL.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// fts5 is the module of virtual tables whose rows are shown through their content.
const fts5 = "fts5"

// Read reads the tables of the main database in the order of their names: what an
// application created, without views, without SQLite's own tables and without the
// shadow tables in which virtual ones keep their data.
func Read(ctx context.Context, q Querier) ([]*Table, error) {
	names, err := query(ctx, q, `SELECT l.name, l.type, l.wr, l.strict, coalesce(s.sql, '')
		FROM pragma_table_list AS l JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
		WHERE l.schema = 'main' AND l.type IN ('table', 'virtual') AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\'
		ORDER BY l.name COLLATE BINARY`, func(rows *sql.Rows) (*Table, error) {
		t, kind := new(Table), ""
		err := rows.Scan(&t.Name, &kind, &t.WithoutRowid, &t.Strict, &t.SQL)
		if kind == "virtual" {
			t.Module = moduleOf(t.SQL)
		}
		return t, err
	})
	if err != nil {
		return nil, err
	}
	encoding, err := encodingOf(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, t := range names {
		t.Wide = encoding != rowkey.Binary
		if err := t.complete(ctx, q, encoding); err != nil {
			return nil, err
		}
	}
	lost, err := unreadable(ctx, q)
	return merge(names, lost), err
}

// Find reads one table; nil if there is none of that name, whatever its case.
func Find(ctx context.Context, q Querier, name string) (*Table, error) {
	all, err := Read(ctx, q)
	if err != nil {
		return nil, err
	}
	return Named(all, name), nil
}

// Named picks a table by its name, whose case does not count to SQLite; nil if there is
// none.
func Named(all []*Table, name string) *Table {
	for _, t := range all {
		if t.Name == name {
			return t
		}
	}
	for _, t := range all {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}

// unreadable are the tables whose definitions SQLite does not understand. They show
// only on a connection that opens a database in spite of them.
func unreadable(ctx context.Context, q Querier) ([]*Table, error) {
	return query(ctx, q, `SELECT name, coalesce(sql, '') FROM main.sqlite_schema
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main') ORDER BY name COLLATE BINARY`,
		func(rows *sql.Rows) (*Table, error) {
			t := &Table{Closed: "its definition cannot be read"}
			return t, rows.Scan(&t.Name, &t.SQL)
		})
}

// merge puts two lists in the order of names into one.
func merge(a, b []*Table) []*Table {
	var all []*Table
	for len(a) > 0 && len(b) > 0 {
		if a[0].Name < b[0].Name {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// encodingOf gives the collation by which BINARY compares in this database.
func encodingOf(ctx context.Context, q Querier) (rowkey.Collation, error) {
	names, err := query(ctx, q, "PRAGMA encoding", func(rows *sql.Rows) (string, error) {
		var name string
		return name, rows.Scan(&name)
	})
	if err != nil || len(names) == 0 {
		return rowkey.Binary, err
	}
	switch strings.ToLower(names[0]) {
	case "utf-16le":
		return rowkey.BinaryLE, nil
	case "utf-16be":
		return rowkey.BinaryBE, nil
	}
	return rowkey.Binary, nil
}

// query reads all rows of a question about the schema, which SQLite holds in memory as
// well.
func query[T any](ctx context.Context, q Querier, text string, scan func(*sql.Rows) (T, error), args ...any) (_ []T, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// moduleOf reads the module from the definition of a virtual table, which is CREATE
// VIRTUAL TABLE name USING module(…).
func moduleOf(definition string) string {
	_, rest, _ := cutName(strings.TrimPrefix(definition, "CREATE VIRTUAL TABLE "))
	fields := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '(' || r == '\n' || r == '\t' || r == '\r' })
	if len(fields) < 2 {
		return "unknown"
	}
	return strings.ToLower(strings.Trim(fields[1], `"'[]`+"`"))
}
