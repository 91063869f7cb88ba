package disk

import (
	"context"
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// querier is what reads need of a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// layout is what the tables of a directory look like. Chroma's migrations have
// added tables and columns over the years; looking is surer than deriving them
// from version numbers.
type layout struct {
	columns map[string]map[string]bool // table → column
}

// readLayout looks at the tables that this package reads.
func readLayout(ctx context.Context, q querier) (layout, error) {
	l := layout{columns: map[string]map[string]bool{}}
	rows, err := q.QueryContext(ctx, `SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'`)
	if err != nil {
		return l, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return l, err
		}
		if l.columns[table] == nil {
			l.columns[table] = map[string]bool{}
		}
		l.columns[table][column] = true
	}
	return l, rows.Err()
}

func (l layout) table(name string) bool          { return l.columns[name] != nil }
func (l layout) column(table, name string) bool  { return l.columns[table][name] }
func (l layout) arrays() bool                    { return l.table("embedding_metadata_array") }
func (l layout) tenants() bool                   { return l.table("databases") && l.column("collections", "database_id") }
func (l layout) orNull(table, col string) string { return l.orElse(table, col, "NULL") }

// orElse is a column, or an expression where the column does not exist.
func (l layout) orElse(table, column, expr string) string {
	if l.column(table, column) {
		return column
	}
	return expr
}

// fulltext is the table of the documents' full-text index, which was replaced
// in 0.4.6; empty if there is none.
func (l layout) fulltext() string {
	for _, name := range []string{"embedding_fulltext_search", "embedding_fulltext"} {
		if l.table(name) {
			return name
		}
	}
	return ""
}

// chroma tells whether the tables are Chroma's.
func (l layout) chroma() bool {
	for _, name := range []string{"migrations", "collections", "segments", "embeddings", "embedding_metadata", "embeddings_queue", "max_seq_id"} {
		if !l.table(name) {
			return false
		}
	}
	return true
}

// releases are the schemas that releases of Chroma's Python package write, in
// their order.
var releases = []holdfast.ChromaSchema{
	{EmbeddingsQueue: 1, MetaDB: 1, SysDB: 3, Release: "0.4.0"},
	{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 4, Release: "0.4.15"},
	{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 5, Release: "0.5.0"},
	{EmbeddingsQueue: 1, MetaDB: 3, SysDB: 7, Release: "0.5.4"},
	{EmbeddingsQueue: 2, MetaDB: 4, SysDB: 9, Release: "0.5.6-0.6.3"},
	{EmbeddingsQueue: 2, MetaDB: 5, SysDB: 9, Release: "1.0-1.2"},
	{EmbeddingsQueue: 2, MetaDB: 5, SysDB: 10, Release: "1.3-1.4"},
	{EmbeddingsQueue: 2, MetaDB: 6, SysDB: 10, Release: "1.5 or later"},
}

// readSchema reads the highest migration of each of the three schemas.
func readSchema(ctx context.Context, q querier) (holdfast.ChromaSchema, error) {
	var s holdfast.ChromaSchema
	rows, err := q.QueryContext(ctx, `SELECT dir, max(version) FROM migrations GROUP BY dir`)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var dir string
		var version int
		if err := rows.Scan(&dir, &version); err != nil {
			return s, err
		}
		switch dir {
		case "embeddings_queue":
			s.EmbeddingsQueue = version
		case "metadb":
			s.MetaDB = version
		case "sysdb":
			s.SysDB = version
		}
	}
	s.Release = releaseOf(s)
	return s, rows.Err()
}

// releaseOf names the releases that write a schema.
func releaseOf(s holdfast.ChromaSchema) string {
	before := ""
	for _, r := range releases {
		name := r.Release
		r.Release = s.Release
		switch {
		case r == s:
			return name
		case !r.Newer(s):
			before = name
		case before == "":
			return "before " + name
		default:
			return "between " + before + " and " + name
		}
	}
	return "newer than this build of holdfast knows (" + before + ")"
}

// asDamage makes SQLite's "malformed" and "not a database" match
// holdfast.ErrDamaged; other errors stay as they are.
func asDamage(err error) error {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return holdfast.Kindf(holdfast.ErrDamaged, "SQLite cannot read %s: %w", DatabaseFile, err)
		}
	}
	return err
}
