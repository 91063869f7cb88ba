package compare

import (
	"context"
	"errors"
	"iter"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// mostRows is how many rows that differ one page shows, mostValue how much of each value.
const (
	mostRows  = 100
	mostValue = 2 << 10
)

// Mount adds the pages.
func Mount(s *site.Site) {
	reading := []access.Scope{access.ScopeRead}
	s.Stream("/backups/{name}/compare", reading, show)
	s.Stream("/backups/{name}/compare/table", reading, showRows)
}

// load finds out what is compared, and whether whoever asks may.
func load(v *site.Visit) (Model, *engine.Look, func(error), error) {
	caller := access.CallerOf(v.Context())
	m := Model{With: v.R.URL.Query().Get("with"), MayLive: caller.May(access.ScopeBackup), MayRestore: caller.May(access.ScopeRestore)}
	name, err := v.Backup()
	if err != nil {
		return m, nil, nil, err
	}
	switch {
	case m.Live():
		err = v.Site.Access.Allow(v.Context(), access.ScopeBackup)
	case m.With != "":
		_, err = holdfast.ParseBackupName(m.With)
	}
	if err != nil {
		return m, nil, nil, err
	}
	l, done, err := v.Core.Look(v.Context(), string(name))
	if err != nil {
		return m, nil, nil, err
	}
	m.Name = l.Name
	access.Note(v.Context(), access.Facts{Backup: string(l.Name), Disclosed: true})
	return m, l, done, nil
}

func page(v *site.Visit) ui.Page { return v.Page("backups", v.L.T("compare.title")) }

// show shows what a backup can be compared with, and what differs once that is chosen.
func show(v *site.Visit) error {
	m, l, done, err := load(v)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	all, _, err := v.Core.Book.Backups(v.Context())
	if err != nil && len(all) == 0 {
		return err
	}
	err = nil // what is known is shown
	for _, b := range all {
		if b.Name != m.Name && b.Error == "" {
			m.Others = append(m.Others, b)
		}
	}
	p := page(v)
	if m.With == "" {
		return v.Grow(View(p, m, templ.NopComponent))
	}
	req := engine.DiffRequest{A: string(m.Name), B: m.With}
	var ended End
	return v.Grow(View(p, m, grown(v, l, req, &ended,
		func(item engine.DiffItem) templ.Component { return Table(p, m, *item.Table) },
		func() templ.Component { return Sum(p, m, ended) },
	)))
}

// showRows shows the rows of a table that differ.
func showRows(v *site.Visit) error {
	m, l, done, err := load(v)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	q := v.R.URL.Query()
	rows := Rows{Model: m, Source: q.Get("source"), Table: q.Get("table")}
	if rows.Source == "" || rows.Table == "" || m.With == "" {
		return &holdfast.Error{Op: "compare", Object: string(m.Name), Err: holdfast.Kindf(holdfast.ErrUsage, "no table is named"), Hint: "choose it from the comparison"}
	}
	source, err := l.Source(rows.Source)
	if err != nil {
		return err
	}
	rows.Kind = source.Kind
	p := page(v)
	req := engine.DiffRequest{
		A: string(m.Name), B: m.With, Sources: []string{rows.Source}, Tables: []string{rows.Table},
		Details: true, Values: true, Limit: mostRows, MaxValue: mostValue,
	}
	var ended End
	return v.Grow(RowsView(p, rows, grown(v, l, req, &ended,
		func(item engine.DiffItem) templ.Component {
			if item.Row == nil {
				return Counts(p, *item.Table)
			}
			return Row(p, rows, *item.Row)
		},
		func() templ.Component { return RowsEnd(p, rows, ended) },
	)))
}

// grown is the part of a page that grows while two states are compared.
func grown(v *site.Visit, l *engine.Look, req engine.DiffRequest, ended *End, show func(engine.DiffItem) templ.Component, end func() templ.Component) templ.Component {
	find := func(ctx context.Context) iter.Seq2[engine.DiffItem, error] {
		return func(yield func(engine.DiffItem, error) bool) {
			if err := compared(ctx, v, l, req, ended, yield); err != nil && !errors.Is(err, errEnough) {
				yield(engine.DiffItem{}, err)
			}
		}
	}
	return site.Each(v, find, show, func(err error) templ.Component {
		if err != nil {
			e := report.NewError("compare", holdfast.ExitCode(err), err)
			ended.Failure = &e
		}
		return end()
	})
}

// errEnough ends a comparison of which nobody wants to hear more.
var errEnough = errors.New("nobody wants more")

// compared compares, and tells what differs as it is found.
func compared(ctx context.Context, v *site.Visit, l *engine.Look, req engine.DiffRequest, ended *End, yield func(engine.DiffItem, error) bool) error {
	other, done, err := v.Core.Against(ctx, l, req)
	if err != nil {
		return err
	}
	ended.Result, err = l.Diff(ctx, other, req, func(item engine.DiffItem) error {
		if !yield(item, nil) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		done(nil)
	} else {
		done(err)
	}
	return err
}
