package screen_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A state is a screen in one state of things.
type state struct {
	name string
	draw func(screen.Reader) screen.Screen
}

var now = time.Date(2026, 11, 22, 14, 30, 5, 0, time.UTC)

func reader(lang locale.Lang) screen.Reader { return screen.Reader{L: locale.Of(lang), Now: now} }

func ago(d time.Duration) holdfast.Time   { return holdfast.At(now.Add(-d)) }
func agoP(d time.Duration) *holdfast.Time { return new(ago(d)) }

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// persianName and thaiName are names as people give them, as long as names can be.
var (
	persianName = holdfast.BackupName("پیش‌از‌پاک‌سازی_" + strings.Repeat("پشتیبان‌گیری‌دستی_", 4) + "۲")
	thaiName    = holdfast.BackupName("สำรองก่อนล้างข้อมูล_" + strings.Repeat("ครบถ้วน_", 5) + "2")
)

func records(n int64) *int64 { return &n }

// healthy is a bot whose data is safe.
func healthy() report.Status {
	return report.Status{
		Verdict: report.Safe,
		Sources: []report.SourceStatus{{
			Name: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db", Exists: true, Bytes: 12_582_912, Records: records(10_442), Tables: 8,
			LastBackup: "scheduled_backup_20261122_141805", LastAt: agoP(12 * minute),
		}},
		Repository: report.RepositoryState{
			Location: "/data/backups", Exists: true, Backups: 23, LogicalBytes: 280_000_000, StoredBytes: 48_234_496, FreeBytes: records(120 << 30),
			LastProven: "scheduled_backup_20261121_141805", ProvenAt: agoP(26 * hour), ProvenBy: holdfast.ProofDrill,
		},
	}
}

