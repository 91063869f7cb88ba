package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// matched is one key in the two states; nil where it is not.
type matched struct {
	before, after *holdfast.Row
}

// change is what is known without looking at the fields: a row of both may have changed.
func (m matched) change() Change {
	switch {
	case m.before == nil:
		return ChangeAdded
	case m.after == nil:
		return ChangeRemoved
	}
	return ChangeChanged
}

func (m matched) key() string {
	if m.after != nil {
		return m.after.Key
	}
	return m.before.Key
}

// errEnough ends a walk over rows when all that is wanted was told.
var errEnough = errors.New("enough")

// A rowStream gives rows in the order of their Sort.
type rowStream = iter.Seq2[holdfast.Row, error]

// none is a stream without rows.
func none(func(holdfast.Row, error) bool) {}

// sideBySide walks over two streams side by side. Of each it holds one row.
func sideBySide(ctx context.Context, a, b rowStream, order func(x, y string) int, visit func(matched) error) error {
	before, after := newCursor(a, order), newCursor(b, order)
	defer before.stop()
	defer after.stop()
	if err := errors.Join(before.advance(), after.advance()); err != nil {
		return err
	}
	for before.row != nil || after.row != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m := matched{before.row, after.row}
		switch {
		case m.before == nil || m.after == nil:
		case order(m.before.Sort, m.after.Sort) < 0:
			m.after = nil
		case order(m.before.Sort, m.after.Sort) > 0:
			m.before = nil
		}
		if err := visit(m); err != nil {
			return err
		}
		if m.before != nil {
			if err := before.advance(); err != nil {
				return err
			}
		}
		if m.after != nil {
			if err := after.advance(); err != nil {
				return err
			}
		}
	}
	return nil
}

// A cursor stands at one row of a stream; at nil when it has ended.
type cursor struct {
	row   *holdfast.Row
	next  func() (holdfast.Row, error, bool)
	stop  func()
	order func(x, y string) int
}

func newCursor(s rowStream, order func(x, y string) int) *cursor {
	c := &cursor{order: order}
	c.next, c.stop = iter.Pull2(s)
	return c
}

// advance goes on to the next row. Rows out of their order would make others look added
// and removed: they are an error.
func (c *cursor) advance() error {
	row, err, ok := c.next()
	if err != nil {
		return err
	}
	if !ok {
		c.row = nil
		return nil
	}
	if c.row != nil && c.order(c.row.Sort, row.Sort) > 0 {
		return fmt.Errorf("the row %q does not come after %q, so that the rows cannot be compared", row.Key, c.row.Key)
	}
	c.row = &row
	return nil
}

// keyed gives the rows of a table in the order of their keys.
func (l *Look) keyed(ctx context.Context, in holdfast.Inside, source string, t *holdfast.Table, vectors bool) rowStream {
	if t == nil {
		return none
	}
	return func(yield func(holdfast.Row, error) bool) {
		for row, err := range in.Rows(ctx, t.Name, holdfast.RowsOptions{ByKey: true, Vectors: vectors}) {
			if err != nil {
				err = l.fail(where(source, t.Name), err, "")
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func columnWords(c holdfast.Column) string {
	words := cmp.Or(c.Type, "any type")
	if c.Key {
		words += ", key"
	}
	return words
}

func dimensionWords(t holdfast.Table) string {
	if t.Dimension == 0 {
		return ""
	}
	return strconv.Itoa(t.Dimension)
}

// byBytes is the order of Row.Sort.
func byBytes(x, y string) int { return strings.Compare(x, y) }
