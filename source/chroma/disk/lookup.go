package disk

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// Lookup reads whole records by id, in the order of the ids; one that does not exist
// is left out. It is for few ids: of the index it reads the map of ids, and of the
// vectors only those of the ids.
func (d *Dir) Lookup(ctx context.Context, c Collection, ids []string) ([]Record, error) {
	records, err := d.lookup(ctx, c, ids)
	if err != nil {
		return nil, &holdfast.Error{Op: "look up records of", Object: c.Name, Err: asDamage(err)}
	}
	return records, nil
}

func (d *Dir) lookup(ctx context.Context, c Collection, ids []string) ([]Record, error) {
	late, err := d.readLate(ctx, c)
	if err != nil {
		return nil, err
	}
	rows, err := d.rowsOf(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	if err := d.fill(ctx, rows, Everything); err != nil {
		return nil, err
	}
	byID := map[string]*Record{}
	for i := range rows {
		byID[rows[i].ID] = &rows[i].Record
	}
	vectors, err := d.vectorsOf(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	defer vectors.close()
	var found []Record
	for _, id := range ids {
		r := byID[id]
		if ch := late.changed[id]; ch != nil {
			if ch.deleted {
				continue
			}
			if ch.fresh {
				r = &Record{ID: id, Created: parseTime(ch.created)}
			}
			if r != nil {
				ch.amend(r)
			}
		}
		if r == nil {
			continue
		}
		if r.Embedding, err = vectors.of(ctx, id); err != nil {
			return nil, err
		}
		found = append(found, *r)
	}
	return found, nil
}

// rowsOf reads the rows of some ids.
func (d *Dir) rowsOf(ctx context.Context, c Collection, ids []string) ([]row, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return d.readSome(ctx, `SELECT e.id, e.embedding_id, CAST(e.created_at AS TEXT)
		FROM json_each(?) AS j CROSS JOIN embeddings AS e WHERE e.segment_id = ? AND e.embedding_id = j.value`, string(list), c.MetadataSegment)
}

// vectorsOf is openVectors for a few ids.
func (d *Dir) vectorsOf(ctx context.Context, c Collection, ids []string) (_ *vectors, err error) {
	v := &vectors{dir: d, norms: c.Space == SpaceCosine}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	if fsys, ok := d.folder(c); ok && c.Indexed {
		if v.folder, err = hnsw.Open(fsys); err != nil {
			return nil, damagedIndex(c, err)
		}
		v.folder.OneByOne()
		if err := v.readSlotsOf(ctx, ids); err != nil {
			return nil, damagedIndex(c, err)
		}
	}
	after, err := d.indexPosition(c)
	if err != nil {
		return nil, damagedIndex(c, err)
	}
	v.replayed, err = d.replayVectors(ctx, c, after, func(h idset.Hash) bool {
		_, ok := v.slots.Get(h)
		return ok
	})
	return v, err
}

// errAllFound ends the reading of a pickle.
var errAllFound = errors.New("all found")

// readSlotsOf is readSlots for a few ids: it reads the map of ids until it has
// them all, and of level 0 what lies around them.
func (v *vectors) readSlotsOf(ctx context.Context, ids []string) error {
	labels := map[idset.Hash]uint64{}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	_, err := v.folder.Pickle(pickle.Visitor{ID: func(id string, label uint64) error {
		if wanted[id] {
			labels[idset.Of(id)] = label
			if len(labels) == len(wanted) {
				return errAllFound
			}
		}
		return ctx.Err()
	}})
	if err != nil && !errors.Is(err, errAllFound) {
		return err
	}
	missed := map[uint64]idset.Hash{}
	for h, label := range labels {
		missed[label] = h
	}
	for _, label := range slices.Sorted(maps.Keys(missed)) {
		slot, found, err := v.folder.Slot(label)
		if err != nil {
			return err
		}
		if found {
			v.slots.Add(missed[label], uint64(slot))
			delete(missed, label)
		}
	}
	if err := v.searchAround(ctx, missed); err != nil && !errors.Is(err, errAllFound) {
		return err
	}
	v.slots.Sort()
	return nil
}

// searchAround looks for labels in level 0, from about where they must be outwards: a server
// adds the records of a batch side by side, so that their slots are in no order, but those of
// a batch lie together.
func (v *vectors) searchAround(ctx context.Context, missed map[uint64]idset.Hash) error {
	if len(missed) == 0 {
		return nil
	}
	take := func(e hnsw.Element) error {
		if h, ok := missed[e.Label]; ok && !e.Deleted {
			v.slots.Add(h, uint64(e.Slot))
			if delete(missed, e.Label); len(missed) == 0 {
				return errAllFound
			}
		}
		return ctx.Err()
	}
	wanted, count := slices.Sorted(maps.Keys(missed)), v.folder.Header.Count
	first, last := min(wanted[0], count), min(wanted[len(wanted)-1], count)
	from, to := first, first // what was looked through
	for reach := uint64(512); to-from < count; reach *= 4 {
		begin, end := first-min(first, reach), min(last+reach, count)
		if err := v.folder.Some(begin, from, take); err != nil {
			return err
		}
		if err := v.folder.Some(to, end, take); err != nil {
			return err
		}
		from, to = begin, end
	}
	return nil
}
