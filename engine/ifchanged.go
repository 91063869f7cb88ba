package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A backup that is only wanted if something has changed is made like any other,
// up to its commit: only what was captured tells for certain, and of a source that
// is known by its stamps nothing is read. If it then holds what the newest backup
// holds, it is given up and that one is named.
//
// What is to be stored whole is compared by a delta that is never committed, so
// that a change costs one more read of the sources there.

// errSomethingNew ends a delta that was begun for the comparison alone.
var errSomethingNew = errors.New("something has changed")

// onlyIfChanged tells whether a request leaves the choice: what a person asked for
// is always made.
func (r BackupRequest) onlyIfChanged() bool {
	return r.IfChanged && r.Name == "" && r.Note == "" && !r.Pin && !r.Full && r.Trigger != holdfast.TriggerEmergency
}

// compare looks whether a backup that is to be full would hold anything new. It
// gives no result if so, or if there is nothing to compare with.
func (b *backup) compare(ctx context.Context) (*BackupResult, error) {
	trial := &backup{
		run: b.run, repository: b.repository, sources: b.sources, name: b.name, exact: b.exact,
		trigger: b.trigger, memory: b.memory, estimate: b.estimate, problems: slices.Clone(b.problems),
		ifChanged: true, trial: true,
	}
	var err error
	if trial.form, err = trial.chooseForm(ctx); err != nil || trial.form.Base == "" {
		return nil, err
	}
	result, err := trial.make(ctx)
	_, bad := errors.AsType[*baseError](err)
	if bad || errors.Is(err, errSomethingNew) {
		return nil, nil
	}
	return result, err
}

// sourcesUnchanged tells whether everything captured is what the base has. Of
// plain files, modes and times count as well, since a restore brings them back;
// those of a database say nothing that its owner would notice.
func (b *backup) sourcesUnchanged() bool {
	for _, s := range b.sources {
		same := b.pending.Unchanged
		if s.Kind() == holdfast.KindFiles {
			same = b.pending.Alike
		}
		if !same(s.Name()) {
			return false
		}
	}
	return true
}

// nothingNew gives the newest backup if this one would hold nothing else; nil if
// it would, or if that cannot be known.
func (b *backup) nothingNew(ctx context.Context) (*repo.Info, error) {
	if b.form.Base == "" || !b.sourcesUnchanged() {
		return nil, nil
	}
	newest, err := b.repository.Latest(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		b.log.Warn("the newest backup cannot be looked at", keyError, err)
		return nil, nil
	case newest.Name != b.form.Base || newest.Metadata.IncludesMemory != b.memory || newest.Disproven():
		return nil, nil
	case b.memory && !b.sameMemory():
		return nil, nil
	}
	return &newest, nil
}

// sameMemory tells whether the same collections were exported for the base. Where
// its names are encrypted and there is no key, that is not known.
func (b *backup) sameMemory() bool {
	if b.base == nil {
		return false
	}
	for _, s := range b.captured {
		known := slices.ContainsFunc(b.base.Sources, func(o holdfast.SourceMetadata) bool {
			return o.Name == s.Name && slices.Equal(o.Memory, s.Memory)
		})
		if !known {
			return false
		}
	}
	return true
}

// giveUp ends a backup that would hold nothing new and names the one that does.
func (b *backup) giveUp(ctx context.Context, newest repo.Info) (*BackupResult, error) {
	if err := b.pending.Abort(ctx); err != nil {
		return nil, err
	}
	b.run.backup = newest.Name
	b.skip(holdfast.StepCommit, nothingChanged(newest.Name))
	return &BackupResult{Backup: newest, Unchanged: true, Form: b.form, Problems: b.problems}, nil
}

func nothingChanged(since holdfast.BackupName) string {
	return "nothing has changed since " + string(since)
}
