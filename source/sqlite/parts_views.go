package sqlite

import (
	"context"
	"database/sql"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// lostViews tells of the views of a copy that the live database does not have, or has
// otherwise: of a whole database only the tables are written row by row.
func (w *wanted) lostViews(ctx context.Context, in *inside, live schema.Querier) error {
	if !w.whole || in.size == 0 {
		return nil
	}
	const views = "SELECT name, coalesce(sql, '') FROM main.sqlite_schema WHERE type = 'view' ORDER BY name"
	read := func(q schema.Querier, take func(name, definition string)) error {
		return each(ctx, q, views, nil, func(rows *sql.Rows) (bool, error) {
			var name, definition string
			err := rows.Scan(&name, &definition)
			if err == nil {
				take(name, definition)
			}
			return true, err
		})
	}
	there := map[string]string{}
	if err := read(live, func(name, definition string) { there[name] = definition }); err != nil {
		return err
	}
	err := read(in.db, func(name, definition string) {
		if there[name] == definition {
			return
		}
		w.losses = append(w.losses, holdfast.Problem{
			Object: "view " + name, Severity: holdfast.Incomplete, Message: "it is not there now as the copy has it, and only tables are restored by rows",
			Hint: "restore the whole database as a file to have it back",
		})
	})
	if err != nil {
		return in.failed(ctx, "read the views of", "", err)
	}
	return nil
}
