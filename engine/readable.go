package engine

import (
	"context"

	"github.com/holdfast-backup/holdfast"
)

// readableForm looks whether what a delta refers to can be read here. On a host
// that only writes for recipients it cannot: then nothing can be exported from
// the captured copy, nor can that be checked. A backup that has to export memory
// is a full one there, because all of a full was just written and can be read.
func (b *backup) readableForm(ctx context.Context, form Form) (Form, error) {
	readable, err := b.repository.Readable(ctx)
	switch {
	case ctx.Err() != nil:
		return Form{}, context.Cause(ctx)
	case err != nil:
		b.log.Warn("encrypted backups cannot be read", keyError, err)
	case readable:
		return form, nil
	}
	if b.memory && b.exportsMemory() {
		return Form{Reason: "memory is exported from it, and what " + string(form.Base) + " holds is encrypted and cannot be read here"}, nil
	}
	b.unreadable = true
	return form, nil
}

// exportsMemory tells whether a source has collections of memory.
func (b *backup) exportsMemory() bool {
	for _, s := range b.sources {
		if ms, ok := s.(holdfast.MemorySource); ok && len(ms.MemoryCollections()) > 0 {
			return true
		}
	}
	return false
}

// What a backup says of a source whose captured copy was not looked at.
const (
	messageUnchecked   = "the captured copy was not checked"
	messageUncheckable = "the captured copy could not be checked"
)

// leaveUnchecked says of a copy that cannot be read here that it was not checked.
// The records are counted in the live source instead, a moment later: whoever
// compares backups must see one that has lost its records.
func (b *backup) leaveUnchecked(ctx context.Context, s holdfast.Source, md *holdfast.SourceMetadata) error {
	b.add(holdfast.Problem{
		Source: s.Name(), Severity: holdfast.Warning,
		Message: messageUnchecked + ": what has not changed since " + string(b.form.Base) + " is encrypted, and there is no key here",
		Hint:    "run `holdfast verify " + string(b.pending.Name()) + "` where the key is; a full backup is checked here too",
	})
	live, err := s.Inspect(ctx, holdfast.InspectOptions{Counts: true})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		b.log.Warn("the records of the live source cannot be counted", keySource, s.Name(), keyError, err)
	default:
		md.Facts = mergeFacts(live.Facts, md.Facts)
	}
	md.Facts = unchecked(md.Facts)
	return nil
}

// unchecked says of the facts of a live source that its captured copy was not
// checked.
func unchecked(f holdfast.Facts) holdfast.Facts {
	switch {
	case f.SQLite != nil:
		s := *f.SQLite
		s.QuickCheck = holdfast.CheckUnchecked
		return holdfast.Facts{SQLite: &s}
	case f.Chroma != nil:
		c := *f.Chroma
		c.QuickCheck = holdfast.CheckUnchecked
		return holdfast.Facts{Chroma: &c}
	}
	return f
}
