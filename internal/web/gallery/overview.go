package gallery

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/overview"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// The sizes of the example.
const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// overviewStates are the first page, in every verdict and with little and with much.
var overviewStates = []State{
	first("safe", nil),
	first("unproven", func(in *overview.Input) {
		in.Status.Verdict, in.Status.Repository.ProvenAt, in.Status.Repository.LastProven = report.Unproven, nil, ""
	}),
	first("empty", func(in *overview.Input) {
		in.Status = &report.Status{Verdict: report.Never, Repository: report.RepositoryState{Location: "./data/chromadb_backup"}}
		in.Log, in.Backups, in.Stand, in.Tasks = history.Log{Since: holdfast.At(At(time.Minute))}, nil, holdfast.BackupStanding{}, nil
	}),
	first("never", func(in *overview.Input) {
		in.Status.Verdict = report.Never
		for i := range in.Status.Sources {
			s := &in.Status.Sources[i]
			s.LastAt, s.LastBackup, s.AgeSeconds = nil, "", 0
		}
		in.Status.Repository = report.RepositoryState{Location: "./data/chromadb_backup"}
		in.Log, in.Backups = history.Log{Since: holdfast.At(At(time.Minute))}, nil
	}),
	first("first-day", func(in *overview.Input) {
		in.Log = firstDay()
		in.Status.Repository = report.RepositoryState{Location: "./data/chromadb_backup", Exists: true, Backups: 1, LogicalBytes: 14 * mib, StoredBytes: 4 * mib, FreeBytes: new(40 * gib)}
		in.Status.Verdict = report.Unproven
	}),
	first("stale", func(in *overview.Input) {
		in.Status.Verdict = report.Stale
		old(in, 3*24*time.Hour)
		in.Log = month(3)
		in.Alarms = []alarm.Alarm{standing(alarm.KindSilence, "", "no backup has succeeded for 3 days", "`holdfast doctor` tells more", "")}
	}),
	first("overdue", func(in *overview.Input) {
		in.Log, in.Stand.NextAt = month(1), stamp(2*time.Hour)
		old(in, 9*time.Hour)
	}),
	first("damaged", func(in *overview.Input) {
		in.Status.Verdict = report.Damaged
		in.Status.Message = "Your data may not be safe: the newest backup, scheduled_backup_20261122_090000, failed its last verification."
		in.Status.Hint = "`holdfast show scheduled_backup_20261122_090000` tells more; `holdfast verify --all` finds the good ones"
		in.Backups[0].Proven = nil
		in.Alarms = []alarm.Alarm{standing(alarm.KindDamage, "scheduled_backup_20261122_090000", "chromadb/chroma.sqlite3.zst: 3 of 3584 blocks do not have the digest that was recorded", "`holdfast verify --all` finds the good ones", holdfast.Damaged)}
	}),
	first("missing", func(in *overview.Input) {
		in.Status.Verdict = report.Missing
		s := &in.Status.Sources[1]
		s.Exists, s.Bytes, s.Records = false, 0, nil
		in.Alarms = []alarm.Alarm{standing(alarm.KindMissing, "bot", "bot is gone; its newest backup was made 12 minutes ago", "`holdfast restore latest --only bot` brings it back", "")}
	}),
	first("unreadable", func(in *overview.Input) {
		in.Status.Verdict = report.Missing
		s := &in.Status.Sources[0]
		s.Error, s.Exists, s.Bytes, s.Records = "open /srv/rag/data/chromadb/chroma.sqlite3: permission denied", false, 0, nil
	}),
	first("pending", func(in *overview.Input) {
		in.Status.Verdict = report.Cut
		in.Status.Pending = &report.Pending{Op: "restore", Backup: "enhanced_backup_20261121_093000", Begun: holdfast.At(At(25 * time.Minute))}
		in.Backups = append([]report.Backup{{Name: "emergency_restore_20261122_090500", Trigger: holdfast.TriggerEmergency}}, in.Backups...)
	}),
	first("held", func(in *overview.Input) {
		in.Status.Verdict = report.Held
		in.Status.Hold = &report.Hold{Message: "bot has 12 records, 97 % fewer than the 447 before"}
		in.Alarms = []alarm.Alarm{standing(alarm.KindShrink, "bot", "bot has 12 records, 97 % fewer than the 447 before", "look at it, then `holdfast prune --confirm`", "")}
	}),
	first("lost", func(in *overview.Input) {
		in.Status.Verdict = report.Lost
		in.Status.Repository = report.RepositoryState{Location: "./data/chromadb_backup"}
		in.Alarms = []alarm.Alarm{standing(alarm.KindMissing, "./data/chromadb_backup", "the repository is gone with all its backups", "see whether its disk is mounted", holdfast.Damaged)}
	}),
	first("unreachable", func(in *overview.Input) {
		in.Status.Verdict, in.Status.Hint = report.Unreachable, "look whether it can be reached from here"
		in.Status.Repository = report.RepositoryState{Location: "s3://backups/bot?endpoint=https://s3.example.org", Error: "read repository s3://backups/bot: no answer in time"}
	}),
	first("degraded", func(in *overview.Input) {
		in.Status.Verdict = report.Degraded
		p := program(4711)
		p.State, p.Sources[0].DegradedSince, p.Sources[0].Reason = holdfast.StandingDegraded, stamp(40*time.Minute), "/data/bot cannot be written: read-only file system"
		p.Problems = []holdfast.Problem{{Source: "bot", Object: "/data/bot", Severity: holdfast.Warning, Message: "the database lies in memory", Hint: "make /data/bot usable; the data then returns by itself"}}
		in.Status.Programs = []holdfast.Standing{p}
		in.Alarms = []alarm.Alarm{standing(alarm.KindDegraded, "bot", "the database lies in memory: /data/bot cannot be written", "make /data/bot usable", "")}
	}),
	first("failing", func(in *overview.Input) {
		in.Status.Verdict = report.Failing
		p := program(4711)
		p.Backups.Error, p.Backups.Failed = "backup: store bot/bot_database.db: no space left on device", 4
		in.Status.Programs = []holdfast.Standing{p}
		in.Log = month(0)
	}),
	first("divided", func(in *overview.Input) {
		in.Status.Verdict = report.Divided
		p := program(4711)
		p.Survival = &holdfast.Survival{State: holdfast.SurvivalTwo, Kept: 3, Wiped: 2, Other: "process 99 on bot-2", OtherUntil: stamp(-time.Minute)}
		in.Status.Programs = []holdfast.Standing{p}
	}),
	first("programs", func(in *overview.Input) { in.Status.Programs = []holdfast.Standing{program(4711), program(4712)} }),
	first("loading", func(in *overview.Input) { in.Status = nil }),
	first("failed", func(in *overview.Input) {
		in.Status = nil
		in.Failure = &report.Error{
			Code: "interrupted", Op: "look up", Object: "./data/chromadb_backup", Message: "something that is looked at does not answer",
			Hint: "see whether a disk or a network is missing",
		}
	}),
	reader("read-only", access.ScopeRead, nil),
	reader("read-only-unproven", access.ScopeRead, func(in *overview.Input) {
		in.Status.Verdict, in.Status.Repository.ProvenAt = report.Unproven, nil
	}),
	first("many", func(in *overview.Input) {
		in.Status.Sources, in.Status.Replicas = manySources(12), manyReplicas(8)
		in.Alarms = manyAlarms()
		in.Log = month(0)
		in.Status.Repository.Backups, in.Status.Repository.StoredBytes, in.Status.Repository.LogicalBytes = 1000, 380*gib, 9000*gib
	}),
	first("long-names", func(in *overview.Input) {
		in.Status.Sources[0].Name, in.Status.Sources[0].Path = "ฐานข้อมูลผู้ช่วยเอกสารของฝ่ายบุคคลและการเงินประจำปีสองพันห้าร้อยหกสิบเก้า", "/srv/ข้อมูล/ผู้ช่วยเอกสาร/ฝ่ายบุคคลและการเงิน/data/chromadb"
		in.Status.Sources[1].Name, in.Status.Sources[1].Path = "پایگاه‌دادهٔ_ربات_پشتیبانی_مشتریان_شعبهٔ_مرکزی_تهران", "/srv/داده/ربات/bot_database.db"
		in.Status.Replicas[0].Name = "نسخهٔ_دوم_در_مرکز_دادهٔ_پشتیبان_شهر_شیراز"
	}),
	first("grown", func(in *overview.Input) { in.Log = growth() }),
	first("wild-month", func(in *overview.Input) { in.Log = wildMonth() }),
}

