package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type searchInput struct {
	Named
	Text   string   `query:"text" required:"true" minLength:"1" maxLength:"1000" doc:"The text that a row must have, whatever its case."`
	Source string   `query:"source" maxLength:"180" doc:"Only this source."`
	Tables []string `query:"table,explode" maxItems:"100" doc:"Only this table or collection; may be repeated."`
	Limit  int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many rows."`
}

func (s *server) addSearch() {
	const path = "/backups/{name}/search"
	add(s, route{
		id: "searchBackup", method: http.MethodGet, path: path, tag: "inside", summary: "Find a text in a backup",
		description: "Streams the rows that have the text as they are found, one object of the type hit a line; the last line is of the type search and sums up. " +
			"With Accept: text/event-stream the same comes as server-sent events. The search ends when the client hangs up.",
		scopes: reading, status: http.StatusOK, errors: []int{http.StatusNotFound}, produces: scanTypes,
	}, s.search)
	s.describeScan(path, schemaOf[report.Hit](s), schemaOf[report.Found](s))
}

func (s *server) search(ctx context.Context, in *searchInput) (*streamOutput, error) {
	name, err := in.parsed()
	if err != nil {
		return nil, err
	}
	leave, err := s.room()
	if err != nil {
		return nil, err
	}
	l, done, err := s.core().Look(ctx, name)
	if err != nil {
		leave()
		return nil, err
	}
	access.Note(ctx, access.Facts{Backup: string(l.Name), Disclosed: true})
	return s.stream(scan{
		done: func(err error) { done(err); leave() },
		run: func(ctx context.Context, tell func(string, any) error, walk func(string, string, int64)) error {
			out := report.Found{Type: "search", Backup: l.Name, Text: in.Text}
			for hit, err := range l.Search(ctx, engine.SearchRequest{
				Text: in.Text, Source: in.Source, Tables: in.Tables, Limit: in.Limit + 1,
				Progress: func(source, table string, done, _ int64) { walk(source, table, done) },
				Skipped:  func(p holdfast.Problem) { out.Problems = append(out.Problems, p) },
			}) {
				if err != nil {
					return err
				}
				if out.Hits == in.Limit {
					out.More = true
					break
				}
				out.Hits++
				if err := tell("hit", report.Hit{Type: "hit", SourceHit: hit}); err != nil {
					return err
				}
			}
			return tell(out.Type, out)
		},
	}), nil
}
