package gallery

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/jobs"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// The job that the states are about, and its backup.
const (
	exampleJob    = "20261122T092900000-K7Q2M9XA"
	exampleBackup = "enhanced_backup_20261122_092900"
)

// jobStates are the page of long work, from waiting to every end.
var jobStates = []State{
	working("queued", "verify", job.Queued, 0, nil),
	working("running-early", "backup", job.Running, 2*time.Second, []holdfast.Event{
		ended("preflight", time.Second), begun("capture", "chromadb"), moving("capture", 3*mib, 0, 0),
	}),
	working("running-backup", "backup", job.Running, 40*time.Second, runningBackup()),
	working("restore-swap", "restore", job.Running, 48*time.Second, upToSwap()),
	working("backup-made", "backup", job.Succeeded, 64*time.Second, wholeBackup(), func(j *job.Job) { j.Result = told(madeBackup()) }),
	working("backup-reused", "backup", job.Succeeded, time.Second, nil, func(j *job.Job) {
		r := madeBackup()
		r.Reused, r.Replicas, r.Pruned = true, nil, nil
		j.Result, j.Outcome = told(r), "nothing was written since "+exampleBackup+" was made, which stands for it"
	}),
	working("backup-off", "backup", job.Succeeded, time.Second, nil, func(j *job.Job) {
		j.Backup = ""
		j.Result = told(report.BackupResult{Type: "backup", Skipped: "automatic backups are switched off (auto_backup, AUTO_BACKUP_ENABLED)"})
	}),
	working("backup-incomplete", "backup", job.Incomplete, 64*time.Second, wholeBackup(), func(j *job.Job) {
		r := madeBackup()
		r.Incomplete = true
		r.Problems = []holdfast.Problem{{Severity: holdfast.Incomplete, Source: "uploads", Object: "uploads/report.pdf", Message: "it changed while it was read", Hint: "back up again when nobody writes it"}}
		j.Result = told(r)
	}),
	working("backup-failed", "backup", job.Failed, 3*time.Second, []holdfast.Event{begun("preflight", ""), failed("preflight", "no space")}, func(j *job.Job) {
		j.Backup = ""
		j.Error = &report.Error{Code: "refused", Exit: 13, Op: "backup", Object: "./data/chromadb_backup", Message: "backup ./data/chromadb_backup: 1.2 GiB are needed and 310 MiB are free", Hint: "make room, or delete backups that are not needed", Cause: holdfast.CauseNoSpace}
	}),
	working("restore-rolled-back", "restore", job.Failed, 70*time.Second, append(upToSwap(), failed("swap", "input/output error"), ended("rollback", time.Second)), func(j *job.Job) {
		j.Result = told(report.Restore{Type: "restore", Backup: exampleBackup, Emergency: "emergency_restore_20261122_092905", Restored: []string{}, RolledBack: true, DurationMS: 70000})
		j.Error = &report.Error{Code: "failed", Exit: 1, Op: "restore", Object: "chromadb", Message: "restore chromadb: write ./data/chromadb: input/output error; the previous state is back in place", Hint: "check the disk under ./data"}
	}),
	working("restore-memory-skipped", "restore", job.Succeeded, 65*time.Second, wholeRestore(), func(j *job.Job) {
		j.Result = told(report.Restore{
			Type: "restore", Backup: exampleBackup, Emergency: "emergency_restore_20261122_092905", Restored: []string{"chromadb", "bot"}, DurationMS: 65000,
			Memory:   `skipped: rag_mode of chromadb is "standard", memory is restored only where it is enhanced`,
			Aside:    []string{"./data/chromadb.before-20261122_092940"},
			Problems: []holdfast.Problem{{Severity: holdfast.Warning, Source: "chromadb", Message: "the application was not told to reload its collections", Hint: "configure a start hook"}},
		})
	}),
	working("restore-parts", "restore", job.Succeeded, 9*time.Second, wholeRestore(), func(j *job.Job) {
		j.Result = told(report.Restore{
			Type: "restore", Backup: exampleBackup, Emergency: "emergency_restore_20261122_092905", Restored: []string{"chromadb"}, DurationMS: 9000,
			Parts:    []report.Parts{{Source: "chromadb", Changes: []holdfast.PartChange{{Table: notes().Name, Action: holdfast.PartReplace}}, Kept: []string{"default_tenant/default_database/notes-old-20261122T092905"}}},
			Reload:   []string{notes().Name},
			Problems: []holdfast.Problem{{Severity: holdfast.Warning, Source: "chromadb", Object: "notes", Message: "3 records changed while it was restored; they are kept in notes-old-20261122T092905", Hint: "look at them, then delete that collection"}},
		})
	}),
	working("cancelled", "backup", job.Cancelled, 12*time.Second, runningBackup()[:4], func(j *job.Job) { j.Backup = "" }),
	working("interrupted", "restore", job.Interrupted, 50*time.Second, upToSwap(), func(j *job.Job) {
		j.Outcome = "it was cut, and has been undone: the state before is in place"
	}),
	working("delete-waiting", "delete", job.Running, 4*time.Second, []holdfast.Event{begun("wait", ""), moving("wait", 4000, 10000, 4*time.Second)}),
	working("deleted", "delete", job.Succeeded, 11*time.Second, []holdfast.Event{ended("wait", 10*time.Second)}, func(j *job.Job) {
		j.Result = told(report.Delete{Type: "delete", Deleted: []holdfast.BackupName{exampleBackup}, FreedBytes: 4 * mib, Hidden: []report.Hidden{{Name: exampleBackup, HeldBytes: mib}}})
	}),
	working("drill-failed", "drill", job.Failed, 31*time.Second, append(passed("choose", "stage", "check"), begun("rehearse", "chromadb"), failed("rehearse", "collection pdf_documents: 447 records wanted, 446 came")), func(j *job.Job) {
		j.Result = told(report.Drill{Type: "drill", Backup: exampleBackup, Proof: &holdfast.Proof{
			At: holdfast.At(Now), Kind: holdfast.ProofDrill, DurationMS: 31000, RestoreMS: 800, Bytes: 13 * mib,
			Compared: []holdfast.Comparison{
				{Source: "chromadb", What: "records of collection pdf_documents", Want: "447", Got: "446"},
				{Source: "chromadb", What: "records of collection enhanced_rag_memory", Want: "52", Got: "52", OK: true},
				{Source: "bot", What: "rows of table users", Want: "1204", Got: "1204", OK: true},
			},
		}})
		j.Error = &report.Error{Code: "damaged", Exit: 12, Op: "drill", Object: exampleBackup, Message: "drill " + exampleBackup + ": collection pdf_documents: 447 records wanted, 446 came", Hint: "back up again, and drill that backup"}
	}),
	working("verify-all", "verify", job.Failed, 90*time.Second, passed("verify", "check"), func(j *job.Job) {
		j.Backup = ""
		j.Result = told(report.Verify{Type: "verify", Results: []report.VerifyItem{
			{Backup: exampleBackup, OK: true, Proof: &holdfast.Proof{Bytes: 13 * mib, OK: true}},
			{Backup: "สำรองก่อนอัปโหลด", Error: "damaged: bot/bot_database.db", Damage: []holdfast.Problem{{Severity: holdfast.Damaged, Object: "bot/bot_database.db", Message: "3 blocks do not have the digest that was recorded"}}},
		}})
		j.Error = &report.Error{Code: "damaged", Exit: 12, Op: "verify", Object: "สำรองก่อนอัปโหลด", Message: "verify สำรองก่อนอัปโหลด: bot/bot_database.db is damaged"}
	}),
}

