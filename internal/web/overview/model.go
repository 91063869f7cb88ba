package overview

import (
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Model is what the page shows.
type Model struct {
	// Loading tells that the first look at everything is still going on; nothing else
	// but the strip, the trend and what comes next is known then.
	Loading bool
	// Failure is why everything could not be looked at; nil: it was.
	Failure *report.Error

	Verdict  Verdict
	Sources  []report.SourceStatus
	Storage  Storage
	Replicas []report.Replica
	Programs []holdfast.Standing
	Alarms   []alarm.Alarm
	Strip    []Cell
	Trend    Trend
	Tasks    []holdfast.TaskStanding
	// Next is when the next backup is made by itself; nil: not by itself.
	Next *time.Time
	// Unsaved is since when there are changes that no backup holds.
	Unsaved *time.Time
	// Auto tells whether programs get the automatic backups that they ask for, and who says so.
	Auto report.AutoBackup
	// Key is sent with the button of a backup, so that two clicks make one.
	Key string
	// May tells what the reader may do.
	May Rights
}

// Rights are what the reader may do here.
type Rights struct{ Backup, Restore, Admin bool }

// Storage is the repository as a whole.
type Storage struct {
	report.RepositoryState
	// Shown tells that there is one, whose numbers are known.
	Shown bool
}

// Full is the space of the volume that is known: what backups take and what is left.
func (s Storage) Full() int64 {
	if s.FreeBytes == nil {
		return 0
	}
	return s.StoredBytes + s.HeldBytes + *s.FreeBytes
}

// Input is what a model is made of.
type Input struct {
	Status  *report.Status // nil: the look goes on, or has failed
	Failure *report.Error
	Log     history.Log // of at least trendDays
	Backups []report.Backup
	Alarms  []alarm.Alarm
	Tasks   []holdfast.TaskStanding
	Stand   holdfast.BackupStanding
	Auto    report.AutoBackup
	Key     string
	Now     time.Time
	Zone    *time.Location
	Caller  access.Caller
}

// Build makes the model; it is pure.
func Build(in Input) Model {
	m := Model{
		Loading: in.Status == nil && in.Failure == nil, Failure: in.Failure, Alarms: in.Alarms, Tasks: in.Tasks, Auto: in.Auto, Key: in.Key,
		May: Rights{
			Backup:  in.Caller.May(access.ScopeBackup, access.ScopeAdmin),
			Restore: in.Caller.May(access.ScopeRestore, access.ScopeAdmin),
			Admin:   in.Caller.May(access.ScopeAdmin),
		},
	}
	if at := in.Stand.NextAt; at != nil {
		m.Next = &at.Time
	}
	if at := in.Stand.Unsaved; at != nil {
		m.Unsaved = &at.Time
	}
	m.Strip = strip(in.Log.Days(in.Now, in.Zone, stripDays), in.Now, m.Next)
	var now *history.Size
	if s := in.Status; s != nil {
		m.Sources, m.Replicas, m.Programs = s.Sources, s.Replicas, s.Programs
		r := s.Repository
		m.Storage = Storage{RepositoryState: r, Shown: r.Exists && r.Error == ""}
		if m.Storage.Shown {
			now = &history.Size{Backups: int64(r.Backups), LogicalBytes: r.LogicalBytes, StoredBytes: r.StoredBytes + r.HeldBytes}
		}
		m.Verdict = judge(*s, in.Backups, m.May)
		if s.Verdict == report.Safe && len(in.Alarms) > 0 {
			m.Verdict.Tone, m.Verdict.Attention = ui.Warn, len(in.Alarms)
		}
	}
	m.Trend = trend(in.Log, now, in.Now)
	return m
}

// Tone is how loud the page speaks.
func (m Model) Tone() ui.Tone {
	switch {
	case m.Loading:
		return ui.Calm
	case m.Failure != nil:
		return ui.Bad
	}
	return m.Verdict.Tone
}
