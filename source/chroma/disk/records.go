package disk

import (
	"context"
	"errors"
	"iter"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// A Part says which parts of a record are wanted; its id and creation time
// always come.
type Part uint

// The parts of a record.
const (
	Documents Part = 1 << iota
	URIs
	Metadata
	Embeddings

	Everything = Documents | URIs | Metadata | Embeddings
)

// Records streams the records of a collection in the order of Chroma's API,
// with the parts that are wanted. The first error ends the stream.
//
// Without embeddings a hundred records are in memory at a time. With them, the
// place of each record's vector is kept as well: 24 bytes for each record of
// the index, 40 for each that is still in the log (and for indexes that the
// Python implementation wrote, the ids themselves while the index is read).
// The vectors themselves stay on disk.
func (d *Dir) Records(ctx context.Context, c Collection, want Part) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for p, err := range d.From(ctx, c, Position{}, want) {
			if !yield(p.Record, err) {
				return
			}
		}
	}
}

// amend merges the change into a record.
func (ch *change) amend(r *Record) {
	for _, kv := range ch.values {
		r.set(kv.key, kv.value)
	}
}

// vectors finds the vector of each record of a collection.
type vectors struct {
	dir      *Dir
	folder   *hnsw.Folder // nil without an index
	slots    idset.Map    // id → slot in the index
	replayed map[idset.Hash]int64
	norms    bool // stored vectors are normalised
}

// openVectors opens the index and replays the log on it.
func (d *Dir) openVectors(ctx context.Context, c Collection) (_ *vectors, err error) {
	v := &vectors{dir: d, norms: c.Space == SpaceCosine}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	after := int64(0)
	if fsys, ok := d.folder(c); ok && c.Indexed {
		if v.folder, err = hnsw.Open(fsys); err != nil {
			return nil, damagedIndex(c, err)
		}
		if err := v.readSlots(); err != nil {
			return nil, damagedIndex(c, err)
		}
	}
	if after, err = d.indexPosition(c); err != nil {
		return nil, damagedIndex(c, err)
	}
	v.replayed, err = d.replayVectors(ctx, c, after, func(h idset.Hash) bool {
		_, ok := v.slots.Get(h)
		return ok
	})
	return v, err
}

// readSlots joins the pickle (id → label) with level 0 (label → slot).
func (v *vectors) readSlots() error {
	_, err := v.folder.Pickle(pickle.Visitor{ID: func(id string, label uint64) error {
		v.slots.Add(idset.Of(id), label)
		return nil
	}})
	if err != nil {
		return err
	}
	err = v.slots.Translate(func(take func(from, to uint64)) error {
		return v.folder.Elements(func(e hnsw.Element) error {
			if !e.Deleted {
				take(e.Label, uint64(e.Slot))
			}
			return nil
		})
	})
	v.slots.Sort()
	return err
}

// of reads the vector of a record as Chroma's API gives it; nil if it is lost.
func (v *vectors) of(ctx context.Context, id string) ([]float32, error) {
	h := idset.Of(id)
	if seq, ok := v.replayed[h]; ok {
		if seq == gone {
			return nil, nil
		}
		return v.dir.queuedVector(ctx, seq)
	}
	slot, ok := v.slots.Get(h)
	if !ok {
		return nil, nil
	}
	embedding, ok, err := v.folder.Vector(uint32(slot))
	if err != nil || !ok || !v.norms {
		return embedding, err
	}
	norm, err := v.folder.Norm(uint32(slot))
	if err != nil {
		return nil, err
	}
	for i := range embedding {
		embedding[i] *= norm
	}
	return embedding, nil
}

func (v *vectors) close() {
	if v.folder != nil {
		_ = v.folder.Close() // opened for reading: nothing can be lost
	}
}

// damagedIndex makes damage of an index folder match holdfast.ErrDamaged and
// names the folder.
func damagedIndex(c Collection, err error) error {
	if errors.Is(err, hnsw.ErrDamaged) {
		return holdfast.Kindf(holdfast.ErrDamaged, "index folder %s: %w", c.Segment, err)
	}
	return err
}
