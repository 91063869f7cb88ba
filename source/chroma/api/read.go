package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"

	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// How many ids and records are asked for at once: what the strictest server allows.
const (
	pageOfIDs     = 1000
	pageOfRecords = 300
)

// maxAnswer bounds one answer with records; a page that has more is halved.
const maxAnswer = 96 << 20

// A BadRecord is a record that the server has, but not whole.
type BadRecord struct {
	ID   string
	Lost disk.Part // the parts that could not be had
	Err  error     // what the server says
}

// IDs streams the ids of a collection in the order in which the server keeps them. What
// is deleted before the place of reading moves the rest ahead: pages overlap for that.
// An id may come twice if it was deleted and added again meanwhile.
func (c *Client) IDs(ctx context.Context, collection Collection) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s, err := c.Hello(ctx)
		if err != nil {
			yield("", err)
			return
		}
		size := pageOfIDs
		if s.MaxBatch > 0 {
			size = min(size, s.MaxBatch)
		}
		list := pages[string]{
			size: size, window: leastWindow * size, key: func(id string) string { return id },
			fetch: func(offset, limit int) ([]string, error) {
				body := fmt.Appendf(nil, `{"include":[],"limit":%d,"offset":%d}`, limit, offset)
				a, err := c.get(ctx, s, collection, body, limit, false)
				return a.ids, err
			},
		}
		listed, next := int64(0), int64(manyRecords)
		for id, err := range list.all {
			if err != nil {
				yield("", c.failed("list the records of collection", collection.String(), err))
				return
			}
			if listed++; listed == next {
				if err := c.plausible(ctx, collection, listed); err != nil {
					yield("", c.failed("list the records of collection", collection.String(), err))
					return
				}
				next *= 2
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

// manyRecords is from where on a list is held against the count: one that does not end
// would be read for ever.
const manyRecords = 1_000_000

// plausible looks whether a collection has about as many records as were listed.
func (c *Client) plausible(ctx context.Context, collection Collection, listed int64) error {
	n, err := c.Count(ctx, collection)
	if err == nil && n < listed/2 {
		err = fmt.Errorf("the server has listed %d records and counts %d", listed, n)
	}
	return err
}

// Get reads records by id, in the order of the ids; those that do not exist are left
// out. A record that the server cannot give whole comes as far as it can, and is named
// among the bad ones: Get returns an error only if nothing can be had.
func (c *Client) Get(ctx context.Context, collection Collection, ids []string, want disk.Part) ([]disk.Record, []BadRecord, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := reading{client: c, server: s, collection: collection, want: want, found: make(map[string]disk.Record, len(ids))}
	for chunk := range slices.Chunk(ids, pageOfRecords) {
		if err := r.page(ctx, chunk); err != nil {
			return nil, nil, c.failed("read records of collection", collection.String(), err)
		}
	}
	all := make([]disk.Record, 0, len(r.found))
	for _, id := range ids {
		if found, ok := r.found[id]; ok {
			all = append(all, found)
			delete(r.found, id) // an id that is asked for twice is given once
		}
	}
	return all, r.bad, nil
}

// A reading is one Get.
type reading struct {
	client     *Client
	server     Server
	collection Collection
	want       disk.Part
	found      map[string]disk.Record
	bad        []BadRecord
}

// page reads the records of some ids. If the server fails, halves of them are tried,
// until the record that it stumbles over stands alone.
func (r *reading) page(ctx context.Context, ids []string) error {
	body, err := marshal(map[string]any{"ids": ids, "include": include(r.want), "limit": len(ids)})
	if err != nil {
		return err
	}
	a, err := r.client.get(ctx, r.server, r.collection, body, len(ids), len(ids) > 1)
	if err == nil {
		return r.take(a, ids)
	}
	if ctx.Err() != nil || !divisible(err) {
		return err
	}
	if len(ids) > 1 {
		half := len(ids) / 2
		if err := r.page(ctx, ids[:half]); err != nil {
			return err
		}
		return r.page(ctx, ids[half:])
	}
	if r.want&disk.Embeddings == 0 || errors.Is(err, errTooLong) {
		return fmt.Errorf("record %q: %w", ids[0], err)
	}
	return r.alone(ctx, ids[0], err)
}

// alone reads a record without its embedding, which the server cannot give.
func (r *reading) alone(ctx context.Context, id string, cause error) error {
	rest := *r
	rest.want &^= disk.Embeddings
	rest.bad = nil
	if err := rest.page(ctx, []string{id}); err != nil {
		return err
	}
	if _, exists := r.found[id]; exists {
		r.bad = append(r.bad, BadRecord{ID: id, Lost: disk.Embeddings, Err: cause})
	}
	r.bad = append(r.bad, rest.bad...)
	return nil
}

// divisible tells whether a smaller request may get an answer.
func divisible(err error) bool {
	if errors.Is(err, errTooLong) {
		return true
	}
	s, ok := errors.AsType[*StatusError](err)
	return ok && (s.Status == http.StatusInternalServerError || s.Status == http.StatusRequestEntityTooLarge)
}

// take keeps what an answer has of the records that were asked for. One with others
// would pass for the news that these were deleted.
func (r *reading) take(a answer, asked []string) error {
	records, bad, err := a.records(r.want)
	if err != nil {
		return err
	}
	open := make(map[string]bool, len(asked))
	for _, id := range asked {
		open[id] = true
	}
	for _, one := range records {
		if !open[one.ID] {
			return fmt.Errorf("the answer has record %.60q, which was not asked for, or twice", one.ID)
		}
		open[one.ID] = false
		r.found[one.ID] = one
	}
	r.bad = append(r.bad, bad...)
	return nil
}

// include names parts as servers do.
func include(want disk.Part) []string {
	names := []string{}
	for _, part := range []struct {
		part disk.Part
		name string
	}{{disk.Embeddings, "embeddings"}, {disk.Documents, "documents"}, {disk.Metadata, "metadatas"}, {disk.URIs, "uris"}} {
		if want&part.part != 0 {
			names = append(names, part.name)
		}
	}
	return names
}

// get asks for so many records at most. With halves the caller asks again for less if the server fails.
func (c *Client) get(ctx context.Context, s Server, collection Collection, body []byte, most int, halves bool) (answer, error) {
	var a answer
	q := request{name: "read records", method: http.MethodPost, path: s.records(collection, "get"), body: body, halves: halves}
	err := c.do(ctx, q, func(r io.Reader) error {
		a = answer{most: most}
		return a.decode(&bounded{from: r, left: maxAnswer})
	})
	return a, err
}

// Query gives the ids of at most n records near a vector, the nearest first.
func (c *Client) Query(ctx context.Context, collection Collection, vector []float32, n int) ([]string, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return nil, err
	}
	body := append([]byte(`{"query_embeddings":[`), nil...)
	if body, err = appendVector(body, vector); err != nil {
		return nil, c.failed("search collection", collection.String(), err)
	}
	body = fmt.Appendf(body, `],"n_results":%d,"include":["distances"]}`, n)
	var out struct {
		IDs [][]string `json:"ids"`
	}
	err = c.do(ctx, request{name: "search", method: http.MethodPost, path: s.records(collection, "query"), body: body}, decodeInto(&out))
	if err != nil {
		return nil, c.failed("search collection", collection.String(), err)
	}
	if len(out.IDs) == 0 {
		return nil, nil
	}
	return out.IDs[0], nil
}
