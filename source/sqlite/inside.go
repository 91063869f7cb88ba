package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// countable is the size of a database whose rows are counted for a listing; of a
// larger one that would read too much.
const countable = 4 << 20

var _ holdfast.Looker = (*Source)(nil)

// Look opens a copy of the database where it lies, without changing it. Rows are read
// in the orders that the database has indexes for, so that a page of a listing costs a
// few pages of the database.
func (s *Source) Look(ctx context.Context, copy fs.FS) (holdfast.Inside, error) {
	return lookInside(ctx, copy, s.file())
}

// inside is the open copy of a database.
type inside struct {
	file string
	size int64
	db   *DB

	mu     sync.Mutex
	tables []*schema.Table // nil: not read yet
}

func lookInside(ctx context.Context, copy fs.FS, name string) (*inside, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	file, err := (&oneFile{fsys: copy, name: name}).open()
	if err != nil {
		return nil, &holdfast.Error{Op: "open database", Object: name, Err: err}
	}
	err = errors.Join(identify(file, file.size), file.Close())
	if err != nil {
		return nil, located(name, err)
	}
	// writable_schema makes SQLite read what it can of a database one of whose
	// definitions is damaged; nothing is ever written here.
	db, err := openFS(copy, name, "&_pragma=writable_schema(1)")
	if err != nil {
		return nil, err
	}
	return &inside{file: name, size: file.size, db: db}, nil
}

func (in *inside) Close() error { return in.db.Close() }

// schema reads what the tables are made of, once.
func (in *inside) schema(ctx context.Context) ([]*schema.Table, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.tables != nil || in.size == 0 {
		return in.tables, nil
	}
	tables, err := schema.Read(ctx, in.db)
	if err != nil {
		return nil, in.failed(ctx, "read the tables of", "", err)
	}
	for _, t := range tables {
		if err := in.probe(ctx, t); err != nil {
			return nil, err
		}
	}
	in.tables = tables
	return tables, nil
}

// probe closes a table whose rows SQLite cannot read without something that only
// its application has, such as a function that computes a column.
func (in *inside) probe(ctx context.Context, t *schema.Table) error {
	if t.Closed != "" {
		return nil
	}
	for _, order := range []schema.Order{t.Natural(), t.ByKey()} {
		rows, err := in.db.QueryContext(ctx, selection(t, t.Columns, 0)+order.All()[0].SQL+" LIMIT 0")
		if err == nil {
			err = errors.Join(rows.Err(), rows.Close())
		}
		if primary, _ := code(err); primary == sqlite3.SQLITE_ERROR && ctx.Err() == nil {
			t.Closed = fmt.Sprintf("it needs something that only its application has: %v", err)
			return nil
		}
		if err != nil && code0(err) != sqlite3.SQLITE_CORRUPT {
			return in.failed(ctx, "read table", t.Name, err)
		}
	}
	return nil
}

// Tables lists the tables that the application created.
func (in *inside) Tables(ctx context.Context) ([]holdfast.Table, error) {
	tables, err := in.schema(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]holdfast.Table, 0, len(tables))
	for _, t := range tables {
		shown := holdfast.Table{Name: t.Name, Kind: holdfast.KindTable, Closed: t.Closed, Order: t.ByKey().String()}
		for _, c := range t.Columns {
			shown.Columns = append(shown.Columns, holdfast.Column{Name: c.Name, Type: c.Type, Key: c.Key})
		}
		if in.size <= countable && t.Closed == "" {
			shown.Rows, err = in.count(ctx, t)
			if err != nil {
				return nil, err
			}
		}
		all = append(all, shown)
	}
	return all, nil
}

// count counts the rows of a table; nil if it is damaged.
func (in *inside) count(ctx context.Context, t *schema.Table) (*int64, error) {
	n := new(int64)
	err := in.db.QueryRowContext(ctx, t.Count()).Scan(n)
	if err != nil && code0(err) == sqlite3.SQLITE_CORRUPT {
		return nil, nil
	}
	if err != nil {
		return nil, in.failed(ctx, "count the rows of table", t.Name, err)
	}
	return n, nil
}

// table finds a table that can be read.
func (in *inside) table(ctx context.Context, name string) (*schema.Table, error) {
	tables, err := in.schema(ctx)
	if err != nil {
		return nil, err
	}
	t := schema.Named(tables, name)
	if t == nil {
		return nil, &holdfast.Error{
			Op: "read table", Object: name,
			Err: holdfast.Kindf(holdfast.ErrNotFound, "%s has no such table", in.file),
		}
	}
	if t.Closed != "" {
		return nil, &holdfast.Error{
			Op: "read table", Object: t.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "%s", t.Closed),
			Hint: "restore the database beside (restore --to) and open it with its application",
		}
	}
	return t, nil
}

// failed tells apart what is wrong with the database and with reading it.
func (in *inside) failed(ctx context.Context, op, table string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &holdfast.Error{Op: op, Object: table, Err: err}
	if table == "" {
		e.Object = in.file
	}
	switch code0(err) {
	case sqlite3.SQLITE_IOERR:
		if cause := in.db.ReadError(); cause != nil {
			e.Err = cause
		}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		e.Err = holdfast.Kindf(holdfast.ErrDamaged, "the database is damaged here: %v", err)
		e.Hint = "what could be read before is good; an older backup may have the rest"
	}
	return e
}