// working makes a state of a job that began a while ago.
func working(name, kind string, state job.State, ago time.Duration, events []holdfast.Event, changes ...func(*job.Job)) State {
	j := job.Job{ID: exampleJob, Kind: kind, State: state, By: "owner", CreatedAt: holdfast.At(At(ago)), Backup: exampleBackup}
	if state != job.Queued {
		j.StartedAt = new(holdfast.At(At(ago)))
	}
	if state.Ended() {
		j.EndedAt = new(holdfast.At(Now))
	}
	for _, change := range changes {
		change(&j)
	}
	model := func() jobs.Model {
		t := jobs.NewTrack(kind)
		seq := int64(0)
		tell := func(e job.Event) {
			seq++
			e.Seq = seq
			t.Apply(e)
		}
		if state != job.Queued {
			tell(job.Event{At: holdfast.At(At(ago)), State: job.Running})
		}
		at := At(ago)
		for _, e := range events {
			// The time of an event of the examples is how long it lasted.
			if took := e.Time.Sub(time.Time{}); took > 0 {
				begin := e
				begin.State, begin.Message = holdfast.Started, ""
				if e.State == holdfast.Finished {
					begin.Time, begin.Op = at, cmp.Or(e.Op, kind)
					tell(job.Event{At: holdfast.At(at), Event: &begin})
				}
				at = at.Add(took)
			}
			e.Time = at
			if e.Op == "" {
				e.Op = kind
			}
			tell(job.Event{At: holdfast.At(at), Event: &e})
		}
		if state.Ended() {
			tell(job.Event{At: holdfast.At(Now), State: state})
		}
		m := jobs.Build(j, t, Now)
		m.MayCancel = !state.Ended()
		return m
	}
	return State{
		Page: "jobs", Name: name, Section: "activity", Title: "frame.activity",
		Change: func(p *ui.Page) { p.Title = jobs.Title(p.L, model()) },
		Render: func(p ui.Page) templ.Component { return jobs.View(p, model()) },
	}
}

