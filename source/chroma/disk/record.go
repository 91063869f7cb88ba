package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The keys under which Chroma keeps document and URI among the metadata.
const (
	keyDocument = "chroma:document"
	keyURI      = "chroma:uri"
)

// A Record is one record of a collection.
type Record struct {
	ID       string
	Document *string
	URI      *string
	// Metadata holds string, int64, float64, bool, and []any of one of them;
	// nil if the record has none.
	Metadata holdfast.Values
	// Embedding is nil if the directory has lost it.
	Embedding []float32
	// Created is when Chroma first stored the record, in full seconds.
	Created time.Time
}

// columns are the columns in which Chroma keeps one typed value.
type columns struct {
	str   sql.NullString
	num   sql.NullInt64
	float sql.NullFloat64
	flag  sql.NullInt64
}

// value is the one column that is set; nil if none is.
func (c columns) value() any {
	switch {
	case c.str.Valid:
		return c.str.String
	case c.num.Valid:
		return c.num.Int64
	case c.float.Valid:
		return c.float.Float64
	case c.flag.Valid:
		return c.flag.Int64 != 0
	}
	return nil
}

// split takes a value apart again, for the columns of a row.
func split(v any) (columns, error) {
	switch v := v.(type) {
	case nil:
		return columns{}, nil
	case string:
		return columns{str: sql.NullString{String: v, Valid: true}}, nil
	case int64:
		return columns{num: sql.NullInt64{Int64: v, Valid: true}}, nil
	case float64:
		return columns{float: sql.NullFloat64{Float64: v, Valid: true}}, nil
	case bool:
		n := sql.NullInt64{Valid: true}
		if v {
			n.Int64 = 1
		}
		return columns{flag: n}, nil
	}
	return columns{}, fmt.Errorf("%T is no value that Chroma keeps", v)
}

// a row is one row of the table embeddings with what was asked for of the rest.
type row struct {
	number int64 // embeddings.id; 0 for a record that is only in the log
	Record
}

// batchRows is how many records are read at once.
const batchRows = 100

// readRows reads the records of a segment that follow row number after, in the
// order of the API.
func (d *Dir) readRows(ctx context.Context, segment string, after int64) ([]row, error) {
	// The plus keeps SQLite from using the index on segment_id, whose order
	// is another: it would sort the whole collection in memory.
	return d.readSome(ctx, `SELECT id, embedding_id, CAST(created_at AS TEXT) FROM embeddings
		WHERE id > ? AND +segment_id = ? ORDER BY id LIMIT ?`, after, segment, batchRows)
}

// parseTime reads SQLite's CURRENT_TIMESTAMP; what is none is the zero time.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// fill reads the metadata of a batch: all of it, or only the keys named.
func (d *Dir) fill(ctx context.Context, batch []row, want Part) error {
	if want&(Documents|URIs|Metadata) == 0 || len(batch) == 0 {
		return nil
	}
	at := make(map[int64]*row, len(batch))
	numbers := make([]int64, 0, len(batch))
	for i := range batch {
		if batch[i].number != 0 {
			at[batch[i].number] = &batch[i]
			numbers = append(numbers, batch[i].number)
		}
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	only := ""
	switch {
	case want&Metadata != 0:
	case want&Documents != 0 && want&URIs != 0:
		only = ` AND m.key IN ('` + keyDocument + `', '` + keyURI + `')`
	case want&Documents != 0:
		only = ` AND m.key = '` + keyDocument + `'`
	default:
		only = ` AND m.key = '` + keyURI + `'`
	}
	query := fmt.Sprintf(`SELECT m.id, m.key, m.string_value, m.int_value, m.float_value, %s
		FROM json_each(?) AS j CROSS JOIN embedding_metadata AS m WHERE m.id = j.value%s`,
		d.layout.orNull("embedding_metadata", "bool_value"), only)
	err = d.eachValue(ctx, query, string(list), func(number int64, key string, v any) {
		at[number].set(key, v)
	})
	if err != nil || want&Metadata == 0 || !d.layout.arrays() {
		return err
	}
	return d.eachValue(ctx, `SELECT m.id, m.key, m.string_value, m.int_value, m.float_value, m.bool_value
		FROM json_each(?) AS j CROSS JOIN embedding_metadata_array AS m WHERE m.id = j.value ORDER BY m.rowid`,
		string(list), func(number int64, key string, v any) {
			r := at[number]
			elements, _ := r.Metadata[key].([]any)
			r.set(key, append(elements, v))
		})
}

// eachValue goes through rows of (number, key, typed value).
func (d *Dir) eachValue(ctx context.Context, query, list string, yield func(number int64, key string, v any)) error {
	rows, err := d.db.QueryContext(ctx, query, list)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var key string
		var c columns
		if err := rows.Scan(&number, &key, &c.str, &c.num, &c.float, &c.flag); err != nil {
			return err
		}
		yield(number, key, c.value())
	}
	return rows.Err()
}

// set sets one key; a nil value removes it.
func (r *Record) set(key string, v any) {
	text, isText := v.(string)
	switch key {
	case keyDocument, keyURI:
		field := &r.Document
		if key == keyURI {
			field = &r.URI
		}
		*field = nil
		if isText {
			*field = &text
		}
		return
	}
	if v == nil {
		delete(r.Metadata, key)
		if len(r.Metadata) == 0 {
			r.Metadata = nil
		}
		return
	}
	if r.Metadata == nil {
		r.Metadata = holdfast.Values{}
	}
	r.Metadata[key] = v
}
