package disk

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// A Position is the place of a record in the order of the API: that of its row, or of
// what the late log adds after all rows. The zero Position is before the first.
type Position struct {
	Row  int64
	Late int
}

// A Placed is a record and its place.
type Placed struct {
	Record
	At Position
}

// errStopped ends a scan whose reader wants no more.
var errStopped = errors.New("stopped")

// From streams the records of a collection that follow a position, as Records does. The
// first batch with embeddings reads of the index only what it needs, so that a page of a
// listing is cheap.
func (d *Dir) From(ctx context.Context, c Collection, after Position, want Part) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		err := d.scan(ctx, c, after, want, func(p Placed) bool { return yield(p, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(Placed{}, &holdfast.Error{Op: "read collection", Object: c.Name, Err: asDamage(err)})
		}
	}
}

// ByID streams the records of a collection whose ids follow one, in the order of the
// bytes of their ids.
func (d *Dir) ByID(ctx context.Context, c Collection, after string, want Part) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := d.scanByID(ctx, c, after, want, func(r Record) bool { return yield(r, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(Record{}, &holdfast.Error{Op: "read collection", Object: c.Name, Err: asDamage(err)})
		}
	}
}

// scan streams records: those of the tables with what the late log makes of them, then
// those that the late log adds.
func (d *Dir) scan(ctx context.Context, c Collection, after Position, want Part, yield func(Placed) bool) error {
	late, err := d.readLate(ctx, c)
	if err != nil {
		return err
	}
	e := &emitter{dir: d, c: c, want: want}
	defer e.close()
	if after.Late == 0 {
		for batch, err := range d.batches(ctx, c, after.Row) {
			if err == nil {
				err = d.fill(ctx, batch, want)
			}
			if err != nil {
				return err
			}
			placed := make([]Placed, 0, len(batch))
			for _, r := range batch {
				if late.keeps(&r.Record) {
					placed = append(placed, Placed{r.Record, Position{Row: r.number}})
				}
			}
			if err := e.emit(ctx, placed, yield); err != nil {
				return err
			}
		}
	}
	var placed []Placed
	for i, id := range late.added {
		if r, ok := late.fresh(id); ok && late.changed[id].place == i && i >= after.Late {
			placed = append(placed, Placed{r, Position{Late: i + 1}})
		}
	}
	return e.emit(ctx, placed, yield)
}

// scanByID is scan in the order of ids.
func (d *Dir) scanByID(ctx context.Context, c Collection, after string, want Part, yield func(Record) bool) error {
	late, err := d.readLate(ctx, c)
	if err != nil {
		return err
	}
	var added []string
	for id := range late.changed {
		if _, ok := late.fresh(id); ok && id > after {
			added = append(added, id)
		}
	}
	slices.Sort(added)
	e := &emitter{dir: d, c: c, want: want}
	defer e.close()
	for {
		batch, err := d.rowsByID(ctx, c, after)
		if err == nil {
			err = d.fill(ctx, batch, want)
		}
		if err != nil {
			return err
		}
		var placed []Placed
		for _, r := range batch {
			after = r.ID
			if late.keeps(&r.Record) {
				placed = append(placed, Placed{Record: r.Record})
			}
		}
		for len(added) > 0 && (len(batch) < batchRows || added[0] <= after) {
			if r, ok := late.fresh(added[0]); ok {
				placed = append(placed, Placed{Record: r})
			}
			added = added[1:]
		}
		slices.SortFunc(placed, func(a, b Placed) int { return strings.Compare(a.ID, b.ID) })
		if err := e.emit(ctx, placed, func(p Placed) bool { return yield(p.Record) }); err != nil || len(batch) < batchRows {
			return err
		}
	}
}

// keeps makes of a record of the tables what the late log makes of it; false: it is
// deleted, or listed again among what is added.
func (l *late) keeps(r *Record) bool {
	ch := l.changed[r.ID]
	if ch == nil {
		return true
	}
	if ch.fresh || ch.deleted {
		return false
	}
	ch.amend(r)
	return true
}

// fresh gives a record that is in the late log alone.
func (l *late) fresh(id string) (Record, bool) {
	ch := l.changed[id]
	if ch == nil || ch.deleted || !ch.fresh {
		return Record{}, false
	}
	r := Record{ID: id, Created: parseTime(ch.created)}
	ch.amend(&r)
	return r, true
}

// An emitter gives out records, with their embeddings if they are wanted.
type emitter struct {
	dir     *Dir
	c       Collection
	want    Part
	begun   bool
	vectors *vectors
}

// emit gives out a batch.
func (e *emitter) emit(ctx context.Context, batch []Placed, yield func(Placed) bool) error {
	vectors := e.vectors
	if e.want&Embeddings != 0 && vectors == nil && len(batch) > 0 {
		var err error
		if e.begun { // there is more to come than one page
			vectors, err = e.dir.openVectors(ctx, e.c)
			e.vectors = vectors
		} else {
			ids := make([]string, len(batch))
			for i, p := range batch {
				ids[i] = p.ID
			}
			if vectors, err = e.dir.vectorsOf(ctx, e.c, ids); err == nil {
				defer vectors.close()
			}
		}
		if err != nil {
			return err
		}
		e.begun = true
	}
	for _, p := range batch {
		if e.want&Documents == 0 {
			p.Document = nil
		}
		if e.want&URIs == 0 {
			p.URI = nil
		}
		if e.want&Metadata == 0 {
			p.Metadata = nil
		}
		if vectors != nil {
			var err error
			if p.Embedding, err = vectors.of(ctx, p.ID); err != nil {
				return err
			}
		}
		if !yield(p) {
			return errStopped
		}
	}
	return nil
}

func (e *emitter) close() {
	if e.vectors != nil {
		e.vectors.close()
	}
}