func begun(step holdfast.Step, source string) holdfast.Event {
	return holdfast.Event{Step: step, State: holdfast.Started, Source: source}
}

// ended is a step that has lasted so long.
func ended(step holdfast.Step, took time.Duration) holdfast.Event {
	return holdfast.Event{Step: step, State: holdfast.Finished, Time: time.Time{}.Add(took)}
}

func failed(step holdfast.Step, why string) holdfast.Event {
	return holdfast.Event{Step: step, State: holdfast.Failed, Message: why}
}

func skipped(step holdfast.Step, why string) holdfast.Event {
	return holdfast.Event{Step: step, State: holdfast.Skipped, Message: why}
}

// moving is progress, so long after what came before.
func moving(step holdfast.Step, done, total int64, after time.Duration) holdfast.Event {
	return holdfast.Event{Step: step, State: holdfast.Progress, Done: done, Total: total, Time: time.Time{}.Add(after)}
}

// passed are steps that were done one after the other.
func passed(steps ...holdfast.Step) (events []holdfast.Event) {
	for _, step := range steps {
		events = append(events, ended(step, 2*time.Second))
	}
	return events
}

func runningBackup() []holdfast.Event {
	return []holdfast.Event{
		ended("preflight", time.Second), begun("capture", "chromadb"),
		moving("capture", 40*mib, 400*mib, time.Second), moving("capture", 80*mib, 400*mib, 2*time.Second),
		moving("capture", 130*mib, 400*mib, 2*time.Second), moving("capture", 180*mib, 400*mib, 2*time.Second),
	}
}

func wholeBackup() []holdfast.Event {
	events := passed("preflight", "capture", "export", "commit")
	copied := ended("copy", 20*time.Second)
	copied.Op = "replicate"
	return append(events, copied)
}

func upToSwap() []holdfast.Event {
	return append(passed("choose", "emergency", "validate", "stage", "check", "stop"),
		begun("swap", "chromadb"), moving("swap", 2*mib, 13*mib, time.Second), moving("swap", 9*mib, 13*mib, 4*time.Second))
}

func wholeRestore() []holdfast.Event {
	return append(passed("choose", "emergency", "validate", "stage", "check", "stop", "swap"),
		skipped("memory", `rag_mode of chromadb is "standard", memory is restored only where it is enhanced`),
		skipped("start", "no start hook is configured"), ended("confirm", time.Second), ended("result", time.Millisecond))
}

// madeBackup is the result of a backup that went well.
func madeBackup() report.BackupResult {
	return report.BackupResult{
		Type: "backup", Repository: "./data/chromadb_backup",
		Backup: &report.Backup{
			Name: exampleBackup, CreatedAt: new(holdfast.At(Now)), Kind: holdfast.Enhanced, Trigger: holdfast.TriggerManual, IncludesMemory: true,
			Records: 447, LogicalBytes: 13 * mib, StoredBytes: 4 * mib, Form: report.FormFull,
		},
		Replicas: []report.Replicated{{Name: "offsite", Location: "s3://backups/rag", OK: true}, {Name: "nas", Location: "/mnt/nas/rag", Errors: []report.ErrorDetail{{Object: "/mnt/nas/rag", Message: "open /mnt/nas/rag: no such file or directory", Hint: "mount it"}}}},
		Pruned:   []report.Decision{{Name: "auto_backup_20261114_090000", Remove: true}},
	}
}

// told is a result as a job keeps it.
func told(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}