// first makes a state of the first page from a healthy day, changed.
func first(name string, change func(*overview.Input)) State {
	return State{Page: "overview", Name: name, Render: func(p ui.Page) templ.Component {
		in := healthy()
		in.Now, in.Zone, in.Caller = p.Now, p.Zone, p.Caller
		if change != nil {
			change(&in)
		}
		return overview.View(p, overview.Build(in))
	}}
}

// reader makes one for who may only do some things.
func reader(name string, scope access.Scope, change func(*overview.Input)) State {
	s := first(name, change)
	s.Reader = access.Caller{Name: "viewer", Token: "T1", Scopes: access.Scopes{scope}}
	return s
}

// healthy is a day on which all is well.
func healthy() overview.Input {
	newest := holdfast.BackupName("scheduled_backup_20261122_090000")
	records, rows := int64(447), int64(12840)
	free := 38 * gib
	return overview.Input{
		Status: &report.Status{
			Verdict: report.Safe,
			Sources: []report.SourceStatus{
				{Name: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb", Exists: true, Bytes: 13107200, Records: &records, Collections: 3, LastBackup: newest, LastAt: stamp(12 * time.Minute), AgeSeconds: 720},
				{Name: "bot", Kind: holdfast.KindSQLite, Path: "/tmp/bot_database.db", Exists: true, Bytes: 3 * mib, Records: &rows, Tables: 9, LastBackup: newest, LastAt: stamp(12 * time.Minute), AgeSeconds: 720},
			},
			Repository: report.RepositoryState{
				Location: "./data/chromadb_backup", Exists: true, Backups: 31, LogicalBytes: 486 * mib, StoredBytes: 61 * mib, HeldBytes: 2 * mib, FreeBytes: &free,
				LastProven: "scheduled_backup_20261121_090000", ProvenAt: stamp(26 * time.Hour), ProvenBy: holdfast.ProofDrill,
			},
			Replicas: []report.Replica{
				{Name: "s3", Location: "s3://backups/bot?region=eu-central-1", Exists: true, Backups: 31, NewestAt: stamp(11 * time.Minute)},
				{Name: "nas", Location: "/mnt/nas/backups", Exists: true, Backups: 29, Behind: []holdfast.BackupName{newest, "change_backup_20261122_081500"}, NewestAt: stamp(7 * time.Hour)},
			},
		},
		Log: month(0), Backups: []report.Backup{{Name: newest, CreatedAt: stamp(12 * time.Minute), Proven: &report.Proven{At: *stamp(5 * time.Minute), Kind: holdfast.ProofVerify}}},
		Tasks: []holdfast.TaskStanding{
			{Name: "backup_task", NextAt: stamp(-5 * time.Hour)},
			{Name: "alarms", NextAt: stamp(-time.Minute)},
			{Name: "verify", NextAt: stamp(-3 * time.Hour)},
			{Name: "drill", NextAt: stamp(-4 * 24 * time.Hour)},
			{Name: "prune", NextAt: stamp(-14 * time.Hour)},
		},
		Stand: holdfast.BackupStanding{NextAt: stamp(-5 * time.Hour)}, Auto: report.AutoBackup{On: true, Configured: true, Origin: "default"}, Key: "key",
	}
}

// stamp is a time so long before now; one to come is less than zero.
func stamp(before time.Duration) *holdfast.Time { return new(holdfast.At(At(before))) }

// old makes every last backup so old.
func old(in *overview.Input, age time.Duration) {
	for i := range in.Status.Sources {
		s := &in.Status.Sources[i]
		s.LastAt, s.AgeSeconds, s.Stale = stamp(age), int64(age/time.Second), age > report.DefaultMaxAge
	}
}

// month is a record of 90 days with backups every six hours: some were missed, some failed, and
// none came in the last days.
func month(silent int) history.Log {
	l := history.Log{Since: holdfast.At(At(90 * 24 * time.Hour))}
	tonight := time.Date(Now.Year(), Now.Month(), Now.Day()+1, 0, 0, 0, 0, Zone)
	for back := 90 * 4; back >= 2; back-- {
		at := tonight.Add(-time.Duration(back+1) * 6 * time.Hour)
		b := history.Bucket{Start: holdfast.At(at)}
		day := back / 4
		switch {
		case day < silent, day == 12, day == 20 && back%4 < 2:
			b.Missed = 1
		case day == 6:
			b.Failed = 2
		case day == 17 && back%4 > 0:
			b.Unchanged = 1
		case day == 18:
			b.Unchanged = 1
		default:
			b.Made = map[holdfast.Trigger]int64{holdfast.TriggerScheduled: 1}
			stored := 20*mib + int64(90*4-back)*mib/9
			b.Size = &history.Size{Backups: 28, LogicalBytes: 200*mib + int64(90*4-back)*mib*4/5, StoredBytes: stored}
		}
		if day == 1 && back%4 == 0 {
			b.Drilled = 1
		}
		l.Buckets = append(l.Buckets, b)
	}
	return l
}

// firstDay is a record that began today.
func firstDay() history.Log {
	at := At(12 * time.Minute).Truncate(history.Width)
	return history.Log{Since: holdfast.At(at), Buckets: []history.Bucket{{
		Start: holdfast.At(at), Made: map[holdfast.Trigger]int64{holdfast.TriggerStartup: 1}, Size: &history.Size{Backups: 1, LogicalBytes: 14 * mib, StoredBytes: 4 * mib},
	}}}
}

// growth is data that became a thousand times as much.
func growth() history.Log {
	l := month(0)
	stored := 40 * kib
	for i := range l.Buckets {
		stored += stored / 50
		l.Buckets[i].Size = &history.Size{Backups: 30, StoredBytes: stored, LogicalBytes: 3 * stored}
	}
	return l
}

// wildMonth is one in which everything happened that can.
func wildMonth() history.Log {
	l := month(0)
	for i := range l.Buckets {
		b := &l.Buckets[i]
		switch i / 4 % 7 {
		case 1:
			b.Made, b.Missed = nil, 3
		case 3:
			b.Made, b.Failed = nil, 120
		case 4:
			b.Failed, b.Restored, b.Disproven = 1, 1, 2
		case 5:
			b.Made, b.Unchanged, b.Missed, b.Failed = nil, 0, 0, 0
		case 6:
			b.Made, b.Unchanged = nil, 30
		}
	}
	return l
}

// standing is an alarm that stands since an hour.
func standing(kind, object, message, hint string, severity holdfast.Severity) alarm.Alarm {
	if severity == "" {
		severity = holdfast.Warning
	}
	return alarm.Alarm{Kind: kind, Object: object, Message: message, Hint: hint, Severity: severity, Since: *stamp(time.Hour)}
}

// program is one in holdfast's care.
func program(pid int) holdfast.Standing {
	return holdfast.Standing{
		State: holdfast.StandingReady, PID: pid, Host: "bot-1", Started: *stamp(50 * time.Hour),
		Sources:  []holdfast.SourceStanding{{Name: "bot", Kind: holdfast.KindSQLite, Path: "/data/bot/bot_database.db"}},
		Survival: &holdfast.Survival{State: holdfast.SurvivalKept, Kept: 12, Wiped: int64(pid % 2)},
		Backups:  holdfast.BackupStanding{LastAt: stamp(35 * time.Minute), NextAt: stamp(-25 * time.Minute)},
	}
}

func manySources(n int) []report.SourceStatus {
	kinds := []holdfast.Kind{holdfast.KindChroma, holdfast.KindSQLite, holdfast.KindFiles}
	var out []report.SourceStatus
	for i := range n {
		records := int64(i * i * 997)
		out = append(out, report.SourceStatus{
			Name: fmt.Sprintf("%s-%02d", []string{"chroma", "bot", "docs"}[i%3], i+1), Kind: kinds[i%3], Path: fmt.Sprintf("/srv/data/%02d", i+1), Exists: true,
			Bytes: int64(i+1) * 7 * mib, Records: &records, LastBackup: "scheduled_backup_20261122_090000", LastAt: stamp(time.Duration(i*7+1) * time.Minute),
		})
	}
	return out
}

func manyReplicas(n int) []report.Replica {
	var out []report.Replica
	for i := range n {
		r := report.Replica{Name: fmt.Sprintf("copy-%d", i+1), Location: fmt.Sprintf("s3://bucket-%d/backups", i+1), Exists: i != 3, Backups: 1000 - i*i, NewestAt: stamp(time.Duration(i+1) * time.Hour)}
		for range i * i {
			r.Behind = append(r.Behind, "scheduled_backup_20261122_090000")
		}
		if i == 5 {
			r.Exists, r.Error = false, "list s3://bucket-6/backups: connection refused"
		}
		out = append(out, r)
	}
	return out
}

func manyAlarms() []alarm.Alarm {
	return []alarm.Alarm{
		standing(alarm.KindFailure, "bot-02", "the last 3 backups failed: no space left on device", "free some space", holdfast.Incomplete),
		standing(alarm.KindReplica, "copy-6", "copy-6 cannot be reached: connection refused", "look whether it can be reached from here", ""),
		standing(alarm.KindSpace, "/srv/backups", "2.1 GiB are left, less than the next full backups take", "make room", ""),
		standing(alarm.KindUnproven, "", "no backup was proven for 40 days", "`holdfast verify` proves one", ""),
	}
}
