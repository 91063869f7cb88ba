package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// What is compared inside the transaction is looked up row by row: anything else would
// keep writers out for the square of the size of a table.
func TestRestoreParts_LooksRowsUpByIndexes(t *testing.T) {
	f := newParts(t, manyTables, "")
	in, err := lookInside(t.Context(), f.copy, "bot.db")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := &partRestore{path: f.path, wait: DefaultWait, in: in, was: in, parts: []holdfast.Part{{}}}
	err = r.connected(t.Context(), func() error {
		w, err := r.want(t.Context())
		if err != nil {
			return err
		}
		if err := r.stageAll(t.Context(), w); err != nil {
			return err
		}
		for _, m := range w.moves {
			if m.from.ContentOf() != "" || m.from.Module != "" {
				continue
			}
			unchanged, err := r.unchanged(t.Context(), m)
			if err != nil {
				return err
			}
			if plan := explainPlan(t, r.conn, "SELECT 1 FROM main."+schema.Quote(m.name)+" WHERE NOT EXISTS ("+unchanged+")"); !strings.Contains(plan, "SEARCH holdfast_past USING INDEX") {
				t.Errorf("%s: what has not changed: %s", m.name, plan)
			}
			if plan := explainPlan(t, r.conn, matching(m)); !strings.Contains(plan, "SEARCH live USING") {
				t.Errorf("%s: what is there: %s", m.name, plan)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func explainPlan(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	var plan []string
	err := each(context.Background(), conn, "EXPLAIN QUERY PLAN "+query, nil, func(rows *sql.Rows) (bool, error) {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		plan = append(plan, detail)
		return true, err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(plan, "; ")
}