func standing(change func(*holdfast.Standing)) holdfast.Standing {
	s := holdfast.Standing{
		State: holdfast.StandingReady, PID: 7, Started: ago(3 * day),
		Sources: []holdfast.SourceStanding{{Name: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db", Storage: &holdfast.Storage{
			Dir: "/tmp", FileSystem: "overlay", Usable: true, Findings: []holdfast.Finding{{Code: holdfast.FindingOverlay, Severity: holdfast.Warning, Message: "/tmp is in the container's own layer: it goes with the container"}},
		}}},
		Survival: &holdfast.Survival{State: holdfast.SurvivalKept, Kept: 12, Wiped: 2, LastWiped: agoP(9 * day), Starts: 15},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// overview is the screen of the backups, changed from that of a healthy bot.
func overview(name string, change func(*screen.OverviewModel)) state {
	return state{"overview_" + name, func(r screen.Reader) screen.Screen {
		st := healthy()
		m := screen.OverviewModel{Status: &st, Next: now.Add(5*hour + 48*minute), Programs: []holdfast.Standing{standing(nil)}}
		if change != nil {
			change(&m)
		}
		return screen.Overview(r, m)
	}}
}

func overviews() []state {
	return []state{
		overview("safe", nil),
		overview("mounted", func(m *screen.OverviewModel) { m.Back = &screen.Button{Label: "⬅️ Menu", Data: "menu:system"} }),
		overview("no_backup_yet", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Never
			m.Status.Sources[0].LastAt, m.Status.Sources[0].LastBackup = nil, ""
			m.Status.Repository = report.RepositoryState{Location: "/data/backups"}
			m.Programs[0].Survival = &holdfast.Survival{State: holdfast.SurvivalFirst}
			m.Next = time.Time{}
		}),
		overview("stale", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Stale
			m.Status.Sources[0].LastAt, m.Status.Sources[0].Stale = agoP(3*day), true
			m.Next = now.Add(-hour)
			m.Alarms = []alarm.Alarm{{Kind: alarm.KindSilence, Object: "bot", Message: "no backup of bot has succeeded for 3 days", Severity: holdfast.Damaged, Since: ago(2 * day)}}
		}),
		overview("failing", func(m *screen.OverviewModel) {
			m.Status.Verdict, m.Status.Message = report.Failing, "Your data may not be safe"
			m.Programs[0].Backups.Error = "commit: write /data/backups/.tmp: no space left on device"
			m.Alarms = []alarm.Alarm{
				{Kind: alarm.KindFailure, Object: "bot", Severity: holdfast.Damaged, Since: ago(40 * minute)},
				{Kind: alarm.KindSpace, Severity: holdfast.Warning, Since: ago(5 * hour)},
			}
		}),
		overview("degraded", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Degraded
			m.Programs[0] = standing(func(s *holdfast.Standing) {
				s.State = holdfast.StandingDegraded
				s.Sources[0].DegradedSince, s.Sources[0].Reason = agoP(95*minute), "the directory /tmp is mounted read-only"
			})
			m.Status.Programs = m.Programs
		}),
		overview("wiped", func(m *screen.OverviewModel) {
			m.Programs[0].Survival = &holdfast.Survival{State: holdfast.SurvivalWiped, Kept: 3, Wiped: 4, LastWiped: agoP(6 * minute)}
			m.Alarms = []alarm.Alarm{{Kind: alarm.KindWiped, Object: "/tmp", Severity: holdfast.Warning, Since: ago(6 * minute)}}
		}),
		overview("unreachable", func(m *screen.OverviewModel) {
			m.Status.Verdict, m.Status.Repository = report.Unreachable, report.RepositoryState{Location: "s3://backups/bot", Error: "list s3://backups/bot: dial tcp 203.0.113.9:443: i/o timeout"}
			m.Status.Sources[0].LastAt = nil
		}),
		overview("missing", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Missing
			m.Status.Sources[0].Exists = false
		}),
		overview("pending", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Cut
			m.Status.Pending = &report.Pending{Op: operation.KindRestore, Backup: "before-cleanup", Begun: ago(8 * minute)}
		}),
		overview("hold", func(m *screen.OverviewModel) {
			m.Status.Verdict = report.Held
			m.Status.Hold = &report.Hold{Message: "scheduled_backup_20261122_141805 has 12 rows of bot, the one before 10,442"}
		}),
		overview("chroma", func(m *screen.OverviewModel) {
			m.Status.Sources = []report.SourceStatus{{
				Name: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb", Exists: true, Bytes: 13_107_200, Records: records(447), Collections: 3,
				LastBackup: "enhanced_backup_20241030_143000", LastAt: agoP(2 * hour),
			}}
			m.Programs = nil
			m.Status.Replicas = []report.Replica{
				{Name: "telegram", Exists: true, Backups: 23},
				{Name: "office", Exists: true, Backups: 20, Behind: []holdfast.BackupName{"a", "b", "c"}},
				{Name: "cellar", Error: "open sftp://cellar: no route to host"},
				{Name: "new"},
			}
		}),
		overview("several_sources", func(m *screen.OverviewModel) {
			for i := range 11 {
				m.Status.Sources = append(m.Status.Sources, report.SourceStatus{
					Name: fmt.Sprintf("ربات_شماره_%d", i+1), Kind: holdfast.KindFiles, Exists: i != 3, Bytes: int64(i) << 20, Records: records(int64(i)), LastAt: agoP(time.Duration(i+1) * hour),
				})
			}
			m.Status.Sources[2].Error = "read /srv/bot2: permission denied"
		}),
		overview("at_work", func(m *screen.OverviewModel) {
			m.Work = []job.Job{
				{ID: jobID, Kind: operation.KindRestore, State: job.Running, By: "Somchai (telegram:1001)", CreatedAt: ago(minute)},
				{ID: jobID, Kind: operation.KindVerify, State: job.Queued, By: "schedule", CreatedAt: ago(minute)},
			}
			m.Status.LastRestore = &report.LastRestore{At: ago(2 * hour), Backup: "before-cleanup"}
		}),
		overview("nothing_protected", func(m *screen.OverviewModel) {
			m.Status.Verdict, m.Status.Sources = report.Never, nil
		}),
		overview("unknown", func(m *screen.OverviewModel) {
			m.Status = nil
			failure := report.NewError("status", holdfast.ExitFailed, &holdfast.Error{Op: "open repository", Object: "/data/backups", Err: errors.New("permission denied"), Cause: holdfast.CauseDenied, Hint: "give the user of the program the directory"})
			m.Failure = &failure
		}),
	}
}

const jobID = "20261122T142905123-K7Q2M9XA"

