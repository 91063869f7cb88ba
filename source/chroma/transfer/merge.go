package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// absent marks a record of the collection beside that stands for one which was not there
// before: an undo deletes it.
const absent = "holdfast-absent"

// keep copies the records that a merge is about to change to a collection beside, from
// which an undo takes them: it works after a crash, and on any machine.
func (a *apply) keep(ctx context.Context, it *item, e *entry) error {
	if e.Action != holdfast.PartMerge {
		return nil
	}
	// Measured by l2, whatever the collection itself measures by: so the server keeps
	// every bit of the embeddings.
	l2 := disk.Collection{ChromaCollection: holdfast.ChromaCollection{Space: disk.SpaceL2}}
	want, _ := spec(l2, place{it.Tenant, it.Database, e.Aside}, a.plan.server)
	beside, err := a.t.API.Create(ctx, it.Tenant, it.Database, want)
	if errors.Is(err, api.ErrTaken) {
		e.Aside = "" // it is not ours, and must not go when the restore is undone
		return inUse(place{it.Tenant, it.Database, want.Name})
	}
	if err != nil {
		return err
	}
	e.Kept = beside.ID
	dimension := it.live.Dimension
	if it.from != nil {
		dimension = max(dimension, it.from.Dimension)
	}
	var was digester
	for keys := range slices.Chunk(it.keys, batchRecords) {
		there, bad, err := a.t.API.Get(ctx, *it.live, keys, disk.Everything)
		if err != nil {
			return err
		}
		for _, b := range bad {
			e.Lost = append(e.Lost, b.ID)
		}
		found := map[string]bool{}
		var spare []record
		for _, r := range there {
			found[r.ID] = true
			if err := was.add(r); err != nil {
				return err
			}
			if r.Embedding != nil {
				spare = append(spare, r)
			}
		}
		for _, key := range keys {
			if !found[key] && !slices.Contains(e.Lost, key) {
				spare = append(spare, record{ID: key, Metadata: holdfast.Values{absent: true}, Embedding: make([]float32, max(dimension, 1))})
			}
		}
		if err := a.t.put(ctx, beside, spare); err != nil {
			return err
		}
	}
	e.Put = map[string]string{}
	for batch, err := range fitted(ctx, a.copy, it, a.plan.server) {
		if err != nil {
			return err
		}
		for _, r := range batch {
			if e.Put[r.ID], err = markOf(r, it.live.Space); err != nil {
				return err
			}
		}
	}
	it.kept = was.digest()
	e.Was, err = a.backedUp(ctx, it)
	if err == nil && (e.Was == nil || *e.Was != it.kept) {
		e.Was = nil // the backup does not have them as they are: they stay
	}
	return err
}

// unchanged looks, directly before a merge, that the records are still those that were kept:
// what a client wrote to them since would be nowhere.
func (a *apply) unchanged(ctx context.Context, it *item, e *entry) error {
	if e.Action != holdfast.PartMerge {
		return nil
	}
	now, err := digestOf(func(yield func([]record, error) bool) {
		for keys := range slices.Chunk(it.keys, batchRecords) {
			there, _, err := a.t.API.Get(ctx, *it.live, keys, disk.Everything)
			if !yield(there, err) || err != nil {
				return
			}
		}
	})
	if err == nil && now != it.kept {
		err = &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "clients wrote to records that are to be replaced while the restore was at work"),
			Hint: "restore again",
		}
	}
	return err
}

// merge puts the records of the copy in the place of those that are there.
func (a *apply) merge(ctx context.Context, it *item, e *entry) error {
	if e.Action != holdfast.PartMerge {
		return nil
	}
	a.step(holdfast.StepSwap, it)
	var done int64
	for batch, err := range fitted(ctx, a.copy, it, a.plan.server) {
		if err == nil {
			err = a.t.put(ctx, *it.live, batch)
		}
		if err != nil {
			return err
		}
		done += int64(len(batch))
		a.progress(holdfast.StepSwap, it, done)
	}
	if !it.exact {
		return nil
	}
	gone := it.keys
	if it.from != nil {
		var err error
		if gone, err = missingKeys(ctx, a.copy, it); err != nil {
			return err
		}
	}
	return a.t.remove(ctx, *it.live, gone)
}

