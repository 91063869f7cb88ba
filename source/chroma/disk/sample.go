package disk

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// The reach of a sample: how many entries of the log, and rows of the table of all
// records, are looked through for those of one collection. Both tables are shared by
// all collections.
const reach = 2000

// SampleIDs chooses at most most ids of a collection's records, the same from the
// same directory: of the records that the log tells of the newest, those that the
// index has taken in and those that it has not; and records of the tables, among
// them the first and the last if they are near the ends. However large the
// collection is, it reads little: it follows indexes, and looks through what is near.
func (d *Dir) SampleIDs(ctx context.Context, c Collection, most int) ([]string, error) {
	s := sampler{ctx: ctx, d: d, c: c}
	err := s.choose(most)
	if err != nil {
		return nil, &holdfast.Error{Op: "choose records of", Object: c.Name, Err: asDamage(err)}
	}
	return s.ids[:min(len(s.ids), most)], nil
}

// A sampler gathers ids.
type sampler struct {
	ctx context.Context
	d   *Dir
	c   Collection
	ids []string
}

// add adds the ids that a query gives.
func (s *sampler) add(query string, args ...any) error {
	rows, err := s.d.db.QueryContext(s.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if !slices.Contains(s.ids, id) {
			s.ids = append(s.ids, id)
		}
	}
	return rows.Err()
}

func (s *sampler) choose(most int) error {
	if err := s.logged(); err != nil {
		return err
	}
	for _, query := range []string{
		`SELECT embedding_id FROM embeddings WHERE id <= (SELECT min(id) FROM embeddings) + ? AND +segment_id = ? ORDER BY id LIMIT 1`,
		`SELECT embedding_id FROM embeddings WHERE id >= (SELECT max(id) FROM embeddings) - ? AND +segment_id = ? ORDER BY id DESC LIMIT 1`,
	} {
		if err := s.add(query, reach, s.c.MetadataSegment); err != nil {
			return err
		}
	}
	return s.spread(most)
}

// logged adds what the log tells. What the index took in last is what tells it from
// an older one: its entry stays in the log until the index takes in more.
func (s *sampler) logged() error {
	position, err := s.d.indexPosition(s.c)
	if err != nil {
		return damagedIndex(s.c, err)
	}
	for _, newest := range []struct{ above, upTo int64 }{{position - reach, position}, {position, 1<<62 - 1}} {
		err := s.add(`SELECT id FROM embeddings_queue WHERE seq_id > ? AND seq_id <= ? AND +topic = ? ORDER BY seq_id DESC LIMIT 2`,
			newest.above, newest.upTo, s.c.topic)
		if err != nil {
			return err
		}
	}
	return nil
}

// spread adds ids from all over the index of ids: those that follow texts between the
// first and the last of them.
func (s *sampler) spread(most int) error {
	const of = `FROM embeddings WHERE segment_id = ?`
	var first, last string
	err := s.d.db.QueryRowContext(s.ctx, `SELECT embedding_id `+of+` ORDER BY embedding_id LIMIT 1`, s.c.MetadataSegment).Scan(&first)
	if err == nil {
		err = s.d.db.QueryRowContext(s.ctx, `SELECT embedding_id `+of+` ORDER BY embedding_id DESC LIMIT 1`, s.c.MetadataSegment).Scan(&last)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	for i := 0; err == nil && i <= most && len(s.ids) < most; i++ {
		err = s.add(`SELECT embedding_id `+of+` AND embedding_id >= ? ORDER BY embedding_id LIMIT 1`, s.c.MetadataSegment, between(first, last, i, most))
	}
	return err
}

// between gives a text at i of n between two, as far as their first bytes tell.
func between(first, last string, i, n int) string {
	same := 0
	for same < min(len(first), len(last)) && first[same] == last[same] {
		same++
	}
	const digits = 4
	at := func(text string) (v uint64) {
		for k := range digits {
			v <<= 8
			if same+k < len(text) {
				v |= uint64(text[same+k])
			}
		}
		return v
	}
	low, high := at(first), at(last)
	v := low + (high-low)/uint64(n)*uint64(i)
	text := []byte(first[:same])
	for k := digits - 1; k >= 0; k-- {
		text = append(text, byte(v>>(8*k)))
	}
	return string(text)
}
