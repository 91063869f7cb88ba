package engine

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/nearest"
)

// A PageRequest asks for some rows of a table.
type PageRequest struct {
	Source, Table string
	// After is the Next of the page before; empty is the first page.
	After string
	// Limit is how many rows there are at most; zero is 50.
	Limit int
	// Vectors asks for embeddings too.
	Vectors bool
	// MaxValue cuts texts and bytes after so many bytes; zero does not.
	MaxValue int
}

// A Page is a part of a table.
type Page struct {
	Table holdfast.Table
	Rows  []holdfast.Row
	// Next is where the next page begins; empty at the end.
	Next string
}

const (
	defaultPage = 50
	// pageBytes ends a page early whose rows are large.
	pageBytes = 8 << 20
)

// Page reads some rows of a table. A page ends early where its rows are large, but has
// one row at least.
func (l *Look) Page(ctx context.Context, req PageRequest) (*Page, error) {
	table, in, err := l.Table(ctx, req.Source, req.Table)
	if err != nil {
		return nil, err
	}
	page := &Page{Table: table}
	if table.Closed != "" {
		return nil, l.fail(where(req.Source, table.Name), holdfast.Kindf(holdfast.ErrRefused, "its rows cannot be read: %s", table.Closed), "")
	}
	limit := req.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	var bytes int64
	for row, err := range in.Rows(ctx, table.Name, holdfast.RowsOptions{After: req.After, Vectors: req.Vectors, MaxValue: req.MaxValue}) {
		if err != nil {
			return nil, l.fail(where(req.Source, table.Name), err, "")
		}
		if len(page.Rows) == limit || bytes > pageBytes {
			page.Next = page.Rows[len(page.Rows)-1].Cursor
			break
		}
		page.Rows = append(page.Rows, row)
		bytes += weight(row)
	}
	return page, nil
}

// where names a table of a source.
func where(source, table string) string { return source + "/" + table }

// weight is about how much memory a row takes.
func weight(row holdfast.Row) int64 {
	sum := int64(len(row.Key))
	for _, f := range row.Fields {
		sum += int64(len(f.Name)) + valueWeight(f.Value)
	}
	return sum
}

func valueWeight(v any) int64 {
	switch v := v.(type) {
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case []float32:
		return 4 * int64(len(v))
	case []any:
		var sum int64
		for _, one := range v {
			sum += valueWeight(one)
		}
		return sum
	}
	return 8
}

// Row reads one row whole, by its key.
func (l *Look) Row(ctx context.Context, source, table, key string) (holdfast.Table, holdfast.Row, error) {
	t, in, err := l.Table(ctx, source, table)
	if err != nil {
		return t, holdfast.Row{}, err
	}
	row, err := in.Row(ctx, t.Name, key)
	if errors.Is(err, holdfast.ErrNotFound) {
		return t, row, l.fail(where(source, t.Name), holdfast.Kindf(holdfast.ErrNotFound, "it has no row %q", key), likely(ctx, in, t.Name, key))
	}
	if err != nil {
		return t, row, l.fail(where(source, t.Name), err, "")
	}
	return t, row, nil
}

// someKeys is among how many keys one is looked for that may have been meant.
const someKeys = 2000

// likely hints at the key that was meant, if it is among the first.
func likely(ctx context.Context, in holdfast.Inside, table, key string) string {
	var keys []string
	for row, err := range in.Rows(ctx, table, holdfast.RowsOptions{MaxValue: 1}) {
		if err != nil || len(keys) == someKeys {
			break
		}
		keys = append(keys, row.Key)
	}
	if near := nearest.To(key, keys); near != "" {
		return "did you mean " + near + "?"
	}
	return "list the rows of the table to see their keys, or search for a text"
}
