package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// A reader reads one collection at a time.
type reader struct {
	*capture
	hash    *hasher
	ids     idList
	entries *scratch // of all the collections that it wrote
}

func newReader(c *capture) (*reader, error) {
	r := &reader{capture: c, hash: newHasher(c.seed)}
	for _, s := range []**scratch{&r.ids.texts, &r.ids.hashes, &r.entries} {
		var err error
		if *s, err = newScratch(); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	return r, nil
}

func (r *reader) close() error {
	var errs []error
	for _, s := range []*scratch{r.ids.texts, r.ids.hashes, r.entries} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// collection looks at a collection, and writes it unless that was done and nothing in
// it has changed.
func (r *reader) collection(ctx context.Context, c api.Collection, keys []string) error {
	at := addressOf(c)
	r.mu.Lock()
	before, was := r.known[at]
	r.mu.Unlock()
	now := known{id: c.ID, description: descriptionOf(c), dimension: c.Dimension, space: c.Space, pass: r.pass}
	err := r.list(ctx, c, keys)
	if err == nil && was && before.description == now.description {
		var same bool
		if same, err = r.same(ctx, c, before); err == nil && same {
			before.pass = r.pass
			r.keep(at, before)
			return nil
		}
	}
	if err == nil {
		err = r.write(ctx, c, &now)
	}
	if errors.Is(err, holdfast.ErrNotFound) && ctx.Err() == nil {
		// It has just been deleted. If it was seen at the last look it is forgotten
		// after this one; in any case the looks differ.
		r.moves(holdfast.ChromaMoved{})
		return nil
	}
	if err != nil {
		return err
	}
	r.keep(at, now)
	moved := holdfast.ChromaMoved{Added: now.records.n}
	if was {
		if moved, err = compare(before.records, now.records); err != nil {
			return err
		}
	}
	moved.Tenant, moved.Database, moved.Collection = at.tenant, at.database, at.name
	r.moves(moved)
	return nil
}

func (r *reader) keep(at address, k known) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.capture.known[at] = k
}

// descriptionOf is the digest of all that is not a record.
func descriptionOf(c api.Collection) string {
	h := sha256.New()
	if err := describe(h, c, 0); err != nil {
		return "" // it cannot be written either, and is reported there
	}
	return hex.EncodeToString(h.Sum(nil))
}

// list reads the ids, or finds which of keys there are if that is not nil. Of a
// collection that was never written nothing is asked: its dimension comes with its
// first record.
func (r *reader) list(ctx context.Context, c api.Collection, keys []string) error {
	if err := r.ids.begin(); err != nil {
		return err
	}
	if c.Dimension == 0 && r.server.API == api.V2 {
		return r.ids.end()
	}
	for id, err := range r.some(ctx, c, keys) {
		if err != nil {
			return err
		}
		if err := r.ids.add(id, r.hash.ofID(id)); err != nil {
			return err
		}
	}
	return r.ids.end()
}

// some streams the ids that there are of keys; all if that is nil.
func (r *reader) some(ctx context.Context, c api.Collection, keys []string) iter.Seq2[string, error] {
	if keys == nil {
		return r.api.IDs(ctx, c)
	}
	return func(yield func(string, error) bool) {
		for asked := range slices.Chunk(keys, mostIDs) {
			found, _, err := r.api.Get(ctx, c, asked, 0)
			if err != nil {
				yield("", err)
				return
			}
			for _, record := range found {
				if !yield(record.ID, nil) {
					return
				}
			}
		}
	}
}

// same tells whether a collection is what the last look saw. It ends at the first
// record that is another.
func (r *reader) same(ctx context.Context, c api.Collection, before known) (bool, error) {
	same, err := before.records.lists(&r.ids)
	if err != nil || !same {
		return false, err
	}
	then := before.records.open()
	err = r.each(ctx, c, func(record disk.Record, _ *lost) error {
		now, err := r.hash.of(record)
		if err != nil {
			return err
		}
		e, ok, err := then.next()
		if err == nil && (!ok || e != now) {
			err = errMoved
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return false, nil
	}
	return err == nil && then.left == 0, err
}

// errMoved ends a comparison at the first difference.
var errMoved = errors.New("moved")

// write writes a collection into the sink.
func (r *reader) write(ctx context.Context, c api.Collection, k *known) (err error) {
	k.records = span{in: r.entries, off: r.entries.size}
	at := addressOf(c)
	w, err := r.sink.Create(r.entry(pathOf(at) + records.RecordsExt))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Discard())
		}
	}()
	out := records.NewWriter(w, c.Dimension)
	err = r.each(ctx, c, func(record disk.Record, bad *lost) error {
		e, err := r.hash.of(record)
		if err == nil {
			err = r.entries.add(e)
		}
		if err != nil {
			return err
		}
		if bad != nil {
			k.lose(*bad)
		}
		k.records.n++
		return out.Write(record)
	})
	if err == nil {
		err = errors.Join(r.entries.flush(), out.Close())
	}
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return r.put(pathOf(at)+records.DescriptionExt, func(w io.Writer) error {
		return describe(w, c, k.records.n)
	})
}

