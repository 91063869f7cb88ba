package sqlite

import (
	"fmt"
	"os"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// What a database says of itself calls none of this package's functions: one that somebody
// forged would hand its own pages to the copy of another that is being made.
func TestDriver_NoSchemaCallsOurFunctions(t *testing.T) {
	received := 0
	id := lastReceiver.Add(1)
	receivers.Store(id, func([]byte) error { received++; return nil })
	defer receivers.Delete(id)
	// A full-text table whose content is a view asks that for it.
	dir, s := makeDatabase(t, fmt.Sprintf(`CREATE TABLE u(x CHECK(abs(x) IS NOT 5)); INSERT INTO u VALUES(1);
		CREATE VIEW v AS SELECT rowid AS id, abs(x) AS body FROM u; CREATE VIRTUAL TABLE f USING fts5(body, content='v', content_rowid='id'); INSERT INTO f(rowid, body) VALUES(1, 'one');
		PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql, 'abs(', '%s(%d,');`, pageFunc, id))
	in := openInside(t, s, os.DirFS(dir))
	for _, table := range []string{"f", "u"} {
		for range in.Rows(t.Context(), table, holdfast.RowsOptions{}) {
		}
		for range in.Search(t.Context(), holdfast.SearchQuery{Text: "1", Tables: []string{table}}) {
		}
	}
	f := &partsFixture{t: t, path: dir + "/bot.db", src: s, copy: os.DirFS(dir)}
	for _, table := range []string{"f", "u"} {
		_, _ = f.run(holdfast.Part{Table: table})
	}
	_, _ = s.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
	if received > 0 {
		t.Errorf("%d pages were handed over", received)
	}
}
