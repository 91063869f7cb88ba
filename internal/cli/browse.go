package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type browseCmd struct {
	Name    string `arg:"" help:"Name of the backup, or latest."`
	Place   string `arg:"" optional:"" name:"source[/table]" help:"A source, or a table or collection of it; none lists all."`
	Key     string `value:"KEY" help:"Show this one row, whole."`
	Limit   int    `value:"N" default:"20" help:"Show at most so many rows."`
	After   string `value:"CURSOR" help:"Go on where the page before ended."`
	Vectors bool   `help:"Show the numbers of embeddings."`
	replicaFlags
}

func (browseCmd) about() about {
	return about{
		text: `Shows what is in a backup without restoring it, from wherever it lies: nothing is
read but what is shown. A table is named by its source and its name; of a
collection the name will do without tenant and database. Numbers of rows are those that were
counted when the backup was made.`,
		examples: []example{
			{"holdfast browse latest", "the sources with their tables and collections"},
			{"holdfast browse latest chromadb/notes", "the first records of a collection"},
			{"holdfast browse monday bot/users --key 42", "one row whole, and how to bring it back"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run looks into a backup.
func (c *browseCmd) Run(ctx context.Context, a *app) error {
	source, table, _ := strings.Cut(c.Place, "/")
	switch {
	case c.Limit < 1:
		return usagef("give a number from 1 on", "--limit %d shows nothing", c.Limit)
	case table == "" && (c.Key != "" || c.After != ""):
		return usagef("name it: `holdfast browse "+clean(c.Name)+" SOURCE/TABLE`", "--key and --after go with a table")
	case c.Key != "" && c.After != "":
		return usagef("leave one of them out", "--key and --after exclude each other")
	}
	return c.within(ctx, a, c.Name, func(l *engine.Look) error {
		switch {
		case table == "":
			return c.contents(ctx, a, l, source)
		case c.Key != "":
			return c.row(ctx, a, l, source, table)
		}
		return c.rows(ctx, a, l, source, table)
	})
}

// within opens a backup, tells which copy it is, and closes it.
func (f replicaFlags) within(ctx context.Context, a *app, name string, look func(*engine.Look) error) error {
	if err := f.use(a); err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) (err error) {
		l, err := e.Look(ctx, name)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		if l.From != "" {
			a.ui.note("note: taking %s from the replica %s", clean(string(l.Name)), clean(l.From))
		}
		return look(l)
	})
}

// contents lists sources and tables.
func (c *browseCmd) contents(ctx context.Context, a *app, l *engine.Look, source string) error {
	out, err := report.NewContents(ctx, l, source)
	if err != nil {
		return err
	}
	a.ui.tell(out, func() {
		u := a.ui
		u.print("%s  %s\n", u.outPaint.bold(clean(string(out.Backup))), moment(out.CreatedAt.Time))
		for _, s := range out.Sources {
			u.print("\n%s (%s)\n", u.outPaint.bold(clean(s.Name)), place(holdfast.SourceMetadata{Kind: s.Kind, Path: s.Path}))
			switch {
			case s.Closed != "":
				u.print("  %s\n", clean(s.Closed))
			case len(s.Tables) == 0:
				u.print("  nothing is in it\n")
			default:
				u.print("%s", indented(u.tables(s.Tables).render(u.outPaint)))
			}
		}
	})
	return nil
}

// tables lays out tables or collections.
func (u *ui) tables(tables []holdfast.Table) *table {
	if tables[0].Kind == holdfast.KindCollection {
		t := &table{head: []string{"COLLECTION", "RECORDS", "DIMENSION", "SPACE", "NOTE"}, right: map[int]bool{1: true, 2: true}}
		for _, one := range tables {
			dimension := ""
			if one.Dimension > 0 {
				dimension = strconv.Itoa(one.Dimension)
			}
			t.add(u.name(shortName(one, tables)), rowsWord(one), dimension, one.Space, one.Closed)
		}
		return t
	}
	head, right := []string{"TABLE", "ROWS", "COLUMNS"}, map[int]bool{1: true}
	if tables[0].Kind == holdfast.KindTree {
		head = []string{"TREE", "ENTRIES", "FIELDS"}
	}
	t := &table{head: head, right: right}
	for _, one := range tables {
		words := make([]string, len(one.Columns))
		for i, col := range one.Columns {
			words[i] = col.Name
		}
		about := strings.Join(words, ", ")
		if one.Closed != "" {
			about = one.Closed
		}
		t.add(u.name(one.Name), rowsWord(one), cut(about, maxAbout))
	}
	return t
}

// maxAbout is how wide the list of a table's columns may be.
const maxAbout = 72

// shortName is the title of a collection where no other has it, and its name elsewhere.
func shortName(t holdfast.Table, all []holdfast.Table) string {
	if t.Title == "" {
		return t.Name
	}
	for _, other := range all {
		if other.Title == t.Title && other.Name != t.Name {
			return t.Name
		}
	}
	return t.Title
}

// rowsWord is the number of rows, or "?" if it was not counted.
func rowsWord(t holdfast.Table) string {
	if t.Rows == nil {
		return "?"
	}
	return number(*t.Rows)
}

// rows shows a page.
func (c *browseCmd) rows(ctx context.Context, a *app, l *engine.Look, source, name string) error {
	longest := 0
	if !a.JSON {
		longest = 8 * cellWidth // in bytes, of which a character has four at most
	}
	page, err := l.Page(ctx, engine.PageRequest{Source: source, Table: name, After: c.After, Limit: c.Limit, Vectors: c.Vectors, MaxValue: longest})
	if err != nil {
		return err
	}
	a.ui.tell(report.NewRows(l, source, page), func() { c.printRows(a.ui, l, source, page) })
	return nil
}

func (c *browseCmd) printRows(u *ui, l *engine.Look, source string, page *engine.Page) {
	if len(page.Rows) == 0 {
		u.print("no rows in %s/%s\n", clean(source), u.name(page.Table.Name))
		return
	}
	t, left := grid(page.Rows)
	u.print("%s", t.render(u.outPaint))
	if len(left) > 0 {
		u.note("note: not shown: %s; --key KEY shows a row whole", clean(strings.Join(left, ", ")))
	}
	if page.Next != "" {
		of := ""
		if page.Table.Rows != nil {
			of = " of " + number(*page.Table.Rows)
		}
		u.note("%s%s; go on with: holdfast browse %s %s --after %s", plural(len(page.Rows), "row", "rows"), of,
			report.Quoted(string(l.Name)), report.Quoted(source+"/"+page.Table.Name), report.Quoted(page.Next))
	}
}

// row shows one row whole.
func (c *browseCmd) row(ctx context.Context, a *app, l *engine.Look, source, name string) error {
	t, row, err := l.Row(ctx, source, name, c.Key)
	if err != nil {
		return err
	}
	if !c.Vectors {
		for i, f := range row.Fields {
			if v, ok := f.Value.([]float32); ok {
				row.Fields[i].Value, row.Fields[i].Length = nil, int64(len(v))
			}
		}
	}
	out := report.NewOneRow(l, source, t, row)
	a.ui.tell(out, func() {
		u := a.ui
		u.print("%s\n", u.outPaint.bold(fmt.Sprintf("%s/%s %s", clean(source), u.name(t.Name), u.name(row.Key))))
		for _, f := range row.Fields {
			u.print("%s", wholeField(u.outPaint, f))
		}
		u.note("bring it back with: %s", clean(out.Restore))
	})
	return nil
}
