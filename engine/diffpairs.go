package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// pairs finds what belongs together in the two states: sources by their names, tables by
// theirs. What only one state has is a pair, too.
func (d *differ) pairs(ctx context.Context) ([]pair, error) {
	names, err := d.sources()
	if err != nil {
		return nil, err
	}
	var all []pair
	for _, name := range names {
		found, err := d.tables(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return d.chosen(all)
}

// sources names the sources that are compared.
func (d *differ) sources() ([]string, error) {
	var names []string
	for _, l := range []*Look{d.a, d.b} {
		for _, s := range l.Sources {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	for _, wanted := range d.req.Sources {
		if !slices.Contains(names, wanted) {
			return nil, &holdfast.Error{Op: "compare", Object: wanted, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such source in %s nor in %s", d.a.Words(), d.b.Words()), Hint: meant(wanted, names)}
		}
	}
	if len(d.req.Sources) > 0 {
		return d.req.Sources, nil
	}
	return names, nil
}

// tables pairs the tables of one source.
func (d *differ) tables(ctx context.Context, source string) ([]pair, error) {
	before, inA, closedA, err := d.a.tablesIn(ctx, source)
	if err != nil {
		return nil, err
	}
	after, inB, closedB, err := d.b.tablesIn(ctx, source)
	if err != nil {
		return nil, err
	}
	if closedA != nil || closedB != nil {
		// A table without a name stands for the whole source.
		return []pair{{source: source, a: closedA, b: closedB, same: closedA != nil && closedB != nil && d.sameBytes(source)}}, nil
	}
	if d.isTree(source) {
		return []pair{d.tree(source, before, after)}, nil
	}
	whole := d.sameBytes(source)
	var found []pair
	add := func(a, b *holdfast.Table) {
		p := pair{source: source, a: a, b: b, same: whole}
		if a != nil && b != nil && !whole {
			p.same = d.sameTable(source, *a, *b)
		}
		p.rows = func(ctx context.Context, visit func(matched) error) error {
			return sideBySide(ctx, d.a.keyed(ctx, inA, source, a, true), d.b.keyed(ctx, inB, source, b, true), byBytes, visit)
		}
		found = append(found, p)
	}
	for i := range before {
		add(&before[i], tableNamed(after, before[i]))
	}
	for i := range after {
		if tableNamed(before, after[i]) == nil {
			add(nil, &after[i])
		}
	}
	slices.SortStableFunc(found, func(x, y pair) int { return strings.Compare(x.table().Name, y.table().Name) })
	return found, nil
}

func tableNamed(tables []holdfast.Table, like holdfast.Table) *holdfast.Table {
	i := slices.IndexFunc(tables, func(t holdfast.Table) bool { return t.Name == like.Name && t.Kind == like.Kind })
	if i < 0 {
		return nil
	}
	return &tables[i]
}

// tablesIn lists the tables of a source. One that cannot be looked into is told by a table
// without a name that is closed; one that is not there has none.
func (l *Look) tablesIn(ctx context.Context, source string) ([]holdfast.Table, holdfast.Inside, *holdfast.Table, error) {
	i := slices.IndexFunc(l.Sources, func(s LookSource) bool { return s.Name == source })
	if i < 0 {
		return nil, nil, nil, nil
	}
	if s := l.Sources[i]; s.Closed != "" {
		return nil, nil, &holdfast.Table{Kind: holdfast.TableKind(s.Kind), Closed: s.Closed}, nil
	}
	in, err := l.Inside(ctx, source)
	if err != nil {
		return nil, nil, nil, err
	}
	tables, err := in.Tables(ctx)
	if err != nil {
		return nil, nil, nil, l.fail(source, err, "")
	}
	return tables, in, nil, nil
}

// chosen keeps the tables that were asked for.
func (d *differ) chosen(all []pair) ([]pair, error) {
	if len(d.req.Tables) == 0 {
		return all, nil
	}
	kept := map[int]bool{}
	var names []string
	for _, p := range all {
		names = append(names, p.table().Name)
	}
	for _, wanted := range d.req.Tables {
		found := false
		for i, p := range all {
			t := p.table()
			if t.Name == wanted || t.Title == wanted || ShortName(t.Name) == wanted {
				kept[i], found = true, true
			}
		}
		if !found {
			return nil, &holdfast.Error{Op: "compare", Object: wanted, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such table or collection in %s nor in %s", d.a.Words(), d.b.Words()), Hint: meant(wanted, names)}
		}
	}
	var chosen []pair
	for i, p := range all {
		if kept[i] {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}
