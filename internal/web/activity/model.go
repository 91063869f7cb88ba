// Package activity is the page that tells who did what: the jobs and the backups that
// came by themselves, the audit, and what runs by itself.
//
// Start from [Mount]. [Entries] puts jobs and backups into one order; [Build] chooses
// from it what a reader asks for. The log of a job is read when somebody unfolds it.
package activity

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// The tabs of the page.
const (
	TabWork  = "work"
	TabTasks = "tasks"
	TabAudit = "audit"
)

// perPage is how many lines a page shows.
const perPage = 50

// A Model is what the page shows.
type Model struct {
	Tab string
	// MayAudit tells whether the reader may see the audit.
	MayAudit bool

	Query   Query
	Entries []Entry
	Total   int    // on all pages
	Next    string // the cursor of the next page; empty at the end
	// Open is the log of the entry that is unfolded; nil: none is.
	Open *Log
	// Makers are those by whom something was done, for the choice.
	Makers []string
	// Aged tells that the list of backups is not of now.
	Aged bool

	Tasks []holdfast.TaskStanding

	Audit     []AuditLine
	AuditNext string
}

// A Query asks for a part of what was done.
type Query struct {
	Kind, State, By, Text string
	After                 string // the cursor at which the page before ended
}

// Filtered tells whether the query leaves anything out.
func (q Query) Filtered() bool { return q.Kind != "" || q.State != "" || q.By != "" || q.Text != "" }

// ItSelf stands for the programs that back up by themselves, in the choice of who.
const ItSelf = "*"

// A Log is what a job told, without its progress.
type Log struct {
	ID     string
	Events []job.Event
	// More tells that there is more than is shown.
	More bool
}

// An Entry is one thing that was done: a job, or a backup that was made by no job.
type Entry struct {
	ID      string // of the job; empty: it was none
	At      time.Time
	Kind    string
	State   job.State
	Backup  holdfast.BackupName
	Trigger holdfast.Trigger // of a backup that was made by no job
	By      string           // empty: by itself, or nobody knows
	Took    time.Duration
	Failure *report.Error
	Outcome string
	// Partly tells of a backup that something was wrong with.
	Partly bool
}

// Bad tells whether it did not go as it should.
func (e Entry) Bad() bool { return e.State == job.Failed || e.State == job.Interrupted }

// Alone tells of a backup that no person asked for.
func (e Entry) Alone() bool {
	switch e.Trigger {
	case holdfast.TriggerScheduled, holdfast.TriggerChange, holdfast.TriggerStartup, holdfast.TriggerShutdown:
		return true
	}
	return false
}

// cursor is where an entry stands in the order, which nothing that comes later moves.
func (e *Entry) cursor() string {
	return e.At.UTC().Format("20060102T150405.000Z") + "_" + e.key()
}

func (e *Entry) key() string { return cmp.Or(e.ID, string(e.Backup)) }

// newestFirst is the order of the cursors, which need not be made for it.
func newestFirst(a, b *Entry) int {
	return cmp.Or(cmp.Compare(b.At.UnixMilli(), a.At.UnixMilli()), strings.Compare(b.key(), a.key()))
}

