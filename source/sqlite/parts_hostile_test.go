package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// SQLite takes the first statement of a definition that lies in a database and lets be
// what follows. Whoever makes a copy by hand must not have it run.
func TestRestoreParts_ADefinitionIsOneStatement(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.db")
	more := "; COMMIT; ATTACH '" + elsewhere + "' AS e; CREATE TABLE e.t(x); BEGIN; DELETE FROM other"
	for what, forge := range map[string]string{
		"a table":   "UPDATE sqlite_schema SET sql = sql || " + literal(more) + " WHERE name = 't'",
		"an index":  "UPDATE sqlite_schema SET sql = sql || " + literal(more) + " WHERE name = 'by_v'",
		"a trigger": "UPDATE sqlite_schema SET sql = sql || " + literal(more) + " WHERE name = 'logged'",
	} {
		for _, as := range []string{"", "new"} {
			t.Run(what+" as "+as, func(t *testing.T) {
				f := newParts(t, `CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE INDEX by_v ON t(v); CREATE TABLE other(x); INSERT INTO other VALUES(1); INSERT INTO t VALUES(1,'a');
					CREATE TRIGGER logged AFTER INSERT ON t BEGIN INSERT INTO other VALUES(2); END; PRAGMA writable_schema=ON;`+forge, "")
				if err := os.Remove(f.path); err != nil {
					t.Fatal(err)
				}
				sourcetest.SQLite(t, f.path, "CREATE TABLE other(x); INSERT INTO other VALUES(1);")
				before := dump(t, f.path, "")
				_, err := f.run(holdfast.Part{Table: "t", As: as})
				if as != "" && what == "a trigger" {
					if err != nil {
						t.Errorf("a trigger that does not come along: %v", err)
					}
				} else if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "one statement") {
					t.Errorf("got %v", err)
				} else if after := dump(t, f.path, ""); after != before {
					t.Errorf("the database is\n%s, was\n%s", after, before)
				}
				if _, err := os.Stat(elsewhere); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a file was made elsewhere: %v", err)
				}
			})
		}
	}
}
