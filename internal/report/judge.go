package report

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
)

// judge finds the one sentence: the worst that is true.
func (l *look) judge() {
	for _, found := range []func() bool{
		l.cut, l.degraded, l.unkept, l.damaged, l.failing, l.unreachable, l.lost, l.divided, l.stale, l.held, l.unproven,
	} {
		if found() {
			return
		}
	}
	l.set(Safe, "", "Your data is safe: backed up %s, and a backup was proven %s.", l.ago(*l.oldest().LastAt), l.ago(*l.out.Repository.ProvenAt))
}

// set is the verdict, and true: it was found.
func (l *look) set(verdict, hint, format string, args ...any) bool {
	l.out.Verdict, l.out.Hint, l.out.Message = verdict, hint, fmt.Sprintf(format, args...)
	return true
}

func (l *look) ago(t holdfast.Time) string { return Ago(t.Time, l.o.Now) }

// Ago tells in words how long before now a time was.
func Ago(t, now time.Time) string {
	if d := now.Sub(t); d < time.Second && d > -time.Second {
		return "just now"
	}
	return humanize.RelTime(t, now, "ago", "from now")
}

// oldest is the source whose last backup is the oldest, and nil if no source
// has one.
func (l *look) oldest() *SourceStatus {
	var oldest *SourceStatus
	for i := range l.out.Sources {
		if s := &l.out.Sources[i]; s.LastAt != nil && (oldest == nil || s.AgeSeconds > oldest.AgeSeconds) {
			oldest = s
		}
	}
	return oldest
}

// cut: a restore did not come to its end.
func (l *look) cut() bool {
	p := l.out.Pending
	return p != nil && l.set(Cut, "`holdfast recover` finishes or undoes it", "A %s that began %s was cut.", p.Op, l.ago(p.Begun))
}

// degraded: a program's data lies in memory. That comes before what the files
// tell: the data is elsewhere.
func (l *look) degraded() bool {
	for _, p := range l.out.Programs {
		for _, s := range p.Sources {
			if s.DegradedSince != nil {
				return l.set(Degraded, "make "+filepath.Dir(s.Path)+" usable; the data then returns by itself",
					"Look at it: the storage of %s cannot hold it, so it lies in the memory of this machine (process %d): %s.", s.Name, p.PID, s.Reason)
			}
		}
	}
	return false
}

// unkept: the data of a source is gone or cannot be read, or has no backup.
// Whether it has one is not known if the repository cannot be asked.
func (l *look) unkept() bool {
	if len(l.out.Sources) == 0 {
		return l.set(Never, "name one below \"sources:\" in the configuration", "Nothing is protected: no source is configured.")
	}
	for _, s := range l.out.Sources {
		switch {
		case s.LastAt != nil && s.Error == "" && !s.Exists:
			return l.set(Missing, "`holdfast restore "+s.LastBackup.String()+"` brings it back", "%s is gone; its newest backup was made %s.", s.Name, l.ago(*s.LastAt))
		case s.Error != "":
			return l.set(Missing, "`holdfast doctor` tells more", "%s cannot be read: %s.", s.Name, s.Error)
		case s.LastAt != nil || l.unusable != nil:
		case !s.Exists:
			return l.set(Never, "correct its path, or start the program that makes it", "Your data is not safe: %s does not exist, and was never backed up.", s.Name)
		default:
			return l.set(Never, "`holdfast backup` makes the first backup", "Your data is not safe: %s was never backed up.", s.Name)
		}
	}
	return false
}

// damaged: the newest backup of a source is of no use.
func (l *look) damaged() bool {
	name, why := l.damagedNewest()
	return name != "" && l.set(Damaged, "`holdfast show "+name+"` tells more; `holdfast verify --all` finds the good ones",
		"Your data may not be safe: the newest backup, %s, %s.", name, why)
}

