package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A backup that is suspiciously smaller than the one before it must not let
// that one go: perhaps somebody emptied a table, or a program began again with a
// new database. Pruning is then on hold until somebody says that the smaller
// state is right. The hold is written before the backup is committed, so that
// no cut leaves the backup without it.

// hintHold says how a hold ends.
const hintHold = "if the newest backup is right, `holdfast prune --confirm` says so and goes on; if not, restore an older one"

// A measure is one way to tell the size of a source.
type measure struct {
	unit repo.Unit
	of   func(holdfast.SourceMetadata) (int64, bool)
}

func filesOf(s holdfast.SourceMetadata) (int64, bool) { return s.Files, true }
func bytesOf(s holdfast.SourceMetadata) (int64, bool) { return s.LogicalBytes, true }

// recordsOf gives the records of a database if they were counted. The facts of a
// Chroma directory whose copy could not be looked at tell none, which is not
// the same as zero.
func recordsOf(s holdfast.SourceMetadata) (int64, bool) {
	n, known := s.Facts.Records()
	if c := s.Facts.Chroma; c != nil && n == 0 && (c.QuickCheck == holdfast.CheckUnchecked || c.QuickCheck == holdfast.CheckFailed) {
		return 0, false
	}
	return n, known
}

// measures gives how a kind of source is measured. The first that both backups
// know decides, since a database may well need less room for the same records;
// of files both count.
func measures(kind holdfast.Kind) (list []measure, all bool) {
	if kind == holdfast.KindFiles {
		return []measure{{repo.UnitFiles, filesOf}, {repo.UnitBytes, bytesOf}}, true
	}
	return []measure{{repo.UnitRecords, recordsOf}, {repo.UnitBytes, bytesOf}}, false
}

// A yardstick is what a source of a new backup is compared with.
type yardstick struct {
	backup holdfast.BackupName
	n      int64
}

// A past is the backups before a new one, newest first, and the restore that
// may have come after them. Of the backups no more are read than are compared
// with.
type past struct {
	next     func() (repo.Info, error, bool)
	infos    []repo.Info // read so far
	err      error       // why no more can be read
	restored *lastRestore
}

// backups gives the backups from the newest on, as often as they are asked for.
func (p *past) backups() iter.Seq[repo.Info] {
	return func(yield func(repo.Info) bool) {
		for i := 0; ; i++ {
			if i == len(p.infos) {
				info, err, ok := p.next()
				if p.err = cmp.Or(p.err, err); !ok || p.err != nil {
					return
				}
				p.infos = append(p.infos, info)
			}
			if !yield(p.infos[i]) {
				return
			}
		}
	}
}

// named finds one of the backups.
func (p *past) named(name holdfast.BackupName) (repo.Info, bool) {
	for i := range p.backups() {
		if i.Name == name {
			return i, true
		}
	}
	return repo.Info{}, false
}

// yardstick finds the newest backup of a source that can be measured the same
// way. An emergency backup is none: it holds what somebody chose to replace.
// After a restore the backup that was restored is one, too, after a rollback the
// emergency backup, and the smaller one counts.
func (p *past) yardstick(s holdfast.SourceMetadata, m measure) (yardstick, bool) {
	for i := range p.backups() {
		if i.Metadata == nil || i.Metadata.Trigger == holdfast.TriggerEmergency {
			continue
		}
		n, ok := measured(i, s, m)
		if !ok {
			continue
		}
		y := yardstick{i.Name, n}
		name, replaced := p.putInPlace(s.Name, i.Metadata.CreatedAt)
		if !replaced {
			return y, true
		}
		restored, known := p.named(name)
		if !known {
			return yardstick{}, false
		}
		n, ok = measured(restored, s, m)
		return yardstick{i.Name, min(n, y.n)}, ok
	}
	return yardstick{}, false
}

// putInPlace names the backup that somebody put in the place of a source after a time: by
// a restore, or by the rollback of one, which brings back what the emergency backup holds.
func (p *past) putInPlace(source string, after holdfast.Time) (holdfast.BackupName, bool) {
	last := p.restored
	if last == nil || last.Backup == "" || !last.replaced(source) {
		return "", false
	}
	return last.Backup, last.At.After(after.Time)
}

// replaced tells whether all of a source was put in place.
func (l *lastRestore) replaced(source string) bool {
	if p := l.Parts; p != nil && p.Store == source && slices.ContainsFunc(p.Wanted, func(w holdfast.Part) bool { return w.Table == "" }) {
		return true
	}
	return slices.ContainsFunc(l.Targets, func(t lastTarget) bool { return t.Source == source })
}

// measured measures the source like s in a backup.
func measured(i repo.Info, s holdfast.SourceMetadata, m measure) (int64, bool) {
	if i.Metadata == nil {
		return 0, false
	}
	for _, other := range i.Metadata.Sources {
		if other.Name == s.Name && other.Kind == s.Kind {
			return m.of(other)
		}
	}
	return 0, false
}

