package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"math"

	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A digest tells a set of records from any other, in whatever order they come. It is
// what a note remembers of a collection.
type digest struct {
	Records int64  `json:"records"`
	Sum     string `json:"sum"`
}

// A digester sums up the digests of records.
type digester struct {
	n   int64
	sum [4]uint64
}

func (d *digester) add(r record) error {
	h := sha256.New()
	field := func(b []byte, there bool) {
		var head [9]byte
		if there {
			head[0] = 1
		}
		binary.LittleEndian.PutUint64(head[1:], uint64(len(b)))
		h.Write(head[:])
		h.Write(b)
	}
	text := func(s *string) {
		if s == nil {
			field(nil, false)
			return
		}
		field([]byte(*s), true)
	}
	text(&r.ID)
	text(r.Document)
	text(r.URI)
	if len(r.Metadata) == 0 {
		r.Metadata = nil
	}
	values, err := r.Metadata.MarshalJSON()
	if err != nil {
		return err
	}
	field(values, true)
	vector := make([]byte, 0, 4*len(r.Embedding))
	for _, x := range r.Embedding {
		if x == 0 {
			x = 0 // zero has two signs
		}
		vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
	}
	field(vector, len(vector) > 0)
	one := h.Sum(nil)
	for i := range d.sum {
		d.sum[i] += binary.LittleEndian.Uint64(one[8*i:])
	}
	d.n++
	return nil
}

func (d *digester) digest() digest {
	b := make([]byte, 0, 32)
	for _, x := range d.sum {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return digest{Records: d.n, Sum: hex.EncodeToString(b)}
}

// markOf tells a record from others of its id that a collection might hold. In the cosine space
// a server gives embeddings as others than it was sent, so there they do not count.
func markOf(r record, space string) (string, error) {
	if space == disk.SpaceCosine {
		r.Embedding = nil
	}
	var d digester
	err := d.add(r)
	return d.digest().Sum[:16], err
}

// digestOf sums up batches of records.
func digestOf(batches iter.Seq2[[]record, error]) (digest, error) {
	var d digester
	for batch, err := range batches {
		if err != nil {
			return digest{}, err
		}
		for _, r := range batch {
			if err := d.add(r); err != nil {
				return digest{}, err
			}
		}
	}
	return d.digest(), nil
}

// backedUp streams what a backup holds of a collection, or of some records of it, in
// the form of requests.
func backedUp(ctx context.Context, c content.Content, of disk.Collection, keys []string) iter.Seq2[[]record, error] {
	records := c.Records(ctx, of, disk.Everything)
	if keys != nil {
		records = lookups(ctx, c, of, keys)
	}
	return func(yield func([]record, error) bool) {
		one := make([]record, 1)
		for r, err := range records {
			one[0] = record{ID: r.ID, Document: r.Document, URI: r.URI, Metadata: r.Metadata, Embedding: r.Embedding}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}
