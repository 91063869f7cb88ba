package disk

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
)

// The operations of the log.
const (
	opAdd    = 0
	opUpdate = 1
	opUpsert = 2
	opDelete = 3
)

// An entry is one row of the log without its payload.
type entry struct {
	seq       int64
	operation int
	id        string
	vector    bool // it carries a vector
}

// eachEntry goes through the log of a collection after a position, in order.
func (d *Dir) eachEntry(ctx context.Context, c Collection, after int64, yield func(entry)) error {
	rows, err := d.db.QueryContext(ctx, `SELECT seq_id, operation, id, vector IS NOT NULL FROM embeddings_queue
		WHERE seq_id > ? AND +topic = ? ORDER BY seq_id`, after, c.topic)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.seq, &e.operation, &e.id, &e.vector); err != nil {
			return err
		}
		yield(e)
	}
	return rows.Err()
}

// gone marks, in a replayed log, an id that is no longer in the index.
const gone = -1

// replayVectors applies the log after a position to the ids of an index, of
// which present tells the members. The result maps each id that the log
// touches to the entry that holds its vector, or to gone. It costs some 40
// bytes for each such id: with Chroma's defaults, at most a thousand.
func (d *Dir) replayVectors(ctx context.Context, c Collection, after int64, present func(idset.Hash) bool) (map[idset.Hash]int64, error) {
	replayed := map[idset.Hash]int64{}
	err := d.eachEntry(ctx, c, after, func(e entry) {
		h := idset.Of(e.id)
		seq, touched := replayed[h]
		there := touched && seq != gone || !touched && present(h)
		switch {
		case e.operation == opDelete:
			replayed[h] = gone
		case !e.vector:
		case e.operation == opAdd && !there, e.operation == opUpdate && there, e.operation == opUpsert:
			replayed[h] = e.seq
		}
	})
	return replayed, err
}

// queuedVector reads the vector of one log entry.
func (d *Dir) queuedVector(ctx context.Context, seq int64) ([]float32, error) {
	var blob []byte
	var encoding sql.NullString
	err := d.db.QueryRowContext(ctx, `SELECT vector, encoding FROM embeddings_queue WHERE seq_id = ?`, seq).Scan(&blob, &encoding)
	if err != nil {
		return nil, err
	}
	if len(blob)%4 != 0 {
		return nil, holdfast.Kindf(holdfast.ErrDamaged, "the vector of log entry %d has %d bytes", seq, len(blob))
	}
	v := make([]float32, len(blob)/4)
	for i := range v {
		bits := binary.LittleEndian.Uint32(blob[4*i:])
		if encoding.String == "INT32" {
			v[i] = float32(int32(bits))
			continue
		}
		v[i] = math.Float32frombits(bits)
		if x := float64(v[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, nil
		}
	}
	return v, nil
}

// late is the log that the record tables have not taken in yet. A running
// server applies its log before it answers, so this is what a crash or a
// capture in that very moment left: a few entries, kept in memory.
type late struct {
	changed map[string]*change
	added   []string // ids that follow those of the tables, in order
}

// A change is what late entries make of one record.
type change struct {
	deleted bool // not in the collection at the end
	fresh   bool // what the tables say of the record does not count
	place   int  // of a fresh one, in late.added
	values  []keyValue
	created string
}

type keyValue struct {
	key   string
	value any
}

// readLate reads the log after the position of the record tables.
func (d *Dir) readLate(ctx context.Context, c Collection) (*late, error) {
	l := &late{changed: map[string]*change{}}
	rows, err := d.db.QueryContext(ctx, `SELECT operation, id, metadata, CAST(created_at AS TEXT) FROM embeddings_queue
		WHERE seq_id > ? AND +topic = ? ORDER BY seq_id`, c.Applied, c.topic)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var operation int
		var id string
		var metadata, created sql.NullString
		if err := rows.Scan(&operation, &id, &metadata, &created); err != nil {
			return nil, err
		}
		values := holdfast.Values{}
		if metadata.String != "" {
			if err := json.Unmarshal([]byte(metadata.String), &values); err != nil {
				return nil, holdfast.Kindf(holdfast.ErrDamaged, "the log's metadata of record %q: %w", id, err)
			}
		}
		there, err := l.present(ctx, d, c, id)
		if err != nil {
			return nil, err
		}
		l.apply(operation, id, there, values, created.String)
	}
	return l, rows.Err()
}

// present tells whether a record exists as far as the log has been applied.
func (l *late) present(ctx context.Context, d *Dir, c Collection, id string) (bool, error) {
	if ch := l.changed[id]; ch != nil {
		return !ch.deleted, nil
	}
	var n int
	err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings WHERE segment_id = ? AND embedding_id = ?`, c.MetadataSegment, id).Scan(&n)
	return n > 0, err
}

func (l *late) apply(operation int, id string, there bool, values holdfast.Values, created string) {
	ch := l.changed[id]
	switch {
	case operation == opDelete && !there, operation == opUpdate && !there, operation == opAdd && there:
		return
	case ch == nil:
		ch = &change{}
		l.changed[id] = ch
	}
	if operation == opDelete {
		*ch = change{deleted: true, fresh: true}
		return
	}
	if !there {
		*ch = change{fresh: true, place: len(l.added), created: created}
		l.added = append(l.added, id)
	}
	for key, v := range values {
		ch.values = append(ch.values, keyValue{key, v})
	}
}

// count is the number of records with the late log applied.
func (d *Dir) count(ctx context.Context, c Collection) (int64, error) {
	var n, waiting int64
	err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings WHERE segment_id = ?`, c.MetadataSegment).Scan(&n)
	if err != nil {
		return 0, err
	}
	err = d.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings_queue WHERE seq_id > ? AND +topic = ?`, c.Applied, c.topic).Scan(&waiting)
	if err != nil || waiting == 0 {
		return n, err
	}
	l, err := d.readLate(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("collection %s: %w", c.Name, err)
	}
	for id, ch := range l.changed {
		var stored int64
		err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings WHERE segment_id = ? AND embedding_id = ?`, c.MetadataSegment, id).Scan(&stored)
		if err != nil {
			return 0, err
		}
		n -= stored
		if !ch.deleted {
			n++
		}
	}
	return n, nil
}
