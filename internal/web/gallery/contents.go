package gallery

import (
	"strings"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// contentsStates are the pages on which a backup is looked into.
var contentsStates = []State{
	looking("tables", func(*contents.Model) {}),
	looking("empty", func(m *contents.Model) { m.Sources = nil }),
	looking("no-tables", func(m *contents.Model) { m.Sources[1].Tables, m.Sources[1].Total = nil, 0 }),
	looking("damaged", func(m *contents.Model) {
		m.Sources[1].Tables = nil
		m.Sources[1].Failure = &report.Error{Code: "damaged", Op: "look into", Object: string(m.Name) + ": bot", Message: "look into " + string(m.Name) + ": bot: bot_database.db: block 12 has another digest", Hint: "verify the backup; restore another one"}
	}),
	looking("no-key", func(m *contents.Model) {
		m.Sources = nil
		m.Failure = &report.Error{Code: "refused", Op: "open", Object: string(m.Name), Message: "open backup " + string(m.Name) + ": no key opens it", Hint: "it is encrypted to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p; give the private key of one of these"}
	}),
	looking("replica", func(m *contents.Model) { m.From = "s3-singapore" }),
	looking("many", func(m *contents.Model) {
		m.Sources = m.Sources[:1]
		s := &m.Sources[0]
		one := s.Tables[0]
		s.Tables = nil
		for range 100 {
			s.Tables = append(s.Tables, one)
		}
		s.From, s.Total = 100, 3217
	}),
	looking("long-names", func(m *contents.Model) {
		m.Sources = m.Sources[:2]
		m.Sources[0].Tables[0] = longest()
		m.Sources[1].Tables[0].Name = longTable
	}),
	readOnly(looking("read-only", func(m *contents.Model) { m.MayRestore = false })),
	rows("records", func(*contents.Rows) {}),
	rows("paged", func(m *contents.Rows) { m.After, m.Next = "101", "151" }),
	rows("empty", func(m *contents.Rows) { m.Rows = nil }),
	rows("closed", func(m *contents.Rows) { m.Rows, m.Table.Closed = nil, "it is a virtual table of the module vec0" }),
	rows("failed", func(m *contents.Rows) {
		m.Rows = nil
		m.Failure = &report.Error{Code: "damaged", Op: "list rows", Object: m.Table.Name, Message: "look into " + m.Table.Name + ": row 88: the page is torn"}
	}),
	rows("long-names", func(m *contents.Rows) {
		m.Table = longest()
		m.Rows[0].Key = longTable
		m.Rows[1].Fields[1].Name = holdfast.FieldMetadata + longTable
	}),
	rows("table", func(m *contents.Rows) {
		m.Source = "bot"
		m.Table = holdfast.Table{Name: "messages", Kind: holdfast.KindTable, Rows: new(int64(1240))}
		m.Rows = []holdfast.Row{
			{Key: "1", Fields: []holdfast.Field{{Name: "id", Value: int64(1)}, {Name: "score", Value: 2.0}, {Name: "seen", Value: nil}, {Name: "photo", Value: []byte{0xff, 0xd8, 0xff, 0xe0}, Length: 48211}}},
			{Key: "2\t\x00", Fields: []holdfast.Field{{Name: "text", Value: "a\x1b[31mred\u202egnp.exe"}, {Name: "none", Value: ""}}},
		}
	}),
	row("record", func(*contents.Row) {}),
	row("long", func(m *contents.Row) {
		m.Row.Fields[0].Value = strings.Repeat("ก่อนอัปเดตครั้งใหญ่ ", 6000)[:90_000]
	}),
	row("rtl", func(m *contents.Row) {
		m.Row.Key = "یادداشت/۱۲"
		m.Row.Fields[0].Value = "جلسهٔ فردا ساعت ۱۰ در Room 4 (طبقهٔ دوم)\nبا خودتان report.pdf بیاورید."
	}),
	row("long-names", func(m *contents.Row) {
		m.Table = longest()
		m.Row.Key = longTable
		m.Row.Fields[1].Name = holdfast.FieldMetadata + longTable
	}),
	readOnly(row("read-only", func(m *contents.Row) { m.MayRestore = false })),
	searching("begin", "", nil, contents.End{}),
	searching("found", "deadline", hits(), contents.End{Hits: 2}),
	searching("long-names", "deadline", longHits(), contents.End{Hits: 2}),
	searching("more", "deadline", hits(), contents.End{Hits: 100, More: true}),
	searching("nothing", "deadline", nil, contents.End{}),
	searching("failed", "deadline", hits()[:1], contents.End{Hits: 1, Failure: &report.Error{Code: "damaged", Op: "search", Object: "chromadb", Message: "search chromadb: block 12 has another digest"}}),
}

var insidePlace = contents.Place{Name: "enhanced_backup_20261119_143000", MayRestore: true}

func looking(name string, change func(*contents.Model)) State {
	return State{Page: "contents", Name: name, Section: "backups", Title: "contents.title", Render: func(p ui.Page) templ.Component {
		m := contents.Model{Place: insidePlace, Sources: []contents.Source{
			{SourceContents: report.SourceContents{Name: "chromadb", Kind: holdfast.KindChroma, Path: "http://127.0.0.1:8000", Tables: []holdfast.Table{
				notes(),
				{Name: "default_tenant/default_database/%D9%8A%D8%A7%D8%AF", Title: "یادداشت‌های جلسه", Kind: holdfast.KindCollection, Rows: new(int64(61)), Dimension: 384},
			}}, Total: 2},
			{SourceContents: report.SourceContents{Name: "bot", Kind: holdfast.KindSQLite, Path: "/srv/bot/bot_database.db", Tables: []holdfast.Table{
				{Name: "messages", Kind: holdfast.KindTable, Rows: new(int64(1240)), Columns: []holdfast.Column{{Name: "id"}, {Name: "text"}}},
				{Name: "vectors", Kind: holdfast.KindTable, Closed: "it is a virtual table of the module vec0"},
			}}, Total: 2},
			{SourceContents: report.SourceContents{Name: "uploads", Kind: holdfast.KindFiles, Path: "/srv/bot/uploads", Tables: []holdfast.Table{{Name: "files", Kind: holdfast.KindTree, Rows: new(int64(12))}}}, Total: 1},
		}}
		change(&m)
		return contents.View(p, m)
	}}
}

// notes is a collection.
func notes() holdfast.Table {
	return holdfast.Table{Name: "default_tenant/default_database/notes", Title: "notes", Kind: holdfast.KindCollection, Rows: new(int64(447)), Dimension: 384, Space: "cosine"}
}

// longTable is as long a name as a table or a key may well have, without a place to break.
var longTable = strings.Repeat("ข้อความ_پیام‌ها_messages_", 24)

// longest is a collection with the longest name that a server takes.
func longest() holdfast.Table {
	name := strings.Repeat("customer-documents_2026.", 22)[:512]
	t := notes()
	t.Name, t.Title = "default_tenant/default_database/"+name, name
	return t
}

// note is a record of it.
func note(key, text string) holdfast.Row {
	return holdfast.Row{Key: key, Fields: []holdfast.Field{
		{Name: holdfast.FieldDocument, Value: text},
		{Name: holdfast.FieldMetadata + "page", Value: int64(2)},
		{Name: holdfast.FieldMetadata + "weight", Value: 2.0},
		{Name: holdfast.FieldMetadata + "tags", Value: []any{"a", "b"}},
		{Name: holdfast.FieldMetadata + "open", Value: true},
		{Name: holdfast.FieldEmbedding, Length: 384},
	}}
}

func rows(name string, change func(*contents.Rows)) State {
	return State{Page: "contents-rows", Name: name, Section: "backups", Title: "contents.title", Render: func(p ui.Page) templ.Component {
		m := contents.Rows{Place: insidePlace, Source: "chromadb", Table: notes(), Rows: []holdfast.Row{
			note("note-12", "The deadline of the report is Friday."),
			note("یادداشت-۷", "مهلت گزارش جمعه است."),
			note("บันทึก-3", "กำหนดส่งรายงานคือวันศุกร์"),
		}}
		change(&m)
		return contents.RowsView(p, m)
	}}
}

func row(name string, change func(*contents.Row)) State {
	return State{Page: "contents-row", Name: name, Section: "backups", Title: "contents.title", Render: func(p ui.Page) templ.Component {
		m := contents.Row{Place: insidePlace, Source: "chromadb", Table: notes(), Row: note("note-12", "The deadline of the report is Friday.")}
		m.Row.Fields[5] = holdfast.Field{Name: holdfast.FieldEmbedding, Value: []float32{0.25, -0.5, 1, 0.0123}}
		change(&m)
		return contents.RowView(p, m)
	}}
}

func searching(name, text string, found []engine.SourceHit, end contents.End) State {
	return State{Page: "search", Name: name, Section: "backups", Title: "contents.search", Render: func(p ui.Page) templ.Component {
		m := contents.Search{Place: insidePlace, Text: text, Source: "chromadb", Table: notes().Name}
		var parts []templ.Component
		for _, h := range found {
			parts = append(parts, contents.Hit(p, m, h))
		}
		return contents.SearchView(p, m, templ.Join(append(parts, contents.SearchEnd(p, m, end))...))
	}}
}

// longHits are found in tables of long names.
func longHits() []engine.SourceHit {
	found := hits()
	for i := range found {
		found[i].Table, found[i].Key, found[i].Field = longest().Name, longTable, holdfast.FieldMetadata+longTable
	}
	return found
}

func hits() []engine.SourceHit {
	return []engine.SourceHit{
		{Source: "chromadb", Hit: holdfast.Hit{Table: notes().Name, Key: "note-12", Field: holdfast.FieldDocument, Snippet: "The deadline of the report is Friday.", At: 4, Length: 8}},
		{Source: "chromadb", Hit: holdfast.Hit{Table: notes().Name, Key: "یادداشت-۷", Field: holdfast.FieldMetadata + "title", Snippet: "مهلت (deadline) گزارش", At: 10, Length: 8}},
	}
}