func (k *known) lose(l lost) {
	if len(k.lost) < mostLost {
		k.lost = append(k.lost, l)
		return
	}
	k.lostMore++
}

// put writes a small file.
func (r *capture) put(path string, fill func(io.Writer) error) (err error) {
	w, err := r.sink.Create(r.entry(path))
	if err != nil {
		return err
	}
	if err := fill(w); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

func (r *capture) entry(path string) holdfast.Entry {
	return holdfast.Entry{Path: path, Mode: fileMode, ModTime: r.began}
}

// The bounds of what one request asks for.
const (
	firstIDs   = 64
	mostIDs    = 500
	chunkBytes = 4 << 20
)

// each reads the records of the ids that were listed, in their order. A record that is
// gone by now is left out.
func (r *reader) each(ctx context.Context, c api.Collection, f func(disk.Record, *lost) error) error {
	// As long as nothing is known of the documents a request asks for few.
	size := min(firstIDs, max(chunkBytes/(numberBytes*(c.Dimension+1)), 1))
	chunk := make([]string, 0, mostIDs)
	send := func() error {
		if len(chunk) == 0 {
			return nil
		}
		found, bad, err := r.api.Get(ctx, c, chunk, disk.Everything)
		if err != nil {
			return err
		}
		var bytes int
		for _, record := range found {
			bytes += sizeOf(record)
			var l *lost
			for _, b := range bad {
				if b.ID != record.ID {
					continue
				}
				why := strings.ReplaceAll(b.Err.Error(), "\n", "; ")
				if l == nil {
					l = &lost{id: b.ID, why: why}
				} else {
					l.why += "; " + why
				}
				l.embedding = l.embedding || b.Lost&disk.Embeddings != 0
			}
			if err := f(record, l); err != nil {
				return err
			}
		}
		r.count(len(found), bytes)
		if len(found) > 0 {
			size = min(max(chunkBytes/(bytes/len(found)+1), 1), mostIDs, 4*size)
		}
		chunk = chunk[:0]
		return nil
	}
	err := r.ids.each(func(id string) (bool, error) {
		if chunk = append(chunk, id); len(chunk) < size {
			return true, nil
		}
		return true, send()
	})
	if err != nil {
		return err
	}
	return send()
}

// numberBytes is about how long a number of an embedding is in an answer.
const numberBytes = 12

// sizeOf is about how many bytes of an answer a record takes.
func sizeOf(r disk.Record) int {
	n := len(r.ID) + numberBytes*len(r.Embedding) + 64*len(r.Metadata)
	for _, text := range []*string{r.Document, r.URI} {
		if text != nil {
			n += len(*text)
		}
	}
	for _, v := range r.Metadata {
		if text, isText := v.(string); isText {
			n += len(text)
		}
	}
	return n
}
