package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// equal is the condition that a staged row has the values of a live one, bit by bit and
// of the same types.
func equal(t *schema.Table, staged, live string) string {
	var all []string
	for i, c := range t.Stored() {
		all = append(all, fmt.Sprintf("%[1]s.c%[2]d IS +%[3]s.%[4]s COLLATE BINARY AND typeof(%[1]s.c%[2]d) = typeof(%[3]s.%[4]s)",
			staged, i, live, schema.Quote(c.Name)))
	}
	return strings.Join(all, " AND ")
}

// matching counts the staged rows that are in the live table as they were. Each is
// looked up by what names it.
func matching(m *move) string {
	var conditions []string
	for _, term := range m.from.Key {
		if term.Column != "" {
			conditions = append(conditions, "live."+term.Expr+" IS staged."+m.from.Staged(term.Column))
		}
	}
	if m.from.HasRowID() {
		conditions = append(conditions, "(staged.rid IS NULL OR live."+m.from.RowID+" = staged.rid)")
	}
	if m.from.Key[0].Column == "" {
		conditions = []string{"live." + m.from.RowID + " = staged.rid"}
	}
	conditions = append(conditions, equal(m.from, "staged", "live"))
	return fmt.Sprintf("SELECT count(*) FROM %s AS staged CROSS JOIN main.%s AS live ON %s",
		m.stage(), schema.Quote(m.name), strings.Join(conditions, " AND "))
}

// compare reads back what was written and holds it to what was read from the copy.
func (r *partRestore) compare(ctx context.Context, m *move) error {
	if m.from == nil || m.from.ContentOf() != "" {
		return nil
	}
	same, err := r.number(ctx, matching(m))
	if err != nil {
		return r.explain("read back table "+m.name+" of", err)
	}
	total := m.staged
	if m.keys == nil {
		if total, err = r.number(ctx, "SELECT count(*) FROM main."+schema.Quote(m.name)); err != nil {
			return r.explain("read back table "+m.name+" of", err)
		}
	}
	if same == m.staged && total == m.staged {
		return nil
	}
	return &holdfast.Error{
		Op: "confirm table", Object: m.name,
		Err:  holdfast.Kindf(holdfast.ErrRefused, "of %d rows %d are there as they were, and %d in all: the database keeps them in another way", m.staged, same, total),
		Hint: "restore it under another name, or the whole database",
	}
}

func (r *partRestore) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = each(ctx, r.conn, query, args, func(rows *sql.Rows) (bool, error) { return false, rows.Scan(&n) })
	return n, err
}

// brokenKeys counts the foreign keys without a row in the tables that a restore changes
// and in those that refer to them. What an application does not enforce may be broken before.
func (r *partRestore) brokenKeys(ctx context.Context, w *wanted) (map[string]int64, error) {
	broken := map[string]int64{}
	for _, m := range w.moves {
		tables, err := column(ctx, r.conn, `SELECT DISTINCT m.name FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS f
			WHERE m.type = 'table' AND (f."table" = `+literal(m.name)+` COLLATE NOCASE OR m.name = `+literal(m.name)+` COLLATE NOCASE)`)
		if err != nil {
			return nil, r.explain("read the foreign keys of", err)
		}
		for _, t := range tables {
			if _, done := broken[t]; done {
				continue
			}
			n, err := r.number(ctx, "SELECT count(*) FROM pragma_foreign_key_check(?, 'main')", t)
			if code0(err) == sqlite3.SQLITE_ERROR {
				continue // a key that SQLite cannot follow cannot be broken by us
			}
			if err != nil {
				return nil, r.explain("check the foreign keys of", err)
			}
			broken[t] = n
		}
	}
	return broken, nil
}

// literal writes a text as SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// sameKeys refuses a restore that leaves rows which refer to rows that are not there.
func (r *partRestore) sameKeys(ctx context.Context, w *wanted, before map[string]int64) error {
	after, err := r.brokenKeys(ctx, w)
	if err != nil {
		return err
	}
	for table, n := range after {
		more := n - before[table]
		if more <= 0 {
			continue
		}
		if r.o.AcceptLosses {
			r.problem(holdfast.Warning, table, "restore the rows that they refer to as well", "%d more rows refer to rows that do not exist (foreign keys)", more)
			continue
		}
		return &holdfast.Error{
			Op: "restore parts into table", Object: table,
			Err:  holdfast.Kindf(holdfast.ErrRefused, "%d more of its rows would refer to rows that do not exist (foreign keys)", more),
			Hint: "restore the rows that they refer to as well, or accept losses", Cause: holdfast.CauseLosses,
		}
	}
	return nil
}
