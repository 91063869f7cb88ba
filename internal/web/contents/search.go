package contents

import (
	"context"
	"iter"
	"strings"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// mostHits is how many rows a search shows, mostQuery how long its text may be.
const (
	mostHits  = 100
	mostQuery = 1000
)

// A Search is the page of a search.
type Search struct {
	Place
	Text, Source, Table string
	// Trees are the sources of files, of which single ones are not restored by themselves.
	Trees map[string]bool
}

// An End is how a search ended.
type End struct {
	Hits int
	// More tells that there are more than are shown.
	More    bool
	Failure *report.Error
	// Skipped is what was not searched.
	Skipped []holdfast.Problem
}

// search shows the rows that have a text, as they are found.
func search(v *site.Visit) error {
	return looking(v, func(l *engine.Look) error {
		q := v.R.URL.Query()
		m := Search{Place: place(v, l), Text: strings.TrimSpace(clipped(q.Get("q"), mostQuery)), Source: q.Get("source"), Table: q.Get("table"), Trees: map[string]bool{}}
		for _, s := range l.Sources {
			m.Trees[s.Name] = s.Kind == holdfast.KindFiles
		}
		req := engine.SearchRequest{Text: m.Text, Source: m.Source, Limit: mostHits + 1}
		if m.Table != "" {
			t, _, err := l.Table(v.Context(), m.Source, m.Table)
			if err != nil {
				return err
			}
			m.Table = t.Name
			req.Tables = []string{t.Name}
		} else if m.Source != "" {
			if _, err := l.Source(m.Source); err != nil {
				return err
			}
		}
		p := page(v)
		if m.Text == "" {
			return v.Grow(SearchView(p, m, templ.NopComponent))
		}
		return v.Grow(SearchView(p, m, results(v, p, m, l, req)))
	})
}

// results is the part of the page that grows.
func results(v *site.Visit, p ui.Page, m Search, l *engine.Look, req engine.SearchRequest) templ.Component {
	var sum End
	req.Skipped = func(p holdfast.Problem) { sum.Skipped = append(sum.Skipped, p) }
	find := func(ctx context.Context) iter.Seq2[engine.SourceHit, error] {
		return func(yield func(engine.SourceHit, error) bool) {
			for hit, err := range l.Search(ctx, req) {
				if err == nil && sum.Hits == mostHits {
					sum.More = true
					return
				}
				sum.Hits++
				if !yield(hit, err) {
					return
				}
			}
		}
	}
	return site.Each(v, find,
		func(hit engine.SourceHit) templ.Component { return Hit(p, m, hit) },
		func(err error) templ.Component {
			if err != nil {
				e := report.NewError("search", holdfast.ExitCode(err), err)
				sum.Failure = &e
			}
			return SearchEnd(p, m, sum)
		})
}
