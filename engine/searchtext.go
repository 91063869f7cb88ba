package engine

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// A SearchRequest asks where a text stands in a backup.
type SearchRequest struct {
	Name string // name or latest
	Text string
	// Source bounds the search to one source; empty is all.
	Source string
	// Tables bounds it to tables by their names or titles; none is all.
	Tables []string
	// Limit is how many hits there are at most; zero is no limit.
	Limit int
	// Progress is told how many rows of a table were looked through; nil is allowed.
	Progress func(source, table string, done, total int64)
	// Skipped is told what is not searched, since it cannot be read; nil is allowed.
	Skipped func(holdfast.Problem)
}

// A SourceHit is a row with the text that was searched for, and the source it is in.
type SourceHit struct {
	Source string `json:"source"`
	holdfast.Hit
}

// Search streams the rows of a backup that have a text, as they are found, one source
// after the other. The first error ends it.
func (e *Engine) Search(ctx context.Context, req SearchRequest) iter.Seq2[SourceHit, error] {
	return func(yield func(SourceHit, error) bool) {
		l, err := e.Look(ctx, req.Name)
		if err != nil {
			yield(SourceHit{}, err)
			return
		}
		going := true
		for hit, err := range l.Search(ctx, req) {
			if going = yield(hit, err); !going {
				break
			}
		}
		if err := l.Close(); err != nil && going {
			yield(SourceHit{}, err)
		}
	}
}

// Search is [Engine.Search] in what is open already; the name in the request is not
// looked at.
func (l *Look) Search(ctx context.Context, req SearchRequest) iter.Seq2[SourceHit, error] {
	return func(yield func(SourceHit, error) bool) {
		s := searching{look: l, req: req, yield: yield}
		if err := s.run(ctx); err != nil && !s.ended {
			yield(SourceHit{}, err)
		}
	}
}

// searching is one search at work.
type searching struct {
	look  *Look
	req   SearchRequest
	yield func(SourceHit, error) bool
	hits  int
	ended bool // nobody wants more
}

func (s *searching) run(ctx context.Context) error {
	if strings.TrimSpace(s.req.Text) == "" {
		return &holdfast.Error{Op: "search", Err: holdfast.Kindf(holdfast.ErrUsage, "there is no text to search for"), Hint: "name a word that the row has"}
	}
	if s.req.Source != "" {
		src, err := s.look.Source(s.req.Source)
		if err != nil {
			return err
		}
		return s.source(ctx, src, s.req.Tables)
	}
	// A table must be in one of the sources; which one, nobody has to say.
	within, err := s.look.tablesOf(ctx, s.req.Tables)
	if err != nil {
		return err
	}
	for i := range s.look.Sources {
		src := &s.look.Sources[i]
		names, wanted := within[src.Name]
		if len(s.req.Tables) > 0 && !wanted {
			continue
		}
		if src.Closed != "" {
			s.skipped(holdfast.Problem{Source: src.Name, Message: "it was not searched: " + src.Closed})
			continue
		}
		if err := s.source(ctx, src, names); err != nil || s.ended {
			return err
		}
	}
	return nil
}

// tablesOf finds which sources have the tables of these names.
func (l *Look) tablesOf(ctx context.Context, names []string) (map[string][]string, error) {
	within := map[string][]string{}
	for _, name := range names {
		var missing error
		found := false
		for i := range l.Sources {
			src := &l.Sources[i]
			if src.Closed != "" {
				continue
			}
			t, _, err := l.Table(ctx, src.Name, name)
			switch {
			case err == nil:
				within[src.Name] = append(within[src.Name], t.Name)
				found = true
			case !errors.Is(err, holdfast.ErrNotFound):
				return nil, err
			case missing == nil:
				missing = err
			}
		}
		if !found && missing != nil {
			return nil, missing
		}
	}
	return within, nil
}

// skipped tells what is not searched: that nothing was found says nothing about it.
func (s *searching) skipped(p holdfast.Problem) {
	if s.req.Skipped != nil {
		p.Severity = holdfast.Incomplete
		s.req.Skipped(p)
	}
}

// source searches one source.
func (s *searching) source(ctx context.Context, src *LookSource, tables []string) error {
	in, err := s.look.Inside(ctx, src.Name)
	if err != nil {
		return err
	}
	q := holdfast.SearchQuery{Text: s.req.Text, Skipped: func(table, why string) {
		s.skipped(holdfast.Problem{Source: src.Name, Object: "table " + table, Message: "it was not searched: " + why})
	}}
	for _, name := range tables {
		t, _, err := s.look.Table(ctx, src.Name, name)
		if err != nil {
			return err
		}
		q.Tables = append(q.Tables, t.Name)
	}
	if s.req.Progress != nil {
		q.Progress = func(table string, done, total int64) { s.req.Progress(src.Name, table, done, total) }
	}
	for hit, err := range in.Search(ctx, q) {
		if err != nil {
			return s.look.fail(src.Name, err, "")
		}
		s.hits++
		if !s.yield(SourceHit{Source: src.Name, Hit: hit}, nil) || s.hits == s.req.Limit {
			s.ended = true
			return nil
		}
	}
	return nil
}