func (l *look) damagedNewest() (name, why string) {
	if len(l.infos) > 0 && l.infos[0].Err != nil {
		return l.infos[0].Name.String(), "cannot be used"
	}
	for _, s := range l.out.Sources {
		i, found := newestOf(l.infos, s.Name)
		switch {
		case !found:
		case i.Metadata.SourceDamaged():
			return i.Name.String(), "holds data that was already damaged"
		case i.Disproven():
			return i.Name.String(), "failed its last verification"
		}
	}
	return "", ""
}

// failing: a program makes its own backups, and they fail.
func (l *look) failing() bool {
	for _, p := range l.out.Programs {
		if p.Backups.Error != "" && p.Backups.Standby == "" {
			return l.set(Failing, hintOfFailing(p), "Your data may not be safe: the backups of process %d fail: %s.", p.PID, p.Backups.Error)
		}
	}
	return false
}

// hintOfFailing says what to do about backups that fail: the program knows why they do.
func hintOfFailing(p holdfast.Standing) string {
	for _, problem := range p.Problems {
		if problem.Hint != "" && strings.Contains(problem.Message, p.Backups.Error) {
			return problem.Hint
		}
	}
	return "`holdfast doctor` tells more; it is tried again"
}

// unreachable: nobody knows what the repository has.
func (l *look) unreachable() bool {
	if l.unusable == nil {
		return false
	}
	verdict, state := Unreachable, "cannot be asked"
	if errors.Is(l.unusable, holdfast.ErrDamaged) {
		verdict, state = Damaged, "is damaged"
	}
	others := ""
	switch oldest := l.oldest(); {
	case oldest != nil:
		others = fmt.Sprintf(" Replicas have backups, the newest of %s made %s.", oldest.Name, l.ago(*oldest.LastAt))
	case len(l.out.Replicas) > 0:
		others = " No replica tells of a backup either."
	}
	return l.set(verdict, cmp.Or(Hint(l.unusable), "`holdfast doctor` tells more"), "Your data may not be safe: the repository %s: %s.%s", state, l.out.Repository.Error, others)
}

// lost: only replicas have backups.
func (l *look) lost() bool {
	if l.out.Repository.Exists {
		return false
	}
	oldest := l.oldest()
	return l.set(Lost, "`holdfast restore` takes backups from there; `holdfast backup` makes the repository again",
		"The repository is gone; only replicas have backups, the newest of %s made %s.", oldest.Name, l.ago(*oldest.LastAt))
}

// divided: two instances run, each with data of its own, so that what one of them
// writes is in no backup of the other.
func (l *look) divided() bool {
	for _, p := range l.out.Programs {
		if p.Survival != nil && Apart(p.Survival) {
			return l.set(Divided, "stop one of the two, or give each a repository of its own",
				"Look at it: two instances are running, each with data of its own: process %d here, and %s.", p.PID, p.Survival.Other)
		}
	}
	return false
}

// Apart tells that another instance runs with data of its own. One that waits for
// the lock of the same storage has no lease beside ours.
func Apart(v *holdfast.Survival) bool {
	return v.State == holdfast.SurvivalTwo && v.OtherUntil != nil
}

// stale: the last backup of a source is too old.
func (l *look) stale() bool {
	oldest := l.oldest()
	return oldest.Stale &&
		l.set(Stale, "`holdfast backup` makes a new one", "Your data is not safe: %s was last backed up %s.", oldest.Name, l.ago(*oldest.LastAt))
}

// held: a backup is so small that nothing is pruned.
func (l *look) held() bool {
	return l.out.Hold != nil &&
		l.set(Held, HintHold, "Your data is backed up (%s), but look at it: pruning is on hold: %s.", l.ago(*l.oldest().LastAt), l.out.Hold.Message)
}

// unproven: no backup was ever proven.
func (l *look) unproven() bool {
	return l.out.Repository.ProvenAt == nil &&
		l.set(Unproven, "`holdfast verify` proves it", "Your data is backed up (%s), but no backup has been proven yet.", l.ago(*l.oldest().LastAt))
}
