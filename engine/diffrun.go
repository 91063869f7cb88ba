package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// Diff is [Engine.Diff] of what is open already; the names in the request are not looked
// at.
func (l *Look) Diff(ctx context.Context, b *Look, req DiffRequest, emit func(DiffItem) error) (*DiffResult, error) {
	d := &differ{a: l, b: b, req: req, emit: emit, result: &DiffResult{A: l.side(), B: b.side()}}
	d.result.Problems = slices.Concat(l.Problems, b.Problems)
	if err := d.run(ctx); err != nil {
		return nil, err
	}
	return d.result, nil
}

func (l *Look) side() DiffSide { return DiffSide{Name: l.Name, At: l.At, From: l.From} }

// A differ is one comparison at work.
type differ struct {
	a, b   *Look
	req    DiffRequest
	emit   func(DiffItem) error
	result *DiffResult
	kept   int64 // about how much memory the rows take that wait to be told
}

// A pair is one table in the two states; nil where there is none.
type pair struct {
	source string
	a, b   *holdfast.Table
	// same tells that the stored bytes are, so that nothing has to be read.
	same bool
	rows rowsOfPair
}

// rowsOfPair walks over the rows of a pair in the order of their keys, those of both
// states side by side.
type rowsOfPair func(ctx context.Context, visit func(matched) error) error

func (d *differ) run(ctx context.Context) error {
	pairs, err := d.pairs(ctx)
	if err != nil {
		return err
	}
	var differing []*waiting
	for _, p := range pairs {
		w := &waiting{pair: p, whole: d.req.Details}
		t, err := d.count(ctx, p, w)
		if err != nil {
			return err
		}
		d.result.add(t)
		if t.Added+t.Changed+t.Removed > 0 {
			differing = append(differing, w)
		}
		if err := d.emit(DiffItem{Table: &t}); err != nil {
			return err
		}
	}
	if !d.req.Details {
		return nil
	}
	for _, w := range differing {
		if err := d.tell(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// add sums up one table.
func (r *DiffResult) add(t DiffTable) {
	r.Tables++
	switch t.Change {
	case ChangeSame:
		r.Same++
	case ChangeUnknown:
		r.Unread++
	}
	r.Added += t.Added
	r.Changed += t.Changed
	r.Removed += t.Removed
	r.Rounded += t.Rounded
}

// table names what a pair is.
func (p pair) table() holdfast.Table {
	if p.b != nil {
		return *p.b
	}
	return *p.a
}

// count finds out what became of a table.
func (d *differ) count(ctx context.Context, p pair, w *waiting) (DiffTable, error) {
	named := p.table()
	t := DiffTable{Source: p.source, Table: named.Name, Title: named.Title, Kind: named.Kind, Change: ChangeSame}
	closed := ""
	if p.a != nil {
		t.Before, closed = p.a.Rows, p.a.Closed
	}
	if p.b != nil {
		t.After, closed = p.b.Rows, cmp.Or(closed, p.b.Closed)
	}
	switch {
	case p.a == nil:
		t.Change = ChangeAdded
	case p.b == nil:
		t.Change = ChangeRemoved
	case p.same:
		t.Same = cmp.Or(p.b.Rows, p.a.Rows)
		return t, nil
	default:
		t.Schema = schemaChanges(*p.a, *p.b)
		if p.a.Order != p.b.Order {
			closed = cmp.Or(closed, "its rows are named by another key now, so that no two of them belong together")
		}
	}
	if closed != "" {
		t.Unread = closed
		if t.Change == ChangeSame {
			t.Change = ChangeUnknown
		}
		return t, nil
	}
	if done := t.oneSided(); done {
		w.whole = false // nobody has walked over them yet
		return t, nil
	}
	var same, seen int64
	err := p.rows(ctx, func(m matched) error {
		equal, rounded := p.equal(m)
		switch change := m.change(); {
		case equal:
			same++
			if rounded {
				t.Rounded++
			}
		case change == ChangeAdded:
			t.Added++
		case change == ChangeRemoved:
			t.Removed++
		default:
			t.Changed++
		}
		if !equal {
			d.keep(w, m)
		}
		if seen++; d.req.Progress != nil && seen%progressRows == 0 {
			d.req.Progress(p.source, named.Name, seen)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	t.counted(same)
	return t, nil
}

// progressRows is after how many rows progress is told.
const progressRows = 1000

// oneSided takes the number of rows of a table that only one state has from what is
// known, if it is.
func (t *DiffTable) oneSided() bool {
	switch {
	case t.Change == ChangeAdded && t.After != nil:
		t.Added = *t.After
	case t.Change == ChangeRemoved && t.Before != nil:
		t.Removed = *t.Before
	default:
		return false
	}
	return true
}

// counted takes in that all rows were looked at.
func (t *DiffTable) counted(same int64) {
	if t.Change == ChangeSame || t.Change == ChangeRemoved {
		t.Before = new(t.Removed + t.Changed + same)
	}
	if t.Change == ChangeSame || t.Change == ChangeAdded {
		t.After = new(t.Added + t.Changed + same)
	}
	if t.Change != ChangeSame {
		return
	}
	t.Same = &same
	if t.Added+t.Changed+t.Removed > 0 || len(t.Schema) > 0 {
		t.Change = ChangeChanged
	}
}

// schemaChanges tells how the shapes of two tables differ, and the metadata of collections.
func schemaChanges(a, b holdfast.Table) []SchemaChange {
	var changes []SchemaChange
	tell := func(what, before, after string) {
		if before != after {
			changes = append(changes, SchemaChange{what, before, after})
		}
	}
	columns := func(t holdfast.Table) map[string]string {
		m := map[string]string{}
		for _, c := range t.Columns {
			m[c.Name] = columnWords(c)
		}
		return m
	}
	before, after := columns(a), columns(b)
	for _, c := range a.Columns {
		tell("column "+c.Name, before[c.Name], after[c.Name])
	}
	for _, c := range b.Columns {
		if _, had := before[c.Name]; !had {
			tell("column "+c.Name, "", after[c.Name])
		}
	}
	tell("dimension", dimensionWords(a), dimensionWords(b))
	tell("space", a.Space, b.Space)
	return append(changes, metadataChanges(a.Metadata, b.Metadata)...)
}

// metadataChanges tells how the metadata of two collections differ, each value as JSON, in
// which 2 and 2.0 differ.
func metadataChanges(a, b holdfast.Values) []SchemaChange {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	var changes []SchemaChange
	for _, key := range slices.Compact(keys) {
		before, had := a[key]
		after, has := b[key]
		if same, _ := sameValue(before, after); !same || had != has {
			changes = append(changes, SchemaChange{"metadata " + key, valueWords(before, had), valueWords(after, has)})
		}
	}
	return changes
}

// mostWords bounds, in bytes, a value that is told in a line.
const mostWords = 200

// valueWords are a value as JSON; nothing where there is none.
func valueWords(v any, there bool) string {
	if !there {
		return ""
	}
	const begin, end = `{"":`, `}`
	text, err := holdfast.Values{"": v}.MarshalJSON()
	if err != nil {
		return fmt.Sprint(v)
	}
	words := string(text[len(begin) : len(text)-len(end)])
	if len(words) > mostWords {
		return wholeRunes(words, mostWords) + "…"
	}
	return words
}
