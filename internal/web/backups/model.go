package backups

import (
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// root is where the list is.
const root = "/backups"

// pathOf is the page of a backup.
func pathOf(name holdfast.BackupName) string { return root + "/" + url.PathEscape(name.String()) }

// A Model is what the list shows.
type Model struct {
	Filter Filter
	Rows   []Row
	// From counts those before this page, Total those that match, All every backup.
	From, Total, All int
	Prev, Next       string // addresses; empty at the ends
	Sources          []string
	Replicas         []string // their names, if there are any
	Auto             report.AutoBackup
	May              May
	Key              string // of the quick backup, so that two clicks make one
	// AgedAt is when the list was read, if it cannot be read now; Failure why, and alone
	// if there is no list at all.
	AgedAt  time.Time
	Failure *report.Error
	Hold    *report.Hold
	// Unknown is why nobody knows whether something is held, or copied elsewhere.
	Unknown *report.Error
	Held    int64 // bytes of deleted backups that others need still
	// Selected are the names that were ticked when something was wrong with them.
	Selected []string
}

// May is what the reader may do.
type May struct{ Backup, Restore, Admin bool }

// A Row is one backup of the list.
type Row struct {
	report.Backup
	// Deleting is the job that is deleting it; Undo tells that it can be taken back.
	Deleting string
	Undo     bool
	// Elsewhere are the replicas that have it.
	Elsewhere []string
	Ticked    bool
}

// Made is when it was made; zero: nobody knows.
func (r Row) Made() time.Time {
	if r.CreatedAt == nil {
		return time.Time{}
	}
	return r.CreatedAt.Time
}

// Input is what a list is made of.
type Input struct {
	Filter Filter
	Zone   *time.Location
	All    []report.Backup
	Status *report.Status // nil: not known yet
	Jobs   []job.Job      // those that are deleting
	Auto   report.AutoBackup
	May    May
	Key    string
	AgedAt time.Time
	Fault  *report.Error
	// Unknown is why there is no status, if the look at it failed.
	Unknown *report.Error
	Ticked  []string
}

// Build makes the model. A cursor of another order begins anew.
func Build(in Input) Model {
	m := Model{Filter: in.Filter, All: len(in.All), Auto: in.Auto, May: in.May, Key: in.Key, AgedAt: in.AgedAt, Failure: in.Fault, Unknown: in.Unknown, Selected: in.Ticked}
	part, err := in.Filter.query(in.Zone).Part(in.All)
	if err != nil {
		m.Filter.After = ""
		part, _ = m.Filter.query(in.Zone).Part(in.All) // without a cursor nothing of it can be wrong
	}
	m.From, m.Total = part.From, part.Total
	if part.Before {
		m.Prev = m.Filter.Path(part.Prev)
	}
	if part.Next != "" {
		m.Next = m.Filter.Path(part.Next)
	}
	deleting := deletions(in.Jobs)
	for _, b := range part.Backups {
		row := Row{Backup: b, Ticked: slices.Contains(in.Ticked, b.Name.String())}
		if d, ok := deleting[b.Name]; ok {
			row.Deleting, row.Undo = d.id, d.undo
		}
		if in.Status != nil {
			row.Elsewhere = elsewhere(b.Name, in.Status.Replicas)
		}
		m.Rows = append(m.Rows, row)
	}
	for _, b := range in.All {
		for _, s := range b.Sources {
			if !slices.Contains(m.Sources, s.Name) {
				m.Sources = append(m.Sources, s.Name)
			}
		}
	}
	slices.Sort(m.Sources)
	if st := in.Status; st != nil {
		m.Hold, m.Held = st.Hold, st.Repository.HeldBytes
		for _, r := range st.Replicas {
			m.Replicas = append(m.Replicas, r.Name)
		}
	}
	return m
}

// elsewhere are the replicas that have a backup, as far as they could be asked.
func elsewhere(name holdfast.BackupName, replicas []report.Replica) (names []string) {
	for _, r := range replicas {
		if r.Exists && r.Error == "" && !slices.Contains(r.Behind, name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// Busy tells that something of the list is being deleted.
func (m Model) Busy() bool {
	return slices.ContainsFunc(m.Rows, func(r Row) bool { return r.Deleting != "" })
}

type deletion struct {
	id   string
	undo bool
}

// deletions finds what is being deleted by which job.
func deletions(jobs []job.Job) map[holdfast.BackupName]deletion {
	out := map[holdfast.BackupName]deletion{}
	for _, j := range jobs {
		var q operation.DeleteRequest
		if j.State.Ended() || json.Unmarshal(j.Request, &q) != nil {
			continue
		}
		waits := q.Grace != "" && (j.Progress == nil || j.Progress.Step == holdfast.StepWait && j.Progress.State != holdfast.Finished)
		for _, name := range q.Names {
			out[holdfast.BackupName(name)] = deletion{j.ID, waits}
		}
	}
	return out
}
