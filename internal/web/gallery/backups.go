package gallery

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/backups"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// listReader sees everything and changes nothing.
var listReader = access.Caller{Name: "dashboard", Scopes: access.Scopes{access.ScopeRead}}

// backupsStates are the list of the backups, the form of a new one, and what is asked
// before several are deleted.
var backupsStates = []State{
	listed("empty", 0, nil),
	listed("few", 9, nil),
	listed("many-first", 1000, nil),
	listed("many-middle", 1000, func(in *backups.Input) { in.Filter.After = cursorAt(in.All, 499) }),
	listed("many-last", 1000, func(in *backups.Input) { in.Filter.After = cursorAt(in.All, 949) }),
	listed("filtered", 9, func(in *backups.Input) {
		in.Filter = backups.Filter{Trigger: string(holdfast.TriggerQuick), Sort: report.SortSize}
	}),
	listed("filtered-to-nothing", 9, func(in *backups.Input) {
		in.Filter = backups.Filter{Text: "ก่อนย้าย server", Pinned: "true"}
	}),
	listed("failed", 0, func(in *backups.Input) { in.All, in.Status, in.Fault = nil, nil, unreachable() }),
	listed("aged", 9, func(in *backups.Input) { in.Status, in.AgedAt, in.Fault = nil, At(25*time.Minute), unreachable() }),
	listReadOnly(listed("read-only", 9, func(in *backups.Input) { in.May = backups.May{} })),
	listed("deleting", 9, func(in *backups.Input) { in.Jobs = nil }).with(func(m *backups.Model) {
		for i := 1; i < 3; i++ {
			m.Rows[i].Deleting, m.Rows[i].Undo = "20261122T092955000-K7Q2M9XA", true
		}
	}),
	listed("held", 9, func(in *backups.Input) {
		in.Status.Hold = &report.Hold{Message: "bot has 12 records in auto_backup_20261122_090000; the backup before had 447"}
	}),
	listed("hidden-space", 9, func(in *backups.Input) { in.Status.Repository.HeldBytes = 310 * mib }),
	listed("auto-off", 9, func(in *backups.Input) {
		in.Auto = report.AutoBackup{Configured: true, Origin: "default", By: "สมชาย", At: stampOf(3 * time.Hour)}
	}),
	listed("auto-off-by-configuration", 9, func(in *backups.Input) {
		in.Auto = report.AutoBackup{Origin: "environment AUTO_BACKUP_ENABLED"}
	}),
	newForm("new", nil),
	newForm("new-errors", func(f *backups.Form) {
		f.Name, f.NameFault, f.Object = "สัปดาห์/1", holdfast.NameLetter, "/"
	}),
	newForm("new-exists", func(f *backups.Form) { f.Name, f.Exists = "weekend_backup_20261121", true }),
	newForm("new-without-memory", func(f *backups.Form) { f.HasMemory = false }),
	newForm("new-low-space", func(f *backups.Form) { f.Free = new(3 * mib) }),
	newForm("new-loading", func(f *backups.Form) { f.Sources, f.Free, f.Expected = nil, nil, 0 }),
	removal("delete-several", 1, 2, 4),
	removal("delete-all", 0, 1, 2, 3, 4, 5, 6, 7, 8),
	removal("delete-pinned", 3),
}

// with changes the model of a list.
func (s State) with(change func(*backups.Model)) State {
	s.Render = func(p ui.Page) templ.Component {
		m := backups.Build(listInput(9))
		change(&m)
		p.Notices = []ui.Notice{{Tone: ui.Warn, Text: p.L.N("backups.deleting_many", 2), Undo: "/jobs/20261122T092955000-K7Q2M9XA/cancel?back=%2Fbackups"}}
		return backups.View(p, m)
	}
	return s
}

func listReadOnly(s State) State {
	s.Reader = listReader
	return s
}

func listed(name string, n int, change func(*backups.Input)) State {
	return State{Page: "backups", Name: name, Render: func(p ui.Page) templ.Component {
		in := listInput(n)
		if change != nil {
			change(&in)
		}
		return backups.View(p, backups.Build(in))
	}}
}

func listInput(n int) backups.Input {
	in := backups.Input{
		Zone: Zone, Auto: report.AutoBackup{On: true, Configured: true, Origin: "default"}, Key: "KEY",
		May: backups.May{Backup: true, Restore: true, Admin: true}, Status: &report.Status{Replicas: []report.Replica{{Name: "s3", Exists: true, Behind: []holdfast.BackupName{"emergency_restore_20261122_090000"}}}},
	}
	for i := range n {
		in.All = append(in.All, example(i))
	}
	return in
}

