package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

var _ holdfast.PartRestorer = (*Source)(nil)

// Running is false: a database can be replaced as a file, too.
func (s *Source) Running() bool { return false }

// Narrow gives the source itself: a capture is of the whole database.
func (s *Source) Narrow([]holdfast.Part) holdfast.Source { return s }

// PlanParts compares what is wanted with the live database, in one read transaction.
func (s *Source) PlanParts(ctx context.Context, copy fs.FS, parts []holdfast.Part) (plan holdfast.PartPlan, err error) {
	in, err := lookInside(ctx, copy, s.file())
	if err != nil {
		return plan, s.restoreFailed(ctx, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	l, err := OpenLive(ctx, followLinks(s.path), LiveOptions{Wait: s.opts.Wait})
	if err != nil {
		return plan, s.restoreFailed(ctx, noLive(err, s.path))
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Begin(ctx); err != nil {
		return plan, s.restoreFailed(ctx, err)
	}
	live, err := schema.Read(ctx, l.Conn())
	if err != nil {
		return plan, s.restoreFailed(ctx, l.explain("read the tables of", err))
	}
	w, err := want(ctx, in, live, parts)
	if err != nil {
		return plan, s.restoreFailed(ctx, err)
	}
	if err := w.lostViews(ctx, in, l.Conn()); err != nil {
		return plan, s.restoreFailed(ctx, l.explain("read the views of", err))
	}
	if err := w.found(ctx, in); err != nil {
		return plan, s.restoreFailed(ctx, err)
	}
	if err := w.count(ctx, in, l); err != nil {
		return plan, s.restoreFailed(ctx, err)
	}
	return w.plan(in), nil
}

// noLive says what to do where there is no database to restore into.
func noLive(err error, path string) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &holdfast.Error{
		Op: "open database", Object: path,
		Err:  holdfast.Kindf(holdfast.ErrRefused, "there is no live database to restore into"),
		Hint: "restore the whole database",
	}
}

// RestoreParts brings tables and rows into the live database in one transaction:
// connections of other processes stay open, readers see either state, writers wait
// for it. What is wanted of the copy is read before, so that the transaction is no longer than
// SQLite takes to write it and to compare it with what was read.
//
// Triggers are not run, since what they did when the rows were written lies in the copy
// as well; the result names them. Foreign keys may be broken between two of the
// parts and not at the end: then the restore is refused.
func (s *Source) RestoreParts(ctx context.Context, copy fs.FS, parts []holdfast.Part, o holdfast.PartOptions) (result holdfast.PartResult, err error) {
	in, err := lookInside(ctx, copy, s.file())
	if err != nil {
		return result, s.restoreFailed(ctx, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r := &partRestore{path: followLinks(s.path), wait: waitOr(s.opts.Wait), in: in, parts: parts, o: o}
	if o.Replaced != nil {
		if r.was, err = lookInside(ctx, o.Replaced, s.file()); err != nil {
			return result, s.restoreFailed(ctx, err)
		}
		defer func() { err = errors.Join(err, r.was.Close()) }()
	}
	if err := r.run(ctx); err != nil {
		return holdfast.PartResult{Undone: !r.committed, Problems: r.result.Problems}, s.restoreFailed(ctx, err)
	}
	return r.result, nil
}

// Settle tells what became of the transaction of a restore that was cut. SQLite has
// finished or undone it by itself; a table that is there for a moment only tells
// which.
func (s *Source) Settle(ctx context.Context, note json.RawMessage) (holdfast.Settled, error) {
	var n partNote
	if len(note) > 0 {
		if err := json.Unmarshal(note, &n); err != nil {
			return holdfast.Settled{}, s.restoreFailed(ctx, holdfast.Kindf(holdfast.ErrDamaged, "the note of the restore cannot be read: %v", err))
		}
	}
	if n.Marker == "" {
		return holdfast.Settled{Result: holdfast.PartResult{Undone: true}}, nil
	}
	r := &partRestore{path: followLinks(s.path), wait: waitOr(s.opts.Wait)}
	var there bool
	err := r.connected(ctx, func() (err error) {
		there, err = r.dropMarker(ctx, n.Marker)
		return err
	})
	if err != nil {
		return holdfast.Settled{}, s.restoreFailed(ctx, err)
	}
	if there || n.Committed {
		return holdfast.Settled{Finished: true, Result: n.Result}, nil
	}
	return holdfast.Settled{Result: holdfast.PartResult{Undone: true}}, nil
}

// restoreFailed names the source in an error.
func (s *Source) restoreFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &holdfast.Error{Op: "restore parts of", Object: s.name, Err: err}
}
