package holdfast

import (
	"context"
	"io/fs"
	"iter"
)

// A Looker is a source whose copies can be looked into, table by table and row by row,
// where they lie: in a backup, in a bucket, encrypted.
type Looker interface {
	Source
	// Look opens a copy of the source, rooted where Capture's sink was. It reads only
	// what it is asked for, through io.ReaderAt where the files have it, and writes
	// nothing into the copy.
	Look(ctx context.Context, copy fs.FS) (Inside, error)
}

// An Inside is an open copy of a source. Its methods may be used by several goroutines.
type Inside interface {
	// Tables lists what the copy is made of, in the order of their names.
	Tables(ctx context.Context) ([]Table, error)
	// Rows streams rows of a table. The first error ends the stream; a table that
	// does not exist gives one that matches ErrNotFound.
	Rows(ctx context.Context, table string, o RowsOptions) iter.Seq2[Row, error]
	// Row gives one row whole, by its key; ErrNotFound if there is none.
	Row(ctx context.Context, table, key string) (Row, error)
	// Search streams the rows that have a text in them, as they are found.
	Search(ctx context.Context, q SearchQuery) iter.Seq2[Hit, error]
	Close() error
}

// A TableKind is what a source calls its tables.
type TableKind string

// The kinds of tables.
const (
	KindTable      TableKind = "table"      // of a SQLite database
	KindCollection TableKind = "collection" // of a Chroma database
	KindTree       TableKind = "tree"       // of files: a row is an entry
)

// A Table is a table of a database, a collection of records, a tree of files.
type Table struct {
	// Name names it within the source: "users"; a collection is
	// "tenant/database/name", each part as an element of a path.
	Name string    `json:"name"`
	Kind TableKind `json:"kind"`
	// Title is what people call it, if that is shorter ("notes").
	Title string `json:"title,omitempty"`
	// Rows is the number of rows; nil if it would have to be counted.
	Rows    *int64   `json:"rows,omitempty"`
	Columns []Column `json:"columns,omitempty"`
	// Dimension and Space are those of a collection.
	Dimension int    `json:"dimension,omitempty"`
	Space     string `json:"space,omitempty"`
	// Closed says why its rows cannot be read here; empty: they can.
	Closed string `json:"closed,omitempty"`
	// Order says what Row.Sort is made of: only tables of one order can be compared row
	// by row. Empty is the order of the keys.
	Order string `json:"-"`
	// Files are those of the copy, from its root, that hold all of the table and nothing
	// else: while they are the same, so is the table. None: it shares files with others.
	Files []string `json:"-"`
	// Metadata are those of a collection itself, which comparing needs.
	Metadata Values `json:"-"`
}

// A Column is a column as its database declares it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	// Key tells that it is part of what names a row.
	Key bool `json:"key,omitempty"`
}

// RowsOptions say which rows are wanted, and how much of each.
type RowsOptions struct {
	// After is the Cursor of the row after which the stream begins; empty is the
	// beginning.
	After string
	// ByKey asks for rows in the order of Row.Sort, in which two copies can be
	// compared. Otherwise they come as they are quickest to be had, which is the same
	// in every copy of one state.
	ByKey bool
	// Vectors asks for embeddings too.
	Vectors bool
	// MaxValue cuts texts and bytes after so many bytes; zero does not.
	MaxValue int
}

// A Row is a row of a table, a record of a collection, an entry of a tree.
type Row struct {
	// Key names the row within its table, for people and in requests; the same row
	// has the same key in every backup.
	Key string `json:"key"`
	// Sort is the place of the row among all by their keys, bytewise. Only with ByKey.
	Sort string `json:"-"`
	// Cursor is where a listing goes on after this row.
	Cursor string `json:"-"`
	// Fields are what it holds, in the order of the columns: of a record document,
	// uri, the metadata in the order of their names as "metadata.NAME", embedding. A
	// field that is absent is not there; that of a null is.
	Fields []Field `json:"fields"`
}

// A Field is one value of a row.
type Field struct {
	Name string `json:"name"`
	// Value is nil, a string, int64, float64, bool, []byte, []float32 (an embedding) or
	// []any of the first ones.
	Value any `json:"value"`
	// Length is how many bytes a text or bytes have that were cut, and how many
	// numbers an embedding that was left out; zero: Value is whole.
	Length int64 `json:"length,omitempty"`
}

// The fields of a record of a collection.
const (
	FieldDocument  = "document"
	FieldURI       = "uri"
	FieldEmbedding = "embedding"
	FieldMetadata  = "metadata." // and the name of the key
)

// A SearchQuery says what is searched for.
type SearchQuery struct {
	// Text is what a row must contain, whatever its case.
	Text string
	// Tables bounds the search; none is all.
	Tables []string
	// Progress is told how much has been looked through, in rows; nil is allowed.
	Progress func(table string, done, total int64)
	// Skipped is told which tables are not searched, since they cannot be read, unless they
	// are named; nil is allowed.
	Skipped func(table, why string)
}

// A Hit is a row that has the text that was searched for.
type Hit struct {
	Table string `json:"table"`
	Key   string `json:"key"`
	// Field has it, first of all; Snippet is the text around it, in which it stands
	// from byte At on for Length bytes.
	Field   string `json:"field"`
	Snippet string `json:"snippet"`
	At      int    `json:"at"`
	Length  int    `json:"length"`
}
