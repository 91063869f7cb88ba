package compare

import (
	"net/url"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// options are what a backup can be compared with.
func options(p ui.Page, m Model) (out []ui.Option) {
	if m.MayLive {
		out = append(out, ui.Option{Value: engine.Live, Label: p.L.T("compare.live")})
	}
	for _, b := range m.Others {
		label := string(b.Name)
		if b.CreatedAt != nil {
			label += " · " + p.L.DateTime(b.CreatedAt.Time, p.Zone)
		}
		out = append(out, ui.Option{Value: string(b.Name), Label: label})
	}
	return out
}

// other names the newer state.
func other(p ui.Page, m Model) string {
	if m.Live() {
		return p.L.T("compare.live")
	}
	return m.With
}

// title is what a table is called.
func title(name, title string) string {
	if title != "" {
		return title
	}
	return contents.LastName(name)
}

// changeWords tell what became of a table or a row.
func changeWords(p ui.Page, c engine.Change) string { return p.L.T("compare.change." + string(c)) }

// tone is that of a change: only what is gone or unknown asks for attention.
func tone(c engine.Change) ui.Tone {
	if c == engine.ChangeRemoved || c == engine.ChangeUnknown {
		return ui.Warn
	}
	return ui.Calm
}

// rowHref is where a row is to be seen whole: in the state that has it, the older first.
func rowHref(m Rows, r engine.DiffRow) string {
	switch {
	case r.Change != engine.ChangeAdded:
		return contents.RowPath(m.Name, r.Source, r.Table, r.Key)
	case !m.Live():
		return contents.RowPath(holdfast.BackupName(m.With), r.Source, r.Table, r.Key)
	}
	return ""
}

// shown is a field as a page shows it; nil where there is none.
func shown(f *holdfast.Field) contents.Shown { return contents.Show(*f, mostValue) }

// command is the command line that compares the same.
func command(m Model, more ...string) string {
	with := m.With
	if with == "" {
		with = "OTHER"
	}
	words := append([]string{"holdfast", "diff", string(m.Name), with}, more...)
	for i, w := range words {
		words[i] = report.Quoted(w)
	}
	return strings.Join(words, " ")
}

func backupPath(name holdfast.BackupName) string {
	return "/backups/" + url.PathEscape(string(name))
}
