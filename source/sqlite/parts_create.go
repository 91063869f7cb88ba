package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// create makes a table that is not there, as it is defined in the copy.
func (r *partRestore) create(ctx context.Context, m *move) error {
	definition := m.from.SQL
	if m.name != m.from.Name {
		var err error
		if definition, err = m.from.DefineAs(m.name); err != nil {
			return err
		}
	}
	return r.define(ctx, definition)
}

// define runs a definition that lies in a database, and nothing else that does.
func (r *partRestore) define(ctx context.Context, definition string) error {
	if err := schema.OneStatement(definition); err != nil {
		return &holdfast.Error{
			Op: "create", Err: holdfast.Kindf(holdfast.ErrRefused, "%w", err),
			Hint: "no database that SQLite made has that; find out where the backup comes from",
		}
	}
	return r.exec(ctx, definition)
}

// createCompanions makes the indexes and triggers of a table that was created. One with
// another name gets the indexes, under names of its own; its triggers would act on
// the table that they were written for.
func (r *partRestore) createCompanions(ctx context.Context, m *move) error {
	indexes, err := schema.Companions(ctx, r.in.db, "index", m.from.Name)
	if err != nil {
		return r.in.failed(ctx, "read the indexes of table", m.from.Name, err)
	}
	triggers, err := schema.Companions(ctx, r.in.db, "trigger", m.from.Name)
	if err != nil {
		return r.in.failed(ctx, "read the triggers of table", m.from.Name, err)
	}
	renamed := m.name != m.from.Name
	for _, c := range indexes {
		definition := c.SQL
		if renamed {
			if definition, err = schema.IndexAs(c, m.name); err != nil {
				return err
			}
		}
		if err := r.define(ctx, definition); err != nil {
			return err
		}
	}
	if renamed && len(triggers) > 0 {
		r.problem(holdfast.Warning, m.name, "", "the triggers of %s do not come with it under another name", m.from.Name)
		return nil
	}
	for _, c := range triggers {
		if err := r.define(ctx, c.SQL); err != nil {
			return err
		}
	}
	return nil
}

// keep keeps what is replaced in a table of its own: all of it if that is asked for or
// if there is no backup of it, else the rows that have changed since that was made.
func (r *partRestore) keep(ctx context.Context, m *move) error {
	if m.to == nil || m.to.ContentOf() != "" {
		return nil
	}
	if m.to.Closed != "" {
		if r.was != nil && !r.o.KeepReplaced {
			return nil
		}
		return &holdfast.Error{
			Op: "keep table", Object: m.name, Err: holdfast.Kindf(holdfast.ErrRefused, "its rows cannot be kept under another name: %s", m.to.Closed),
			Hint: "let an emergency backup be made and do without what is kept beside, or remove the table with its application",
		}
	}
	name := m.name + "-before-" + r.o.Stamp
	changed := ""
	if r.was != nil && !r.o.KeepReplaced {
		condition, err := r.unchanged(ctx, m)
		if err != nil {
			return err
		}
		changed = " AND NOT EXISTS (" + condition + ")"
	}
	live := "main." + schema.Quote(m.name)
	if err := r.exec(ctx, fmt.Sprintf("CREATE TABLE main.%s AS SELECT * FROM %s WHERE 0", schema.Quote(name), live)); err != nil {
		return err
	}
	into := "INSERT INTO main." + schema.Quote(name) + " SELECT * "
	kept := int64(0)
	take := func(condition string, args []any) error {
		done, err := r.conn.ExecContext(ctx, into+condition+changed, args...)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		kept += n
		return err
	}
	if m.keys == nil || m.from == nil {
		if err := take("FROM "+live+" WHERE 1", nil); err != nil {
			return err
		}
	}
	for _, k := range m.keys {
		condition, args := m.to.Where(k)
		if err := take(strings.TrimLeft(condition, " "), args); err != nil {
			return err
		}
	}
	if kept == 0 {
		return r.exec(ctx, "DROP TABLE main."+schema.Quote(name))
	}
	r.result.Kept = append(r.result.Kept, name)
	if changed != "" {
		r.problem(holdfast.Warning, m.name, "look at them there, then drop that table",
			"%d rows had changed since they were backed up; they are kept in table %s", kept, name)
	}
	return nil
}

// unchanged is a query that finds the row of the backup that is the same as a live one.
func (r *partRestore) unchanged(ctx context.Context, m *move) (string, error) {
	past := m.to
	tables, err := r.was.schema(ctx)
	if err != nil {
		return "", err
	}
	if t := schema.Named(tables, m.to.Name); t != nil && len(t.Differences(m.to)) == 0 {
		past = t
	}
	// The alias must not be the name of a table that somebody has.
	const alias = "holdfast_past"
	condition := equal(past, alias, schema.Quote(m.name))
	indexed := "rid"
	if m.to.RowID != "" {
		// The sign takes the type from the live column, so that the index is good for it.
		condition = alias + ".rid IS +" + schema.Quote(m.name) + "." + m.to.RowID + " AND " + condition
	} else {
		var columns []string
		for _, term := range past.Key {
			columns = append(columns, past.Staged(term.Column))
		}
		indexed = strings.Join(columns, ", ")
	}
	name := strings.TrimPrefix(m.past(), "temp.")
	err = r.exec(ctx, fmt.Sprintf("CREATE INDEX temp.%s_by ON %s(%s)", name, name, indexed))
	return "SELECT 1 FROM " + m.past() + " AS " + alias + " WHERE " + condition, err
}
