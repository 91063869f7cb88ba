package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// A staged row has its row id as rid and its columns as c0, c1 … without types, so
// that SQLite changes none of the values.

// stageTable makes the temporary table for rows of t.
func stageTable(ctx context.Context, conn *sql.Conn, name string, t *schema.Table) error {
	columns := []string{"n INTEGER PRIMARY KEY", "rid"}
	for i := range t.Stored() {
		columns = append(columns, fmt.Sprintf("c%d", i))
	}
	return execute(ctx, conn, "CREATE TABLE "+name+"("+strings.Join(columns, ", ")+")")
}

// stage reads the rows of a move out of a copy. A key that the copy does not have is
// passed to missing.
func (r *partRestore) stage(ctx context.Context, in *inside, t *schema.Table, name string, m *move, missing func(rowkey.Key) error) (n int64, err error) {
	conn := r.conn
	if err := stageTable(ctx, conn, name, t); err != nil {
		return 0, err
	}
	if t.ContentOf() != "" {
		return 0, nil // it is made anew
	}
	columns := t.Stored()
	if err := execute(ctx, conn, "BEGIN"); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rollback(ctx, conn))
		}
	}()
	insert, err := conn.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES(NULL%s)", name, strings.Repeat(", ?", len(columns)+1)))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	p := newPicker(t, columns, 0, false)
	args := make([]any, len(columns)+1)
	found, staged := false, map[string]bool{} // of the keys: two may name one row
	take := func(rows *sql.Rows) (bool, error) {
		if err := p.scan(rows); err != nil {
			return false, err
		}
		if found = true; m.keys != nil {
			row := rowkey.Key{Values: p.key}.Text()
			if staged[row] {
				return true, nil
			}
			staged[row] = true
		}
		args[0] = p.rowID
		for i, v := range p.values {
			if b, ok := v.([]byte); ok && b == nil {
				v = []byte{} // the driver would take it for NULL
			}
			args[i+1] = v
		}
		if _, err := insert.ExecContext(ctx, args...); err != nil {
			return false, &stageError{err}
		}
		if n++; n%searchBeat == 0 {
			r.progress(holdfast.StepStage, m.name, n, 0)
		}
		return true, nil
	}
	begin := selection(t, columns, 0)
	if m.keys == nil {
		err = each(ctx, in.db, begin+t.Natural().All()[0].SQL, nil, take)
	}
	for _, k := range m.keys {
		found = false
		condition, keyArgs := t.Where(k)
		if err = each(ctx, in.db, begin+condition, keyArgs, take); err != nil {
			break
		}
		if !found {
			if err = missing(k); err != nil {
				return n, err
			}
		}
	}
	if e, ok := errors.AsType[*stageError](err); ok {
		return n, stageFailed(t.Name, e.error)
	}
	if err != nil {
		return n, in.failed(ctx, "read table", t.Name, err)
	}
	return n, execute(ctx, conn, "COMMIT")
}

// A stageError is one of the temporary table and not of the copy.
type stageError struct{ error }

// stageFailed says what to do where the temporary file has no room.
func stageFailed(table string, err error) error {
	e := &holdfast.Error{Op: "keep in a temporary file the rows of table", Object: table, Err: err}
	if storage, _ := Fault(err); storage {
		e.Hint = "make room where the system keeps temporary files, or name another place in SQLITE_TMPDIR"
	}
	return e
}

// stageAll reads everything that is wanted, and what it replaces as the backup made
// before has it.
func (r *partRestore) stageAll(ctx context.Context, w *wanted) error {
	for _, m := range w.moves {
		r.step(holdfast.StepStage, m.name)
		if m.from != nil {
			var err error
			m.staged, err = r.stage(ctx, r.in, m.from, m.stage(), m, func(k rowkey.Key) error {
				if m.exact {
					return nil
				}
				return notInCopy(m.from.Name, k.Text())
			})
			if err != nil {
				return err
			}
			r.progress(holdfast.StepStage, m.name, m.staged, m.staged)
		}
		if err := r.stagePast(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// stagePast reads what a move replaces out of the backup of it.
func (r *partRestore) stagePast(ctx context.Context, m *move) error {
	if r.was == nil || m.to == nil {
		return nil
	}
	tables, err := r.was.schema(ctx)
	if err != nil {
		return err
	}
	was := schema.Named(tables, m.to.Name)
	if was == nil || was.Closed != "" || len(was.Differences(m.to)) > 0 {
		return stageTable(ctx, r.conn, m.past(), m.to) // all of it is newer
	}
	_, err = r.stage(ctx, r.was, was, m.past(), m, func(rowkey.Key) error { return nil })
	return err
}
