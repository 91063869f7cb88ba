package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// The types of segments that Chroma has kept in this file from 0.4 on.
const (
	typeVector   = "urn:chroma:segment/vector/hnsw-local-persisted"
	typeMetadata = "urn:chroma:segment/metadata/sqlite"
)

// target is the collection that is written to.
type target struct {
	id       string
	topic    string
	vector   string // the new vector segment
	metadata string
	// old is the vector segment that was replaced, empty if there was none.
	old string
}

// replace puts the spooled records in the place of those of the collection,
// inside a transaction. It returns the vector segment that is no longer used.
func (w *writer) replace(ctx context.Context, info holdfast.MemoryCollection, s *spool) (string, error) {
	newest, err := w.newestPosition(ctx)
	if err != nil {
		return "", err
	}
	t, err := w.collection(ctx, info)
	if err != nil {
		return "", err
	}
	if err := w.clear(ctx, t); err != nil {
		return "", err
	}
	n := s.counts["ids"]
	if err := w.fill(ctx, t, s, newest); err != nil {
		return "", err
	}
	if n == 0 {
		// The log must keep an entry at its highest position. Deleting a
		// record that does not exist changes nothing.
		n = 1
		err := w.exec(ctx, `INSERT INTO embeddings_queue (seq_id, operation, topic, id, metadata) VALUES (?, ?, ?, ?, '{}')`,
			newest+n, opDelete, t.topic, uuid.NewString())
		if err != nil {
			return "", err
		}
	}
	// The record tables contain the log up to here; the index, which has no
	// position, nothing of it.
	err = w.exec(ctx, `INSERT OR REPLACE INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)`,
		t.metadata, formPosition(w.blobPositions(), newest+n))
	return t.old, err
}

// clear removes the records, the log and the index position of a collection.
func (w *writer) clear(ctx context.Context, t target) error {
	const own = `(SELECT id FROM embeddings WHERE segment_id = ?)`
	queries := []string{
		`DELETE FROM ` + w.layout.fulltext() + ` WHERE rowid IN ` + own,
		`DELETE FROM embedding_metadata WHERE id IN ` + own,
	}
	if w.layout.arrays() {
		queries = append(queries, `DELETE FROM embedding_metadata_array WHERE id IN `+own)
	}
	queries = append(queries, `DELETE FROM embeddings WHERE segment_id = ?`)
	for _, q := range queries {
		if err := w.exec(ctx, q, t.metadata); err != nil {
			return err
		}
	}
	if err := w.exec(ctx, `DELETE FROM embeddings_queue WHERE topic = ?`, t.topic); err != nil {
		return err
	}
	return w.exec(ctx, `DELETE FROM max_seq_id WHERE segment_id IN (?, ?)`, t.old, t.vector)
}

// fill writes the spooled records: their rows, and their vectors to the log.
func (w *writer) fill(ctx context.Context, t target, s *spool, newest int64) (err error) {
	first, err := w.freeRow(ctx)
	if err != nil {
		return err
	}
	rows, err := w.prepareRows(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	records, err := s.conn.PrepareContext(ctx, spooledRecord)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, records.Close()) }()
	for place := int64(0); place < s.counts["ids"]; place++ {
		var r spooled
		if err := records.QueryRowContext(ctx, place).Scan(&r.id, &r.document, &r.uri, &r.metadata, &r.embedding); err != nil {
			return err
		}
		if err := rows.write(ctx, t, first+place, newest+1+place, r); err != nil {
			return fmt.Errorf("record %q: %w", r.id, err)
		}
	}
	return nil
}

// freeRow is the first number for embeddings.id that nothing refers to. A
// deleted collection can leave rows of array metadata behind, and a record
// that reuses their number would inherit them.
func (w *writer) freeRow(ctx context.Context) (int64, error) {
	highest := int64(0)
	for _, table := range []string{"embeddings", "embedding_metadata", "embedding_metadata_array"} {
		if !w.layout.table(table) {
			continue
		}
		var n sql.NullInt64
		if err := w.conn.QueryRowContext(ctx, `SELECT max(id) FROM `+table).Scan(&n); err != nil {
			return 0, err
		}
		highest = max(highest, n.Int64)
	}
	return highest + 1, nil
}