// shrunk finds the sources of a new backup that hold less than percent of what
// they held.
func (p *past) shrunk(captured []holdfast.SourceMetadata, percent int) []repo.Shrink {
	var found []repo.Shrink
	for _, s := range captured {
		list, all := measures(s.Kind)
		for _, m := range list {
			now, known := m.of(s)
			if !known {
				continue
			}
			y, comparable := p.yardstick(s, m)
			if comparable && float64(now) < float64(y.n)*float64(percent)/100 {
				found = append(found, repo.Shrink{Source: s.Name, Before: y.backup, Unit: m.unit, From: y.n, To: now})
				break
			}
			if comparable && !all {
				break
			}
		}
	}
	return found
}

// watch puts pruning on hold if the backup that is about to be committed is
// suspiciously small.
func (b *backup) watch(ctx context.Context) error {
	percent := b.e.o.Settings.ShrinkHold
	if percent <= 0 || b.trigger == holdfast.TriggerEmergency {
		return nil
	}
	restored, err := b.e.loadLastRestore()
	if err != nil { // then a restore may look like a shrink, which does no harm
		b.log.Warn("the last restore cannot be looked at", keyError, err)
	}
	next, stop := iter.Pull2(b.repository.Newest(ctx))
	defer stop()
	before := &past{next: next, restored: restored}
	found := before.shrunk(b.captured, percent)
	if before.err != nil || len(found) == 0 {
		return before.err
	}
	hold := repo.Hold{Since: holdfast.At(b.e.o.Now()), Backup: b.pending.Name(), Shrunk: found}
	switch old, err := b.repository.Hold(ctx); {
	case errors.Is(err, holdfast.ErrDamaged):
	case err != nil:
		return err
	case old != nil:
		hold.Since, hold.Shrunk = old.Since, merge(old.Shrunk, found)
	}
	return b.repository.SetHold(ctx, hold)
}

// merge adds what shrank now to what had shrunk before: a source is told from
// where it began to where it is.
func merge(old, found []repo.Shrink) []repo.Shrink {
	all := slices.Clone(old)
	for _, f := range found {
		i := slices.IndexFunc(all, func(o repo.Shrink) bool { return o.Source == f.Source && o.Unit == f.Unit })
		if i < 0 {
			all = append(all, f)
			continue
		}
		all[i].To = f.To
	}
	return all
}

// tellHold is the warning of a backup while pruning is on hold.
func (r *run) tellHold(ctx context.Context) []holdfast.Problem {
	hold, err := r.e.o.Repository.Hold(ctx)
	p := holdfast.Problem{Severity: holdfast.Warning, Hint: hintHold}
	switch {
	case err != nil:
		p.Message = "pruning is on hold: " + err.Error()
	case hold != nil:
		p.Message = "pruning is on hold: " + ExplainHold(hold)
	default:
		return nil
	}
	return []holdfast.Problem{r.problem(p)}
}

// ExplainHold says for people what shrank.
func ExplainHold(h *repo.Hold) string {
	var parts []string
	for _, s := range h.Shrunk {
		from, to := humanize.Comma(s.From)+" "+string(s.Unit), humanize.Comma(s.To)
		if s.Unit == repo.UnitBytes {
			from, to = humanize.IBytes(uint64(max(s.From, 0))), humanize.IBytes(uint64(max(s.To, 0)))
		}
		parts = append(parts, fmt.Sprintf("%s shrank from %s in %s to %s", s.Source, from, s.Before, to))
	}
	return strings.Join(parts, ", ") + " in " + string(h.Backup)
}

// held gives in few words why nothing may be pruned; empty if there is no hold.
func held(ctx context.Context, r *repo.Repository) (why string, err error) {
	hold, err := r.Hold(ctx)
	switch {
	case errors.Is(err, holdfast.ErrDamaged), errors.Is(err, holdfast.ErrRefused):
		return "pruning is on hold, and nobody knows why: its note cannot be read", nil
	case err != nil || hold == nil:
		return "", err
	}
	var sources []string
	for _, s := range hold.Shrunk {
		if !slices.Contains(sources, s.Source) {
			sources = append(sources, s.Source)
		}
	}
	return "pruning is on hold: " + strings.Join(sources, ", ") + " shrank", nil
}

// ConfirmSmaller ends a hold on pruning: somebody says that the smaller state is
// right. It tells whether there was a hold.
func (e *Engine) ConfirmSmaller(ctx context.Context) (ended bool, err error) {
	r := e.start(ctx, "confirm")
	err = r.locked(ctx, func(ctx context.Context) error {
		hold, err := e.o.Repository.Hold(ctx)
		if err != nil && !errors.Is(err, holdfast.ErrDamaged) {
			return err
		}
		if hold == nil && err == nil {
			return nil
		}
		ended = true
		return e.o.Repository.EndHold(ctx)
	})
	return ended && err == nil, err
}
