package transfer

import (
	"context"
	"iter"

	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A record is one as requests carry it.
type record = disk.Record

// A batch of records is at most so many, and about so many bytes.
const (
	batchRecords = 256
	batchBytes   = 2 << 20
	batchKeys    = 1000 // that are looked up in a copy at once
)

// copied streams the records of an item as the copy has them.
func copied(ctx context.Context, c content.Content, it *item) iter.Seq2[disk.Record, error] {
	if it.from == nil {
		return func(func(disk.Record, error) bool) {}
	}
	if it.keys == nil {
		return c.Records(ctx, *it.from, disk.Everything)
	}
	return lookups(ctx, c, *it.from, it.keys)
}

// lookups streams some records of a copy, in the order of the keys.
func lookups(ctx context.Context, c content.Content, from disk.Collection, keys []string) iter.Seq2[disk.Record, error] {
	return func(yield func(disk.Record, error) bool) {
		for len(keys) > 0 {
			n := min(batchKeys, len(keys))
			found, err := c.Lookup(ctx, from, keys[:n])
			if err != nil {
				yield(disk.Record{}, err)
				return
			}
			for _, r := range found {
				if !yield(r, nil) {
					return
				}
			}
			keys = keys[n:]
		}
	}
}

// fitted streams batches of the records of an item as the server can keep them.
func fitted(ctx context.Context, c content.Content, it *item, server api.Server) iter.Seq2[[]record, error] {
	return func(yield func([]record, error) bool) {
		if it.from == nil {
			return
		}
		f := newFitter(it, server)
		var batch []record
		size := 0
		for r, err := range copied(ctx, c, it) {
			if err != nil {
				yield(nil, err)
				return
			}
			kept, _, ok := f.fit(r)
			if !ok {
				continue
			}
			batch = append(batch, kept)
			size += weight(kept)
			if len(batch) == batchRecords || size >= batchBytes {
				if !yield(batch, nil) {
					return
				}
				batch, size = nil, 0
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// weight is about how many bytes a record takes in a request.
func weight(r record) int {
	n := 64 + len(r.ID) + 10*len(r.Embedding)
	for _, text := range []*string{r.Document, r.URI} {
		if text != nil {
			n += len(*text)
		}
	}
	for key, v := range r.Metadata {
		n += len(key) + 16
		switch v := v.(type) {
		case string:
			n += len(v)
		case []any:
			n += 16 * len(v)
		}
	}
	return n
}

// idsOf are the ids of records.
func idsOf(records []record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	return ids
}

// all streams what a collection of the server holds, in batches. A record whose
// embedding the server has lost comes without it.
func (t Target) all(ctx context.Context, c api.Collection) iter.Seq2[[]record, error] {
	return func(yield func([]record, error) bool) {
		var ids []string
		flush := func() bool {
			records, _, err := t.API.Get(ctx, c, ids, disk.Everything)
			ids = ids[:0]
			return yield(records, err) && err == nil
		}
		for id, err := range t.API.IDs(ctx, c) {
			if err != nil {
				yield(nil, err)
				return
			}
			if ids = append(ids, id); len(ids) == batchRecords && !flush() {
				return
			}
		}
		if len(ids) > 0 {
			flush()
		}
	}
}
