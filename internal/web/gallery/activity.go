package gallery

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/activity"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// activityStates are the pages of who did what.
var activityStates = []State{
	acting("empty", func() activity.Model { return activity.Build(nil, activity.Query{}) }),
	acting("busy-day", func() activity.Model { return activity.Build(busyDay(), activity.Query{}) }),
	acting("failures", func() activity.Model { return activity.Build(busyDay(), activity.Query{State: activity.StateBad}) }),
	acting("many", func() activity.Model {
		all := manyJobs()
		first := activity.Build(all, activity.Query{})
		return activity.Build(all, activity.Query{After: first.Next})
	}),
	acting("none", func() activity.Model {
		return activity.Build(busyDay(), activity.Query{Kind: operation.KindDrill, Text: "monday"})
	}),
	acting("aged", func() activity.Model {
		m := activity.Build(busyDay(), activity.Query{})
		m.Aged = true
		return m
	}),
	readOnly(acting("read-only", func() activity.Model { return activity.Build(busyDay(), activity.Query{}) })),
	acting("tasks", func() activity.Model { return activity.Model{Tab: activity.TabTasks, Tasks: standings()} }),
	acting("tasks-none", func() activity.Model { return activity.Model{Tab: activity.TabTasks} }),
	acting("audit", func() activity.Model {
		return activity.Model{Tab: activity.TabAudit, Audit: activity.Lines(auditEntries(), func(id string) string {
			if id == "20261122T061500000-K7Q2M9XA" {
				return operation.KindRestore
			}
			return ""
		}), AuditNext: "18f-abc"}
	}),
	acting("audit-empty", func() activity.Model { return activity.Model{Tab: activity.TabAudit} }),
	acting("log", func() activity.Model {
		m := activity.Build(busyDay(), activity.Query{Kind: operation.KindRestore})
		m.Open = &activity.Log{ID: m.Entries[0].ID, Events: logEvents()}
		return m
	}),
}

// acting makes a state of the page.
func acting(name string, build func() activity.Model) State {
	return State{Page: "activity", Name: name, Render: func(p ui.Page) templ.Component {
		m := build()
		m.MayAudit = p.Caller.May(access.ScopeAdmin)
		return activity.View(p, m)
	}}
}

// act is a job that took some seconds.
func act(before time.Duration, kind string, state job.State, by string, backup holdfast.BackupName) job.Job {
	at := At(before)
	begun := holdfast.At(at)
	j := job.Job{
		ID: at.UTC().Format("20060102T150405000") + "-K7Q2M9XA", Kind: kind, State: state, By: by, Backup: backup,
		CreatedAt: begun, StartedAt: &begun,
	}
	if state.Ended() {
		end := holdfast.At(at.Add(3*time.Second + 200*time.Millisecond))
		j.EndedAt = &end
	}
	return j
}

// busyDay is two days of an assistant that people work with.
func busyDay() []*activity.Entry {
	failed := act(95*time.Minute, operation.KindReplicate, job.Failed, "schedule", "")
	failed.Error = &report.Error{Code: "failed", Op: "copy", Object: "s3-singapore", Message: "copy to s3-singapore: put chromadb/chroma.sqlite3.zst: 503 Service Unavailable"}
	cut := act(5*time.Hour, operation.KindVerify, job.Interrupted, "local", "auto_backup_20261122_041000")
	cut.Outcome = "the daemon was shut down while it ran; nothing was changed"
	part := act(27*time.Hour, operation.KindBackup, job.Incomplete, "ragpdf", "auto_backup_20261121_063000")
	jobs := []job.Job{
		act(20*time.Second, operation.KindBackup, job.Running, "owner", "ก่อนเปิดเทอมใหม่"),
		act(12*time.Minute, operation.KindBackup, job.Succeeded, "ragpdf", "auto_backup_20261122_091800"),
		failed,
		act(3*time.Hour+15*time.Minute, operation.KindRestore, job.Succeeded, "nok", "enhanced_backup_20261119_143000"),
		act(4*time.Hour, operation.KindDelete, job.Cancelled, "owner", "پشتیبان_آزمایشی"),
		cut,
		act(26*time.Hour, operation.KindDrill, job.Succeeded, "schedule", "enhanced_backup_20261119_143000"),
		part,
		act(27*time.Hour+time.Second, operation.KindBackup, job.Succeeded, access.ChromaProxy, "auto_backup_20261121_062959"),
	}
	made := func(name holdfast.BackupName, before time.Duration, trigger holdfast.Trigger) report.Backup {
		at := holdfast.At(At(before))
		return report.Backup{Name: name, CreatedAt: &at, Trigger: trigger, DurationMS: 840}
	}
	backups := []report.Backup{
		made("scheduled_backup_20261122_060000", 3*time.Hour+30*time.Minute, holdfast.TriggerScheduled),
		made("scheduled_backup_20261122_000000", 9*time.Hour+30*time.Minute, holdfast.TriggerScheduled),
		made("startup_backup_20261121_080000", 25*time.Hour+30*time.Minute, holdfast.TriggerStartup),
		made("guard_backup_20261121_070000", 26*time.Hour+30*time.Minute, holdfast.TriggerGuard),
	}
	return activity.Entries(jobs, backups, Now)
}