// backups are so many of them, the newest first.
func backups(n int) []report.Backup {
	var out []report.Backup
	for i := range n {
		at := ago(time.Duration(i)*6*hour + 12*minute)
		b := report.Backup{
			Name: holdfast.AutomaticName(holdfast.TriggerScheduled, holdfast.Standard, at.Time, ""), CreatedAt: &at, Kind: holdfast.Standard,
			Trigger: holdfast.TriggerScheduled, Records: 10_442 - int64(i)*100, LogicalBytes: 12_582_912, StoredBytes: 1_048_576, Form: report.FormDelta,
			Sources: []report.BackupSource{{Name: "bot", Kind: holdfast.KindSQLite, Records: records(10_442 - int64(i)*100), Bytes: 12_582_912}},
		}
		switch i {
		case 1:
			b.Name, b.Trigger, b.Pinned, b.Form = persianName, holdfast.TriggerManual, true, report.FormFull
			b.Proven = &report.Proven{At: ago(hour), Kind: holdfast.ProofVerify}
		case 2:
			b.Name, b.Trigger, b.IncludesMemory, b.Kind, b.Form = thaiName, holdfast.TriggerManual, true, holdfast.Enhanced, report.FormFull
		case 3:
			b.Error = "backup_metadata.json: unexpected end of JSON input"
		case 4:
			b.Problems = []holdfast.Problem{{Severity: holdfast.Incomplete, Object: "bot", Message: "the table tracking was not counted"}}
		}
		out = append(out, b)
	}
	return out
}

func lists() []state {
	list := func(name string, m screen.ListModel) state {
		return state{"list_" + name, func(r screen.Reader) screen.Screen { return screen.List(r, m) }}
	}
	return []state{
		list("empty", screen.ListModel{}),
		list("one", screen.ListModel{Backups: backups(1)}),
		list("first", screen.ListModel{Backups: backups(30)}),
		list("middle", screen.ListModel{Backups: backups(30), Page: 1}),
		list("last", screen.ListModel{Backups: backups(30), Page: 99}),
		list("aged", screen.ListModel{Backups: backups(2), Aged: &report.AgedError{At: now.Add(-20 * minute), Err: errors.New("no route to host")}}),
	}
}

func metadata() *holdfast.Metadata {
	return &holdfast.Metadata{Sources: []holdfast.SourceMetadata{
		{Name: "bot", Kind: holdfast.KindSQLite, LogicalBytes: 12_582_912, Facts: holdfast.Facts{SQLite: &holdfast.SQLiteFacts{
			Tables: map[string]int64{"users": 412, "blocks": 18, "messages": 9_811, "tracking": 201}, Rows: records(10_442),
		}}},
		{Name: "chromadb", Kind: holdfast.KindChroma, LogicalBytes: 13_107_200, Facts: holdfast.Facts{Chroma: &holdfast.ChromaFacts{
			Records: 447, Collections: []holdfast.ChromaCollection{
				{Name: "documents", Records: 400}, {Name: "enhanced_rag_memory", Records: 42, Memory: true}, {Name: "คู่มือ", Records: 5},
			},
		}}},
	}}
}

func proof(kind holdfast.ProofKind, ok bool, before time.Duration) holdfast.Proof {
	return holdfast.Proof{At: ago(before), Kind: kind, OK: ok}
}

func detailsStates() []state {
	details := func(name string, change func(*screen.DetailsModel)) state {
		return state{"details_" + name, func(r screen.Reader) screen.Screen {
			m := screen.DetailsModel{Backup: backups(1)[0], Metadata: metadata(), Proofs: []holdfast.Proof{proof(holdfast.ProofVerify, true, 5*hour)}, Page: 2}
			if change != nil {
				change(&m)
			}
			return screen.Details(r, m)
		}}
	}
	return []state{
		details("verified", nil),
		details("drilled", func(m *screen.DetailsModel) {
			m.Proofs = append(m.Proofs, proof(holdfast.ProofDrill, true, 2*hour))
			m.Backup = backups(2)[1]
			m.Backup.Note, m.Backup.Copies = "پیش از پاک‌سازی بزرگ", []string{"repository", "telegram"}
		}),
		details("unproven", func(m *screen.DetailsModel) { m.Proofs, m.Backup = nil, backups(3)[2] }),
		details("disproven", func(m *screen.DetailsModel) { m.Proofs = append(m.Proofs, proof(holdfast.ProofVerify, false, hour)) }),
		details("unreadable", func(m *screen.DetailsModel) { m.Backup, m.Metadata = backups(4)[3], nil }),
		details("sealed", func(m *screen.DetailsModel) {
			m.Proofs, m.Private, m.Backup.Sources = nil, true, nil
		}),
		details("lacking", func(m *screen.DetailsModel) {
			m.Backup = backups(5)[4]
			m.Metadata.Problems, m.From = m.Backup.Problems, "telegram"
		}),
		details("harmed", func(m *screen.DetailsModel) {
			m.Metadata.Problems = []holdfast.Problem{{Severity: holdfast.Damaged, Object: "bot", Message: "row 4 missing from index blocks_until"}}
			m.Backup.Problems = m.Metadata.Problems
		}),
		details("of_a_server", func(m *screen.DetailsModel) {
			m.Metadata.Sources = m.Metadata.Sources[1:]
			chroma := *m.Metadata.Sources[0].Facts.Chroma
			chroma.Server = &holdfast.ChromaServer{API: "v2", Version: "1.5.9", Consistency: holdfast.Fuzzy, Began: ago(5 * hour), Ended: ago(5*hour - 4*minute), Passes: 5, Moved: []holdfast.ChromaMoved{
				{Tenant: "default_tenant", Database: "default_database", Collection: chroma.Collections[0].Name, Added: 12},
			}}
			m.Metadata.Sources[0].Facts.Chroma = &chroma
		}),
		{"missing", screen.Missing},
	}
}

