package disk

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// readPosition reads how far a segment has applied the log; nil if the
// database does not say.
func readPosition(ctx context.Context, q querier, segment string) (*int64, error) {
	var v any
	err := q.QueryRowContext(ctx, `SELECT seq_id FROM max_seq_id WHERE segment_id = ?`, segment).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) || err == nil && v == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := parsePosition(v)
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// parsePosition reads a log position: a number, or before 1.0 a big-endian
// blob of 8 bytes (of 24 bytes for a log that is not in this file: the last
// bytes count).
func parsePosition(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case []byte:
		if len(v) != 8 && len(v) != 24 {
			break
		}
		n := binary.BigEndian.Uint64(v[len(v)-8:])
		if n <= math.MaxInt64 {
			return int64(n), nil
		}
	}
	return 0, holdfast.Kindf(holdfast.ErrDamaged, "%v is not a position in the log", v)
}

// formPosition gives a log position in the form that the directory uses.
func formPosition(blobs bool, n int64) any {
	if blobs {
		return binary.BigEndian.AppendUint64(nil, uint64(n))
	}
	return n
}

// indexPosition is the log position that the vector index contains: what the
// database says, else what the pickle says (before 0.5.6), else the start.
func (d *Dir) indexPosition(c Collection) (int64, error) {
	if c.indexed != nil {
		return *c.indexed, nil
	}
	folder, ok := d.folder(c)
	if !ok || !c.Indexed {
		return 0, nil
	}
	index, err := hnsw.ReadPickle(folder, pickle.Visitor{})
	if err != nil || index.MaxSeqID == nil {
		return 0, err
	}
	return *index.MaxSeqID, nil
}

// queued counts the log entries that are newer than the vector index.
func (d *Dir) queued(ctx context.Context, c Collection) (int64, error) {
	after, err := d.indexPosition(c)
	if errors.Is(err, hnsw.ErrDamaged) {
		after, err = 0, nil // Check tells about the damage
	}
	if err != nil {
		return 0, err
	}
	var n int64
	err = d.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings_queue WHERE topic = ? AND seq_id > ?`, c.topic, after).Scan(&n)
	return n, err
}
