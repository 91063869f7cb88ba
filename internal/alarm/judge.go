package alarm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/schedule"
)

// How long something must be seen before it is an alarm.
const (
	graceFailure = 2 * time.Minute  // the keeper tries again by then
	graceLocked  = 30 * time.Minute // somebody else is at work
	graceGone    = 2 * time.Minute  // a file that is just being replaced
	graceCut     = time.Hour        // a restore that goes on
	graceSilence = 15 * time.Minute // a backup that has only begun, after a downtime above all
	graceProof   = 24 * time.Hour   // after the first backup
	gracePanel   = 5 * time.Minute  // a network that is away for a moment
)

// mostDamaged is how many damaged backups are alarms of their own.
const mostDamaged = 10

// Facts are what is judged.
type Facts struct {
	Status report.Status
	Config *config.Config
	Now    time.Time
	// Backups are those of the repository, newest first.
	Backups []report.Backup
	// Unlisted tells that they could not be read: nothing is known of them.
	Unlisted bool
	// Disproven are backups whose newest proof failed, with why.
	Disproven map[holdfast.BackupName]string
	// Began is since when backups are made; a silence is not older.
	Began time.Time
	// LastSuccess is when everything was last known to be saved; zero: never.
	LastSuccess time.Time
	// Gone is when the repository that was there at first was found gone, while another
	// one has taken its place; zero: it is there.
	Gone time.Time
	// Failed counts the attempts in a row that failed, and Failure says why the
	// last one did; Locked: because somebody else is at work in the repository.
	Failed  int64
	Failure string
	Locked  bool
	// LastDrill is when a drill was last made; zero: never.
	LastDrill time.Time
	// Panel is why the panel in the chat gets no messages; nil: it does, or there is none.
	Panel *holdfast.Problem
}

// Judge says what is wrong. While the repository cannot be asked, nothing is known of
// what is in it.
func Judge(f Facts) []Condition {
	j := &judge{Facts: f}
	j.gone()
	if !j.Unlisted && j.Status.Repository.Error == "" && j.Status.Verdict != report.Lost && j.Status.Verdict != report.Unreachable {
		j.damage()
		j.shrink()
		j.space()
		j.proofs()
	} else {
		for _, kind := range []string{KindDamage, KindShrink, KindSpace, KindUnproven} {
			j.add(Condition{Kind: kind, Unknown: true})
		}
	}
	j.failure()
	j.silence()
	j.programs()
	j.replicas()
	j.panel()
	return j.found
}

type judge struct {
	Facts
	found []Condition
}

func (j *judge) add(c Condition) { j.found = append(j.found, c) }

// gone looks for what does not exist any more.
func (j *judge) gone() {
	if j.Status.Verdict == report.Lost || j.Status.Verdict == report.Unreachable {
		j.add(Condition{
			Kind: KindMissing, Object: "repository", Severity: holdfast.Damaged, Grace: graceGone,
			Message: "the repository cannot be used: " + j.Status.Message, Hint: j.Status.Hint,
		})
	}
	if !j.Gone.IsZero() {
		j.add(Condition{
			Kind: KindMissing, Object: "backups", Severity: holdfast.Damaged, Since: holdfast.At(j.Gone),
			Message: "the repository is gone with all earlier backups; new ones are made in another, at the same place",
			Hint:    "see whether its disk is mounted and whether somebody moved it; if that is meant, restart `holdfast serve`",
		})
	}
	for _, s := range j.Status.Sources {
		switch {
		case s.Error != "":
			j.add(Condition{
				Kind: KindMissing, Object: s.Name, Severity: holdfast.Damaged, Grace: graceGone,
				Message: fmt.Sprintf("the source %s cannot be read: %s", s.Name, s.Error), Hint: "see that it exists and may be read",
			})
		case !s.Exists && s.LastBackup != "":
			j.add(Condition{
				Kind: KindMissing, Object: s.Name, Severity: holdfast.Damaged, Grace: graceGone,
				Message: fmt.Sprintf("the source %s is gone; the newest backup that has it is %s", s.Name, s.LastBackup),
				Hint:    "`holdfast restore latest --only " + s.Name + "` brings it back",
			})
		}
	}
	if p := j.Status.Pending; p != nil {
		j.add(Condition{
			Kind: KindFailure, Object: p.Op, Severity: holdfast.Damaged, Grace: graceCut, Since: p.Begun,
			Message: fmt.Sprintf("a %s was cut", p.Op), Hint: "`holdfast recover` finishes or undoes it",
		})
	}
}

