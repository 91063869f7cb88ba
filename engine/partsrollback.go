package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// rollbackParts undoes a restore by requests, from its emergency backup and through the
// same ceremony.
func (r *run) rollbackParts(ctx context.Context, last *lastRestore, result *RestoreResult, before announce) error {
	var p *plan
	var b *repo.Backup
	err := r.step(ctx, holdfast.StepChoose, func(ctx context.Context) (_ string, err error) {
		p, b, err = r.planUndoParts(ctx, last)
		return fmt.Sprintf("the restore of %s at %s", last.what(), last.At), err
	})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := before(ctx, Verb{Backup: last.Emergency, Sources: p.sources()}); err != nil {
		return err
	}
	emergency, err := r.emergencyOf(ctx, p, false, result)
	if err != nil {
		return err
	}
	if err := r.step(ctx, holdfast.StepValidate, func(ctx context.Context) (string, error) { return r.validate(ctx, b) }); err != nil {
		return err
	}
	return r.putInPlace(ctx, p, emergency, false, result)
}

// what names what was restored.
func (l *lastRestore) what() string { return cmp.Or(l.Import, string(l.Backup), "the replaced state") }

// planUndoParts plans the way back of a restore by requests. The caller closes the
// emergency backup.
func (r *run) planUndoParts(ctx context.Context, last *lastRestore) (_ *plan, _ *repo.Backup, err error) {
	was := last.Parts
	store := r.e.storeAt(was.Kind, was.Location)
	if store == nil {
		return nil, nil, &holdfast.Error{Op: opRollback, Object: was.Location, Err: holdfast.Kindf(holdfast.ErrRefused, "the restore went there, and no source is configured there"), Hint: "run `holdfast rollback " + was.flag() + "`"}
	}
	if last.Emergency == "" {
		hint := "go back with `holdfast restore NAME`"
		if len(was.Kept) > 0 {
			hint = "the store keeps what was replaced as " + strings.Join(was.Kept[:min(len(was.Kept), 3)], ", ")
		}
		return nil, nil, &holdfast.Error{Op: opRollback, Object: was.Location, Err: holdfast.Kindf(holdfast.ErrNotFound, "the last restore made no emergency backup"), Hint: hint}
	}
	r.backup = last.Emergency
	b, err := r.e.o.Repository.Backup(ctx, last.Emergency)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	md := sourceMetadata(b, was.Store)
	if md.Path == "" {
		return nil, nil, errGone(was.Store)
	}
	copied, err := fs.Sub(b, was.Store)
	if err != nil {
		return nil, nil, err
	}
	p := &plan{acceptLosses: true} // it is what was there before
	p.Backup = repo.Info{Name: last.Emergency}
	w := &partsWork{store: store, source: was.Store, wanted: was.undo(), copied: copied}
	if len(w.wanted) == 0 {
		return nil, nil, &holdfast.Error{Op: opRollback, Object: was.Location, Err: holdfast.Kindf(holdfast.ErrNotFound, "the last restore changed nothing"), Hint: "go back further with `holdfast restore NAME`"}
	}
	return p, b, r.planParts(ctx, p, w, md)
}

// undo gives the parts that bring back what was there before: each table that was
// changed, or the rows of it that were, and without what was not there.
func (l *lastParts) undo() (parts []holdfast.Part) {
	for _, c := range l.Changes {
		p := holdfast.Part{Table: c.Table, Exact: true}
		if c.Action == holdfast.PartMerge {
			p.Keys = l.Rows[c.Table]
		}
		parts = append(parts, p)
	}
	return parts
}

// flag names the store on the command line.
func (l *lastParts) flag() string {
	if l.Kind == holdfast.KindChroma {
		return "--into " + l.Location
	}
	return "--" + string(l.Kind) + " '" + l.Store + "=" + l.Location + "'"
}
