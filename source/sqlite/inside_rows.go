package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// cuttable is how long bytes may be for their beginning to be read: SQLite reads a value
// whole to cut it. Of longer ones nothing is given but their length.
const cuttable = 64 << 10

// A cursor begins with the order that it is a place in.
const (
	placeNatural = "rows:"
	placeByKey   = "keys:"
)

// selection begins a query: what names the row, then its fields, each followed by its
// whole length if it is cut after limit bytes.
func selection(t *schema.Table, columns []schema.Column, limit int) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for _, term := range t.ByKey().Terms {
		b.WriteString(bare(term) + ", ")
	}
	if t.RowID != "" {
		b.WriteString(t.RowID)
	} else {
		b.WriteString("NULL")
	}
	for _, c := range columns {
		name := schema.Quote(c.Name)
		if !cutsInSQL(t, limit) {
			// The sign keeps the driver from making times of texts by the declared type.
			b.WriteString(", +" + name)
			continue
		}
		fmt.Fprintf(&b, `, CASE WHEN typeof(%[1]s) NOT IN ('text', 'blob') OR octet_length(%[1]s) <= %[2]d THEN %[1]s
			WHEN typeof(%[1]s) = 'blob' AND octet_length(%[1]s) > %[3]d THEN x'' ELSE substr(%[1]s, 1, %[2]d) END,
			CASE WHEN typeof(%[1]s) IN ('text', 'blob') AND octet_length(%[1]s) > %[2]d THEN octet_length(%[1]s) ELSE 0 END`, name, limit, cuttable)
	}
	return b.String()
}

// cutsInSQL tells whether SQLite cuts the values after limit bytes. It counts the bytes
// that it stores, which in a database of UTF-16 are others than those of a Go string.
func cutsInSQL(t *schema.Table, limit int) bool { return limit > 0 && !t.Wide }

// bare is a term as a value.
func bare(t schema.Term) string {
	if t.Column == "" {
		return t.Expr
	}
	return "+" + schema.Quote(t.Column)
}

// A picker makes rows of what a selection gives.
type picker struct {
	table   *schema.Table
	columns []schema.Column
	limit   int
	byKey   bool

	key    []any // the terms of the order by key
	rowID  any
	values []any
	whole  []int64
	into   []any
}

func newPicker(t *schema.Table, columns []schema.Column, limit int, byKey bool) *picker {
	p := &picker{table: t, columns: columns, limit: limit, byKey: byKey}
	p.key = make([]any, len(t.ByKey().Terms))
	p.values, p.whole = make([]any, len(columns)), make([]int64, len(columns))
	for i := range p.key {
		p.into = append(p.into, &p.key[i])
	}
	p.into = append(p.into, &p.rowID)
	for i := range columns {
		p.into = append(p.into, &p.values[i])
		if cutsInSQL(t, limit) {
			p.into = append(p.into, &p.whole[i])
		}
	}
	return p
}

// scan takes the present row.
func (p *picker) scan(rows *sql.Rows) error { return rows.Scan(p.into...) }

// name gives the key of the row that was scanned.
func (p *picker) name() rowkey.Key {
	k := rowkey.Key{Values: p.key[:len(p.table.Key)]}
	if p.table.RowID == "" || p.table.Key[0].Column == "" {
		return k
	}
	for _, v := range k.Values {
		if id, ok := p.rowID.(int64); v == nil && ok {
			k.Rowid = &id
		}
	}
	return k
}

// row makes a row of what was scanned.
func (p *picker) row() holdfast.Row {
	k := p.name()
	r := holdfast.Row{Key: k.Text(), Fields: make([]holdfast.Field, len(p.columns))}
	if p.byKey {
		var sort []byte
		for i, term := range p.table.Key {
			sort = rowkey.AppendSort(sort, k.Values[i], term.Collation, term.Desc)
		}
		if k.Rowid != nil {
			sort = rowkey.AppendSort(sort, *k.Rowid, "", false)
		}
		r.Sort = string(sort)
		r.Cursor = placeByKey + rowkey.Key{Values: p.key}.Text()
	} else {
		natural := []any{p.rowID}
		if p.table.WithoutRowid {
			natural = p.key
		}
		r.Cursor = placeNatural + rowkey.Key{Values: natural}.Text()
	}
	for i, c := range p.columns {
		value, length := cut(p.values[i], p.limit)
		r.Fields[i] = holdfast.Field{Name: c.Name, Value: value, Length: max(length, p.whole[i])}
	}
	return r
}