// example is the backup of some age: all types, triggers and proofs come by turns.
func example(i int) report.Backup {
	made := At(12*time.Minute + time.Duration(i)*6*time.Hour)
	all := []holdfast.Trigger{
		holdfast.TriggerScheduled, holdfast.TriggerQuick, holdfast.TriggerAuto, holdfast.TriggerManual, holdfast.TriggerEmergency,
		holdfast.TriggerChange, holdfast.TriggerStartup, holdfast.TriggerShutdown, holdfast.TriggerGuard,
	}
	b := report.Backup{
		Name: holdfast.BackupName(made.Format("scheduled_backup_20060102_150405")), CreatedAt: new(holdfast.At(made)), Kind: holdfast.Enhanced, Trigger: all[i%len(all)],
		IncludesMemory: true, Records: int64(447 - i%40), LogicalBytes: 13*mib - int64(i)*kib, StoredBytes: 4*mib + int64(i%7)*311*kib, Form: report.FormFull,
		Sources: []report.BackupSource{{Name: "chromadb", Kind: holdfast.KindChroma}, {Name: "bot", Kind: holdfast.KindSQLite}},
	}
	switch i % len(all) {
	case 0:
		b.Form, b.StoredBytes, b.Parent = report.FormDelta, 212*kib, "enhanced_backup_20261115_093000"
	case 1:
		b.Name, b.Proven = holdfast.BackupName(made.Format("quick_backup_20060102_150405")), &report.Proven{At: holdfast.At(made.Add(time.Minute)), Kind: holdfast.ProofVerify}
	case 2:
		b.Name, b.Problems = holdfast.BackupName(made.Format("auto_backup_20060102_150405")), []holdfast.Problem{{Severity: holdfast.Warning, Message: "changed while it was read"}}
	case 3:
		b.Name, b.Pinned, b.Note = holdfast.BackupName(fmt.Sprintf("ก่อนย้ายเซิร์ฟเวอร์ครั้งใหญ่_สำรองข้อมูลทั้งหมดของผู้ช่วย_%d", i)), true, "ก่อนย้ายไปเครื่องใหม่ เก็บไว้จนกว่าทีมจะยืนยันว่าการค้นหาทำงานครบทุกเอกสาร"
		b.Drilled, b.Proven = &report.Drilled{At: holdfast.At(made.Add(time.Hour)), OK: true, RestoreMS: 812}, &report.Proven{At: holdfast.At(made.Add(time.Hour)), Kind: holdfast.ProofDrill}
	case 4:
		b.Name, b.Disproven = holdfast.BackupName(made.Format("emergency_restore_20060102_150405")), &report.Proven{At: holdfast.At(made.Add(time.Hour)), Kind: holdfast.ProofVerify}
	case 5:
		b.Name, b.Kind, b.IncludesMemory = holdfast.BackupName(fmt.Sprintf("پیش_از_به‌روزرسانی_دستیار_و_پاک‌سازی_گفتگوها_%d", i)), holdfast.Standard, false
	case 6:
		b.Drilled, b.Disproven = &report.Drilled{At: holdfast.At(made.Add(time.Hour))}, &report.Proven{At: holdfast.At(made.Add(time.Hour)), Kind: holdfast.ProofDrill}
	case 7: // damaged
		b = report.Backup{Name: b.Name, Error: "backup_metadata.json: it is cut after 512 bytes"}
	case 8: // encrypted, without a key
		b.Records, b.Sources, b.Proven = 0, nil, &report.Proven{At: holdfast.At(made.Add(time.Minute)), Kind: holdfast.ProofStored}
	}
	return b
}

// cursorAt is the cursor behind a backup of the list.
func cursorAt(all []report.Backup, at int) string {
	_, next, _, err := report.Query{Limit: at + 1}.Page(all)
	if err != nil {
		return ""
	}
	return next
}

func stampOf(before time.Duration) *holdfast.Time { return new(holdfast.At(At(before))) }

func unreachable() *report.Error {
	return &report.Error{Code: "failed", Op: "list", Object: "s3://rag/backups", Message: "dial tcp 192.0.2.7:9000: connection refused", Hint: "look whether it can be reached from here"}
}

func newForm(name string, change func(*backups.Form)) State {
	return State{Page: "backups", Name: name, Title: "backups.new", Render: func(p ui.Page) templ.Component {
		f := backups.Form{
			Memory: true, HasMemory: true, MayPin: true, Key: "KEY", Free: new(40 * gib), Expected: 5 * mib,
			Sources: []report.SourceStatus{
				{Name: "chromadb", Kind: holdfast.KindChroma, Exists: true, Bytes: 12 * mib, Records: new(int64(447))},
				{Name: "bot", Kind: holdfast.KindSQLite, Exists: true, Bytes: 2 * mib, Records: new(int64(1250))},
			},
		}
		if change != nil {
			change(&f)
		}
		return backups.NewView(p, f)
	}}
}

// removal asks before some of the examples are deleted.
func removal(name string, which ...int) State {
	return State{Page: "backups", Name: name, Title: "backups.delete_title", Render: func(p ui.Page) templ.Component {
		all := listInput(9).All
		all[0].Parent = all[1].Name
		var names []holdfast.BackupName
		for _, i := range which {
			names = append(names, all[i].Name)
		}
		r := backups.BuildRemoval(all, names)
		r.Back = "/backups"
		return backups.RemoveView(p, r)
	}}
}
