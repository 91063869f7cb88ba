package schema

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
)

// The values of hidden in table_xinfo.
const (
	hiddenNot     = 0
	hiddenVirtual = 1 // of a virtual table, not shown
	// Others are generated columns, virtual or stored.
)

// complete reads the columns and finds what names a row.
func (t *Table) complete(ctx context.Context, q Querier, binary rowkey.Collation) error {
	var err error
	t.Columns, err = query(ctx, q, `SELECT name, coalesce(type, ''), "notnull", dflt_value, pk > 0, hidden
		FROM pragma_table_xinfo(?, 'main') WHERE hidden <> ? ORDER BY cid`, func(rows *sql.Rows) (Column, error) {
		var c Column
		hidden := hiddenNot
		err := rows.Scan(&c.Name, &c.Type, &c.NotNull, &c.Default, &c.Key, &hidden)
		c.Generated = hidden != hiddenNot
		return c, err
	}, t.Name, hiddenVirtual)
	if err != nil {
		if t.Module == "" {
			return err
		}
		t.Closed = fmt.Sprintf("it is a virtual table of the module %s, which is not here: %v", t.Module, err)
		return nil
	}
	if t.Module != "" {
		t.completeVirtual()
		return nil
	}
	if !t.WithoutRowid {
		t.RowID = t.rowID()
	}
	index, terms, err := t.primary(ctx, q, binary)
	if err != nil {
		return err
	}
	switch {
	case t.WithoutRowid:
		t.Key = terms
		t.Closed = foreign(terms)
	case index == "":
		t.nameByRowID()
	case foreign(terms) != "":
		t.nameByRowID() // the index cannot be read here
	default:
		t.Key, t.keyIndex = terms, index
	}
	if !t.WithoutRowid && t.RowID == "" {
		t.Closed = "its columns take all names of the row id, so its rows cannot be named"
	}
	return nil
}

// completeVirtual is complete for a virtual table.
func (t *Table) completeVirtual() {
	switch {
	case t.Module != fts5:
		t.Closed = fmt.Sprintf("it is a virtual table of the module %s: what it holds lies in tables of its own", t.Module)
	case t.Empty():
		t.Closed = "it is an index for searches that keeps no content"
	default:
		t.RowID = "rowid"
		t.nameByRowID()
	}
}

// The options of full-text tables whose content is nowhere, or in another table.
var (
	contentless     = regexp.MustCompile(`(?i)[,(]\s*content\s*=\s*(''|"")`)
	externalContent = regexp.MustCompile(`(?i)[,(]\s*content\s*=\s*('[^']+'|"[^"]+"|\[[^\]]+\]|[^\s,'")]+)`)
)

// Empty tells a table that keeps nothing: an index of what is not here.
func (t *Table) Empty() bool { return t.Module == fts5 && contentless.MatchString(t.SQL) }

// ContentOf names the table that holds the content of a full-text table; empty if it
// holds its own.
func (t *Table) ContentOf() string {
	if t.Module != fts5 {
		return ""
	}
	m := externalContent.FindStringSubmatch(t.SQL)
	if m == nil {
		return ""
	}
	return strings.Trim(m[1], `'"[]`+"`")
}

// rowID finds a name for the row id that no column takes.
func (t *Table) rowID() string {
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if t.Column(name) == nil {
			return name
		}
	}
	// A column that is the row id itself will do.
	return ""
}

// Column finds a column by its name, whose case does not count.
func (t *Table) Column(name string) *Column {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

// nameByRowID names rows by the row id: by the column that is an alias of it, or by
// itself.
func (t *Table) nameByRowID() {
	for _, c := range t.Columns {
		if c.Key && strings.EqualFold(c.Type, "INTEGER") && t.Module == "" && t.keyColumns() == 1 {
			t.RowID = Quote(c.Name)
			t.Key = []Term{{Expr: t.RowID, Column: c.Name}}
			return
		}
	}
	t.Key = []Term{{Expr: t.RowID}}
}

func (t *Table) keyColumns() int {
	n := 0
	for _, c := range t.Columns {
		if c.Key {
			n++
		}
	}
	return n
}

// primary reads the index of the primary key; none if the key is the row id.
func (t *Table) primary(ctx context.Context, q Querier, binary rowkey.Collation) (index string, terms []Term, err error) {
	names, err := query(ctx, q, `SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'pk'`, func(rows *sql.Rows) (string, error) {
		var name string
		return name, rows.Scan(&name)
	}, t.Name)
	if err != nil || len(names) == 0 {
		return "", nil, err
	}
	terms, err = query(ctx, q, `SELECT name, "desc", coll FROM pragma_index_xinfo(?, 'main') WHERE key AND cid >= 0 ORDER BY seqno`,
		func(rows *sql.Rows) (Term, error) {
			var term Term
			var collation string
			if err := rows.Scan(&term.Column, &term.Desc, &collation); err != nil {
				return term, err
			}
			term.Collation = rowkey.Collation(strings.ToUpper(collation))
			term.Expr = Quote(term.Column) + " COLLATE " + Quote(collation)
			if term.Collation == rowkey.Binary {
				term.Collation = binary
			}
			return term, nil
		}, names[0])
	return names[0], terms, err
}

// foreign says that an order needs a collation that only the application has.
func foreign(terms []Term) string {
	for _, t := range terms {
		switch t.Collation {
		case rowkey.Binary, rowkey.BinaryLE, rowkey.BinaryBE, rowkey.NoCase, rowkey.RTrim, "":
		default:
			return fmt.Sprintf("its key is ordered by the collation %s, which only its application has", t.Collation)
		}
	}
	return ""
}
