package inside

import (
	"context"
	"iter"
	"strconv"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/needle"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// searchBeat is after how many records a search tells how far it is.
const searchBeat = 1000

// Search implements holdfast.Inside. It looks at ids, documents, URIs and the texts and
// numbers of the metadata.
func (in *inside) Search(ctx context.Context, q holdfast.SearchQuery) iter.Seq2[holdfast.Hit, error] {
	return func(yield func(holdfast.Hit, error) bool) {
		if q.Text == "" {
			yield(holdfast.Hit{}, &holdfast.Error{Op: "search", Err: holdfast.Kindf(holdfast.ErrUsage, "there is nothing to search for")})
			return
		}
		tables := q.Tables
		if len(tables) == 0 {
			for _, t := range in.tables {
				tables = append(tables, t.Name)
			}
		}
		n := needle.New(q.Text)
		for _, table := range tables {
			c, err := in.collection(table)
			if err != nil {
				yield(holdfast.Hit{}, err)
				return
			}
			if !in.searchOne(ctx, c, table, n, q, yield) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(holdfast.Hit{}, context.Cause(ctx))
		}
	}
}

// searchOne looks through one collection; false: that was all.
func (in *inside) searchOne(ctx context.Context, c disk.Collection, table string, n *needle.Needle, q holdfast.SearchQuery, yield func(holdfast.Hit, error) bool) bool {
	done := int64(0)
	tell := func() {
		if q.Progress != nil {
			q.Progress(table, done, max(done, c.Records))
		}
	}
	for r, err := range in.content.Records(ctx, c, disk.Everything&^disk.Embeddings) {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			yield(holdfast.Hit{}, err)
			return false
		}
		if done++; done%searchBeat == 0 {
			tell()
		}
		if field, s, ok := find(n, r); ok {
			hit := holdfast.Hit{Table: table, Key: r.ID, Field: field, Snippet: s.Text, At: s.At, Length: s.Length}
			if !yield(hit, nil) {
				return false
			}
		}
	}
	tell()
	return true
}

// find looks for the first field of a record that has the text.
func find(n *needle.Needle, r disk.Record) (field string, s needle.Snippet, ok bool) {
	look := func(name, text string) bool {
		if s, ok = n.In(text); ok {
			field = name
		}
		return ok
	}
	if r.Document != nil && look(holdfast.FieldDocument, *r.Document) || look("id", r.ID) || r.URI != nil && look(holdfast.FieldURI, *r.URI) {
		return field, s, ok
	}
	for _, key := range sortedKeys(r.Metadata) {
		if lookValue(look, holdfast.FieldMetadata+key, r.Metadata[key]) {
			break
		}
	}
	return field, s, ok
}

// lookValue looks at a value, or at each of a list.
func lookValue(look func(name, text string) bool, name string, value any) bool {
	switch value := value.(type) {
	case string:
		return look(name, value)
	case int64:
		return look(name, strconv.FormatInt(value, 10))
	case float64:
		return look(name, strconv.FormatFloat(value, 'g', -1, 64))
	case []any:
		for _, one := range value {
			if lookValue(look, name, one) {
				return true
			}
		}
	}
	return false
}
