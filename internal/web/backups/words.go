package backups

import (
	"slices"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// anyOption asks for no difference.
func anyOption(p ui.Page) ui.Option { return ui.Option{Label: p.L.T("backups.any")} }

func sorts(p ui.Page) []ui.Option {
	return []ui.Option{
		{Value: "", Label: p.L.T("backups.newest")},
		{Value: report.SortOldest, Label: p.L.T("backups.oldest")},
		{Value: report.SortName, Label: p.L.T("backups.by_name")},
		{Value: report.SortSize, Label: p.L.T("backups.largest")},
	}
}

func types(p ui.Page) []ui.Option {
	out := []ui.Option{anyOption(p)}
	for _, t := range []holdfast.Type{holdfast.Enhanced, holdfast.Standard} {
		out = append(out, ui.Option{Value: string(t), Label: p.L.Word("type", string(t))})
	}
	return out
}

func causes(p ui.Page) []ui.Option {
	out := []ui.Option{anyOption(p)}
	for _, t := range triggers {
		out = append(out, ui.Option{Value: t, Label: p.L.Word("trigger", t)})
	}
	return out
}

func named(p ui.Page, names []string) []ui.Option {
	out := []ui.Option{anyOption(p)}
	for _, name := range names {
		out = append(out, ui.Option{Value: name, Label: name})
	}
	return out
}

func yesNo(p ui.Page, yes, no string) []ui.Option {
	return []ui.Option{anyOption(p), {Value: "true", Label: p.L.T(yes)}, {Value: "false", Label: p.L.T(no)}}
}

// columns are the heads of the table; some of them sort it.
func columns(p ui.Page, m Model) []ui.Column {
	sorted := func(orders ...string) string {
		switch at := slices.Index(orders, m.Filter.Sort); at {
		case 0:
			return "ascending"
		case 1:
			return "descending"
		}
		return "none"
	}
	newest, order := sorted(report.SortOldest, ""), report.SortOldest
	if m.Filter.Sort == report.SortOldest {
		order = ""
	}
	out := []ui.Column{
		{Label: p.L.T("backups.name"), Href: m.Filter.sorted(report.SortName), Sorted: sorted(report.SortName)},
		{Label: p.L.T("backups.made"), Href: m.Filter.sorted(order), Sorted: newest},
		{Label: p.L.T("backups.kind")},
		{Label: p.L.T("backups.records"), Num: true},
		{Label: p.L.T("backups.size"), Num: true, Href: m.Filter.sorted(report.SortSize), Sorted: sorted("-", report.SortSize)},
		{Label: p.L.T("backups.proof")},
	}
	if m.May.Admin || m.May.Restore {
		out = slices.Insert(out, 0, ui.Column{Label: p.L.T("backups.pick"), Hidden: true, Class: "pick"})
	}
	if len(m.Replicas) > 0 {
		out = append(out, ui.Column{Label: p.L.T("backups.copies")})
	}
	return out
}

// fresh is the address that reads the list anew.
func fresh(f Filter) string {
	path := f.Path(f.After)
	if path == root {
		return root + "?fresh"
	}
	return path + "&fresh"
}

// refreshing lets the list ask for itself while something of it is being deleted.
func refreshing(m Model) templ.Attributes {
	if !m.Busy() {
		return nil
	}
	return templ.Attributes{
		"data-hx-get": m.Filter.Path(m.Filter.After), "data-hx-trigger": "every 2s", "data-hx-select": "#results", "data-hx-swap": "outerMorph",
	}
}

// undoable are the jobs that can be taken back, each once.
func undoable(rows []Row) (ids []string) {
	for _, r := range rows {
		if r.Undo && !slices.Contains(ids, r.Deleting) {
			ids = append(ids, r.Deleting)
		}
	}
	return ids
}

func rowClass(r Row) string {
	if r.Deleting != "" {
		return "going"
	}
	return ""
}

func onOff(on bool) string {
	if on {
		return "true"
	}
	return "false"
}

// nameError is what is wrong with the name of a form, in the reader's words.
func nameError(p ui.Page, f Form) string {
	switch {
	case f.NameFault != "":
		return p.L.T("backups.fault_"+string(f.NameFault), "what", f.Object)
	case f.Exists:
		return p.L.T("backups.exists")
	}
	return ""
}

func noteError(p ui.Page, f Form) string {
	if f.NoteFault {
		return p.L.T("backups.note_long")
	}
	return ""
}