// requests is a plan for a server that goes on.
func requests() holdfast.PartPlan {
	return holdfast.PartPlan{Changes: []holdfast.PartChange{
		{Table: "default_tenant/default_database/documents", Action: holdfast.PartReplace, Now: records(447), Then: records(450)},
		{Table: "default_tenant/default_database/enhanced_rag_memory", Action: holdfast.PartReplace, Now: records(42), Then: records(40)},
		{Table: "default_tenant/default_database/%E0%B8%9A%E0%B8%B1%E0%B8%99%E0%B8%97%E0%B8%B6%E0%B8%81", Action: holdfast.PartCreate, Then: records(3)},
	}, Stays: []string{"default_tenant/default_database/new"}, Bytes: 1 << 20}
}

func plan() report.RestorePlan {
	return report.RestorePlan{Backup: "before-cleanup", Bytes: 25_690_112, Memory: "restore", Targets: []report.Target{
		{Source: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db", Exists: true, RecordsNow: records(10_442), RecordsBackup: records(10_120)},
		{Source: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb", Exists: true, RecordsNow: records(447), RecordsBackup: records(450), MemoryNow: records(42), MemoryBackup: records(40)},
	}}
}

func restores() []state {
	restore := func(name string, change func(*screen.RestoreModel)) state {
		return state{"restore_" + name, func(r screen.Reader) screen.Screen {
			m := screen.RestoreModel{Backup: report.Backup{Name: "before-cleanup", CreatedAt: agoP(3 * day)}, Newer: 12, Plan: plan(), Page: 1}
			if change != nil {
				change(&m)
			}
			return screen.Restore(r, m)
		}}
	}
	refused := report.NewError("restore", holdfast.ExitRefused, &holdfast.Error{
		Op: "restore", Object: "bot", Err: holdfast.Kindf(holdfast.ErrRefused, "another process has /tmp/bot_database.db open"), Cause: holdfast.CauseInUse, Hint: "stop it, or configure hooks",
	})
	rollback := func(name string, change func(*screen.RollbackModel)) state {
		return state{"rollback_" + name, func(r screen.Reader) screen.Screen {
			last := report.LastRestore{At: ago(2 * hour), Backup: "before-cleanup", Emergency: "emergency_restore_20261122_123005"}
			m := screen.RollbackModel{Last: &last, Plan: &report.RollbackPlan{Last: last, By: "سارا (telegram:1002)", Undoable: true, Targets: []report.RollbackTarget{
				{Source: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db", From: engine.FromAside, Exists: true, RecordsNow: records(10_125), RecordsBefore: records(10_442)},
				{Source: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb", From: engine.FromEmergency, Exists: true, RecordsNow: records(450), RecordsBefore: records(447), MemoryNow: records(40), MemoryBefore: records(42)},
			}}}
			change(&m)
			return screen.Rollback(r, m)
		}}
	}
	pending := &report.Pending{Op: operation.KindRestore, Backup: "before-cleanup", Begun: ago(8 * minute)}
	return []state{
		restore("asked", nil),
		restore("changed", func(m *screen.RestoreModel) { m.Why = screen.Changed }),
		restore("old", func(m *screen.RestoreModel) { m.Why, m.Online = screen.TooOld, true }),
		restore("nothing_there", func(m *screen.RestoreModel) {
			m.Newer, m.Plan.Targets = 0, m.Plan.Targets[:1]
			m.Plan.Targets[0].Exists, m.Plan.Targets[0].RecordsNow, m.Plan.From = false, nil, "telegram"
		}),
		restore("no_emergency", func(m *screen.RestoreModel) {
			m.NoEmergency, m.Hooks = true, true
			m.Plan.Targets[0].RecordsBackup, m.Plan.Targets[1].RecordsNow = records(10_442), nil
			m.Plan.Warnings = []holdfast.Problem{{Severity: holdfast.Warning, Object: "/tmp", Message: "little room is left"}}
		}),
		restore("by_requests", func(m *screen.RestoreModel) {
			of := requests()
			m.Hooks, m.Plan.Targets = true, m.Plan.Targets[1:]
			m.Plan.Targets[0].Path, m.Plan.Targets[0].Method, m.Plan.Targets[0].Parts = "http://127.0.0.1:8000", "requests", &of
		}),
		restore("losses", func(m *screen.RestoreModel) {
			of := requests()
			of.Losses = []holdfast.Problem{{Severity: holdfast.Incomplete, Source: "chromadb", Object: "default_tenant/default_database/documents", Message: "the server has no arrays in metadata: tags of 12 records would be left out"}}
			m.Losses, m.NoEmergency, m.Plan.Targets, m.Plan.Warnings = true, true, m.Plan.Targets[1:], of.Losses
			m.Plan.Targets[0].Path, m.Plan.Targets[0].Method, m.Plan.Targets[0].Parts = "http://127.0.0.1:8000", "requests", &of
		}),
		restore("in_use", func(m *screen.RestoreModel) {
			m.Failure = &refused
			m.Plan.Targets[0].Handles = []engine.Handle{{PID: 412, Command: "python", Path: "/tmp/bot_database.db"}}
		}),
		{"restore_busy", func(r screen.Reader) screen.Screen {
			return screen.Busy(r, job.Job{ID: jobID, Kind: operation.KindRestore, By: "سارا (telegram:1002)", CreatedAt: ago(2 * minute)})
		}},
		rollback("asked", func(*screen.RollbackModel) {}),
		rollback("by_requests", func(m *screen.RollbackModel) {
			of := requests()
			of.Changes[2].Action = holdfast.PartRemove
			m.Plan.Targets = m.Plan.Targets[1:]
			m.Plan.Targets[0].Path, m.Plan.Targets[0].Parts = "http://127.0.0.1:8000", &of
		}),
		rollback("from_nothing", func(m *screen.RollbackModel) {
			m.Why = screen.Changed
			m.Plan.Targets = m.Plan.Targets[:1]
			m.Plan.Targets[0].From = engine.FromNothing
		}),
		rollback("refused", func(m *screen.RollbackModel) { m.Plan.Refused = &refused }),
		rollback("undone", func(m *screen.RollbackModel) { m.Plan, m.Last.UndoneAt = nil, agoP(hour) }),
		rollback("nothing", func(m *screen.RollbackModel) { m.Plan, m.Last = nil, nil }),
		{"recover_asked", func(r screen.Reader) screen.Screen { return screen.Recover(r, pending, "") }},
		{"recover_changed", func(r screen.Reader) screen.Screen { return screen.Recover(r, pending, screen.Changed) }},
		{"recover_nothing", func(r screen.Reader) screen.Screen { return screen.Recover(r, nil, "") }},
		{"failed", func(r screen.Reader) screen.Screen {
			return screen.Failed(r, report.NewError("backup", holdfast.ExitLocked, &holdfast.Error{Op: "backup", Object: "/data/backups", Err: &holdfast.LockedError{Object: "/data/backups", Owner: holdfast.Owner{PID: 12, Host: "a", Purpose: "backup", Since: ago(minute).Time}}, Hint: "wait until it has ended"}), screen.Action{Verb: screen.DoCreate})
		}},
	}
}

// work is a job in a state.
func work(name, kind string, s job.State, change func(*screen.WorkModel)) state {
	return state{"work_" + name, func(r screen.Reader) screen.Screen {
		m := screen.WorkModel{Job: job.Job{ID: jobID, Kind: kind, State: s, By: "Somchai (telegram:1001)", Backup: "before-cleanup", CreatedAt: ago(75 * time.Second), StartedAt: agoP(75 * time.Second)}}
		if s.Ended() {
			m.Job.EndedAt = agoP(0)
		}
		change(&m)
		return screen.Work(r, m)
	}}
}

func result(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // these values can be written
	}
	return data
}

// heard are the steps that events tell of.
func heard(kind string, events ...holdfast.Event) (steps []screen.Step) {
	for _, e := range events {
		if e.Op == "" {
			e.Op = kind
		}
		steps = screen.Hear(steps, kind, e)
	}
	return steps
}

func works() []state {
	made := backups(3)[2]
	failure := func(err error) *report.Error { return new(report.NewError("restore", holdfast.ExitCode(err), err)) }
	return []state{
		work("queued", operation.KindVerify, job.Queued, func(m *screen.WorkModel) { m.Job.StartedAt = nil }),
		work("restoring", operation.KindRestore, job.Running, func(m *screen.WorkModel) {
			m.Steps = heard(operation.KindRestore,
				holdfast.Event{Step: holdfast.StepChoose, State: holdfast.Finished},
				holdfast.Event{Step: holdfast.StepEmergency, State: holdfast.Started},
				holdfast.Event{Op: operation.KindBackup, Step: holdfast.StepCapture, State: holdfast.Progress, Done: 4, Total: 10},
				holdfast.Event{Step: holdfast.StepEmergency, State: holdfast.Finished},
				holdfast.Event{Step: holdfast.StepValidate, State: holdfast.Finished},
				holdfast.Event{Step: holdfast.StepStop, State: holdfast.Skipped},
				holdfast.Event{Step: holdfast.StepStage, State: holdfast.Progress, Source: "bot", Done: 5_242_880, Total: 12_582_912},
			)
		}),
		work("emergency", operation.KindRestore, job.Running, func(m *screen.WorkModel) {
			m.Steps = heard(operation.KindRestore,
				holdfast.Event{Step: holdfast.StepEmergency, State: holdfast.Started},
				holdfast.Event{Op: operation.KindBackup, Step: holdfast.StepCapture, State: holdfast.Progress, Source: "bot", Done: 4 << 20, Total: 10 << 20},
			)
		}),
		work("backup_made", operation.KindBackup, job.Succeeded, func(m *screen.WorkModel) {
			m.Job.Result = result(report.BackupResult{Backup: &made, Replicas: []report.Replicated{{Name: "telegram", OK: true}}, Pruned: make([]report.Decision, 2)})
		}),
		work("backup_failed", operation.KindBackup, job.Failed, func(m *screen.WorkModel) {
			m.Job.Error = failure(&holdfast.Error{Op: "backup", Object: "/data/backups", Err: errors.New("no space left on device"), Cause: holdfast.CauseNoSpace, Hint: "make room in /data"})
		}),
		work("backup_cancelled", operation.KindBackup, job.Cancelled, func(m *screen.WorkModel) { m.Job.Outcome = "cancelled before it had begun; nothing was done" }),
		work("verify_good", operation.KindVerify, job.Succeeded, func(m *screen.WorkModel) {
			m.Job.Result = result(report.Verify{OK: true, Results: []report.VerifyItem{{Backup: "before-cleanup", OK: true}}})
		}),
		work("verify_bad", operation.KindVerify, job.Failed, func(m *screen.WorkModel) {
			damage := []holdfast.Problem{{Severity: holdfast.Damaged, Object: "bot/bot_database.db", Message: "block 17 does not hold what was recorded"}}
			m.Job.Result = result(report.Verify{Results: []report.VerifyItem{{Backup: "before-cleanup", Damage: damage}}})
			m.Job.Error = failure(&holdfast.DamagedError{Backup: "before-cleanup", Problems: damage})
		}),
		work("restored", operation.KindRestore, job.Succeeded, func(m *screen.WorkModel) {
			m.Rollback = true
			m.Job.Result = result(report.Restore{Backup: "before-cleanup", Restored: []string{"bot", "chromadb"}, Emergency: "emergency_restore_20261122_142905", Memory: engine.MemoryRestored})
		}),
		work("restored_by_requests", operation.KindRestore, job.Succeeded, func(m *screen.WorkModel) {
			m.Rollback = true
			tables := []string{"default_tenant/default_database/documents", "default_tenant/default_database/enhanced_rag_memory"}
			m.Job.Result = result(report.Restore{Backup: "before-cleanup", Restored: []string{"chromadb"}, Emergency: "emergency_restore_20261122_142905", Memory: engine.MemoryRestored, Reload: tables, Parts: []report.Parts{
				{Source: "chromadb", Changes: requests().Changes, Kept: []string{"default_tenant/default_database/documents.replaced"}},
			}})
		}),
		work("restore_rolled_back", operation.KindRestore, job.Failed, func(m *screen.WorkModel) {
			m.Memory = true
			m.Job.Result = result(report.Restore{Backup: "before-cleanup", RolledBack: true, Emergency: "emergency_restore_20261122_142905", Memory: "skipped: not asked for"})
			m.Job.Error = failure(errors.New("check bot: database disk image is malformed"))
		}),
		work("restore_untouched", operation.KindRestore, job.Failed, func(m *screen.WorkModel) {
			m.Job.Error = failure(&holdfast.DamagedError{Backup: "before-cleanup"})
		}),
		work("restore_interrupted", operation.KindRestore, job.Interrupted, func(m *screen.WorkModel) {
			m.Job.Outcome = "the daemon ended while it ran; the previous state is back in place"
		}),
		work("rolled_back", operation.KindRollback, job.Succeeded, func(m *screen.WorkModel) {
			m.Job.Result = result(report.Restore{Backup: "before-cleanup", Restored: []string{"bot"}})
		}),
		work("recovered", operation.KindRecover, job.Succeeded, func(m *screen.WorkModel) {
			m.Job.Result = result(report.Recover{Found: true, Outcome: "undone", Detail: "the previous state is back in place"})
		}),
	}
}

func sends() []state {
	send := func(name string, change func(*screen.SendModel)) state {
		return state{"send_" + name, func(r screen.Reader) screen.Screen {
			m := screen.SendModel{Backup: backups(2)[1], Page: 1, Key: screen.KeyTelegram, Plain: "before-cleanup.db"}
			m.Backup.LogicalBytes = 42_000_000
			change(&m)
			return screen.Send(r, m)
		}}
	}
	sending := func(name string, change func(*screen.SendingModel)) state {
		return state{"sending_" + name, func(r screen.Reader) screen.Screen {
			m := screen.SendingModel{ID: strings.Repeat("a", 24), Backup: "before-cleanup", File: "before-cleanup.tar.age", Sealed: true, Key: screen.KeyTelegram, Sent: 2, Bytes: 38_000_000, Total: 42_000_000}
			change(&m)
			return screen.Sending(r, m)
		}}
	}
	return []state{
		send("asked", func(*screen.SendModel) {}),
		send("small", func(m *screen.SendModel) { m.Backup.LogicalBytes, m.Key = 4_000_000, screen.KeyPassphrase }),
		send("large", func(m *screen.SendModel) { m.Backup.LogicalBytes = 201_000_000 }),
		{"send_clear", func(r screen.Reader) screen.Screen {
			return screen.Clear(r, screen.SendModel{Backup: backups(1)[0], Plain: "before-cleanup.db"}, "")
		}},
		{"send_clear_old", func(r screen.Reader) screen.Screen {
			return screen.Clear(r, screen.SendModel{Backup: backups(1)[0], Plain: "before-cleanup.tar"}, screen.TooOld)
		}},
		sending("under_way", func(*screen.SendingModel) {}),
		sending("done", func(m *screen.SendingModel) { m.Done, m.Sent, m.Bytes = true, 3, 42_010_000 }),
		sending("done_recipients", func(m *screen.SendingModel) { m.Done, m.Key = true, screen.KeyRecipients }),
		sending("done_passphrase", func(m *screen.SendingModel) { m.Done, m.Key = true, screen.KeyPassphrase }),
		sending("done_clear_one", func(m *screen.SendingModel) { m.Done, m.Sealed, m.Sent, m.File = true, false, 1, "before-cleanup.db" }),
		sending("done_clear", func(m *screen.SendingModel) { m.Done, m.Sealed, m.File = true, false, "before-cleanup.db" }),
		sending("cancelled", func(m *screen.SendingModel) { m.Cancelled = true }),
		sending("failed", func(m *screen.SendingModel) {
			m.Failure = new(report.NewError("send", holdfast.ExitFailed, &holdfast.Error{Op: "sendDocument", Err: errors.New("502 Bad Gateway"), Cause: holdfast.CauseUnreachable}))
		}),
	}
}

func notices() []state {
	notice := func(name string, m screen.NoticeModel) state {
		return state{"notice_" + name, func(r screen.Reader) screen.Screen { return screen.Notice(r, m) }}
	}
	failing := alarm.Alarm{Kind: alarm.KindFailure, Object: "bot", Message: "the last 3 backups failed: no space left on device", Severity: holdfast.Damaged, Since: ago(40 * minute)}
	restored := standing(func(s *holdfast.Standing) {
		s.Sources[0].Start = &holdfast.StartDecision{Action: holdfast.StartRestored, Backup: "scheduled_backup_20261122_141805", From: "telegram", BackupAt: agoP(12 * minute), Reason: "the database is missing"}
	})
	lost := standing(func(s *holdfast.Standing) {
		s.Sources[0].Start = &holdfast.StartDecision{Action: holdfast.StartFailed, Reason: "no backup can be used"}
		s.Sources[0].DegradedSince, s.Sources[0].Reason = agoP(0), "the directory /tmp is full"
	})
	return []state{
		notice("failure", screen.NoticeModel{News: []alarm.News{{Alarm: failing, Turn: alarm.Begun}}}),
		notice("several", screen.NoticeModel{Written: agoP(30 * minute), News: []alarm.News{
			{Alarm: failing, Turn: alarm.Still},
			{Alarm: alarm.Alarm{Kind: alarm.KindWiped, Object: "/tmp", Message: "the storage was wiped", Severity: holdfast.Warning, Since: ago(minute)}, Turn: alarm.Begun},
			{Alarm: alarm.Alarm{Kind: alarm.KindReplica, Object: "telegram", Since: ago(3 * hour)}, Turn: alarm.Over, EndedAt: agoP(hour)},
		}}),
		notice("over", screen.NoticeModel{News: []alarm.News{{Alarm: failing, Turn: alarm.Over, EndedAt: agoP(0)}}}),
		notice("restored_at_start", screen.NoticeModel{Start: &restored}),
		notice("lost_at_start", screen.NoticeModel{Start: &lost}),
	}
}

// states are all screens in all states.
func states() []state {
	menu := screen.Menu{Verdict: report.Safe, Version: "1.4.0"}
	var all []state
	all = append(all,
		state{"admin", func(r screen.Reader) screen.Screen { return screen.Admin(r, menu) }},
		state{"admin_unknown", func(r screen.Reader) screen.Screen { return screen.Admin(r, screen.Menu{}) }},
		state{"system", func(r screen.Reader) screen.Screen { return screen.System(r, menu) }},
		state{"system_degraded", func(r screen.Reader) screen.Screen { return screen.System(r, screen.Menu{Verdict: report.Degraded}) }},
		state{"languages", screen.Languages},
		state{"help", screen.Help},
		state{"create", screen.Create},
		state{"name", func(r screen.Reader) screen.Screen { return screen.AskName(r, nil, false) }},
		state{"name_taken", func(r screen.Reader) screen.Screen { return screen.AskName(r, nil, true) }},
	)
	for _, bad := range []string{"", "\xff", strings.Repeat("n", 200), "-rf", "end.", "latest", "two words", "a/b"} {
		_, err := holdfast.ParseBackupName(bad)
		fault, _ := errors.AsType[*holdfast.NameError](err)
		all = append(all, state{"name_" + string(fault.Fault) + map[bool]string{true: "_word"}[fault.Fault == holdfast.NameTaken], func(r screen.Reader) screen.Screen { return screen.AskName(r, fault, false) }})
	}
	for _, more := range [][]state{overviews(), lists(), detailsStates(), restores(), works(), sends(), notices()} {
		all = append(all, more...)
	}
	return all
}

// The question for a name is known again, whatever was wrong before, in every language.
func TestAskName_IsKnownAgain(t *testing.T) {
	for _, st := range states() {
		for _, lang := range locale.Languages() {
			s := st.draw(reader(lang))
			if asks := screen.AsksName(s.Text); asks != (st.name == "name" || strings.HasPrefix(st.name, "name_")) {
				t.Errorf("%s in %s asks for a name: %t", st.name, lang, asks)
			}
		}
	}
}