// put makes the records of a collection what they are here, whatever was there under
// their ids, and reads them back. An upsert would merge: what is surplus is nulled, and
// a record whose document or uri has to go is deleted first.
func (t Target) put(ctx context.Context, c api.Collection, records []record) error {
	if len(records) == 0 {
		return nil
	}
	there, _, err := t.API.Get(ctx, c, idsOf(records), disk.Documents|disk.URIs|disk.Metadata)
	if err != nil {
		return err
	}
	before := map[string]record{}
	for _, r := range there {
		before[r.ID] = r
	}
	var gone []string
	merged := make([]record, len(records))
	for i, r := range records {
		old, ok := before[r.ID]
		if ok && (old.Document != nil && r.Document == nil || old.URI != nil && r.URI == nil) {
			gone = append(gone, r.ID)
			old, ok = record{}, false
		}
		if ok {
			m := changed(old.Metadata, r.Metadata)
			maps.Copy(m, r.Metadata)
			r.Metadata = m
		}
		merged[i] = r
	}
	if err := t.remove(ctx, c, gone); err != nil {
		return err
	}
	if err := t.API.Upsert(ctx, c, merged); err != nil {
		return err
	}
	_, err = t.confirm(ctx, c, records)
	return err
}

// remove deletes records and looks that they are gone.
func (t Target) remove(ctx context.Context, c api.Collection, ids []string) error {
	for ids := range slices.Chunk(ids, batchRecords) {
		if err := t.API.Delete(ctx, c, ids); err != nil {
			return err
		}
		there, _, err := t.API.Get(ctx, c, ids, 0)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return fmt.Errorf("the server still has record %.60q, which was deleted", there[0].ID)
		}
	}
	return nil
}

// unmerge brings back what a merge replaced.
func (t Target) unmerge(ctx context.Context, beside, into api.Collection) error {
	for batch, err := range t.all(ctx, beside) {
		if err != nil {
			return err
		}
		var records []record
		var gone []string
		for _, r := range batch {
			if isAbsent(r) {
				gone = append(gone, r.ID)
			} else {
				records = append(records, r)
			}
		}
		if err := t.put(ctx, into, records); err != nil {
			return err
		}
		if err := t.remove(ctx, into, gone); err != nil {
			return err
		}
	}
	return nil
}

// unmergeLater brings back what a merge replaced that was cut, perhaps long ago: what clients
// wrote to its records since stays. It counts those, and names the first.
func (t Target) unmergeLater(ctx context.Context, beside, into api.Collection, put map[string]string) (written int64, first string, err error) {
	for batch, err := range t.all(ctx, beside) {
		if err != nil {
			return 0, "", err
		}
		there, _, err := t.API.Get(ctx, into, idsOf(batch), disk.Everything)
		if err != nil {
			return 0, "", err
		}
		now := map[string]record{}
		for _, r := range there {
			now[r.ID] = r
		}
		var records []record
		var gone []string
		for _, r := range batch {
			is, ok := now[r.ID]
			mark := ""
			if ok {
				if mark, err = markOf(is, into.Space); err != nil {
					return 0, "", err
				}
			}
			switch {
			case isAbsent(r) && !ok, !isAbsent(r) && ok && differs(is, r, into.Space) == "": // as it was
			case ok && mark != put[r.ID]:
				if written++; written == 1 {
					first = r.ID
				}
			case isAbsent(r):
				gone = append(gone, r.ID)
			default:
				records = append(records, r)
			}
		}
		if err := t.put(ctx, into, records); err != nil {
			return 0, "", err
		}
		if err := t.remove(ctx, into, gone); err != nil {
			return 0, "", err
		}
	}
	return written, first, nil
}

func isAbsent(r record) bool {
	marked, _ := r.Metadata[absent].(bool)
	return marked && len(r.Metadata) == 1 && r.Document == nil
}

// unmark removes from a collection beside what stands for records that were not there,
// and counts those that were.
func (t Target) unmark(ctx context.Context, beside api.Collection) (kept int64, err error) {
	var gone []string
	for batch, err := range t.all(ctx, beside) {
		if err != nil {
			return 0, err
		}
		for _, r := range batch {
			if isAbsent(r) {
				gone = append(gone, r.ID)
			} else {
				kept++
			}
		}
	}
	return kept, t.remove(ctx, beside, gone)
}

// backedUp sums up what the emergency backup holds of what an item replaces; nil if it
// does not have it.
func (a *apply) backedUp(ctx context.Context, it *item) (*digest, error) {
	if a.replaced == nil || it.live == nil {
		return nil, nil
	}
	for _, c := range a.replaced.Collections() {
		if (place{c.Tenant, c.Database, c.Name}) != it.place {
			continue
		}
		sum, err := digestOf(backedUp(ctx, a.replaced, c, it.keys))
		if err != nil {
			return nil, err
		}
		return &sum, nil
	}
	return nil, nil
}
