package contents

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// mostTables is how many tables of a source one page shows, mostRows how many rows.
const (
	mostTables = 100
	mostRows   = 50
)

// Mount adds the pages.
func Mount(s *site.Site) {
	reading := []access.Scope{access.ScopeRead}
	s.Get("/backups/{name}/contents", reading, showTables)
	s.Get("/backups/{name}/contents/{source}/rows", reading, showRows)
	s.Get("/backups/{name}/contents/{source}/row", reading, showRow)
	s.Get("/backups/{name}/contents/{source}/value", reading, sendValue)
	s.Stream("/backups/{name}/search", reading, search)
}

// place is what stands above the pages of a backup that is looked into.
func place(v *site.Visit, l *engine.Look) Place {
	return Place{Name: l.Name, From: l.From, MayRestore: access.CallerOf(v.Context()).May(access.ScopeRestore)}
}

// looking opens the backup of a visit and lets fn look into it.
func looking(v *site.Visit, fn func(*engine.Look) error) error {
	name, err := v.Backup()
	if err != nil {
		return err
	}
	return v.Core.Looking(v.Context(), string(name), fn)
}

// told makes of a failure what a page shows; nil if the page is no page without it.
func told(v *site.Visit, op string, err error) (*report.Error, int) {
	if errors.Is(err, holdfast.ErrNotFound) || errors.Is(err, holdfast.ErrUsage) || v.Context().Err() != nil {
		return nil, 0
	}
	e := report.NewError(op, holdfast.ExitCode(err), err)
	return &e, api.ProblemOf(v.Context(), err).Status
}

func page(v *site.Visit) ui.Page { return v.Page("backups", v.L.T("contents.title")) }

// showTables shows the sources of a backup with their tables.
func showTables(v *site.Visit) error {
	err := looking(v, func(l *engine.Look) error {
		q := v.R.URL.Query()
		m := Model{Place: place(v, l)}
		only := q.Get("source")
		if only != "" {
			if _, err := l.Source(only); err != nil {
				return err
			}
		}
		from, err := strconv.Atoi(cmp.Or(q.Get("from"), "0"))
		if err != nil || from < 0 || only == "" {
			from = 0
		}
		for _, s := range l.Sources {
			if only == "" || s.Name == only {
				m.Sources = append(m.Sources, tablesOf(v.Context(), l, s, from))
			}
		}
		return v.Render(http.StatusOK, View(page(v), m))
	})
	return inPlace(v, err, func(e *report.Error) ui.Page { return page(v) })
}

// inPlace shows why a backup cannot be looked into, with the way back to it.
func inPlace(v *site.Visit, err error, frame func(*report.Error) ui.Page) error {
	if err == nil {
		return nil
	}
	failure, status := told(v, "look into", err)
	if failure == nil {
		return err
	}
	name, _ := v.Backup() // it was parsed before
	return v.Render(status, View(frame(failure), Model{Place: Place{Name: name}, Failure: failure}))
}

// tablesOf lists some tables of a source, or why it cannot be looked into: another one may
// be sound.
func tablesOf(ctx context.Context, l *engine.Look, s engine.LookSource, from int) Source {
	out := Source{SourceContents: report.SourceContents{Name: s.Name, Kind: s.Kind, Path: s.Path, Closed: s.Closed}, From: from}
	if s.Closed != "" {
		return out
	}
	all, err := report.NewContents(ctx, l, s.Name)
	if err != nil {
		e := report.NewError("look into", holdfast.ExitCode(err), err)
		out.Failure = &e
		return out
	}
	out.Tables = all.Sources[0].Tables
	out.Total = len(out.Tables)
	out.From = min(from, out.Total)
	out.Tables = out.Tables[out.From:min(out.Total, out.From+mostTables)]
	return out
}

// showRows shows some rows of a table.
func showRows(v *site.Visit) error {
	return looking(v, func(l *engine.Look) error {
		q := v.R.URL.Query()
		m := Rows{Place: place(v, l), Source: v.R.PathValue("source"), After: q.Get("after")}
		table, _, err := l.Table(v.Context(), m.Source, q.Get("table"))
		if err != nil {
			return err
		}
		m.Table = table
		status := http.StatusOK
		if table.Closed == "" {
			got, err := l.Page(v.Context(), engine.PageRequest{Source: m.Source, Table: table.Name, After: m.After, Limit: mostRows, MaxValue: mostInList})
			if err != nil {
				if m.Failure, status = told(v, "list rows", err); m.Failure == nil {
					return err
				}
			} else {
				m.Rows, m.Next = got.Rows, got.Next
			}
		}
		return v.Render(status, RowsView(page(v), m))
	})
}

// rowOf finds the row that a visit names.
func rowOf(v *site.Visit, l *engine.Look) (Row, error) {
	q := v.R.URL.Query()
	m := Row{Place: place(v, l), Source: v.R.PathValue("source")}
	var err error
	m.Table, m.Row, err = l.Row(v.Context(), m.Source, q.Get("table"), q.Get("key"))
	return m, err
}

// showRow shows one row whole.
func showRow(v *site.Visit) error {
	return looking(v, func(l *engine.Look) error {
		m, err := rowOf(v, l)
		if err != nil {
			return err
		}
		return v.Render(http.StatusOK, RowView(page(v), m))
	})
}

// sendValue gives one value whole, to keep: what users wrote is never a page of this site.
func sendValue(v *site.Visit) error {
	return looking(v, func(l *engine.Look) error {
		m, err := rowOf(v, l)
		if err != nil {
			return err
		}
		name := v.R.URL.Query().Get("field")
		at := slices.IndexFunc(m.Row.Fields, func(f holdfast.Field) bool { return f.Name == name })
		if at < 0 {
			return &holdfast.Error{Op: "look into", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "the row has no such field")}
		}
		if m.Row.Fields[at].Length > 0 { // the beginning of a file is not to be taken for the file
			return &holdfast.Error{
				Op: "look into", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "only its beginning is at hand"),
				Hint: "the page of the row names the command that gives all of it",
			}
		}
		kind, body := whole(m.Row.Fields[at].Value)
		h := v.W.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name, kind)}))
		h.Set("Cache-Control", "no-store")
		v.W.WriteHeader(http.StatusOK)
		_, _ = v.W.Write(body) // whoever does not read it is gone
		return nil
	})
}
