package gallery

import (
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/compare"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// compareStates are the pages on which a backup is compared.
var compareStates = []State{
	comparing("choose", func(m *compare.Model) { m.With = "" }, nil, compare.End{}),
	comparing("alone", func(m *compare.Model) { m.With, m.Others, m.MayLive = "", nil, false }, nil, compare.End{}),
	comparing("live", func(*compare.Model) {}, differing(), compare.End{Result: &engine.DiffResult{Tables: 6, Same: 3, Unread: 1, Added: 12, Changed: 3, Removed: 1, Rounded: 4}}),
	comparing("same", func(m *compare.Model) { m.With = string(m.Others[0].Name) }, nil, compare.End{Result: &engine.DiffResult{Tables: 6, Same: 6}}),
	comparing("problems", func(*compare.Model) {}, differing()[:1], compare.End{Result: &engine.DiffResult{Tables: 1, Added: 12, Changed: 3, Problems: []holdfast.Problem{
		{Source: "uploads", Severity: holdfast.Warning, Message: "it does not exist now; it was not compared"},
	}}}),
	comparing("failed", func(*compare.Model) {}, differing()[:1], compare.End{Failure: &report.Error{Code: "failed", Op: "look", Object: "chromadb", Message: "capture chromadb: http://127.0.0.1:8000: connection refused", Hint: "start the server"}}),
	comparing("long-names", func(*compare.Model) {}, longDiffering(), compare.End{Result: &engine.DiffResult{Tables: 4, Added: 12, Changed: 3, Removed: 1}}),
	readOnly(comparing("read-only", func(m *compare.Model) { m.With, m.MayLive, m.MayRestore = "", false, false }, nil, compare.End{})),
	comparingRows("rows", func(*compare.Rows) {}, compare.End{Result: &engine.DiffResult{Tables: 1, Added: 1, Changed: 1, Removed: 1}}),
	comparingRows("more", func(m *compare.Rows) { m.With = string(m.Others[0].Name) }, compare.End{Result: &engine.DiffResult{Tables: 1, Added: 900, Changed: 1, More: true}}),
	comparingRows("failed", func(*compare.Rows) {}, compare.End{Failure: &report.Error{Code: "damaged", Op: "compare", Object: "notes", Message: "compare notes: block 12 has another digest"}}),
	comparingRows("long-names", func(m *compare.Rows) { m.Table = longest().Name }, compare.End{Result: &engine.DiffResult{Tables: 1, Changed: 1}}),
	readOnly(comparingRows("read-only", func(m *compare.Rows) { m.MayRestore = false }, compare.End{Result: &engine.DiffResult{Tables: 1, Changed: 1}})),
}

func compared() compare.Model {
	newer, newest := holdfast.At(At(26*time.Hour)), holdfast.At(At(12*time.Minute))
	return compare.Model{
		Name: "enhanced_backup_20261119_143000", With: engine.Live, MayLive: true, MayRestore: true,
		Others: []report.Backup{{Name: "quick_backup_20261122_091800", CreatedAt: &newest}, {Name: "پیش_از_بروزرسانی", CreatedAt: &newer}, {Name: "ก่อนอัปเดต"}},
	}
}

func comparing(name string, change func(*compare.Model), tables []engine.DiffTable, end compare.End) State {
	return State{Page: "compare", Name: name, Section: "backups", Title: "compare.title", Render: func(p ui.Page) templ.Component {
		m := compared()
		change(&m)
		var parts []templ.Component
		for _, t := range tables {
			parts = append(parts, compare.Table(p, m, t))
		}
		return compare.View(p, m, templ.Join(append(parts, compare.Sum(p, m, end))...))
	}}
}

func differing() []engine.DiffTable {
	return []engine.DiffTable{
		{Source: "chromadb", Table: notes().Name, Title: "notes", Kind: holdfast.KindCollection, Change: engine.ChangeChanged, Added: 12, Changed: 3, Same: new(int64(432))},
		{Source: "chromadb", Table: "default_tenant/default_database/old", Title: "یادداشت‌های کهنه", Kind: holdfast.KindCollection, Change: engine.ChangeRemoved, Removed: 1},
		{Source: "bot", Table: "messages", Kind: holdfast.KindTable, Change: engine.ChangeSame, Same: new(int64(1240))},
		{Source: "bot", Table: "vectors", Kind: holdfast.KindTable, Change: engine.ChangeUnknown, Unread: "it is a virtual table of the module vec0"},
	}
}

// longDiffering is what differs in tables of long names.
func longDiffering() []engine.DiffTable {
	found := differing()
	found[0].Table, found[0].Title = longest().Name, longest().Title
	found[3].Table = longTable
	return found
}

func comparingRows(name string, change func(*compare.Rows), end compare.End) State {
	return State{Page: "compare-rows", Name: name, Section: "backups", Title: "compare.title", Render: func(p ui.Page) templ.Component {
		m := compare.Rows{Model: compared(), Source: "chromadb", Table: notes().Name, Kind: holdfast.KindChroma}
		change(&m)
		field := func(name string, value any, length int64) *holdfast.Field {
			return &holdfast.Field{Name: name, Value: value, Length: length}
		}
		parts := []templ.Component{compare.Counts(p, engine.DiffTable{Source: "chromadb", Table: m.Table, Change: engine.ChangeChanged, Added: 1, Changed: 1, Removed: 1, Schema: []engine.SchemaChange{{What: "dimension", Before: "384", After: "768"}, {What: "space", After: "cosine"}}})}
		for _, r := range []engine.DiffRow{
			{Key: "note-12", Change: engine.ChangeChanged, Fields: []engine.DiffField{
				{Name: holdfast.FieldDocument, Before: field("document", "The deadline is Friday.", 0), After: field("document", "مهلت جمعه است.", 0)},
				{Name: holdfast.FieldMetadata + "weight", Before: field("weight", int64(2), 0), After: field("weight", 2.0, 0)},
				{Name: holdfast.FieldMetadata + "open", Before: field("open", true, 0)},
				{Name: holdfast.FieldEmbedding, Before: field(holdfast.FieldEmbedding, nil, 384), After: field(holdfast.FieldEmbedding, nil, 384)},
			}},
			{Key: "บันทึก-3", Change: engine.ChangeRemoved, Fields: []engine.DiffField{{Name: holdfast.FieldDocument, Before: field("document", "กำหนดส่งรายงานคือวันศุกร์", 4096)}}},
			{Key: "یادداشت-۷", Change: engine.ChangeAdded, Fields: []engine.DiffField{{Name: holdfast.FieldDocument, After: field("document", "مهلت گزارش جمعه است.", 0)}}},
		} {
			r.Source, r.Table = m.Source, m.Table
			parts = append(parts, compare.Row(p, m, r))
		}
		return compare.RowsView(p, m, templ.Join(append(parts, compare.RowsEnd(p, m, end))...))
	}}
}