// Entries puts jobs, and the backups that none of them made, into one order: the newest
// first.
func Entries(jobs []job.Job, backups []report.Backup, now time.Time) []*Entry {
	out := make([]*Entry, 0, len(jobs)+len(backups))
	made := map[holdfast.BackupName]bool{}
	var swaps []job.Job
	for _, j := range jobs {
		switch j.Kind {
		case operation.KindBackup:
			made[j.Backup] = true
		case operation.KindRestore, operation.KindRollback:
			swaps = append(swaps, j)
		}
		out = append(out, &Entry{
			ID: j.ID, At: j.CreatedAt.Time, Kind: j.Kind, State: j.State, Backup: j.Backup, By: j.By,
			Took: j.Duration(now), Failure: j.Error, Outcome: j.Outcome,
		})
	}
	for _, b := range backups {
		if b.CreatedAt == nil || made[b.Name] || b.Trigger == holdfast.TriggerEmergency && within(swaps, b.CreatedAt.Time, now) {
			continue
		}
		e := &Entry{
			At: b.CreatedAt.Time, Kind: operation.KindBackup, State: job.Succeeded, Backup: b.Name, Trigger: b.Trigger,
			Took: time.Duration(b.DurationMS) * time.Millisecond,
		}
		if slices.ContainsFunc(b.Problems, func(p holdfast.Problem) bool { return p.Severity != holdfast.Warning }) {
			e.State = job.Incomplete
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, newestFirst)
	return out
}

// within tells whether one of the jobs was at work at a time: the emergency backup of
// then is a part of it.
func within(jobs []job.Job, at, now time.Time) bool {
	return slices.ContainsFunc(jobs, func(j job.Job) bool {
		return !at.Before(j.CreatedAt.Time) && !at.After(j.CreatedAt.Add(j.Duration(now)+time.Second))
	})
}

// Build chooses a page of the entries.
func Build(all []*Entry, q Query) Model {
	m := Model{Tab: TabWork, Query: q, Makers: makers(all)}
	words := strings.Fields(strings.ToLower(q.Text))
	var found []*Entry
	for _, e := range all {
		if q.chooses(e, words) {
			found = append(found, e)
		}
	}
	m.Total = len(found)
	if q.After != "" {
		from := slices.IndexFunc(found, func(e *Entry) bool { return e.cursor() < q.After })
		if from < 0 {
			from = len(found)
		}
		found = found[from:]
	}
	if len(found) > perPage {
		found = found[:perPage]
		m.Next = found[perPage-1].cursor()
	}
	for _, e := range found {
		m.Entries = append(m.Entries, *e)
	}
	return m
}

// makers are the names of those by whom something was done.
func makers(all []*Entry) (names []string) {
	for _, e := range all {
		if e.By != "" && !slices.Contains(names, e.By) {
			names = append(names, e.By)
		}
	}
	slices.Sort(names)
	return names
}

func (q Query) chooses(e *Entry, words []string) bool {
	switch {
	case q.Kind != "" && q.Kind != e.Kind,
		q.State != "" && !q.inState(e.State),
		q.By == ItSelf && !e.Alone(),
		q.By != "" && q.By != ItSelf && q.By != e.By:
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join([]string{e.ID, string(e.Backup), e.By, e.Outcome, string(e.Trigger)}, "\n"))
	if e.Failure != nil {
		text += "\n" + strings.ToLower(e.Failure.Message)
	}
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// Choices of states: one for each state that people ask for.
const (
	StateWork = "work" // waiting or at work
	StateGood = "good"
	StateBad  = "bad" // failed, interrupted, in part, cancelled
)

func (q Query) inState(s job.State) bool {
	switch q.State {
	case StateWork:
		return !s.Ended()
	case StateGood:
		return s == job.Succeeded
	case StateBad:
		return s.Ended() && s != job.Succeeded
	}
	return q.State == string(s)
}

// An AuditLine is one entry of the audit, or several refusals that are the same.
type AuditLine struct {
	access.Entry
	Times int
	First time.Time // of several: when the first came
	// Kind is that of the job which it began, if that is known.
	Kind string
}

// Lines groups refusals that follow each other. Entries come newest first.
func Lines(entries []access.Entry, kindOf func(id string) string) (out []AuditLine) {
	for _, e := range entries {
		if n := len(out); n > 0 && sameRefusal(out[n-1].Entry, e) {
			out[n-1].Times++
			out[n-1].First = e.Time.Time
			continue
		}
		line := AuditLine{Entry: e, Times: 1, First: e.Time.Time}
		if e.Job != "" {
			line.Kind = kindOf(e.Job)
		}
		out = append(out, line)
	}
	return out
}

func sameRefusal(a, b access.Entry) bool {
	return a.Outcome == access.Refused && b.Outcome == access.Refused && a.Caller == b.Caller && a.Method == b.Method &&
		a.Route == b.Route && a.Status == b.Status && a.Omitted == 0 && b.Omitted == 0
}

// A Day is what happened on one day of the reader.
type Day[T any] struct {
	At   time.Time
	Rows []T
}

// days puts rows under the days of the reader, in the order in which they come.
func days[T any](rows []T, zone *time.Location, at func(T) time.Time) (out []Day[T]) {
	for _, row := range rows {
		t := at(row).In(zone)
		y, m, d := t.Date()
		day := time.Date(y, m, d, 0, 0, 0, 0, zone)
		if n := len(out); n == 0 || !out[n-1].At.Equal(day) {
			out = append(out, Day[T]{At: day})
		}
		out[len(out)-1].Rows = append(out[len(out)-1].Rows, row)
	}
	return out
}
