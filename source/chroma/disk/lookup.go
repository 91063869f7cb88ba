package disk

import (
	"context"
	"encoding/json"
	"errors"

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
	rows, err := d.db.QueryContext(ctx, `SELECT e.id, e.embedding_id, CAST(e.created_at AS TEXT)
		FROM json_each(?) AS j CROSS JOIN embeddings AS e WHERE e.segment_id = ? AND e.embedding_id = j.value`, string(list), c.MetadataSegment)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []row
	for rows.Next() {
		var r row
		var created *string
		if err := rows.Scan(&r.number, &r.ID, &created); err != nil {
			return nil, err
		}
		if created != nil {
			r.Created = parseTime(*created)
		}
		found = append(found, r)
	}
	return found, rows.Err()
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
// them all. Slots are given in the order of the labels, so that most are found
// where they are looked for; else level 0 is read.
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
		slot, found, err := v.folder.Slot(label)
		switch {
		case err != nil:
			return err
		case found:
			v.slots.Add(h, uint64(slot))
		default:
			missed[label] = h
		}
	}
	if len(missed) > 0 {
		err := v.folder.Elements(func(e hnsw.Element) error {
			if h, ok := missed[e.Label]; ok && !e.Deleted {
				v.slots.Add(h, uint64(e.Slot))
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	v.slots.Sort()
	return nil
}
