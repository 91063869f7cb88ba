package schema

import (
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
)

// An Order is one in which the rows of a table can be read without sorting them.
type Order struct {
	Terms []Term
	from  string
	// strict tells that no term is ever NULL.
	strict bool
}

// Natural is the order in which the rows lie.
func (t *Table) Natural() Order {
	if t.WithoutRowid {
		return Order{Terms: t.Key, from: Quote(t.Name), strict: true}
	}
	return Order{Terms: []Term{{Expr: t.RowID}}, from: Quote(t.Name)}
}

// ByKey is the order of what names the rows. Where a key may be NULL, any number of rows
// may share it: the row id tells them apart.
func (t *Table) ByKey() Order {
	if t.keyIndex == "" {
		return Order{Terms: t.Key, from: Quote(t.Name), strict: true}
	}
	return Order{
		Terms: append(t.Key[:len(t.Key):len(t.Key)], Term{Expr: t.RowID}),
		from:  Quote(t.Name) + " INDEXED BY " + Quote(t.keyIndex),
	}
}

// String tells the order from others.
func (o Order) String() string {
	var b strings.Builder
	for _, t := range o.Terms {
		fmt.Fprintf(&b, "%q %s %t\n", strings.ToLower(t.Column), t.Collation, t.Desc)
	}
	return b.String()
}

// A Range is a part of an order: SQL that follows the columns of a SELECT, and its
// parameters.
type Range struct {
	SQL  string
	Args []any
}

// All is the whole order.
func (o Order) All() []Range { return []Range{{SQL: o.tail("")}} }

// Those is All without the rows of which a condition is not true.
func (o Order) Those(condition string) string { return o.tail(" WHERE " + condition) }

// After are the ranges that follow a row, one after the other; after are the values of
// the terms in it. NULL, which no comparison is true of, is before everything.
func (o Order) After(after []any) []Range {
	var ranges []Range
	add := func(condition string, args []any) {
		ranges = append(ranges, Range{SQL: o.tail(" WHERE " + condition), Args: args})
	}
	for i := len(o.Terms) - 1; i >= 0; i-- {
		var same strings.Builder
		for _, t := range o.Terms[:i] {
			fmt.Fprintf(&same, "%s IS ? AND ", t.Expr)
		}
		prefix, equal, t := same.String(), after[:i:i], o.Terms[i]
		switch {
		case t.Desc && after[i] != nil:
			add(prefix+t.Expr+" < ?", append(equal, after[i]))
			if !o.strict {
				add(prefix+t.Expr+" IS NULL", equal)
			}
		case t.Desc: // nothing follows NULL
		case after[i] == nil:
			add(prefix+t.Expr+" IS NOT NULL", equal)
		default:
			add(prefix+t.Expr+" > ?", append(equal, after[i]))
		}
	}
	return ranges
}

// tail is what follows the columns.
func (o Order) tail(where string) string {
	terms := make([]string, len(o.Terms))
	for i, t := range o.Terms {
		terms[i] = t.Expr
		if t.Desc {
			terms[i] += " DESC"
		}
	}
	return " FROM main." + o.from + where + " ORDER BY " + strings.Join(terms, ", ")
}

// Where is the condition that finds a row by its key.
func (t *Table) Where(k rowkey.Key) (sql string, args []any) {
	conditions := make([]string, 0, len(t.Key)+1)
	for i, term := range t.Key {
		conditions = append(conditions, term.Expr+" IS ?")
		args = append(args, k.Values[i])
	}
	if k.Rowid != nil && t.RowID != "" {
		conditions, args = append(conditions, t.RowID+" IS ?"), append(args, *k.Rowid)
	}
	return " FROM main." + Quote(t.Name) + " WHERE " + strings.Join(conditions, " AND "), args
}

// Count is the query that counts the rows. It reads the rows themselves and no index,
// which may be ordered in a way that only the application knows.
func (t *Table) Count() string {
	query := "SELECT count(*) FROM main." + Quote(t.Name)
	if t.Module == "" && !t.WithoutRowid {
		query += " NOT INDEXED"
	}
	return query
}
