package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type searchCmd struct {
	Name   string   `arg:"" help:"Name of the backup, or latest."`
	Text   string   `arg:"" help:"The text that a row must have, whatever its case."`
	Source string   `value:"SOURCE" help:"Search in this source only."`
	Table  []string `sep:"none" value:"NAME" help:"Search in this table or collection only; repeatable."`
	Limit  int      `value:"N" default:"100" help:"Stop after so many rows; 0 shows all."`
	replicaFlags
}

func (searchCmd) about() about {
	return about{
		text: `Finds rows, records and files with a text in them, and shows each as soon as it
is found. Documents, metadata, ids and names are searched, whatever the case.
Nothing is restored. At the end it tells how to bring back the first of them,
and what could not be searched, such as a table that only its application reads
(exit status 3).
With --json each row is a line of its own, and the last line sums up.`,
		examples: []example{
			{`holdfast search latest "blue whale"`, "in all sources"},
			{"holdfast search monday alice --source bot --table users", "in one table"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run searches a backup.
func (c *searchCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return usagef("give a number from 0 on", "--limit %d is none", c.Limit)
	}
	return c.within(ctx, a, c.Name, func(l *engine.Look) error {
		out := report.Found{Type: "search", Backup: l.Name, Text: c.Text}
		p := newHits(a.ui, l)
		ticker := newTicker(a.ui)
		defer ticker.clear()
		limit := c.Limit
		if limit > 0 {
			limit++ // one more tells whether there are more
		}
		for hit, err := range l.Search(ctx, engine.SearchRequest{
			Text: c.Text, Source: c.Source, Tables: c.Table, Limit: limit, Progress: ticker.rows,
			Skipped: func(p holdfast.Problem) { out.Problems = append(out.Problems, p) },
		}) {
			if err != nil {
				return err
			}
			if c.Limit > 0 && out.Hits == c.Limit {
				out.More = true
				break
			}
			out.Hits++
			ticker.clear()
			p.show(hit)
		}
		ticker.clear()
		for _, problem := range out.Problems {
			a.ui.warn(problem)
		}
		a.ui.tell(out, func() { p.end(out) })
		return incompleteIf(out.Problems)
	})
}

// hits shows what a search finds, under the names of the tables.
type hits struct {
	ui     *ui
	look   *engine.Look
	first  *engine.SourceHit
	source string
	table  string
	tables int
}

func newHits(u *ui, l *engine.Look) *hits { return &hits{ui: u, look: l} }

// show shows one hit at once.
func (h *hits) show(hit engine.SourceHit) {
	if h.first == nil {
		h.first = &hit
	}
	if h.ui.json {
		h.ui.object(report.Hit{Type: "hit", SourceHit: hit})
		return
	}
	if hit.Source != h.source || hit.Table != h.table {
		if h.tables++; h.tables > 1 {
			h.ui.print("\n")
		}
		h.source, h.table = hit.Source, hit.Table
		h.ui.print("%s\n", h.ui.outPaint.bold(clean(hit.Source)+"/"+h.ui.name(hit.Table)))
	}
	h.ui.print("  %s  %s: %s\n", h.ui.outPaint.green(middle(hit.Key, cellWidth)), h.ui.name(hit.Field), marked(h.ui.outPaint, hit.Hit))
}

// marked is the text around a hit with the hit in colour.
func marked(p painter, h holdfast.Hit) string {
	from, to := h.At, h.At+h.Length
	if from < 0 || to > len(h.Snippet) || from > to {
		return clean(h.Snippet)
	}
	return clean(h.Snippet[:from]) + p.yellow(clean(h.Snippet[from:to])) + clean(h.Snippet[to:])
}

// end sums up.
func (h *hits) end(out report.Found) {
	if h.first == nil {
		h.ui.print("no row of %s has %q\n", clean(string(out.Backup)), clean(out.Text))
		return
	}
	more := ""
	if out.More {
		more = ", and there are more (--limit 0 shows all)"
	}
	h.ui.note("\n%s in %s%s", plural(out.Hits, "row", "rows"), plural(h.tables, "table", "tables"), more)
	h.ui.note("bring the first back with: %s", clean(report.RestoreRow(out.Backup, h.first.Source, kindOf(h.look, h.first.Source), h.first.Table, h.first.Key)))
}

// kindOf is what the tables of a source are.
func kindOf(l *engine.Look, source string) holdfast.TableKind {
	s, err := l.Source(source)
	switch {
	case err != nil:
	case s.Kind == holdfast.KindChroma:
		return holdfast.KindCollection
	case s.Kind == holdfast.KindFiles:
		return holdfast.KindTree
	}
	return holdfast.KindTable
}
