package inside

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// A paged content is a directory of files: its tables have an index of ids.
type paged interface {
	From(ctx context.Context, c disk.Collection, after disk.Position, want disk.Part) iter.Seq2[disk.Placed, error]
	ByID(ctx context.Context, c disk.Collection, after string, want disk.Part) iter.Seq2[disk.Record, error]
}

// A lined content has its records in lines, in the order of the API.
type lined interface {
	From(ctx context.Context, c disk.Collection, offset int64, want disk.Part) iter.Seq2[records.Placed, error]
}

// Rows implements holdfast.Inside.
func (in *inside) Rows(ctx context.Context, table string, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		c, err := in.collection(table)
		if err != nil {
			yield(holdfast.Row{}, err)
			return
		}
		rows := in.natural
		if o.ByKey {
			rows = in.byKey
		}
		for row, err := range rows(ctx, c, o) {
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// natural gives rows in the order of the API. A cursor is the place of a record.
func (in *inside) natural(ctx context.Context, c disk.Collection, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		give := func(r disk.Record, cursor string, err error) bool {
			if err != nil {
				return yield(holdfast.Row{}, err)
			}
			row := rowOf(r, o, c.Dimension)
			row.Cursor = cursor
			return yield(row, nil)
		}
		switch from := in.content.(type) {
		case lined:
			offset, err := offsetOf(o.After)
			if err != nil {
				yield(holdfast.Row{}, err)
				return
			}
			for p, err := range from.From(ctx, c, offset, parts(o)) {
				if !give(p.Record, strconv.FormatInt(p.Next, 10), err) || err != nil {
					return
				}
			}
		case paged:
			after, err := positionOf(o.After)
			if err != nil {
				yield(holdfast.Row{}, err)
				return
			}
			for p, err := range from.From(ctx, c, after, parts(o)) {
				if !give(p.Record, fmt.Sprintf("%d.%d", p.At.Row, p.At.Late), err) || err != nil {
					return
				}
			}
		}
	}
}

// byKey gives rows in the order of the bytes of their ids. A cursor is an id.
func (in *inside) byKey(ctx context.Context, c disk.Collection, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		after := ""
		if o.After != "" {
			var ok bool
			if after, ok = strings.CutPrefix(o.After, idCursor); !ok {
				yield(holdfast.Row{}, noCursor(o.After))
				return
			}
		}
		var sorted iter.Seq2[disk.Record, error]
		switch from := in.content.(type) {
		case paged:
			if sorted = sortedRecords(ctx, in.content, c, parts(o)); o.After != "" {
				sorted = from.ByID(ctx, c, after, parts(o))
			}
		case *records.Tree:
			sorted = sortedLines(ctx, from, c, after, parts(o))
		}
		for r, err := range sorted {
			if err != nil {
				yield(holdfast.Row{}, err)
				return
			}
			row := rowOf(r, o, c.Dimension)
			row.Cursor = idCursor + r.ID
			if !yield(row, nil) {
				return
			}
		}
	}
}

// idCursor begins the cursor of a listing by key.
const idCursor = "id "

func offsetOf(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, noCursor(cursor)
	}
	return n, nil
}

func positionOf(cursor string) (p disk.Position, err error) {
	if cursor == "" {
		return p, nil
	}
	row, late, ok := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(row, 10, 64)
	m, err2 := strconv.Atoi(late)
	if !ok || err != nil || err2 != nil || n < 0 || m < 0 {
		return p, noCursor(cursor)
	}
	return disk.Position{Row: n, Late: m}, nil
}

func noCursor(cursor string) error {
	return &holdfast.Error{Op: "list records", Object: fmt.Sprintf("%.80q", cursor), Err: holdfast.Kindf(holdfast.ErrUsage, "it is no place in the list"), Hint: "begin at the first page again"}
}
