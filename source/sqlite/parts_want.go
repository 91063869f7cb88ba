package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// A move is what becomes of one table of the live database.
type move struct {
	name  string        // in the live database
	from  *schema.Table // of the copy; nil: the table is removed
	to    *schema.Table // what is there; nil: it is created
	keys  []rowkey.Key  // none: all rows
	exact bool
	// change is what the plan and the result tell.
	change holdfast.PartChange

	number int // of its temporary tables
	// staged is how many rows were read of the copy.
	staged int64
}

// Wanted is what a restore of parts comes to.
type wanted struct {
	moves  []*move
	losses []holdfast.Problem
	stays  []string
	whole  bool
}

// want compares parts with the tables of both databases.
func want(ctx context.Context, in *inside, live []*schema.Table, parts []holdfast.Part) (*wanted, error) {
	tables, err := in.schema(ctx)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, holdfast.Kindf(holdfast.ErrUsage, "no parts are named")
	}
	w := &wanted{}
	for _, part := range parts {
		if part.Table != "" {
			if err := w.add(in, tables, live, part); err != nil {
				return nil, err
			}
			continue
		}
		if part.As != "" || len(part.Keys) > 0 {
			return nil, holdfast.Kindf(holdfast.ErrUsage, "rows and another name can be given for one table only, not for a whole database")
		}
		if err := w.addAll(in, tables, live, part); err != nil {
			return nil, err
		}
	}
	for _, t := range live {
		if schema.Named(tables, t.Name) == nil && w.named(t.Name) == nil {
			w.stays = append(w.stays, t.Name)
		}
	}
	return w, nil
}

// addAll adds every table. What cannot be written row by row is a loss.
func (w *wanted) addAll(in *inside, tables, live []*schema.Table, part holdfast.Part) error {
	w.whole = true
	for _, t := range tables {
		if t.ContentOf() != "" && schema.Named(tables, t.ContentOf()) != nil && schema.Named(live, t.Name) != nil {
			continue // made anew of the table that it is an index of
		}
		if t.Closed != "" {
			w.losses = append(w.losses, holdfast.Problem{
				Object: "table " + t.Name, Severity: holdfast.Incomplete, Message: "it cannot be restored by rows: " + t.Closed,
				Hint: "restore the whole database as a file to have it back",
			})
			continue
		}
		if err := w.add(in, tables, live, holdfast.Part{Table: t.Name, Exact: part.Exact}); err != nil {
			return err
		}
	}
	if !part.Exact {
		return nil
	}
	for _, t := range live {
		if schema.Named(tables, t.Name) == nil {
			w.moves = append(w.moves, w.remove(t, t.Name))
		}
	}
	return nil
}

func (w *wanted) remove(t *schema.Table, name string) *move {
	return &move{name: name, to: t, number: len(w.moves), change: holdfast.PartChange{Table: name, Action: holdfast.PartRemove}}
}

// named finds the move of a table.
func (w *wanted) named(table string) *move {
	for _, m := range w.moves {
		if strings.EqualFold(m.name, table) {
			return m
		}
	}
	return nil
}

// add adds one table, or rows of it.
func (w *wanted) add(in *inside, tables, live []*schema.Table, part holdfast.Part) error {
	from := schema.Named(tables, part.Table)
	name := part.As
	if name == "" {
		name = part.Table
		if from != nil {
			name = from.Name
		}
	}
	if w.named(name) != nil {
		return holdfast.Kindf(holdfast.ErrUsage, "table %s is named twice", name)
	}
	if strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		return holdfast.Kindf(holdfast.ErrUsage, "table %s: names that begin with sqlite_ belong to SQLite", name)
	}
	to := schema.Named(live, name)
	if to != nil {
		name = to.Name // its case is the application's
	}
	if from == nil {
		if !part.Exact {
			return &holdfast.Error{Op: "find table", Object: part.Table, Err: holdfast.Kindf(holdfast.ErrNotFound, "%s has no such table", in.file), Hint: "see which tables it has with `holdfast browse`"}
		}
		if to != nil {
			w.moves = append(w.moves, w.remove(to, to.Name))
		}
		return nil
	}
	m := &move{name: name, from: from, to: to, exact: part.Exact, number: len(w.moves)}
	m.change = holdfast.PartChange{Table: name, From: from.Name}
	named := map[string]bool{}
	for _, text := range part.Keys {
		if named[text] {
			continue
		}
		named[text], m.change.Keys = true, append(m.change.Keys, text)
		k, err := keyOf(from, text)
		if err != nil {
			return err
		}
		m.keys = append(m.keys, k)
	}
	if err := m.possible(); err != nil {
		return err
	}
	switch {
	case to == nil:
		m.change.Action = holdfast.PartCreate
	case m.keys != nil:
		m.change.Action = holdfast.PartMerge
	default:
		m.change.Action = holdfast.PartReplace
	}
	w.moves = append(w.moves, m)
	return nil
}

