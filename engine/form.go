package engine

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
)

// chooseForm decides how the backup is stored. Whatever keeps the base from
// being looked at costs space and no backup: it is then a full one.
func (b *backup) chooseForm(ctx context.Context) (Form, error) {
	s := situation{
		now: b.e.o.Now(), asked: b.full, deltas: b.e.o.Settings.Deltas, fullEvery: b.e.o.Settings.FullEvery,
		trigger: b.trigger, estimate: b.estimate, trial: b.trial,
	}
	for _, source := range b.sources {
		s.sources = append(s.sources, sourceKey{source.Name(), source.Kind()})
	}
	s.sources = sorted(s.sources)
	if _, wanted := s.wanted(); !wanted {
		return s.choose(), nil // without a look at the repository
	}
	var err error
	if s.base, s.why, err = b.repository.Base(ctx); err != nil {
		if ctx.Err() != nil {
			return Form{}, context.Cause(ctx)
		}
		b.log.Warn("the base of a delta cannot be looked at", keyError, err)
		return Form{Reason: "what is remembered of the last backup cannot be read: " + err.Error()}, nil
	}
	if s.base != "" {
		if s.from, err = b.metadataOf(ctx, s.base); err != nil {
			return Form{}, err
		}
		if s.from != nil {
			full, err := b.metadataOf(ctx, s.from.Next().Full)
			if err != nil {
				return Form{}, err
			}
			s.fullGone = full == nil
		}
	}
	form := s.choose()
	if form.Base != "" {
		if form, err = b.readableForm(ctx, form); err != nil {
			return Form{}, err
		}
	}
	if form.Base != "" {
		chain := s.from.Next()
		b.chain = &chain
		b.base, err = b.fullMetadata(ctx, s.from)
	}
	return form, err
}

// fullMetadata gives what an encrypted backup says of itself to whoever has a
// key; without one nothing is known to be taken over.
func (b *backup) fullMetadata(ctx context.Context, m *holdfast.Metadata) (*holdfast.Metadata, error) {
	if !m.Encrypted {
		return m, nil
	}
	if b.unreadable {
		return nil, nil
	}
	from, err := b.repository.Backup(ctx, m.BackupName)
	if err != nil {
		return nil, context.Cause(ctx)
	}
	return from.Metadata(), from.Close()
}

// metadataOf reads what one backup says of itself; nil if it is not there or
// cannot be read.
func (b *backup) metadataOf(ctx context.Context, name holdfast.BackupName) (*holdfast.Metadata, error) {
	info, _, err := b.repository.Known(ctx, name)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && !errors.Is(err, holdfast.ErrNotFound):
		b.log.Warn("a backup cannot be read", keyBackup, name, keyError, err)
	}
	if err != nil {
		return nil, nil
	}
	return info.Metadata, nil
}

// chosen tells the form that the finished backup has, which is a full one if
// what was remembered of the base turned out to be of no use.
func (f Form) chosen(m *holdfast.Metadata) Form {
	if f.Base != "" && m.Parent == "" {
		return Form{Reason: "what is remembered of " + string(f.Base) + " is of no use any more"}
	}
	return f
}
