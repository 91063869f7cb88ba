package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"slices"
)

// mostNumbers bounds the collections whose rows are found by the index on their segment: 8
// bytes for each record are in memory then. In a larger one most rows of the table are its
// own, so the table is read through.
const mostNumbers = 200_000

// batches gives the rows of a collection that follow row number after, in the order of
// the API.
func (d *Dir) batches(ctx context.Context, c Collection, after int64) iter.Seq2[[]row, error] {
	if c.Records > 0 && c.Records <= mostNumbers {
		return d.numbered(ctx, c, after)
	}
	return func(yield func([]row, error) bool) {
		for {
			batch, err := d.readRows(ctx, c.MetadataSegment, after)
			if err != nil || len(batch) > 0 && !yield(batch, nil) || len(batch) == 0 {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			after = batch[len(batch)-1].number
		}
	}
}

// numbered is batches by the numbers of all rows of the collection, so that thousands of
// collections in one table do not cost a look at the whole table each.
func (d *Dir) numbered(ctx context.Context, c Collection, after int64) iter.Seq2[[]row, error] {
	return func(yield func([]row, error) bool) {
		numbers, err := d.numbersOf(ctx, c, after)
		if err != nil {
			yield(nil, err)
			return
		}
		for some := range slices.Chunk(numbers, batchRows) {
			batch, err := d.rowsNumbered(ctx, some)
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}
}

func (d *Dir) numbersOf(ctx context.Context, c Collection, after int64) ([]int64, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT id FROM embeddings WHERE segment_id = ?`, c.MetadataSegment)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var numbers []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		if n > after {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, rows.Err()
}

func (d *Dir) rowsNumbered(ctx context.Context, numbers []int64) ([]row, error) {
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	return d.readSome(ctx, `SELECT e.id, e.embedding_id, CAST(e.created_at AS TEXT)
		FROM json_each(?) AS j CROSS JOIN embeddings AS e WHERE e.id = j.value`, string(list))
}

// rowsByID reads the rows whose ids follow one, in the order of the ids.
func (d *Dir) rowsByID(ctx context.Context, c Collection, after string) ([]row, error) {
	return d.readSome(ctx, `SELECT id, embedding_id, CAST(created_at AS TEXT) FROM embeddings
		WHERE segment_id = ? AND embedding_id > ? ORDER BY embedding_id LIMIT ?`, c.MetadataSegment, after, batchRows)
}

// readSome reads what a query gives of embeddings.
func (d *Dir) readSome(ctx context.Context, query string, args ...any) ([]row, error) {
	rows, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	batch := make([]row, 0, batchRows)
	for rows.Next() {
		var r row
		var created sql.NullString
		if err := rows.Scan(&r.number, &r.ID, &created); err != nil {
			return nil, err
		}
		r.Created = parseTime(created.String)
		batch = append(batch, r)
	}
	return batch, rows.Err()
}
