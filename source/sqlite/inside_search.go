package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"strconv"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/needle"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// errEnough ends a search whose hits nobody wants any more.
var errEnough = errors.New("enough")

// Search streams the rows with the text in one of their texts or, if it is a number, in
// one of their numbers. Bytes are not searched.
func (in *inside) Search(ctx context.Context, q holdfast.SearchQuery) iter.Seq2[holdfast.Hit, error] {
	return func(yield func(holdfast.Hit, error) bool) {
		tables, err := in.searched(ctx, q)
		if err != nil {
			yield(holdfast.Hit{}, err)
			return
		}
		var damage []error
		for _, t := range tables {
			err := in.searchTable(ctx, t, q, func(h holdfast.Hit) bool { return yield(h, nil) })
			switch {
			case errors.Is(err, errEnough):
				return
			case errors.Is(err, holdfast.ErrDamaged):
				damage = append(damage, err) // the other tables may have it
			case err != nil:
				yield(holdfast.Hit{}, err)
				return
			}
		}
		if err := errors.Join(damage...); err != nil {
			yield(holdfast.Hit{}, err)
		}
	}
}

// searched are the tables to look through.
func (in *inside) searched(ctx context.Context, q holdfast.SearchQuery) ([]*schema.Table, error) {
	if q.Text == "" {
		return nil, &holdfast.Error{Op: "search", Object: in.file, Err: holdfast.Kindf(holdfast.ErrUsage, "there is nothing to search for")}
	}
	if len(q.Tables) == 0 {
		all, err := in.schema(ctx)
		var open []*schema.Table
		for _, t := range all {
			switch {
			case t.Closed == "":
				open = append(open, t)
			case q.Skipped != nil && !t.Empty():
				q.Skipped(t.Name, t.Closed)
			}
		}
		return open, err
	}
	var wanted []*schema.Table
	for _, name := range q.Tables {
		t, err := in.table(ctx, name)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, t)
	}
	return wanted, nil
}

// searchTable looks through one table in the order in which its rows lie. What does not have
// the text never leaves SQLite.
func (in *inside) searchTable(ctx context.Context, t *schema.Table, q holdfast.SearchQuery, hit func(holdfast.Hit) bool) error {
	_, err := strconv.ParseFloat(q.Text, 64)
	s := &search{needle: needle.New(q.Text), numbers: err == nil}
	s.tell = func() {
		if q.Progress != nil {
			q.Progress(t.Name, s.done, 0)
		}
	}
	number, end := s.begin()
	defer end()
	p := newPicker(t, t.Columns, 0, false)
	err = each(ctx, in.db, s.query(t, number), nil, func(rows *sql.Rows) (bool, error) {
		if err := p.scan(rows); err != nil {
			return false, err
		}
		for i, v := range p.values {
			found, ok := s.needle.In(searchable(v))
			if !ok {
				continue
			}
			h := holdfast.Hit{
				Table: t.Name, Key: p.name().Text(), Field: t.Columns[i].Name,
				Snippet: found.Text, At: found.At, Length: found.Length,
			}
			if !hit(h) {
				return false, errEnough
			}
			break
		}
		return true, nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return in.failed(ctx, "search table", t.Name, err)
	}
	s.tell()
	return err
}

// searchable is a value as a text.
func searchable(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return rowkey.FormatFloat(v)
	}
	return ""
}
