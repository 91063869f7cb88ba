package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// partRestore is one restore of parts.
type partRestore struct {
	path  string
	wait  time.Duration
	in    *inside // the copy
	was   *inside // the backup of what is replaced; nil if there is none
	parts []holdfast.Part
	o     holdfast.PartOptions

	db        *sql.DB
	conn      *sql.Conn
	result    holdfast.PartResult
	committed bool
}

// A partNote is all that Settle needs.
type partNote struct {
	// Marker is a table that is there from the commit until the next note.
	Marker    string              `json:"marker,omitempty"`
	Committed bool                `json:"committed,omitempty"`
	Result    holdfast.PartResult `json:"result"`
}

func (r *partRestore) step(step holdfast.Step, table string) {
	if r.o.Step != nil {
		r.o.Step(step, table)
	}
}

func (r *partRestore) progress(step holdfast.Step, table string, done, total int64) {
	if r.o.Progress != nil {
		r.o.Progress(step, table, done, total)
	}
}

func (r *partRestore) note(n partNote) error {
	if r.o.Note == nil {
		return nil
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return r.o.Note(b)
}

func (r *partRestore) explain(op string, err error) error { return explain(op, r.path, err) }

func (r *partRestore) problem(severity holdfast.Severity, table, hint, format string, args ...any) {
	r.result.Problems = append(r.result.Problems, holdfast.Problem{
		Object: "table " + table, Severity: severity, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// connected opens the one connection through which everything goes. Foreign keys are
// not enforced while the restore is under way: they would delete rows elsewhere.
func (r *partRestore) connected(ctx context.Context, f func() error) (err error) {
	if _, err := statDatabase(r.path); err != nil {
		return noLive(err, r.path)
	}
	r.db, err = openDSN(fileURI(r.path, "mode=rw", "_pragma=temp_store(file)", "_pragma=foreign_keys(0)"), 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.db.Close()) }()
	if err := r.retry(ctx, func() (err error) { r.conn, err = r.db.Conn(ctx); return err }); err != nil {
		return r.explain("open database", err)
	}
	defer func() { err = errors.Join(err, r.conn.Close()) }()
	return f()
}

func (r *partRestore) retry(ctx context.Context, f func() error) error {
	return retry(ctx, r.path, r.wait, f)
}

func (r *partRestore) run(ctx context.Context) error {
	return r.connected(ctx, func() error {
		w, err := r.want(ctx)
		if err != nil {
			return err
		}
		if err := r.retry(ctx, func() error { return w.lostViews(ctx, r.in, r.conn) }); err != nil {
			return r.explain("read the views of", err)
		}
		if len(w.losses) > 0 && !r.o.AcceptLosses {
			return &holdfast.Error{
				Op: "restore", Object: w.losses[0].Object,
				Err:  holdfast.Kindf(holdfast.ErrRefused, "%s", w.losses[0].Message),
				Hint: "accept the losses that the plan lists, or restore the whole database", Cause: holdfast.CauseLosses,
			}
		}
		r.result.Problems = append(r.result.Problems, w.losses...)
		if err := r.stageAll(ctx, w); err != nil {
			return err
		}
		return r.transact(ctx, w)
	})
}

// want compares the parts with the live database as it is now.
func (r *partRestore) want(ctx context.Context) (*wanted, error) {
	var live []*schema.Table
	err := r.retry(ctx, func() (err error) {
		live, err = schema.Read(ctx, r.conn)
		return err
	})
	if err != nil {
		return nil, r.explain("read the tables of", err)
	}
	return want(ctx, r.in, live, r.parts)
}

// transact makes all changes in one transaction.
func (r *partRestore) transact(ctx context.Context, w *wanted) (err error) {
	if err := r.retry(ctx, func() error { return execute(ctx, r.conn, "BEGIN IMMEDIATE") }); err != nil {
		return r.explain("write database", err)
	}
	defer func() {
		if !r.committed {
			err = errors.Join(err, rollback(ctx, r.conn))
		}
	}()
	if err := r.sameTables(ctx, w); err != nil {
		return err
	}
	if err := r.apply(ctx, w); err != nil {
		return err
	}
	marker := "holdfast_restore_" + r.o.Stamp
	if r.o.Note != nil {
		if err := execute(ctx, r.conn, "CREATE TABLE main."+schema.Quote(marker)+"(restored)"); err != nil {
			return r.explain("write database", err)
		}
		if err := r.note(partNote{Marker: marker, Result: r.result}); err != nil {
			return err
		}
	}
	if err := r.retry(ctx, func() error { return execute(ctx, r.conn, "COMMIT") }); err != nil {
		return r.explain("write database", err)
	}
	r.committed = true
	if r.o.Note == nil {
		return nil
	}
	return r.finish(context.WithoutCancel(ctx), marker)
}

// finish removes the marker once the note says that the transaction is done.
func (r *partRestore) finish(ctx context.Context, marker string) error {
	if err := r.note(partNote{Marker: marker, Committed: true, Result: r.result}); err != nil {
		r.problem(holdfast.Warning, marker, "run recover", "the restore is done, and that could not be noted: %v", err)
		return nil
	}
	if _, err := r.dropMarker(ctx, marker); err != nil {
		r.problem(holdfast.Warning, marker, "it is empty and can be dropped", "a table that marks the end of the restore could not be removed: %v", err)
	}
	return nil
}

// dropMarker removes the marker and tells whether it was there.
func (r *partRestore) dropMarker(ctx context.Context, marker string) (there bool, err error) {
	err = r.retry(ctx, func() error {
		there = false
		err := each(ctx, r.conn, "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?", []any{marker}, func(*sql.Rows) (bool, error) {
			there = true
			return false, nil
		})
		if err != nil || !there {
			return err
		}
		return execute(ctx, r.conn, "DROP TABLE main."+schema.Quote(marker))
	})
	if err != nil {
		return there, r.explain("settle restore of", err)
	}
	return there, nil
}

// sameTables refuses to go on if the application has changed its tables since they were
// compared.
func (r *partRestore) sameTables(ctx context.Context, w *wanted) error {
	now, err := r.want(ctx)
	if err != nil {
		return err
	}
	same := len(now.moves) == len(w.moves)
	for i := 0; same && i < len(w.moves); i++ {
		a, b := w.moves[i].to, now.moves[i].to
		same = (a == nil) == (b == nil) && (a == nil || a.SQL == b.SQL)
	}
	if same {
		return nil
	}
	return &holdfast.Error{
		Op: "restore parts into", Object: r.path,
		Err:  holdfast.Kindf(holdfast.ErrRefused, "the application has changed its tables meanwhile"),
		Hint: "look at the plan again",
	}
}
