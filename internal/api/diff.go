package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type diffInput struct {
	Named
	Other   string   `path:"other" doc:"The newer state: name of a backup, latest, or live for the present state." example:"live"`
	Sources []string `query:"source,explode" maxItems:"100" doc:"Only this source; may be repeated."`
	Tables  []string `query:"table,explode" maxItems:"100" doc:"Only this table or collection; may be repeated."`
	Details bool     `query:"details" doc:"Tell the rows that differ, too, with what they held before and after."`
	Limit   int      `query:"limit" minimum:"1" maximum:"10000" default:"100" doc:"With details: at most so many rows of each table."`
	Cut     int      `query:"cut" minimum:"1" maximum:"1048576" default:"4096" doc:"Values are cut after so many bytes."`
	Vectors bool     `query:"vectors" doc:"With details: the numbers of embeddings, too."`
}

func (s *server) addDiff() {
	const path = "/backups/{name}/diff/{other}"
	add(s, route{
		id: "diffBackups", method: http.MethodGet, path: path, tag: "inside", summary: "Compare two backups, or one with the present state",
		description: "Streams what became of each table from the first state to the second, one object of the type diff_table a line, as soon as its counts are known; " +
			"with details then the rows, of the type diff_row; the last line is of the type diff and sums up. With Accept: text/event-stream the same comes as server-sent events. " +
			"For live the sources are captured into a private directory, which is removed again: that needs the scope backup, too.",
		scopes: reading, status: http.StatusOK, errors: []int{http.StatusNotFound}, produces: scanTypes,
	}, s.diff)
	s.describeScan(path, schemaOf[report.DiffTable](s), schemaOf[report.DiffRow](s), schemaOf[report.Diff](s))
}

func (s *server) diff(ctx context.Context, in *diffInput) (*streamOutput, error) {
	a, err := in.parsed()
	if err != nil {
		return nil, err
	}
	b := in.Other
	if b == engine.Live {
		err = s.o.Access.Allow(ctx, access.ScopeBackup)
	} else {
		b, err = Named{in.Other}.parsed()
	}
	if err != nil {
		return nil, err
	}
	leave, err := s.room()
	if err != nil {
		return nil, err
	}
	core := s.core()
	before, returnA, err := core.Look(ctx, a)
	if err != nil {
		leave()
		return nil, err
	}
	access.Note(ctx, access.Facts{Backup: string(before.Name), Disclosed: true})
	req := engine.DiffRequest{
		A: a, B: b, Sources: in.Sources, Tables: in.Tables, Details: in.Details, Values: in.Details, Vectors: in.Vectors, Limit: in.Limit, MaxValue: in.Cut,
	}
	return s.stream(scan{
		done: func(err error) { returnA(err); leave() },
		run: func(ctx context.Context, tell func(string, any) error, walk func(string, string, int64)) error {
			req.Progress = walk
			return core.compare(ctx, before, req, tell)
		},
	}), nil
}

// compare opens the newer state, tells what differs, and closes it.
func (c Core) compare(ctx context.Context, before *engine.Look, req engine.DiffRequest, tell func(string, any) error) (err error) {
	after, done, err := c.Against(ctx, before, req)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	result, err := before.Diff(ctx, after, req, func(item engine.DiffItem) error {
		if item.Row != nil {
			row := report.NewDiffRow(*item.Row)
			return tell(row.Type, row)
		}
		return tell("diff_table", report.DiffTable{Type: "diff_table", DiffTable: *item.Table})
	})
	if err != nil {
		return err
	}
	out := report.NewDiff(result)
	return tell(out.Type, out)
}

// Against opens the newer state of a comparison, for the pages, too: a backup from the shelf,
// or what is captured now. Whoever has compared calls the function with the failure that he
// met, if any.
func (c Core) Against(ctx context.Context, before *engine.Look, req engine.DiffRequest) (*engine.Look, func(error), error) {
	if req.B != engine.Live {
		return c.Look(ctx, req.B)
	}
	e, err := c.Keeper.Engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	l, err := e.Against(ctx, before, req)
	if err != nil {
		return nil, nil, err
	}
	return l, func(error) {
		_ = l.Close() // what cannot be removed is removed by the next
	}, nil
}