// spooled is one record of the spool, as spooledRecord gives it.
type spooled struct {
	id            string
	document, uri sql.NullString
	metadata      sql.NullString
	embedding     []byte
}

const spooledRecord = `SELECT i.value, d.value, u.value, m.value, e.value FROM holdfast_spool.ids AS i
	LEFT JOIN holdfast_spool.documents AS d USING (place) LEFT JOIN holdfast_spool.uris AS u USING (place)
	LEFT JOIN holdfast_spool.metadatas AS m USING (place) LEFT JOIN holdfast_spool.embeddings AS e USING (place)
	WHERE i.place = ?`

// rowWriter holds the prepared statements for one record.
type rowWriter struct {
	record, value, element, fulltext, log *sql.Stmt
	blobs                                 bool
}

func (w *writer) prepareRows(ctx context.Context) (_ *rowWriter, err error) {
	r := &rowWriter{blobs: w.blobPositions()}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	value := `INSERT INTO embedding_metadata (id, key, string_value, int_value, float_value, bool_value) VALUES (?, ?, ?, ?, ?, ?)`
	if !w.layout.column("embedding_metadata", "bool_value") {
		// The oldest layout keeps booleans as numbers.
		value = `INSERT INTO embedding_metadata (id, key, string_value, int_value, float_value) VALUES (?1, ?2, ?3, coalesce(?4, ?6), ?5)`
	}
	fulltext := `INSERT INTO embedding_fulltext_search (rowid, string_value) VALUES (?1, ?2)`
	if w.layout.fulltext() == "embedding_fulltext" {
		fulltext = `INSERT INTO embedding_fulltext (rowid, id, string_value) VALUES (?1, ?1, ?2)`
	}
	statements := map[**sql.Stmt]string{
		&r.record:   `INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (?, ?, ?, ?)`,
		&r.value:    value,
		&r.fulltext: fulltext,
		&r.log:      `INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES (?, ?, ?, ?, ?, 'FLOAT32', '{}')`,
	}
	if w.layout.arrays() {
		statements[&r.element] = `INSERT INTO embedding_metadata_array (id, key, string_value, int_value, float_value, bool_value) VALUES (?, ?, ?, ?, ?, ?)`
	}
	for to, query := range statements {
		if *to, err = w.conn.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rowWriter) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{r.record, r.value, r.element, r.fulltext, r.log} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// write writes one record at a row number and a log position.
func (r *rowWriter) write(ctx context.Context, t target, number, position int64, s spooled) error {
	if _, err := r.record.ExecContext(ctx, number, t.metadata, s.id, formPosition(r.blobs, position)); err != nil {
		return err
	}
	values := holdfast.Values{}
	if s.metadata.Valid {
		if err := json.Unmarshal([]byte(s.metadata.String), &values); err != nil {
			return err
		}
	}
	if s.document.Valid {
		values[keyDocument] = s.document.String
		if _, err := r.fulltext.ExecContext(ctx, number, s.document.String); err != nil {
			return err
		}
	}
	if s.uri.Valid {
		values[keyURI] = s.uri.String
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := r.typed(ctx, number, key, values[key]); err != nil {
			return fmt.Errorf("metadata %q: %w", key, err)
		}
	}
	_, err := r.log.ExecContext(ctx, position, opUpsert, t.topic, s.id, s.embedding)
	return err
}

// typed writes one value of the metadata.
func (r *rowWriter) typed(ctx context.Context, number int64, key string, v any) error {
	elements, isArray := v.([]any)
	statement := r.value
	if isArray {
		if statement = r.element; statement == nil {
			return &holdfast.Error{
				Op: "write", Object: "array",
				Err:  holdfast.Kindf(holdfast.ErrRefused, "this Chroma directory is of a release that has no arrays in metadata"),
				Hint: "start Chroma 1.5 or later once on the directory, which migrates it",
			}
		}
	} else {
		elements = []any{v}
	}
	for _, e := range elements {
		c, err := split(e)
		if err != nil {
			return err
		}
		if e == nil {
			continue // a key without a value is no key
		}
		if _, err := statement.ExecContext(ctx, number, key, c.str, c.num, c.float, c.flag); err != nil {
			return err
		}
	}
	return nil
}

// isConstraint tells whether a row was refused by a constraint.
func isConstraint(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