// cut shortens a text or bytes to so many bytes, a text at the end of a letter, and
// tells how long it was.
func cut(v any, limit int) (any, int64) {
	if limit <= 0 {
		return v, 0
	}
	switch v := v.(type) {
	case string:
		if whole := len(v); whole > limit {
			for limit > 0 && !utf8.RuneStart(v[limit]) {
				limit--
			}
			return v[:limit], int64(whole)
		}
	case []byte:
		if len(v) > limit {
			return v[:limit], int64(len(v))
		}
	}
	return v, 0
}

// Rows streams the rows of a table, in the order in which they lie or by key.
func (in *inside) Rows(ctx context.Context, table string, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		t, err := in.table(ctx, table)
		if err != nil {
			yield(holdfast.Row{}, err)
			return
		}
		ranges, err := in.ranges(t, o)
		if err != nil {
			yield(holdfast.Row{}, err)
			return
		}
		p := newPicker(t, t.Columns, o.MaxValue, o.ByKey)
		begin := selection(t, t.Columns, o.MaxValue)
		for _, r := range ranges {
			more := true
			err := each(ctx, in.db, begin+r.SQL, r.Args, func(rows *sql.Rows) (bool, error) {
				if err := p.scan(rows); err != nil {
					return false, err
				}
				more = yield(p.row(), nil)
				return more, nil
			})
			if err != nil && more {
				yield(holdfast.Row{}, in.failed(ctx, "read table", t.Name, err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// ranges gives what follows the cursor of a listing.
func (in *inside) ranges(t *schema.Table, o holdfast.RowsOptions) ([]schema.Range, error) {
	order, mark := t.Natural(), placeNatural
	if o.ByKey {
		order, mark = t.ByKey(), placeByKey
	}
	if o.After == "" {
		return order.All(), nil
	}
	text, ok := strings.CutPrefix(o.After, mark)
	after, err := rowkey.Parse(text)
	if !ok || err != nil || len(after.Values) != len(order.Terms) {
		return nil, &holdfast.Error{
			Op: "read table", Object: t.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "%.80q is no place in this listing", o.After),
			Hint: "begin the listing again",
		}
	}
	return order.After(after.Values), nil
}

// each runs a query and calls f for every row until it wants no more.
func each(ctx context.Context, q schema.Querier, query string, args []any, f func(*sql.Rows) (bool, error)) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if more, err := f(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// Row gives one row whole.
func (in *inside) Row(ctx context.Context, table, key string) (holdfast.Row, error) {
	t, err := in.table(ctx, table)
	if err != nil {
		return holdfast.Row{}, err
	}
	k, err := keyOf(t, key)
	if err != nil {
		return holdfast.Row{}, err
	}
	p, found := newPicker(t, t.Columns, 0, true), false
	condition, args := t.Where(k)
	err = each(ctx, in.db, selection(t, t.Columns, 0)+condition, args, func(rows *sql.Rows) (bool, error) {
		found = true
		return false, p.scan(rows)
	})
	if err != nil {
		return holdfast.Row{}, in.failed(ctx, "read row "+key+" of table", t.Name, err)
	}
	if !found {
		return holdfast.Row{}, noRow(t.Name, key)
	}
	return p.row(), nil
}

// keyOf reads a key of a table.
func keyOf(t *schema.Table, text string) (rowkey.Key, error) {
	k, err := rowkey.Parse(text)
	if err == nil && len(k.Values) != len(t.Key) {
		err = fmt.Errorf("its key has %d columns, and %.80s gives %d", len(t.Key), text, len(k.Values))
	}
	if err != nil {
		return k, &holdfast.Error{
			Op: "read row of table", Object: t.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "%v", err),
			Hint: "give the key as a listing shows it",
		}
	}
	return k, nil
}

func noRow(table, key string) error {
	return &holdfast.Error{
		Op: "read row " + key + " of table", Object: table,
		Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such row"),
	}
}
