package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// apply makes all changes and looks whether they are right, inside the transaction.
func (r *partRestore) apply(ctx context.Context, w *wanted) error {
	broken, err := r.brokenKeys(ctx, w)
	if err != nil {
		return err
	}
	for _, m := range w.moves {
		r.step(holdfast.StepSwap, m.name)
		m.change.Now, m.change.Then = new(int64), new(int64)
		if m.to != nil {
			m.change.Now = m.countRows(ctx, r.conn, m.to)
			r.tellNameless(m)
		}
		if err := r.replace(ctx, m); err != nil {
			return r.writeFailed(m.name, err)
		}
	}
	if err := r.rebuildIndexes(ctx, w); err != nil {
		return err
	}
	for _, m := range w.moves {
		r.step(holdfast.StepConfirm, m.name)
		if err := r.compare(ctx, m); err != nil {
			return err
		}
		if m.from != nil {
			*m.change.Then = m.staged
		}
		r.result.Changes = append(r.result.Changes, m.change)
	}
	return r.sameKeys(ctx, w, broken)
}

// tellNameless warns of rows that took the place of others by nothing but their row ids.
func (r *partRestore) tellNameless(m *move) {
	if m.keys == nil || m.from.Key[0].Column != "" || m.from.Module != "" || m.change.Now != nil && *m.change.Now == 0 {
		return
	}
	r.problem(holdfast.Warning, m.name, "look whether they were the same rows: what was replaced is in the emergency backup, or kept beside",
		"it has no primary key, so rows were replaced by their row ids, which SQLite may give to other rows when the file is vacuumed")
}

// writeFailed says what a constraint of the live database means.
func (r *partRestore) writeFailed(table string, err error) error {
	if errors.Is(err, holdfast.ErrRefused) {
		return err
	}
	switch code0(err) {
	case sqlite3.SQLITE_CONSTRAINT:
	case sqlite3.SQLITE_ERROR:
		return &holdfast.Error{
			Op: "write table", Object: table, Err: holdfast.Kindf(holdfast.ErrRefused, "SQLite cannot write it here: %w", err),
			Hint: "if it needs something that only its application has, restore the whole database",
		}
	default:
		return r.explain("write table "+table+" of", err)
	}
	return &holdfast.Error{
		Op: "write table", Object: table, Err: holdfast.Kindf(holdfast.ErrRefused, "what is to be restored does not go with the rows that are there: %w", err),
		Hint: "restore the row that it clashes with as well, or restore under another name",
	}
}

// exec runs a statement on the live database.
func (r *partRestore) exec(ctx context.Context, statement string, args ...any) error {
	_, err := r.conn.ExecContext(ctx, statement, args...)
	return err
}

// replace changes one table.
func (r *partRestore) replace(ctx context.Context, m *move) error {
	if err := r.keep(ctx, m); err != nil {
		return err
	}
	table := "main." + schema.Quote(m.name)
	if m.from == nil {
		return r.exec(ctx, "DROP TABLE "+table)
	}
	if m.to == nil {
		if err := r.create(ctx, m); err != nil {
			return err
		}
	}
	if m.from.ContentOf() != "" {
		return nil // made anew when its content is there
	}
	triggers, err := r.triggersOff(ctx, m)
	if err != nil {
		return err
	}
	if err := r.clear(ctx, m); err != nil {
		return err
	}
	var into, out []string
	if m.from.HasRowID() {
		into, out = append(into, m.from.RowID), append(out, "rid")
	}
	for i, c := range m.from.Stored() {
		into, out = append(into, schema.Quote(c.Name)), append(out, fmt.Sprintf("c%d", i))
	}
	order := "n"
	if m.keys != nil {
		order = "rid IS NULL, n" // rows whose row id is free to choose come last
	}
	// A row that clashes with another is refused whatever its table says: replacing
	// that would lose it.
	err = r.exec(ctx, fmt.Sprintf("INSERT OR ABORT INTO %s(%s) SELECT %s FROM %s ORDER BY %s",
		table, strings.Join(into, ", "), strings.Join(out, ", "), m.stage(), order))
	if err != nil {
		return err
	}
	r.progress(holdfast.StepSwap, m.name, m.staged, m.staged)
	if m.to == nil {
		if err := r.createCompanions(ctx, m); err != nil {
			return err
		}
	}
	if err := r.sequence(ctx, m); err != nil {
		return err
	}
	for _, t := range triggers {
		if err := r.define(ctx, t.SQL); err != nil {
			return err
		}
	}
	return nil
}