// damage looks for backups that do not hold what they should, and for sources
// that the newest one found damaged.
func (j *judge) damage() {
	n := 0
	for _, b := range j.Backups {
		why := j.Disproven[b.Name]
		if b.Error != "" {
			why = b.Error
		}
		if why == "" {
			continue
		}
		if n++; n <= mostDamaged {
			j.add(Condition{
				Kind: KindDamage, Object: string(b.Name), Severity: holdfast.Damaged,
				Message: fmt.Sprintf("the backup %s is damaged: %s", b.Name, why),
				Hint:    "`holdfast verify " + string(b.Name) + "` names every damaged file; make a new backup, and see whether the disk fails",
			})
		}
	}
	if n > mostDamaged {
		j.add(Condition{
			Kind: KindDamage, Object: "backups", Severity: holdfast.Damaged,
			Message: fmt.Sprintf("%d backups are damaged", n), Hint: "`holdfast verify --all` names them; see whether the disk fails",
		})
	}
	if len(j.Backups) == 0 {
		return
	}
	told := map[string]bool{}
	for _, p := range j.Backups[0].Problems {
		if p.Severity != holdfast.Damaged || told[p.Source] {
			continue
		}
		told[p.Source] = true
		j.add(Condition{
			Kind: KindDamage, Object: "source " + p.Source, Severity: holdfast.Damaged,
			Message: fmt.Sprintf("the source %s itself is damaged, as the backup %s found: %s", p.Source, j.Backups[0].Name, p.Message), Hint: p.Hint,
		})
	}
}

// failure looks at the attempts, here and in programs that run by themselves.
func (j *judge) failure() {
	if j.Failed > 0 {
		c := Condition{
			Kind: KindFailure, Severity: holdfast.Incomplete, Grace: graceFailure,
			Message: "the backup failed: " + j.Failure, Hint: "`holdfast doctor` looks for the cause; `holdfast backup` tries again",
		}
		if j.Failed > 1 {
			c.Message = fmt.Sprintf("%d backups failed in a row: %s", j.Failed, j.Failure)
		}
		if j.Locked {
			c.Grace, c.Hint = graceLocked, "see who holds the repository; it is let go when that ends"
		}
		j.add(c)
	}
	for _, p := range j.Status.Programs {
		if p.Backups.Failed == 0 || p.Backups.Standby != "" {
			continue
		}
		name := sourcesOf(p)
		j.add(Condition{
			Kind: KindFailure, Object: name, Severity: holdfast.Incomplete, Grace: graceFailure,
			Message: fmt.Sprintf("%s of the program with %s failed: %s", english.Plural(int(p.Backups.Failed), "backup", ""), name, p.Backups.Error),
			Hint:    "`holdfast status` tells how the program stands",
		})
	}
}