// manyJobs is a thousand of them.
func manyJobs() []*activity.Entry {
	var jobs []job.Job
	for i := range 1000 {
		before := time.Duration(i) * 23 * time.Minute
		jobs = append(jobs, act(before, operation.KindBackup, job.Succeeded, "ragpdf", holdfast.BackupName(fmt.Sprintf("auto_backup_%s", At(before).UTC().Format("20060102_150405")))))
	}
	return activity.Entries(jobs, nil, Now)
}

func standings() []holdfast.TaskStanding {
	at := func(before time.Duration) *holdfast.Time { t := holdfast.At(At(before)); return &t }
	return []holdfast.TaskStanding{
		{Name: "backup_task", EveryMS: (6 * time.Hour).Milliseconds(), Runs: 122, LastAt: at(3*time.Hour + 30*time.Minute), LastMS: 840, NextAt: at(-(2*time.Hour + 30*time.Minute))},
		{Name: "verify", EveryMS: (24 * time.Hour).Milliseconds(), Runs: 30, Running: true, LastAt: at(0), NextAt: at(-24 * time.Hour)},
		{Name: "drill", EveryMS: (7 * 24 * time.Hour).Milliseconds(), Runs: 4, LastAt: at(26 * time.Hour), LastMS: 3200, NextAt: at(-6 * 24 * time.Hour)},
		{Name: "prune", EveryMS: (24 * time.Hour).Milliseconds(), Runs: 30, Failures: 1, LastAt: at(8 * time.Hour), LastMS: 12, Error: "prune: a hold stands since 2026-11-21T06:30:00Z: the backup auto_backup_20261121_063000 is suspiciously small", NextAt: at(-16 * time.Hour)},
		{Name: "alarms", EveryMS: time.Minute.Milliseconds(), Runs: 43_201, LastAt: at(20 * time.Second), LastMS: 4, NextAt: at(-40 * time.Second)},
		{Name: "backup_on_change"},
	}
}

func auditEntries() []access.Entry {
	entry := func(before time.Duration, e access.Entry) access.Entry {
		e.ID, e.Time = fmt.Sprintf("18f-%d", before), holdfast.At(At(before))
		return e
	}
	guess := access.Entry{Remote: "198.51.100.7:52114", Method: "POST", Route: "/login", Status: 401, Outcome: access.Refused, Why: "the password or token is not right"}
	out := []access.Entry{entry(10*time.Minute, access.Entry{Caller: "owner", Remote: "127.0.0.1:40112", Method: "POST", Route: "/login", Status: 303, Outcome: access.Done})}
	for i := range 14 {
		out = append(out, entry(30*time.Minute+time.Duration(i)*4*time.Second, guess))
	}
	many := guess
	many.Omitted = 212
	return append(out,
		entry(31*time.Minute, many),
		entry(3*time.Hour+15*time.Minute, access.Entry{Caller: "nok", Remote: "192.0.2.17:51112", Method: "POST", Route: "/backups/{name}/restore", Backup: "enhanced_backup_20261119_143000", Job: "20261122T061500000-K7Q2M9XA", Status: 303, Outcome: access.Done}),
		entry(26*time.Hour, access.Entry{Caller: access.CommandLine, Route: "token create", Object: "nok", Outcome: access.Done}),
		entry(27*time.Hour, access.Entry{Caller: "viewer", Remote: "192.0.2.9:50100", Method: "POST", Route: "/api/v1/backups", Status: 403, Outcome: access.Refused, Why: "it has the scope read, and this needs backup"}),
		entry(28*time.Hour, access.Entry{Caller: "owner", Remote: "127.0.0.1:40100", Method: "PATCH", Route: "/api/v1/backups/{name}", Backup: "پشتیبان_آزمایشی", Status: 500, Outcome: access.Failed, Why: "the repository did not answer in time"}),
	)
}

func logEvents() []job.Event {
	at := func(ms int) holdfast.Time {
		return holdfast.At(At(3*time.Hour + 15*time.Minute).Add(time.Duration(ms) * time.Millisecond))
	}
	step := func(seq int64, ms int, step holdfast.Step, state holdfast.State, source, text string) job.Event {
		return job.Event{Seq: seq, At: at(ms), Event: &holdfast.Event{Op: "restore", Step: step, State: state, Source: source, Message: text}}
	}
	return []job.Event{
		{Seq: 1, At: at(0), State: job.Running},
		step(2, 4, holdfast.StepChoose, holdfast.Finished, "", "the copy in the repository"),
		step(3, 6, holdfast.StepEmergency, holdfast.Started, "", ""),
		step(4, 900, holdfast.StepEmergency, holdfast.Finished, "", "emergency_restore_20261122_061500"),
		step(5, 1400, holdfast.StepValidate, holdfast.Finished, "", "every byte as recorded"),
		step(6, 2100, holdfast.StepStage, holdfast.Finished, "chromadb", ""),
		step(7, 2300, holdfast.StepStop, holdfast.Skipped, "", "no stop hook is configured"),
		step(8, 2400, holdfast.StepSwap, holdfast.Finished, "", ""),
		step(9, 3100, holdfast.StepConfirm, holdfast.Finished, "", ""),
		{Seq: 10, At: at(3200), State: job.Succeeded},
	}
}
