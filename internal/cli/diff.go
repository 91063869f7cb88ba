package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type diffCmd struct {
	A        string   `arg:"" help:"The older state: name of a backup, or latest."`
	B        string   `arg:"" optional:"" default:"live" help:"The newer one: name of a backup, latest, or live for the present state."`
	Source   []string `sep:"none" value:"SOURCE" help:"Compare this source only; repeatable."`
	Table    []string `sep:"none" value:"NAME" help:"Compare this table or collection only; repeatable."`
	Details  bool     `help:"List the rows that differ, with what they held before and after."`
	Limit    int      `value:"N" default:"20" help:"With --details: list at most so many rows of each table; 0 lists all."`
	Vectors  bool     `help:"With --details: show the numbers of embeddings."`
	ExitCode bool     `help:"End with exit status 1 if anything differs."`
	replicaFlags
}

func (diffCmd) about() about {
	return about{
		text: `Tells what was added, changed and removed from the first state to the second: by
table or collection first, and with --details by row. Rows belong together by
their keys. Views, indexes and triggers of a database, and the settings of the
index of a collection, are not compared. Nothing is restored; for live the
sources are captured into a private directory, which is removed again. Embeddings
that only differ by rounding are the same, and counted as such. The exit status
is 0 whether anything differs or not, unless --exit-code is given. With --json
each table and row is a line of its own, and the last line sums up.`,
		examples: []example{
			{"holdfast diff latest", "what has changed since the newest backup"},
			{"holdfast diff monday tuesday --details", "every row that differs"},
			{"holdfast diff monday live --source bot --table users --exit-code", "for a script"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run compares two states.
func (c *diffCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return usagef("give a number from 0 on", "--limit %d is none", c.Limit)
	}
	if c.A == engine.Live {
		return usagef("write `holdfast diff BACKUP live`", "the present state is the newer one")
	}
	if err := c.use(a); err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		longest := 0
		if !a.JSON {
			longest = 8 * cellWidth
		}
		p := &differences{ui: a.ui, ticker: newTicker(a.ui)}
		defer p.ticker.clear()
		result, err := e.Diff(ctx, engine.DiffRequest{
			A: c.A, B: c.B, Sources: c.Source, Tables: c.Table, Details: c.Details, Values: c.Details, Vectors: c.Vectors,
			Limit: c.Limit, MaxValue: longest, Progress: func(source, table string, rows int64) { p.ticker.rows(source, table, rows, 0) },
		}, p.show)
		p.ticker.clear()
		if err != nil {
			return err
		}
		out := report.NewDiff(result)
		for _, problem := range out.Problems {
			a.ui.warn(problem)
		}
		a.ui.tell(out, func() { p.end(out) })
		return c.verdict(out)
	})
}

// verdict is the outcome as an exit status.
func (c *diffCmd) verdict(out report.Diff) error {
	for _, p := range out.Problems {
		if p.Severity != holdfast.Warning {
			return &ending{holdfast.ExitIncomplete}
		}
	}
	switch {
	case out.Unread > 0:
		return &ending{holdfast.ExitIncomplete}
	case c.ExitCode && out.Differs:
		return &ending{holdfast.ExitFailed}
	}
	return nil
}

// differences shows what a comparison finds, as soon as it is found.
type differences struct {
	ui     *ui
	ticker *ticker
	source string
	table  string // of the rows
}

func (d *differences) show(item engine.DiffItem) error {
	d.ticker.clear()
	switch {
	case item.Table != nil && d.ui.json:
		d.ui.object(report.DiffTable{Type: "diff_table", DiffTable: *item.Table})
	case item.Row != nil && d.ui.json:
		d.ui.object(report.NewDiffRow(*item.Row))
	case item.Table != nil:
		d.showTable(*item.Table)
	case item.Row != nil:
		d.showRow(*item.Row)
	}
	return nil
}

// signs stand before what differs.
var signs = map[engine.Change]string{engine.ChangeAdded: "+", engine.ChangeRemoved: "-", engine.ChangeChanged: "~", engine.ChangeUnknown: "?", engine.ChangeSame: " "}

func (d *differences) sign(c engine.Change) string {
	switch sign := signs[c]; c {
	case engine.ChangeAdded:
		return d.ui.outPaint.green(sign)
	case engine.ChangeRemoved:
		return d.ui.outPaint.red(sign)
	case engine.ChangeChanged, engine.ChangeUnknown:
		return d.ui.outPaint.yellow(sign)
	default:
		return sign
	}
}

// showTable shows what became of a table in a line.
func (d *differences) showTable(t engine.DiffTable) {
	if t.Source != d.source {
		if d.source != "" {
			d.ui.print("\n")
		}
		d.source = t.Source
		d.ui.print("%s\n", d.ui.outPaint.bold(clean(t.Source)))
	}
	name := t.Title
	if name == "" {
		name = t.Table
	}
	if name == "" {
		name = "(all of it)"
	}
	d.ui.print("%s %s  %s\n", d.sign(t.Change), pad(middle(name, cellWidth), 24), tableWords(t))
	for _, s := range t.Schema {
		d.ui.print("    %s\n", clean(schemaWords(s)))
	}
}

// tableWords says what became of a table.
func tableWords(t engine.DiffTable) string {
	var words []string
	count := func(n int64, what string) {
		if n > 0 {
			words = append(words, number(n)+" "+what)
		}
	}
	switch {
	case t.Change == engine.ChangeAdded:
		words = append(words, "new")
	case t.Change == engine.ChangeRemoved:
		words = append(words, "gone")
	case t.Change == engine.ChangeUnknown:
		words = append(words, "could not be compared: "+clean(t.Unread))
	case t.Change == engine.ChangeSame:
		words = append(words, "the same")
	}
	count(t.Added, "added")
	count(t.Changed, "changed")
	count(t.Removed, "removed")
	if t.Same != nil {
		count(*t.Same, "same")
	}
	count(t.Rounded, "of them rounded")
	return strings.Join(words, ", ")
}

func schemaWords(s engine.SchemaChange) string {
	switch {
	case s.Before == "":
		return fmt.Sprintf("%s: new (%s)", s.What, s.After)
	case s.After == "":
		return fmt.Sprintf("%s: gone (%s)", s.What, s.Before)
	}
	return fmt.Sprintf("%s: %s, was %s", s.What, s.After, s.Before)
}

// showRow shows a row that differs and what it held.
func (d *differences) showRow(r engine.DiffRow) {
	if place := r.Source + "/" + r.Table; place != d.table {
		d.table = place
		d.ui.print("\n%s\n", d.ui.outPaint.bold(clean(r.Source)+"/"+d.ui.name(r.Table)))
	}
	d.ui.print("%s %s\n", d.sign(r.Change), middle(r.Key, 2*cellWidth))
	for _, f := range r.Fields {
		if f.Before != nil {
			d.ui.print("    %s %s: %s\n", d.ui.outPaint.red("-"), d.ui.name(f.Name), cellOf(*f.Before))
		}
		if f.After != nil {
			d.ui.print("    %s %s: %s\n", d.ui.outPaint.green("+"), d.ui.name(f.Name), cellOf(*f.After))
		}
	}
}

// end sums up.
func (d *differences) end(out report.Diff) {
	words := "nothing differs"
	if out.Differs {
		words = fmt.Sprintf("%s differ: %s added, %s changed, %s removed", plural(out.Tables-out.Same-out.Unread, "table", "tables"), number(out.Added), number(out.Changed), number(out.Removed))
		if out.Tables-out.Same-out.Unread == 1 {
			words = strings.Replace(words, "differ:", "differs:", 1)
		}
	}
	if out.More {
		words += "; there are more rows than were listed (--limit 0 lists all)"
	}
	d.ui.note("\n%s -> %s: %s", sideWords(out.A), sideWords(out.B), words)
}

func sideWords(s report.DiffSide) string {
	name := string(s.Backup)
	if s.Live {
		name = engine.Live
	}
	return clean(name) + fromWords(s.From)
}
