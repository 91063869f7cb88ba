// Package inside looks into a copy of a Chroma source: its collections are tables, their
// records rows, whatever the form of the copy.
//
// Start from [Open]. rows.go lists records in the order of the API or of their ids, of
// which the latter is what comparing needs; sorted.go gives the second for the form that
// has no index of ids; search.go finds texts.
package inside

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// An inside is an open copy.
type inside struct {
	content content.Content
	tables  []holdfast.Table
	named   map[string]disk.Collection
}

// Open opens the copy whose root is fsys.
func Open(ctx context.Context, fsys fs.FS) (holdfast.Inside, error) {
	c, err := open(ctx, fsys)
	if err != nil {
		return nil, err
	}
	in := &inside{content: c, named: map[string]disk.Collection{}}
	for _, one := range c.Collections() {
		t := holdfast.Table{
			Name: Name(one.Tenant, one.Database, one.Name), Kind: holdfast.KindCollection, Title: one.Name,
			Dimension: one.Dimension, Space: one.Space, Metadata: one.Metadata,
		}
		if tree, readable := c.(*records.Tree); readable {
			rows := one.Records
			t.Rows = &rows
			file := tree.File(one)
			t.Files = []string{strings.TrimSuffix(file, records.RecordsExt) + records.DescriptionExt, file}
		}
		in.tables = append(in.tables, t)
		in.named[t.Name] = one
	}
	slices.SortFunc(in.tables, func(a, b holdfast.Table) int { return cmp.Compare(a.Name, b.Name) })
	return in, nil
}

// open opens a copy. The records of a directory are not counted, which would read an index
// of ids that may lie all over the file.
func open(ctx context.Context, fsys fs.FS) (content.Content, error) {
	if records.Is(fsys) {
		return content.Open(ctx, fsys)
	}
	d, err := disk.OpenUncounted(ctx, fsys)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Name is how a collection is called among tables: each part as an element of a path.
func Name(tenant, database, collection string) string {
	return url.PathEscape(tenant) + "/" + url.PathEscape(database) + "/" + url.PathEscape(collection)
}

// Tables implements holdfast.Inside.
func (in *inside) Tables(ctx context.Context) ([]holdfast.Table, error) {
	return slices.Clone(in.tables), ctx.Err()
}

// Close implements holdfast.Inside.
func (in *inside) Close() error { return in.content.Close() }

// collection finds a collection by the name of its table, or by its own name where there
// is one of that name.
func (in *inside) collection(table string) (disk.Collection, error) {
	if c, ok := in.named[table]; ok {
		return c, nil
	}
	return in.content.Collection(table)
}

// Row implements holdfast.Inside.
func (in *inside) Row(ctx context.Context, table, key string) (holdfast.Row, error) {
	c, err := in.collection(table)
	if err != nil {
		return holdfast.Row{}, err
	}
	found, err := in.content.Lookup(ctx, c, []string{key})
	if err != nil {
		return holdfast.Row{}, err
	}
	if len(found) == 0 {
		return holdfast.Row{}, &holdfast.Error{Op: "look up record", Object: fmt.Sprintf("%q", key), Err: holdfast.Kindf(holdfast.ErrNotFound, "collection %s has none of this id", c.Name)}
	}
	return rowOf(found[0], holdfast.RowsOptions{Vectors: true}, c.Dimension), nil
}

// rowOf makes a row of a record.
func rowOf(r disk.Record, o holdfast.RowsOptions, dimension int) holdfast.Row {
	row := holdfast.Row{Key: r.ID, Sort: r.ID}
	if !o.ByKey {
		row.Sort = ""
	}
	text := func(name string, value *string) {
		if value != nil {
			row.Fields = append(row.Fields, cut(name, *value, o.MaxValue))
		}
	}
	text(holdfast.FieldDocument, r.Document)
	text(holdfast.FieldURI, r.URI)
	for _, key := range sortedKeys(r.Metadata) {
		name := holdfast.FieldMetadata + key
		if value, ok := r.Metadata[key].(string); ok {
			row.Fields = append(row.Fields, cut(name, value, o.MaxValue))
			continue
		}
		row.Fields = append(row.Fields, holdfast.Field{Name: name, Value: r.Metadata[key]})
	}
	embedding := holdfast.Field{Name: holdfast.FieldEmbedding}
	switch {
	case !o.Vectors:
		embedding.Length = int64(dimension)
	case r.Embedding != nil:
		embedding.Value = r.Embedding
	}
	row.Fields = append(row.Fields, embedding)
	return row
}

func sortedKeys(v holdfast.Values) []string {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// cut makes a field of a text, which ends after most bytes, not within a character.
func cut(name, value string, most int) holdfast.Field {
	if most <= 0 || len(value) <= most {
		return holdfast.Field{Name: name, Value: value}
	}
	return holdfast.Field{Name: name, Value: strings.ToValidUTF8(value[:most], ""), Length: int64(len(value))}
}

// parts are what is to be read of records for a listing.
func parts(o holdfast.RowsOptions) disk.Part {
	if o.Vectors {
		return disk.Everything
	}
	return disk.Everything &^ disk.Embeddings
}

var (
	_ paged = (*disk.Dir)(nil)
	_ lined = (*records.Tree)(nil)
)
