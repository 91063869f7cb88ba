package gallery

import (
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/restore"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// restoreStates are the pages on which data is brought back.
var restoreStates = []State{
	restoring("enhanced", func(m *restore.Model) { m.Plan = enhancedPlan() }),
	restoring("loading", func(*restore.Model) {}),
	restoring("sqlite", func(m *restore.Model) {
		onlyDatabase(m)
		m.Plan = &restore.Plan{RestorePlan: report.RestorePlan{Backup: m.Backup.Name, Targets: []report.Target{botTarget()}, Bytes: 10_485_760}, Free: new(int64(64 << 30))}
	}),
	restoring("parts", func(m *restore.Model) {
		choosing(m, "memory")
		plan := enhancedPlan()
		plan.Targets = plan.Targets[:1]
		plan.Targets[0].MemoryOnly = true
		m.Plan = plan
	}),
	restoring("unchosen", func(m *restore.Model) { choosing(m) }),
	restoring("in-use", func(m *restore.Model) {
		plan := enhancedPlan()
		plan.Targets[1].Handles = []engine.Handle{{PID: 812, Command: "python3 bot.py", Path: "/srv/bot/bot_database.db"}, {PID: 4711, Command: "gunicorn: worker", Path: "/srv/bot/bot_database.db-wal"}}
		plan.Failure = &report.Error{Code: "refused", Op: "replace", Object: "bot", Message: "replace bot: /srv/bot/bot_database.db is held open by process 812 (python3 bot.py), process 4711 (gunicorn: worker)", Hint: "stop it, configure a stop hook, restore a SQLite database with --online, or use --force"}
		m.Plan = plan
	}),
	restoring("memory-skipped", func(m *restore.Model) {
		m.Parts[2].Missing, m.Parts[2].Chosen = "standard", false
		m.Only = []string{"chromadb", "bot"}
		plan := enhancedPlan()
		plan.Memory = "skipped"
		plan.Warnings = []holdfast.Problem{{Source: "chromadb", Object: "memory", Severity: holdfast.Warning, Message: `skipped: rag_mode of chromadb is "standard", memory is restored only where it is enhanced`}}
		m.Plan = plan
	}),
	restoring("no-key", func(m *restore.Model) {
		m.Plan = &restore.Plan{Failure: &report.Error{Code: "refused", Op: "open", Object: string(m.Backup.Name), Message: "open backup " + string(m.Backup.Name) + ": no key opens it", Hint: "it is encrypted to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p; give the private key of one of these"}}
	}),
	restoring("damaged", func(m *restore.Model) {
		m.Backup.Proven = nil
		m.Backup.Problems = []holdfast.Problem{{Source: "bot", Object: "bot_database.db", Severity: holdfast.Damaged, Message: "quick_check: row 412 missing from index note_text", Hint: "the live database had this fault when it was captured"}}
		plan := enhancedPlan()
		plan.Warnings = []holdfast.Problem{{Source: "bot", Severity: holdfast.Warning, Message: "the source was damaged already when it was captured: quick_check: row 412 missing from index note_text", Hint: "choose an older backup, or restore with --force"}}
		m.Plan = plan
	}),
	restoring("unusable", func(m *restore.Model) {
		m.Backup = report.Backup{Name: m.Backup.Name, Error: "backup_metadata.json: unexpected end of JSON input"}
		m.Parts, m.Newer = nil, 0
	}),
	restoring("no-space", func(m *restore.Model) {
		plan := enhancedPlan()
		plan.Failure = &report.Error{Code: "refused", Op: "space", Object: "/srv", Message: "space /srv: 13 MiB needed, 4.2 MiB free", Hint: "make room, for example with `holdfast prune`, or use another place", Cause: holdfast.CauseNoSpace}
		m.Plan = plan
	}),
	restoring("wrong-name", func(m *restore.Model) {
		m.WrongName, m.Typed = true, "enhanced_backup"
		m.Plan = enhancedPlan()
	}),
	restoring("unconfigured", func(m *restore.Model) {
		m.Parts[1].Missing, m.Parts[1].Chosen = "unconfigured", false
		m.Only = []string{"chromadb", "memory"}
		plan := enhancedPlan()
		plan.Targets = plan.Targets[:1]
		m.Plan = plan
	}),
	restoring("busy", func(m *restore.Model) { m.Busy = "20261122T092900000-K7Q2M9XA" }),
	readOnly(restoring("read-only", func(m *restore.Model) { m.ReadOnly = true })),
	restoring("replica", func(m *restore.Model) {
		m.Backup.Copies = []string{"s3-singapore"}
		plan := enhancedPlan()
		plan.From = "s3-singapore"
		plan.Warnings = []holdfast.Problem{{Severity: holdfast.Warning, Message: "the copy in the repository is damaged: chromadb/chroma.sqlite3.zst; that of the replica s3-singapore is taken"}}
		m.Plan = plan
	}),
	restoring("nothing-to-lose", func(m *restore.Model) {
		plan := enhancedPlan()
		for i := range plan.Targets {
			plan.Targets[i].Exists, plan.Targets[i].RecordsNow, plan.Targets[i].MemoryNow = false, nil, nil
		}
		m.Plan = plan
	}),
	restoring("options", func(m *restore.Model) {
		m.NoEmergency, m.Force, m.StopHook, m.StartHook = true, true, true, true
		m.Plan = enhancedPlan()
	}),
	restoring("long-names", func(m *restore.Model) {
		m.Backup.Name = "پشتیبان_پیش_از_بروزرسانی_بزرگ_پاییز_ก่อนอัปเดตครั้งใหญ่_before_the_big_autumn_update_2026-11-22"
		m.Backup.Note = "پیش از بروزرسانی بزرگ، ก่อนอัปเดตครั้งใหญ่ของฤดูใบไม้ร่วง"
		m.Parts[0].Name = "ฐานความรู้ของผู้ช่วยงานเอกสารทั้งหมดของบริษัท"
		m.Parts[1].Name = "پایگاه‌داده‌ی_ربات_پشتیبانی"
		plan := enhancedPlan()
		plan.Targets[0].Source, plan.Targets[1].Source = m.Parts[0].Name, m.Parts[1].Name
		plan.Targets[0].Path = "/srv/applications/production/assistants/ผู้ช่วย/data/chromadb"
		m.Plan = plan
	}),
	restoring("one-row", func(m *restore.Model) {
		single(m, "note-12", "یادداشت-۷")
		m.Plan = serverPlan(holdfast.PartChange{Table: notes().Name, Action: holdfast.PartMerge, Now: new(int64(1)), Then: new(int64(2))})
	}),
	restoring("one-collection", func(m *restore.Model) {
		single(m)
		m.As = "notes-again"
		m.Plan = serverPlan(holdfast.PartChange{Table: "default_tenant/default_database/notes-again", From: notes().Name, Action: holdfast.PartCreate, Then: new(int64(447))})
	}),
	restoring("one-long-names", func(m *restore.Model) {
		single(m, longTable)
		m.Table = longest().Name
		m.Plan = serverPlan(holdfast.PartChange{Table: longest().Name, Action: holdfast.PartMerge, Now: new(int64(0)), Then: new(int64(1))})
		m.Plan.Targets[0].Parts.Stays = []string{longest().Name + "-2"}
	}),
	restoring("one-missing", func(m *restore.Model) {
		single(m)
		m.Parts[0].Missing, m.Parts[0].Chosen, m.Unchosen, m.OffersServer = "unconfigured", false, true, false
	}),
	restoring("one-refused", func(m *restore.Model) {
		single(m, "note-12")
		m.Plan = &restore.Plan{Failure: &report.Error{Code: "failed", Op: "restore", Object: "chromadb", Message: "restore chromadb: http://127.0.0.1:8000: connection refused", Hint: "start the server"}}
	}),
	restoring("server", func(m *restore.Model) {
		m.OffersServer = true
		m.Parts = m.Parts[:1]
		m.Backup.IncludesMemory = false
		m.Plan = serverPlan(
			holdfast.PartChange{Table: notes().Name, Action: holdfast.PartReplace, Now: new(int64(12)), Then: new(int64(447))},
			holdfast.PartChange{Table: "default_tenant/default_database/old", Action: holdfast.PartCreate, Then: new(int64(3))},
		)
		m.Plan.Targets[0].Parts.Stays = []string{"default_tenant/default_database/drafts", "default_tenant/default_database/%D8%AA%D8%A7%D8%B2%D9%87"}
	}),
	restoring("losses", losing),
	restoring("losses-unaccepted", func(m *restore.Model) {
		losing(m)
		m.Unaccepted, m.Typed = true, m.Backup.Name.String()
	}),
	restoring("losses-accepted", func(m *restore.Model) {
		losing(m)
		m.AcceptLosses, m.Plan.Failure = true, nil
	}),
	rolling("possible", func(*restore.Rollback) {}),
	rolling("rows", func(m *restore.Rollback) {
		rollingParts(m, holdfast.PartChange{Table: notes().Name, Action: holdfast.PartMerge, Now: new(int64(2)), Then: new(int64(1))})
		m.Plan.Targets[0].Wanted = []holdfast.Part{{Table: notes().Name, Keys: []string{"note-12", "یادداشت-۷"}, Exact: true}}
	}),
	rolling("collections", func(m *restore.Rollback) {
		rollingParts(m,
			holdfast.PartChange{Table: notes().Name, Action: holdfast.PartReplace, Now: new(int64(447)), Then: new(int64(12))},
			holdfast.PartChange{Table: "default_tenant/default_database/old", Action: holdfast.PartRemove, Now: new(int64(3))},
		)
	}),
	rolling("nothing", func(m *restore.Rollback) { m.Plan, m.Last = nil, nil }),
	rolling("undone", func(m *restore.Rollback) {
		at := holdfast.At(At(40 * time.Minute))
		m.Plan, m.Last.UndoneAt = nil, &at
	}),
	rolling("impossible", func(m *restore.Rollback) {
		m.Plan.Undoable = false
		m.Plan.Refused = &report.Error{Code: "not_found", Op: "rollback", Object: "emergency_restore_20261122_061500", Message: "backup emergency_restore_20261122_061500: there is no such backup", Hint: "go back with `holdfast restore NAME`"}
	}),
	rolling("aside", func(m *restore.Rollback) {
		m.Plan.Last.Emergency, m.Plan.By = "", ""
		m.Plan.Targets[0].From, m.Plan.Targets[1].From = engine.FromAside, engine.FromNothing
		m.Plan.Targets[1].RecordsBefore = nil
	}),
	rolling("wrong-name", func(m *restore.Rollback) { m.WrongName = true }),
	rolling("busy", func(m *restore.Rollback) { m.Busy = "20261122T092900000-K7Q2M9XA" }),
	readOnly(rolling("read-only", func(m *restore.Rollback) { m.ReadOnly = true })),
	recovering("pending", restore.Recovery{Key: "K", Pending: &report.Pending{Op: "restore", Backup: "enhanced_backup_20261119_143000", Begun: holdfast.At(At(17 * time.Minute))}}),
	recovering("nothing", restore.Recovery{Key: "K"}),
	recovering("busy", restore.Recovery{Busy: "20261122T092900000-K7Q2M9XA"}),
}

// restoring makes a state of the page of a restore.
func restoring(name string, change func(*restore.Model)) State {
	return State{Page: "restore", Name: name, Section: "backups", Title: "restore.title", Render: func(p ui.Page) templ.Component {
		m := enhancedRestore()
		change(&m)
		return restore.View(p, m)
	}}
}

// rolling makes a state of the page of a rollback.
func rolling(name string, change func(*restore.Rollback)) State {
	return State{Page: "rollback", Name: name, Section: "backups", Title: "restore.rollback.title", Render: func(p ui.Page) templ.Component {
		m := lastRollback()
		change(&m)
		return restore.RollbackView(p, m)
	}}
}

func recovering(name string, m restore.Recovery) State {
	return State{Page: "recover", Name: name, Section: "backups", Title: "restore.recover.title", Render: func(p ui.Page) templ.Component { return restore.RecoverView(p, m) }}
}

// readOnly lets somebody look at a state who may do no more.
func readOnly(s State) State {
	s.Reader = access.Caller{Name: "viewer", Token: "T1", Scopes: access.Scopes{access.ScopeRead}}
	return s
}

// choosing chooses some parts.
func choosing(m *restore.Model, parts ...string) {
	m.Only, m.Unchosen = parts, len(parts) == 0
	for i := range m.Parts {
		m.Parts[i].Chosen = false
		for _, name := range parts {
			m.Parts[i].Chosen = m.Parts[i].Chosen || m.Parts[i].Name == name
		}
	}
}

// single chooses a collection alone, or some of its records.
func single(m *restore.Model, keys ...string) {
	m.Choice.Source, m.Table, m.Rows = "chromadb", notes().Name, keys
	m.OffersServer = true
	for i := range m.Parts {
		m.Parts[i].Chosen = i == 0
	}
}

// losing is a collection of which the server cannot keep everything.
func losing(m *restore.Model) {
	single(m)
	m.Plan = serverPlan(holdfast.PartChange{Table: notes().Name, Action: holdfast.PartReplace, Now: new(int64(12)), Then: new(int64(447))})
	m.Plan.Targets[0].Parts.Losses = []holdfast.Problem{
		{Source: "chromadb", Object: "collection notes", Severity: holdfast.Incomplete, Message: `12 records have arrays in their metadata; the first is "note-12"`, Hint: "accept the losses, or restore into a server that keeps them, or into a directory"},
	}
	m.Plan.Failure = &report.Error{Code: "refused", Op: "restore", Object: "chromadb", Message: "restore chromadb: the store cannot keep all of it: collection notes: 12 records have arrays in their metadata", Hint: "--dry-run lists what would be lost; --accept-losses goes on without it", Cause: holdfast.CauseLosses}
}

// serverPlan is what would become of collections of a running server.
func serverPlan(changes ...holdfast.PartChange) *restore.Plan {
	return &restore.Plan{RestorePlan: report.RestorePlan{
		Backup: "enhanced_backup_20261119_143000", Bytes: 2_621_440,
		Targets: []report.Target{{Source: "chromadb", Kind: holdfast.KindChroma, Path: "http://127.0.0.1:8000", Method: "requests", Exists: true, Bytes: 2_621_440, Parts: &holdfast.PartPlan{Changes: changes}}},
	}, Free: new(int64(64 << 30))}
}

// onlyDatabase makes the backup one of a single database.
func onlyDatabase(m *restore.Model) {
	m.Backup.Kind, m.Backup.IncludesMemory, m.Backup.Trigger = holdfast.Standard, false, holdfast.TriggerQuick
	m.Backup.Name, m.Backup.Proven = "quick_backup_20261119_143000", nil
	m.Parts = m.Parts[1:2]
}

// enhancedRestore is a backup of an assistant with memory, and of its bot.
func enhancedRestore() restore.Model {
	at := holdfast.At(At(3*24*time.Hour + 2*time.Hour))
	b := report.Backup{
		Name: "enhanced_backup_20261119_143000", CreatedAt: &at, Kind: holdfast.Enhanced, Trigger: holdfast.TriggerManual, IncludesMemory: true,
		Records: 1687, LogicalBytes: 13_107_200, StoredBytes: 4_404_019, Form: report.FormFull, Note: "before the new documents",
		Proven: &report.Proven{At: holdfast.At(At(26 * time.Hour)), Kind: holdfast.ProofDrill},
	}
	return restore.Model{
		Backup: b, Newer: 4, OffersOnline: true, Key: "K",
		Parts: []restore.Part{
			{Name: "chromadb", Kind: holdfast.KindChroma, Records: new(int64(447)), Bytes: 2_621_440, Chosen: true},
			{Name: "bot", Kind: holdfast.KindSQLite, Records: new(int64(1240)), Bytes: 10_485_760, Chosen: true},
			{Name: "memory", Chosen: true},
		},
	}
}

func botTarget() report.Target {
	return report.Target{Source: "bot", Kind: holdfast.KindSQLite, Path: "/srv/bot/bot_database.db", Method: "rename", Exists: true, RecordsNow: new(int64(1302)), RecordsBackup: new(int64(1240)), Bytes: 10_485_760}
}

func enhancedPlan() *restore.Plan {
	return &restore.Plan{
		RestorePlan: report.RestorePlan{
			Backup: "enhanced_backup_20261119_143000", Memory: "restore", Bytes: 13_107_200,
			Targets: []report.Target{
				{Source: "chromadb", Kind: holdfast.KindChroma, Path: "/srv/rag/data/chromadb", Method: "rename", Exists: true, RecordsNow: new(int64(0)), RecordsBackup: new(int64(447)), MemoryNow: new(int64(88)), MemoryBackup: new(int64(61)), Bytes: 2_621_440},
				botTarget(),
			},
		},
		Free: new(int64(64 << 30)),
	}
}

// rollingParts makes it one of parts of a running server.
func rollingParts(m *restore.Rollback, changes ...holdfast.PartChange) {
	m.Plan.Last.Sources, m.Plan.Bytes = []string{"chromadb"}, 2_621_440
	m.Plan.Targets = []report.RollbackTarget{{
		Source: "chromadb", Kind: holdfast.KindChroma, Path: "http://127.0.0.1:8000", From: engine.FromEmergency, Method: "requests", Exists: true,
		RecordsNow: new(int64(508)), RecordsBefore: new(int64(1)), Bytes: 2_621_440, Parts: &holdfast.PartPlan{Changes: changes},
	}}
}

// lastRollback is the undoing of a restore of this morning.
func lastRollback() restore.Rollback {
	last := report.LastRestore{
		Operation: "20261122T061500000-K7Q2M9XA", At: holdfast.At(At(3*time.Hour + 15*time.Minute)), Backup: "enhanced_backup_20261119_143000",
		Emergency: "emergency_restore_20261122_061500", Sources: []string{"chromadb", "bot"},
	}
	return restore.Rollback{
		Last: &last, Key: "K",
		Plan: &report.RollbackPlan{
			Last: last, By: "nok", Undoable: true, Bytes: 13_107_200,
			Targets: []report.RollbackTarget{
				{Source: "chromadb", Kind: holdfast.KindChroma, Path: "/srv/rag/data/chromadb", From: engine.FromEmergency, Exists: true, RecordsNow: new(int64(447)), RecordsBefore: new(int64(12)), MemoryNow: new(int64(61)), MemoryBefore: new(int64(88)), Bytes: 2_621_440},
				{Source: "bot", Kind: holdfast.KindSQLite, Path: "/srv/bot/bot_database.db", From: engine.FromEmergency, Exists: true, RecordsNow: new(int64(1240)), RecordsBefore: new(int64(1302)), Bytes: 10_485_760},
			},
		},
	}
}
