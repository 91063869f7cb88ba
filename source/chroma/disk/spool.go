package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/holdfast-backup/holdfast"
)

// A spool holds the columns of a memories.json in a temporary database until
// they can be joined to records: the file has all ids first, then all
// documents, and so on, in any order of the lists.
type spool struct {
	conn   *sql.Conn
	path   string
	counts map[string]int64 // elements of each list that was there
}

// spoolName is the name under which the temporary database is attached.
const spoolName = "holdfast_spool"

// newSpool attaches a temporary database beside the data: the system's own
// directory for temporary files may be memory.
func newSpool(ctx context.Context, conn *sql.Conn, dir string) (_ *spool, err error) {
	f, err := os.CreateTemp(dir, ".holdfast-memory-*")
	if err != nil {
		return nil, err
	}
	s := &spool{conn: conn, path: f.Name(), counts: map[string]int64{}}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, os.Remove(s.path))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if err := s.exec(ctx, `ATTACH DATABASE ? AS `+spoolName, s.path); err != nil {
		return nil, err
	}
	for _, query := range []string{
		`PRAGMA holdfast_spool.journal_mode = OFF`, // a cut spool is thrown away
		`PRAGMA holdfast_spool.synchronous = OFF`,
		`CREATE TABLE holdfast_spool.ids (place INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE)`,
		`CREATE TABLE holdfast_spool.documents (place INTEGER PRIMARY KEY, value TEXT)`,
		`CREATE TABLE holdfast_spool.uris (place INTEGER PRIMARY KEY, value TEXT)`,
		`CREATE TABLE holdfast_spool.metadatas (place INTEGER PRIMARY KEY, value TEXT)`,
		`CREATE TABLE holdfast_spool.embeddings (place INTEGER PRIMARY KEY, value BLOB)`,
	} {
		if err := s.exec(ctx, query); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *spool) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.conn.ExecContext(ctx, query, args...)
	return err
}

// close removes the temporary database.
func (s *spool) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	err := s.exec(ctx, `DETACH DATABASE `+spoolName)
	return errors.Join(err, os.Remove(s.path))
}

// wrong makes an error about the content of the file.
func wrong(format string, args ...any) error {
	return &holdfast.Error{
		Op: "read", Object: "memories.json", Err: holdfast.Kindf(holdfast.ErrDamaged, format, args...),
		Hint: "verify the backup, or choose another one",
	}
}

// read takes the whole file, list by list.
func (s *spool) read(ctx context.Context, r io.Reader) error {
	if err := s.exec(ctx, `BEGIN`); err != nil {
		return err
	}
	in := &reader{r: r}
	err := s.lists(ctx, json.NewDecoder(in))
	if in.err != nil {
		err = in.err // not the fault of what was read
	}
	return errors.Join(err, s.exec(context.WithoutCancel(ctx), `COMMIT`))
}

// reader remembers why its source could not be read.
type reader struct {
	r   io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (s *spool) lists(ctx context.Context, d *json.Decoder) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return badJSON(err)
		}
		name, _ := token.(string)
		decode, known := decoders[name]
		if !known {
			// What Chroma's get adds (include, data …) says nothing new.
			if err := skip(d); err != nil {
				return badJSON(err)
			}
			continue
		}
		if _, twice := s.counts[name]; twice {
			return wrong("it has two lists %s", name)
		}
		if s.counts[name], err = s.list(ctx, d, name, decode); err != nil {
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong("something follows its end")
	}
	return nil
}

// list spools one list; null in its place is an empty one.
func (s *spool) list(ctx context.Context, d *json.Decoder, name string, decode func(*json.Decoder) (any, error)) (n int64, err error) {
	token, err := d.Token()
	if err != nil {
		return 0, badJSON(err)
	}
	if token == nil {
		return 0, nil
	}
	if token != json.Delim('[') {
		return 0, wrong("%s is no list", name)
	}
	insert, err := s.conn.PrepareContext(ctx, `INSERT INTO holdfast_spool.`+name+` (place, value) VALUES (?, ?)`)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for ; d.More(); n++ {
		v, err := decode(d)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return n, badJSON(err)
		}
		if err != nil {
			return n, wrong("%s[%d]: %w", name, n, err)
		}
		if _, err := insert.ExecContext(ctx, n, v); err != nil {
			if name == "ids" && isConstraint(err) {
				return n, wrong("ids[%d]: %q is there twice", n, v)
			}
			return n, err
		}
	}
	return n, expect(d, json.Delim(']'))
}

// check compares the lists with each other and with what is known of them, and
// completes the dimension.
func (s *spool) check(ctx context.Context, info *holdfast.MemoryCollection) error {
	n, ok := s.counts["ids"]
	if !ok {
		return wrong("it has no ids")
	}
	for name, m := range s.counts {
		if m != n && m != 0 {
			return wrong("it has %d ids but %d %s", n, m, name)
		}
	}
	if info.Records != 0 && info.Records != n {
		return wrong("it has %d records where the backup recorded %d", n, info.Records)
	}
	if n == 0 {
		return nil
	}
	var shortest, longest sql.NullInt64
	var without int64
	var first sql.NullString
	err := s.conn.QueryRowContext(ctx, `SELECT min(length(e.value)), max(length(e.value)), count(*) - count(e.value), min(CASE WHEN e.value IS NULL THEN i.value END)
		FROM holdfast_spool.ids AS i LEFT JOIN holdfast_spool.embeddings AS e USING (place)`).Scan(&shortest, &longest, &without, &first)
	if err != nil {
		return err
	}
	if without > 0 {
		return &holdfast.Error{
			Op: "read", Object: "memories.json",
			Err:  holdfast.Kindf(holdfast.ErrRefused, "there is no embedding in %d of %d records, the first is %q", without, n, first.String),
			Hint: "Chroma cannot hold a record without its embedding; choose an older backup, or remove these records from a copy of the file",
		}
	}
	if shortest != longest || shortest.Int64 == 0 {
		return wrong("its embeddings have between %d and %d dimensions", shortest.Int64/4, longest.Int64/4)
	}
	dimension := int(longest.Int64 / 4)
	if info.Dimension != 0 && info.Dimension != dimension {
		return wrong("its embeddings have %d dimensions where the backup recorded %d", dimension, info.Dimension)
	}
	info.Dimension = dimension
	return nil
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return badJSON(err)
	}
	if token != want {
		return wrong("%v where %v was expected", token, want)
	}
	return nil
}

// badJSON names a syntax error as damage of the file; read errors stay.
func badJSON(err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("it is not complete JSON: %w", err)
	}
	return err
}
