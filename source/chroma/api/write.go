package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// Requests that write are cut where they would have more bytes or records. A server
// takes 40 MiB; what stands before it often takes less.
const (
	maxBody  = 8 << 20
	maxBatch = 300
)

// Add adds records. Those that exist already stay as they are, and the server does not
// say so.
func (c *Client) Add(ctx context.Context, collection Collection, records []disk.Record) error {
	return c.write(ctx, collection, "add", records)
}

// Upsert adds records and changes those that exist: what a record does not have stays as
// it is in the server, its document as well as keys of its metadata. A key with a nil
// value is removed.
func (c *Client) Upsert(ctx context.Context, collection Collection, records []disk.Record) error {
	return c.write(ctx, collection, "upsert", records)
}

// Update changes records that exist, as Upsert does. Without an embedding that stays.
func (c *Client) Update(ctx context.Context, collection Collection, records []disk.Record) error {
	return c.write(ctx, collection, "update", records)
}

// Delete deletes records. Those that do not exist are no error.
func (c *Client) Delete(ctx context.Context, collection Collection, ids []string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	b := &batch{most: batchSize(s), send: func(ctx context.Context, items []item) error {
		body := append([]byte(`{"ids":[`), joined(items, func(i item) []byte { return i.id })...)
		return c.sendRecords(ctx, s, collection, "delete", append(body, ']', '}'))
	}}
	for _, id := range ids {
		text, err := marshal(id)
		if err == nil {
			err = b.add(ctx, item{name: id, id: text})
		}
		if err != nil {
			return c.failed("delete records of collection", collection.String(), err)
		}
	}
	return c.failed("delete records of collection", collection.String(), b.flush(ctx))
}

// batchSize is how many records one request may have.
func batchSize(s Server) int {
	if s.MaxBatch > 0 {
		return min(maxBatch, s.MaxBatch)
	}
	return maxBatch
}

func (c *Client) write(ctx context.Context, collection Collection, verb string, records []disk.Record) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	b := &batch{most: batchSize(s), send: func(ctx context.Context, items []item) error {
		return c.sendRecords(ctx, s, collection, verb, bodyOf(items))
	}}
	for _, r := range records {
		i, err := itemOf(r, verb, s.numeral(true))
		if err == nil {
			err = b.add(ctx, i)
		}
		if err != nil {
			return c.failed(verb+" records of collection", collection.String(), err)
		}
	}
	return c.failed(verb+" records of collection", collection.String(), b.flush(ctx))
}

// sendRecords sends one request that writes. All of them may be repeated: they name
// their records, and the second time nothing new is in them.
func (c *Client) sendRecords(ctx context.Context, s Server, collection Collection, verb string, body []byte) error {
	return c.do(ctx, request{name: verb + " records", method: http.MethodPost, path: s.records(collection, verb), body: body}, nil)
}

// An item is one record as JSON, column by column; a column that it does not have is
// null.
type item struct {
	name                                 string
	id, document, uri, metadata, numbers []byte
}

func (i item) size() int {
	return len(i.id) + len(i.document) + len(i.uri) + len(i.metadata) + len(i.numbers) + 5
}

// itemOf encodes a record.
func itemOf(r disk.Record, verb string, number numeral) (item, error) {
	i := item{name: r.ID}
	var err error
	if r.Embedding != nil {
		if i.numbers, err = appendVector(make([]byte, 0, 12*len(r.Embedding)+2), r.Embedding); err != nil {
			return i, fmt.Errorf("record %q: %w", r.ID, err)
		}
	} else if verb != "update" {
		return i, fmt.Errorf("record %q: it has no embedding, without which a server takes none", r.ID)
	}
	for _, part := range []struct {
		to   *[]byte
		from any
		has  bool
	}{
		{&i.id, r.ID, true}, {&i.document, r.Document, r.Document != nil}, {&i.uri, r.URI, r.URI != nil},
	} {
		if !part.has {
			continue
		}
		if *part.to, err = marshal(part.from); err != nil {
			return i, fmt.Errorf("record %q: %w", r.ID, err)
		}
	}
	if len(r.Metadata) > 0 {
		if i.metadata, err = appendValues(nil, r.Metadata, number); err != nil {
			return i, fmt.Errorf("record %q: %w", r.ID, err)
		}
	}
	return i, nil
}

// bodyOf makes a request of records. Columns that none of them has are left out.
func bodyOf(items []item) []byte {
	body := []byte{'{'}
	for _, column := range []struct {
		name string
		of   func(item) []byte
	}{
		{"ids", func(i item) []byte { return i.id }},
		{"embeddings", func(i item) []byte { return i.numbers }},
		{"documents", func(i item) []byte { return i.document }},
		{"metadatas", func(i item) []byte { return i.metadata }},
		{"uris", func(i item) []byte { return i.uri }},
	} {
		has := false
		for _, i := range items {
			has = has || column.of(i) != nil
		}
		if !has {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(strconv.AppendQuote(body, column.name), ':', '[')
		body = append(body, joined(items, column.of)...)
		body = append(body, ']')
	}
	return append(body, '}')
}

// joined puts commas between the columns of items.
func joined(items []item, of func(item) []byte) []byte {
	n := 0
	for _, i := range items {
		n += len(of(i)) + 5
	}
	b := make([]byte, 0, n)
	for k, i := range items {
		if k > 0 {
			b = append(b, ',')
		}
		if text := of(i); text != nil {
			b = append(b, text...)
		} else {
			b = append(b, "null"...)
		}
	}
	return b
}

// appendVector writes numbers in the shortest way that gives the same 32 bits again,
// also to a reader who rounds to 64 bits in between.
func appendVector(b []byte, v []float32) ([]byte, error) {
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		wide := float64(f)
		if math.IsNaN(wide) || math.IsInf(wide, 0) {
			return nil, fmt.Errorf("the number %d of its embedding is %v, which no server takes", i+1, f)
		}
		if f == 0 && math.Signbit(wide) {
			b = append(b, "-0.0"...)
			continue
		}
		n := len(b)
		b = strconv.AppendFloat(b, wide, 'g', -1, 32)
		if again, err := strconv.ParseFloat(string(b[n:]), 64); err != nil || float32(again) != f {
			b = strconv.AppendFloat(b[:n], wide, 'g', -1, 64)
		}
	}
	return append(b, ']'), nil
}

// A batch gathers records until a request is full.
type batch struct {
	most  int
	send  func(ctx context.Context, items []item) error
	items []item
	bytes int
}

func (b *batch) add(ctx context.Context, i item) error {
	if len(b.items) > 0 && (len(b.items) >= b.most || b.bytes+i.size() > maxBody) {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.items = append(b.items, i)
	b.bytes += i.size()
	return nil
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	err := b.halves(ctx, b.items)
	b.items, b.bytes = b.items[:0], 0
	return err
}

// halves sends records, and half of them where all are too much for the server.
func (b *batch) halves(ctx context.Context, items []item) error {
	err := b.send(ctx, items)
	if !tooBig(err) {
		return err
	}
	if len(items) == 1 {
		return fmt.Errorf("record %q is too big for the server: %w", items[0].name, err)
	}
	half := len(items) / 2
	if err := b.halves(ctx, items[:half]); err != nil {
		return err
	}
	return b.halves(ctx, items[half:])
}

// tooBig tells whether a server wants less at once.
func tooBig(err error) bool {
	s, ok := errors.AsType[*StatusError](err)
	return ok && s.Status == http.StatusRequestEntityTooLarge
}