// clear deletes the rows that are replaced.
func (r *partRestore) clear(ctx context.Context, m *move) error {
	if m.to == nil {
		return nil
	}
	if m.keys == nil {
		return r.exec(ctx, "DELETE FROM main."+schema.Quote(m.name))
	}
	if err := r.keepRowIDs(ctx, m); err != nil {
		return err
	}
	for _, k := range m.keys {
		condition, args := m.to.Where(k)
		if err := r.exec(ctx, "DELETE"+condition, args...); err != nil {
			return err
		}
	}
	return nil
}

// keepRowIDs gives rows that are there their own row ids, which other tables may have
// noted, and makes room for others where theirs is taken.
func (r *partRestore) keepRowIDs(ctx context.Context, m *move) error {
	if !m.from.HasRowID() || m.from.Key[0].Column == "" {
		return nil
	}
	stage := strings.TrimPrefix(m.stage(), "temp.")
	var known, same []string
	for _, term := range m.from.Key {
		c := stage + "." + m.from.Staged(term.Column)
		known = append(known, c+" IS NOT NULL")
		same = append(same, "live."+term.Expr+" IS "+c)
	}
	return r.exec(ctx, fmt.Sprintf(`UPDATE %[1]s SET rid = coalesce(
			(SELECT live.%[3]s FROM main.%[2]s AS live WHERE %[4]s),
			CASE WHEN NOT EXISTS (SELECT 1 FROM main.%[2]s AS live WHERE live.%[3]s = %[6]s.rid) THEN rid END)
		WHERE %[5]s`, m.stage(), schema.Quote(m.name), m.from.RowID, strings.Join(same, " AND "), strings.Join(known, " AND "), stage))
}

// triggersOff drops the triggers of a table until its rows are written; what they did
// when the rows came into the copy lies there as well.
func (r *partRestore) triggersOff(ctx context.Context, m *move) ([]schema.Companion, error) {
	if m.to == nil {
		return nil, nil
	}
	triggers, err := schema.Companions(ctx, r.conn, "trigger", m.name)
	if err != nil || len(triggers) == 0 {
		return nil, err
	}
	var names []string
	for _, t := range triggers {
		if err := r.exec(ctx, "DROP TRIGGER main."+schema.Quote(t.Name)); err != nil {
			return nil, err
		}
		names = append(names, t.Name)
	}
	r.problem(holdfast.Warning, m.name, "if they keep other tables in step, restore those as well",
		"its triggers were not run for what was restored: %s", strings.Join(names, ", "))
	return triggers, nil
}

// rebuildIndexes makes full-text tables anew that are indexes of what was restored.
func (r *partRestore) rebuildIndexes(ctx context.Context, w *wanted) error {
	live, err := schema.Read(ctx, r.conn)
	if err != nil {
		return r.explain("read the tables of", err)
	}
	for _, t := range live {
		content := t.ContentOf()
		if content == "" || w.named(content) == nil && w.named(t.Name) == nil {
			continue
		}
		name := schema.Quote(t.Name)
		if err := r.exec(ctx, "INSERT INTO main."+name+"("+name+") VALUES('rebuild')"); err != nil {
			return r.explain("make the full-text index "+t.Name+" anew in", err)
		}
	}
	return nil
}

// sequence keeps the promise of AUTOINCREMENT that no row id is given twice, neither by
// the copy nor since.
func (r *partRestore) sequence(ctx context.Context, m *move) error {
	const has = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'"
	one := func(q schema.Querier, query string, value *int64, args ...any) (found bool, err error) {
		err = each(ctx, q, query, args, func(rows *sql.Rows) (bool, error) {
			found = true
			return false, rows.Scan(value)
		})
		return found, err
	}
	var seq int64
	for _, q := range []schema.Querier{r.in.db, r.conn} {
		if found, err := one(q, has, &seq); err != nil || !found {
			return err
		}
	}
	found, err := one(r.in.db, "SELECT seq FROM main.sqlite_sequence WHERE name = ?", &seq, m.from.Name)
	if err != nil || !found {
		return err
	}
	var now int64
	found, err = one(r.conn, "SELECT seq FROM main.sqlite_sequence WHERE name = ?", &now, m.name)
	if err != nil {
		return err
	}
	if !found {
		return r.exec(ctx, "INSERT INTO main.sqlite_sequence(name, seq) VALUES(?, ?)", m.name, seq)
	}
	return r.exec(ctx, "UPDATE main.sqlite_sequence SET seq = ? WHERE name = ?", max(seq, now), m.name)
}