func sourcesOf(p holdfast.Standing) string {
	names := make([]string, 0, len(p.Sources))
	for _, s := range p.Sources {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// silence looks whether so many of the moments have passed at which there should
// have been a backup.
func (j *judge) silence() {
	last := j.LastSuccess
	if last.IsZero() {
		last = j.Began
	}
	if last.IsZero() || !j.late(last) {
		return
	}
	c := Condition{
		Kind: KindSilence, Severity: holdfast.Incomplete, Grace: graceSilence, Since: holdfast.At(last),
		Message: fmt.Sprintf("no backup has succeeded for %s", span(j.Now.Sub(last))),
		Hint:    "`holdfast status` and the log of `holdfast serve` tell why",
	}
	if j.LastSuccess.IsZero() {
		c.Message = fmt.Sprintf("no backup has succeeded in the %s since they should be made", span(j.Now.Sub(last)))
	}
	j.add(c)
}

// late tells whether too much of the schedule has passed since a moment.
func (j *judge) late(last time.Time) bool {
	times := time.Duration(j.Config.Notify.Silence)
	every := j.Config.Schedule.Every
	if every > 0 && j.Now.Sub(last) > times*every {
		return true
	}
	if len(j.Config.Schedule.Cron) == 0 {
		return false
	}
	at, ok := j.Now, true
	for range j.Config.Notify.Silence {
		if at, ok = schedule.PrevCron(j.Config.Schedule.Cron, at); !ok {
			return false
		}
	}
	return last.Before(at)
}

// programs looks at the storages of programs that run.
func (j *judge) programs() {
	for _, p := range j.Status.Programs {
		for _, s := range p.Sources {
			if s.DegradedSince == nil {
				continue
			}
			j.add(Condition{
				Kind: KindDegraded, Object: s.Name, Severity: holdfast.Damaged, Since: *s.DegradedSince,
				Message: fmt.Sprintf("the source %s lies in memory, because its storage cannot hold it: %s", s.Name, s.Reason),
				Hint:    "what is written now lasts only as its backups do; make room or mount a storage that lasts",
			})
		}
		if v := p.Survival; v != nil {
			j.survival(sourcesOf(p), v)
		}
	}
}

func (j *judge) survival(name string, v *holdfast.Survival) {
	switch v.State {
	case holdfast.SurvivalWiped:
		c := Condition{
			Kind: KindWiped, Object: name, Severity: holdfast.Warning,
			Message: fmt.Sprintf("the storage of %s was wiped between two starts: %s", name, v.Words), Hint: "mount a storage that lasts",
		}
		if v.LastWiped != nil {
			c.Since = *v.LastWiped
		}
		j.add(c)
	case holdfast.SurvivalTwo:
		j.add(Condition{
			Kind: KindWiped, Object: name + " (two instances)", Severity: holdfast.Damaged,
			Message: fmt.Sprintf("two instances run with %s, each with data of its own", name), Hint: "end one of them: only one's data is what you keep",
		})
	}
}

// panel tells that nobody can press a button in the chat.
func (j *judge) panel() {
	if p := j.Panel; p != nil {
		j.add(Condition{Kind: KindPanel, Object: p.Object, Severity: p.Severity, Grace: gracePanel, Message: p.Message, Hint: cmp.Or(p.Hint, "`holdfast doctor` looks closer")})
	}
}

func (j *judge) shrink() {
	h := j.Status.Hold
	if h == nil {
		return
	}
	c := Condition{Kind: KindShrink, Severity: holdfast.Warning, Message: "a backup is suspiciously small, and nothing is pruned: " + h.Message, Hint: report.HintHold}
	if h.Since != nil {
		c.Since = *h.Since
	}
	j.add(c)
}

// space looks at the room for the repository: what was asked to be left, and what
// the next full backup needs.
func (j *judge) space() {
	free := j.Status.Repository.FreeBytes
	if free == nil {
		return
	}
	room := humanize.IBytes(uint64(max(0, *free)))
	const hint = "make room, prune, or move the repository"
	if need := j.nextFull(); need > *free {
		j.add(Condition{
			Kind: KindSpace, Severity: holdfast.Incomplete, Grace: graceGone,
			Message: fmt.Sprintf("the repository has %s left, but the next full backup needs about %s", room, humanize.IBytes(uint64(need))), Hint: hint,
		})
	} else if *free < j.Config.Notify.LowSpaceMB<<20 {
		j.add(Condition{Kind: KindSpace, Severity: holdfast.Warning, Grace: graceGone, Message: "the repository has only " + room + " left", Hint: hint})
	}
}

// nextFull is about what a full backup takes: as much as the newest did.
func (j *judge) nextFull() int64 {
	for _, b := range j.Backups {
		if b.Form == report.FormFull && b.Error == "" {
			return b.StoredBytes
		}
	}
	return 0
}

// replicas looks for those that cannot be reached, or lack a backup for too long.
func (j *judge) replicas() {
	lag := j.Config.Notify.ReplicaLag
	for _, r := range j.Status.Replicas {
		switch {
		case r.Error != "":
			j.add(Condition{
				Kind: KindReplica, Object: r.Name, Severity: holdfast.Incomplete, Grace: lag,
				Message: fmt.Sprintf("nothing is known of the replica %s: %s", r.Name, r.Error), Hint: "`holdfast doctor` tries to reach it",
			})
		case len(r.Behind) > 0:
			since, known := j.oldest(r.Behind)
			c := Condition{
				Kind: KindReplica, Object: r.Name, Severity: holdfast.Incomplete, Since: since,
				Message: fmt.Sprintf("the replica %s lacks %s", r.Name, english.Plural(len(r.Behind), "backup", "")), Hint: "`holdfast replicate` copies them, or says why it cannot",
			}
			if !known {
				c.Grace = lag
			}
			if !known || j.Now.Sub(since.Time) > lag {
				j.add(c)
			}
		}
	}
}

// oldest gives when the oldest of some backups was made.
func (j *judge) oldest(names []holdfast.BackupName) (at holdfast.Time, known bool) {
	for _, b := range j.Backups {
		if b.CreatedAt != nil && slices.Contains(names, b.Name) && (!known || b.CreatedAt.Before(at.Time)) {
			at, known = *b.CreatedAt, true
		}
	}
	return at, known
}

// proofs looks whether it is still known that the backups would restore.
func (j *judge) proofs() {
	if j.Config.Encryption.WritesOnly() {
		return // nothing can be proven here but what is stored, and everybody would learn to look away
	}
	first, known := j.oldest(j.names())
	if !known {
		return
	}
	verify, drill := j.Config.Verify.Every, j.Config.Drill.Every
	proven := j.Status.Repository.ProvenAt
	switch {
	case proven == nil && (verify > 0 || drill > 0) && j.Now.Sub(first.Time) > graceProof:
		j.add(Condition{
			Kind: KindUnproven, Severity: holdfast.Warning, Since: first,
			Message: "no backup was ever proven to restore", Hint: "`holdfast verify latest` proves the newest one",
		})
	case proven != nil && verify > 0 && j.Now.Sub(proven.Time) > verify:
		j.add(Condition{
			Kind: KindUnproven, Severity: holdfast.Warning, Since: *proven,
			Message: fmt.Sprintf("no backup was proven to restore for %s", span(j.Now.Sub(proven.Time))), Hint: "`holdfast verify latest` proves the newest one",
		})
	}
	last := j.LastDrill
	for _, b := range j.Backups {
		if b.Drilled != nil && b.Drilled.At.After(last) {
			last = b.Drilled.At.Time
		}
	}
	if last.IsZero() {
		last = first.Time
		if j.Began.After(last) {
			last = j.Began
		}
	}
	if drill > 0 && j.Now.Sub(last) > 2*drill {
		j.add(Condition{
			Kind: KindUnproven, Object: "drill", Severity: holdfast.Warning, Since: holdfast.At(last),
			Message: fmt.Sprintf("no drill was made for %s", span(j.Now.Sub(last))), Hint: "`holdfast drill` makes one, or says why it cannot",
		})
	}
}

func (j *judge) names() []holdfast.BackupName {
	names := make([]holdfast.BackupName, len(j.Backups))
	for i, b := range j.Backups {
		names[i] = b.Name
	}
	return names
}
