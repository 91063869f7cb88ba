package gallery

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/details"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// detailStates are the page of one backup, of each kind and in each condition.
var detailStates = []State{
	detailed("chroma", nil),
	detailed("standard", func(m *details.Model) {
		m.Show.Backup.Kind, m.Show.Metadata.Type = holdfast.Standard, holdfast.Standard
		m.Show.Backup.IncludesMemory, m.Show.Metadata.IncludesMemory, m.Show.Memory = false, false, nil
		m.Show.Metadata.RAGMode = "standard"
		m.Show.Proofs = m.Show.Proofs[:1]
	}),
	detailed("many-tables", func(m *details.Model) {
		facts := &holdfast.SQLiteFacts{PageSize: 4096, PageCount: 2560, JournalMode: "wal", QuickCheck: holdfast.CheckOK, Tables: map[string]int64{}}
		for i := range 40 {
			facts.Tables[fmt.Sprintf("table_%02d", i)] = int64(40-i) * 1234
		}
		m.Show.Metadata.Sources[1].Facts.SQLite = facts
		m.Show.Metadata.Sources = m.Show.Metadata.Sources[1:]
		m.Show.Backup.IncludesMemory, m.Show.Memory = false, nil
	}),
	detailed("delta", func(m *details.Model) {
		m.Show.Backup.Form, m.Show.Backup.Trigger, m.Show.Backup.StoredBytes = report.FormDelta, holdfast.TriggerScheduled, 212*kib
		m.Show.Metadata.Parent = "scheduled_backup_20261122_032900"
		m.Show.Metadata.Needs = []holdfast.BackupName{"enhanced_backup_20261119_092900", "scheduled_backup_20261122_032900"}
		m.Show.Metadata.Chain = &holdfast.Chain{Full: "enhanced_backup_20261119_092900", Deltas: 3}
	}),
	detailed("encrypted", func(m *details.Model) {
		md := m.Show.Metadata
		md.Encrypted, md.Recipients = true, []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}
		md.DatabaseInfo, md.Sources = holdfast.DatabaseInfo{}, nil
		m.Show.Private, m.Show.Proofs, m.Show.Backup.Proven, m.Show.Backup.Records, m.Show.Memory = true, nil, nil, 0, nil
	}),
	detailed("damaged", func(m *details.Model) {
		m.Show.Proofs = append(m.Show.Proofs, holdfast.Proof{
			At: holdfast.At(At(10 * time.Minute)), Kind: holdfast.ProofVerify, DurationMS: 420, Bytes: 13 * mib,
			Problems: []holdfast.Problem{{Severity: holdfast.Damaged, Object: "chromadb/chroma.sqlite3.zst", Message: "3 blocks do not have the digest that was recorded", Hint: "check the disk of the repository"}},
		})
	}),
	detailed("unreadable", func(m *details.Model) {
		m.Show = report.Show{Backup: report.Backup{Name: exampleBackup, Error: "backup_metadata.json: unexpected end of JSON input"}}
		m.Show.Memory, m.Show.Places, m.Jobs = nil, nil, nil
	}),
	detailed("unproven", func(m *details.Model) { m.Show.Proofs, m.Show.Backup.Proven, m.Jobs = nil, nil, m.Jobs[2:] }),
	detailed("drill-failed", func(m *details.Model) {
		m.Show.Proofs = append(m.Show.Proofs, holdfast.Proof{
			At: holdfast.At(At(time.Hour)), Kind: holdfast.ProofDrill, DurationMS: 31000, RestoreMS: 800, Bytes: 13 * mib,
			Compared: []holdfast.Comparison{{Source: "chromadb", What: "records of collection pdf_documents", Want: "447", Got: "446"}},
		})
	}),
	detailed("pinned-emergency", func(m *details.Model) {
		m.Name = "emergency_restore_20261122_092905"
		m.Show.Backup.Name, m.Show.Metadata.BackupName = m.Name, m.Name
		m.Show.Backup.Pinned, m.Show.Backup.Trigger = true, holdfast.TriggerEmergency
	}),
	detailed("deleting", func(m *details.Model) { m.Deletion = exampleJob }),
	detailed("replica-only", func(m *details.Model) {
		m.Show.From, m.Show.Repository = "offsite", "s3://backups/rag"
		m.Show.Places[0].Has = false
		m.Show.Places[2].Error = "open /mnt/nas/rag: no such file or directory"
	}),
	detailed("long-names", func(m *details.Model) {
		m.Name = "สำรองข้อมูลก่อนอัปโหลดเอกสารสัญญาเช่าอาคารสำนักงานใหญ่ประจำไตรมาสที่สี่_نسخهٔ-پیش-از-بارگذاری"
		m.Show.Backup.Name, m.Show.Metadata.BackupName = m.Name, m.Name
		m.Show.Metadata.Note = "پیش از پاک‌کردن داده‌ها\nก่อนล้างข้อมูล"
	}),
	detailed("read-only", func(m *details.Model) { m.May = details.May{} }),
	{
		Page: "details", Name: "files", Section: "backups", Change: titled(exampleBackup),
		Render: func(p ui.Page) templ.Component { return details.FilesView(p, manyFiles()) },
	},
	{
		Page: "details", Name: "missing", Section: "backups", Title: "details.missing",
		Render: func(p ui.Page) templ.Component {
			return details.MissingView(p, details.MissingModel{Name: "enhanced_backup_20261122", Near: []report.Backup{{Name: exampleBackup, CreatedAt: new(holdfast.At(At(time.Minute)))}}})
		},
	},
}