// possible refuses what would not be the same afterwards.
func (m *move) possible() error {
	refuse := func(hint, format string, args ...any) error {
		return &holdfast.Error{Op: "restore table", Object: m.name, Err: holdfast.Kindf(holdfast.ErrRefused, format, args...), Hint: hint}
	}
	switch {
	case m.from.Closed != "":
		return refuse("restore the whole database", "%s", m.from.Closed)
	case m.from.ContentOf() != "" && m.keys != nil:
		return refuse("restore the rows of table "+m.from.ContentOf(), "it is an index of table %s and has no rows of its own", m.from.ContentOf())
	case m.to == nil:
		return nil
	case m.to.Closed != "":
		return refuse("restore the whole database", "the present table cannot be written here: %s", m.to.Closed)
	}
	if differences := m.from.Differences(m.to); len(differences) > 0 {
		return refuse("restore it under another name, or the whole database", "the present table is another than that of the backup: %s", strings.Join(differences, "; "))
	}
	return nil
}

// found refuses keys that the copy does not have, unless their rows are to go.
func (w *wanted) found(ctx context.Context, in *inside) error {
	for _, m := range w.moves {
		if m.from == nil || m.exact {
			continue
		}
		for i, k := range m.keys {
			found := false
			condition, args := m.from.Where(k)
			err := each(ctx, in.db, "SELECT 1"+condition, args, func(*sql.Rows) (bool, error) {
				found = true
				return false, nil
			})
			switch {
			case err != nil:
				return in.failed(ctx, "read table", m.from.Name, err)
			case !found:
				return notInCopy(m.from.Name, m.change.Keys[i])
			}
		}
	}
	return nil
}

// notInCopy says that a row cannot be restored, since the copy has none of this key.
func notInCopy(table, key string) error {
	return &holdfast.Error{
		Op: "find row", Object: fmt.Sprintf("%.60q of table %s", key, table),
		Err:  holdfast.Kindf(holdfast.ErrNotFound, "the copy has no such row"),
		Hint: "see which rows it has with `holdfast browse`",
	}
}

// count fills in how many rows there are, where that can be told in a moment.
func (w *wanted) count(ctx context.Context, in *inside, l *Live) error {
	within, cancel := context.WithTimeout(ctx, inspectBudget)
	defer cancel()
	for _, m := range w.moves {
		if m.from != nil {
			m.change.Then = m.countRows(within, in.db, m.from)
		} else {
			m.change.Then = new(int64)
		}
		if m.to != nil {
			m.change.Now = m.countRows(within, l.Conn(), m.to)
		} else {
			m.change.Now = new(int64)
		}
	}
	return context.Cause(ctx)
}

// countRows counts the rows of a table, or those of the keys; nil if time is over.
func (m *move) countRows(ctx context.Context, q schema.Querier, t *schema.Table) *int64 {
	sum := new(int64)
	add := func(query string, args ...any) bool {
		err := each(ctx, q, query, args, func(rows *sql.Rows) (bool, error) {
			var n int64
			err := rows.Scan(&n)
			*sum += n
			return true, err
		})
		return err == nil
	}
	if m.keys == nil {
		if !add(t.Count()) {
			return nil
		}
		return sum
	}
	for _, k := range m.keys {
		condition, args := t.Where(k)
		if !add("SELECT count(*)"+condition, args...) {
			return nil
		}
	}
	return sum
}

// plan is what people are shown.
func (w *wanted) plan(in *inside) holdfast.PartPlan {
	p := holdfast.PartPlan{Losses: w.losses, Stays: w.stays}
	for _, m := range w.moves {
		p.Changes = append(p.Changes, m.change)
	}
	if w.whole {
		p.Bytes = in.size
	}
	return p
}

// The names of the temporary tables of a move.
func (m *move) stage() string { return fmt.Sprintf("temp.holdfast_rows_%d", m.number) }
func (m *move) past() string  { return fmt.Sprintf("temp.holdfast_past_%d", m.number) }
