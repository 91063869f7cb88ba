package contents

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

func number(n int) string { return strconv.Itoa(n) }

// Title is what a table is called.
func Title(t holdfast.Table) string {
	if t.Title != "" {
		return t.Title
	}
	return t.Name
}

// counted is how many rows a table has, in its words.
func counted(p ui.Page, kind holdfast.TableKind, n int64) string {
	switch kind {
	case holdfast.KindCollection:
		return p.L.N("contents.count.records", n)
	case holdfast.KindTree:
		return p.L.N("contents.count.entries", n)
	}
	return p.L.N("contents.count.rows", n)
}

// lengthOf is how much there is of a value.
func lengthOf(p ui.Page, s Shown) string {
	if s.Kind == "vector" {
		return p.L.N("contents.numbers", s.Length)
	}
	return p.L.T("contents.bytes", "size", p.L.Bytes(s.Length))
}

// pager leads through the tables of a source.
func pager(m Model, s Source) ui.PagerModel {
	out := ui.PagerModel{From: int64(s.From) + 1, To: int64(s.From + len(s.Tables)), Total: int64(s.Total)}
	if s.From > 0 {
		out.Prev = sourcePath(m.Name, s.Name, max(0, s.From-mostTables))
	}
	if next := s.From + len(s.Tables); next < s.Total {
		out.Next = sourcePath(m.Name, s.Name, next)
	}
	return out
}

// detail is what a collection is made for: its dimension and its measure of distance.
func detail(t holdfast.Table) string {
	if t.Dimension == 0 {
		return t.Space
	}
	if t.Space == "" {
		return strconv.Itoa(t.Dimension)
	}
	return strconv.Itoa(t.Dimension) + " · " + t.Space
}

// A step leads back to what a page is a part of.
type step struct{ name, href string }

func backupPath(name holdfast.BackupName) string {
	return "/backups/" + url.PathEscape(string(name))
}

// placeOf is the tenant and the database of a collection; nothing of a table.
func placeOf(t holdfast.Table) string {
	if t.Kind != holdfast.KindCollection {
		return ""
	}
	return t.Name[:max(0, strings.LastIndexByte(t.Name, '/'))]
}

// restorable tells whether parts of a table can be brought back by themselves; of a tree
// of files they cannot, nor of what cannot be read.
func restorable(t holdfast.Table) bool {
	return t.Closed == "" && (t.Kind == holdfast.KindTable || t.Kind == holdfast.KindCollection)
}

// KeyText is the key of a row in one line.
func KeyText(key string) string {
	const most = 120
	short := clipped(key, most)
	text := strings.NewReplacer("\n", "␊", "\t", "␉").Replace(Visible(short))
	switch {
	case key == "":
		return "␣"
	case len(short) < len(key):
		return text + "…"
	}
	return text
}

// browse is the command line that lists the same rows.
func browse(m Rows) string {
	line := "holdfast browse " + report.Quoted(string(m.Name)) + " " + report.Quoted(m.Source+"/"+m.Table.Name)
	if m.After != "" {
		line += " --after " + report.Quoted(m.After)
	}
	return line
}

// searchCommand is the command line that searches the same.
func searchCommand(m Search) string {
	line := "holdfast search " + report.Quoted(string(m.Name)) + " " + report.Quoted(cmp.Or(m.Text, "TEXT"))
	if m.Source != "" {
		line += " --source " + report.Quoted(m.Source)
	}
	if m.Table != "" {
		line += " --table " + report.Quoted(m.Table)
	}
	return line
}

// within names what a search is bounded to.
func within(m Search) string { return cmp.Or(LastName(m.Table), m.Source) }

// everywhere is the same search in all of the backup.
func everywhere(m Search) string {
	return SearchPath(m.Name) + "?" + url.Values{"q": {m.Text}}.Encode()
}

// LastName is the name of a table without those of what it lies in.
func LastName(table string) string { return engine.ShortName(table) }

// before, hitText and after are the parts of the text around a hit.
func before(h engine.SourceHit) string { return h.Snippet[:bounds(h, 0)] }

func hitText(h engine.SourceHit) string { return h.Snippet[bounds(h, 0):bounds(h, h.Length)] }

func after(h engine.SourceHit) string { return h.Snippet[bounds(h, h.Length):] }

// bounds is a place in the snippet of a hit, from where the text stands.
func bounds(h engine.SourceHit, more int) int {
	return max(0, min(len(h.Snippet), h.At+more))
}