// titled gives a page the name of a backup.
func titled(name holdfast.BackupName) func(*ui.Page) {
	return func(p *ui.Page) { p.Title = details.Title(p.L, name) }
}

// detailed makes a state of a backup of an assistant and a bot.
func detailed(name string, change func(*details.Model)) State {
	m := exampleDetails()
	if change != nil {
		change(&m)
	}
	reader := access.Caller{}
	if m.May.ReadOnly() {
		reader = access.Caller{Name: "viewer", Scopes: access.Scopes{access.ScopeRead}}
	}
	return State{
		Page: "details", Name: name, Section: "backups", Reader: reader, Change: titled(m.Name),
		Render: func(p ui.Page) templ.Component { return details.View(p, m) },
	}
}

func exampleDetails() details.Model {
	made := holdfast.At(At(26 * time.Hour))
	b := report.Backup{
		Name: exampleBackup, CreatedAt: &made, Kind: holdfast.Enhanced, Trigger: holdfast.TriggerManual, IncludesMemory: true, Records: 447,
		LogicalBytes: 13 * mib, StoredBytes: 4 * mib, Form: report.FormFull, DurationMS: 412, Sources: []report.BackupSource{},
		Proven: &report.Proven{At: holdfast.At(At(20 * time.Hour)), Kind: holdfast.ProofDrill},
	}
	rows := int64(1290)
	md := &holdfast.Metadata{
		BackupName: exampleBackup, CreatedAt: made, Type: holdfast.Enhanced, IncludesMemory: true, RAGMode: "enhanced",
		DatabaseInfo: holdfast.DatabaseInfo{TotalRecords: 447, DatabasePath: "./data/chromadb", DatabaseSizeMB: 12.5},
		Format:       1, Trigger: holdfast.TriggerManual, LogicalBytes: 13 * mib, StoredBytes: 4 * mib, DurationMS: 412, WriterStallMS: 3.2,
		Note: "Before the contracts of the fourth quarter", Host: "rag-1", ToolVersion: "0.6.0",
		Sources: []holdfast.SourceMetadata{
			{Name: "chromadb", Kind: holdfast.KindChroma, Path: "./data/chromadb", Files: 11, LogicalBytes: 12 * mib, StoredBytes: 3 * mib, Facts: holdfast.Facts{Chroma: &holdfast.ChromaFacts{
				Records: 447, QuickCheck: holdfast.CheckOK, Collections: []holdfast.ChromaCollection{
					{Name: "pdf_documents", Records: 395, Dimension: 384, Space: "cosine", Indexed: true},
					{Name: "enhanced_rag_memory", Records: 52, Dimension: 384, Space: "cosine", Indexed: true, Memory: true},
					{Name: "สัญญาเช่า", Records: 0},
				},
			}}},
			{Name: "bot", Kind: holdfast.KindSQLite, Path: "/srv/bot/bot_database.db", Files: 1, LogicalBytes: mib, StoredBytes: 300 * kib, Facts: holdfast.Facts{SQLite: &holdfast.SQLiteFacts{
				PageSize: 4096, PageCount: 256, JournalMode: "wal", Tables: map[string]int64{"users": 1204, "settings": 12, "blocks": 74}, Rows: &rows, QuickCheck: holdfast.CheckOK,
			}}},
		},
	}
	return details.Model{
		Name: exampleBackup, May: details.May{Restore: true, Admin: true},
		Show: report.Show{Type: "show", Repository: "./data/chromadb_backup", Backup: b, Metadata: md, Proofs: []holdfast.Proof{
			{At: holdfast.At(At(25 * time.Hour)), Kind: holdfast.ProofVerify, OK: true, DurationMS: 180, Bytes: 13 * mib},
			{At: holdfast.At(At(20 * time.Hour)), Kind: holdfast.ProofDrill, OK: true, DurationMS: 4100, RestoreMS: 800, Bytes: 13 * mib, Compared: []holdfast.Comparison{{Source: "bot", What: "rows of table users", Want: "1204", Got: "1204", OK: true}}},
		}, Memory: &holdfast.MemoryInfo{TotalMemories: 52, Collections: []holdfast.MemoryCollection{{
			Source: "chromadb", Name: "enhanced_rag_memory", Records: 52, Documents: 52, Dimension: 384,
			Oldest: new(holdfast.At(At(90 * 24 * time.Hour))), Newest: new(holdfast.At(At(27 * time.Hour))), MetadataKeys: map[string]int64{"question": 52, "rating": 17, "timestamp": 52},
		}}}, Places: []report.CopyPlace{{Name: report.PlaceHere, Has: true}, {Name: "offsite", Has: true}, {Name: "nas"}}},
		Jobs: []job.Job{
			{ID: exampleJob, Kind: "drill", State: job.Succeeded, By: "owner", CreatedAt: holdfast.At(At(20 * time.Hour))},
			{ID: exampleJob, Kind: "verify", State: job.Succeeded, By: "nightly", CreatedAt: holdfast.At(At(25 * time.Hour))},
			{ID: exampleJob, Kind: "backup", State: job.Succeeded, By: "owner", CreatedAt: made},
		},
	}
}

// manyFiles is the first page of more files than one page has.
func manyFiles() details.FilesModel {
	m := details.FilesModel{Name: exampleBackup, Sources: []string{"chromadb", "uploads"}}
	var files []report.File
	for i := range 230 {
		files = append(files, report.File{Path: fmt.Sprintf("uploads/สัญญา-%03d.pdf", i), Bytes: int64(i+1) * 12345, Stored: int64(i+1) * 9876, Form: report.FormFull})
	}
	m.Page = report.PageOfFiles(files, "", "", 200)
	return m
}
