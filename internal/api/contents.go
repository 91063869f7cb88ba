package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/shelf"
)

// NewShelf makes a shelf for the backups that somebody looks into. What a name stands for
// is asked of the repository every time: what was deleted is not shown, nor another backup
// of the same name.
func NewShelf(k *keeper.Keeper, failed func(error)) *shelf.Shelf[*engine.Look] {
	return shelf.New(shelf.Options[*engine.Look]{
		Resolve: func(ctx context.Context, name string) (string, error) {
			e, err := k.Engine(ctx)
			if err != nil {
				return "", err
			}
			near, err := e.Describe(ctx, name)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s %d %s", near.Backup.Name, near.Backup.Metadata.CreatedAt.UnixNano(), near.From), nil
		},
		Open: func(ctx context.Context, name string) (*engine.Look, error) {
			e, err := k.Engine(ctx)
			if err != nil {
				return nil, err
			}
			return e.Look(ctx, name)
		},
		Failed: failed,
	})
}

// Look opens a backup, or takes it from the shelf, for the pages, too. Whoever has looked
// calls done with the failure that he met, if any.
func (c Core) Look(ctx context.Context, name string) (l *engine.Look, done func(error), err error) {
	if c.Shelf != nil {
		loan, err := c.Shelf.Take(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		return loan.Value, func(err error) { loan.Return(spoils(err)) }, nil
	}
	e, err := c.Keeper.Engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	if l, err = e.Look(ctx, name); err != nil {
		return nil, nil, err
	}
	return l, func(error) { _ = l.Close() }, nil // what was read was checked
}

// Looking lets fn look into a backup, and notes who looked.
func (c Core) Looking(ctx context.Context, name string, fn func(*engine.Look) error) (err error) {
	l, done, err := c.Look(ctx, name)
	if err != nil {
		return err
	}
	err = errors.New("the look did not end") // by a panic
	defer func() { done(err) }()
	access.Note(ctx, access.Facts{Backup: string(l.Name), Disclosed: true})
	err = fn(l)
	return err
}

type contentsInput struct {
	Named
	Source string `query:"source" maxLength:"180" doc:"Only this source."`
}

type contentsOutput struct{ Body report.Contents }

// A Tabled request is about one table of a backup.
type Tabled struct {
	Named
	Source string `path:"source" maxLength:"180" doc:"Name of the source." example:"chromadb"`
	Table  string `query:"table" required:"true" minLength:"1" maxLength:"2048" doc:"The table or collection: its name, or its title where no other has it."`
}

type rowsInput struct {
	Tabled
	After   string `query:"after" maxLength:"4096" doc:"The cursor that the page before gave as next."`
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"At most so many. A page of large rows is shorter."`
	Cut     int    `query:"cut" minimum:"0" maximum:"1048576" default:"4096" doc:"Texts and bytes are cut after so many bytes; 0 does not cut."`
	Vectors bool   `query:"vectors" doc:"Show the numbers of embeddings, too."`
}

type rowsOutput struct{ Body report.Rows }

type rowInput struct {
	Tabled
	Key string `query:"key" required:"true" maxLength:"3072" doc:"The key of the row, as a list of rows tells it."`
}

type rowOutput struct{ Body report.OneRow }

func (s *server) addContents() {
	missing := []int{http.StatusNotFound}
	add(s, route{
		id: "getContents", method: http.MethodGet, path: "/backups/{name}/contents", tag: "inside", summary: "List the tables and collections of a backup",
		description: "Each source with its tables, their columns, and the numbers of rows as they were counted when the backup was made. Nothing is restored, and only what is shown is read.",
		scopes:      reading, status: http.StatusOK, errors: missing,
	}, s.getContents)
	add(s, route{
		id: "listRows", method: http.MethodGet, path: "/backups/{name}/contents/{source}/rows", tag: "inside", summary: "List rows of a table or collection",
		description: "A page at a time, in the order in which they are quickest to be had.",
		scopes:      reading, status: http.StatusOK, errors: missing,
	}, s.listRows)
	add(s, route{
		id: "getRow", method: http.MethodGet, path: "/backups/{name}/contents/{source}/row", tag: "inside", summary: "Show one row whole",
		description: "With every value as it is, embeddings too, and the command that brings back this row alone.",
		scopes:      reading, status: http.StatusOK, errors: missing,
	}, s.getRow)
}

// looking opens the backup of a request and lets fn look into it.
func looking[O any](ctx context.Context, s *server, named Named, fn func(*engine.Look) (O, error)) (*O, error) {
	name, err := named.parsed()
	if err != nil {
		return nil, err
	}
	var out O
	err = s.core().Looking(ctx, name, func(l *engine.Look) (err error) {
		out, err = fn(l)
		return err
	})
	return &out, err
}

func (s *server) getContents(ctx context.Context, in *contentsInput) (*contentsOutput, error) {
	return looking(ctx, s, in.Named, func(l *engine.Look) (contentsOutput, error) {
		body, err := report.NewContents(ctx, l, in.Source)
		return contentsOutput{body}, err
	})
}

func (s *server) listRows(ctx context.Context, in *rowsInput) (*rowsOutput, error) {
	return looking(ctx, s, in.Named, func(l *engine.Look) (rowsOutput, error) {
		page, err := l.Page(ctx, engine.PageRequest{
			Source: in.Source, Table: in.Table, After: in.After, Limit: in.Limit, Vectors: in.Vectors, MaxValue: in.Cut,
		})
		if err != nil {
			return rowsOutput{}, err
		}
		return rowsOutput{report.NewRows(l, in.Source, page)}, nil
	})
}

func (s *server) getRow(ctx context.Context, in *rowInput) (*rowOutput, error) {
	return looking(ctx, s, in.Named, func(l *engine.Look) (rowOutput, error) {
		table, row, err := l.Row(ctx, in.Source, in.Table, in.Key)
		if err != nil {
			return rowOutput{}, err
		}
		return rowOutput{report.NewOneRow(l, in.Source, table, row)}, nil
	})
}
