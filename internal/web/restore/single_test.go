package restore_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// From a row that was found, just that one comes back; all else stays as it is.
func TestRestore_JustOneRow(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	w.write("shop")
	sourcetest.SQLite(t, w.database("bot"), "DELETE FROM note WHERE id=1;")
	page := w.get(contents.RestorePath("monday", "bot", "note", "1")+"&show=true").
		want(http.StatusOK, "note", "Only this changes", "holdfast restore monday --only bot --table=note --id=1", "1 row")
	page.without(`name="part"`)
	for name, want := range map[string]string{"source": "bot", "table": "note", "row": "1"} {
		if got, _, _ := page.input(name, ""); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	sent := url.Values{"chosen": {"true"}, "source": {"bot"}, "table": {"note"}, "row": {"1"}, "confirm": {"no"}, "key": {"k1"}}
	w.post("/backups/monday/restore", sent).want(http.StatusUnprocessableEntity, "This is not the name")
	sent.Set("confirm", "monday")
	j := w.job(w.post("/backups/monday/restore", sent))
	if bot, shop := w.rows("bot"), w.rows("shop"); j.State != job.Succeeded || bot != 2 || shop != 2 {
		t.Errorf("%+v: bot has %d rows, shop %d", j, bot, shop)
	}
	w.get("/jobs/"+j.ID).want(http.StatusOK, "Changed in", "note", "emergency_")

	// What would be undone is that row, and nothing else.
	w.write("bot")
	w.get("/rollback").want(http.StatusOK, "bot/note", "Only these rows: ", "1 row", "1 fewer", "Only this changes", "Roll back now").without("3 rows")
	j = w.job(w.post("/rollback", url.Values{"confirm": {"monday"}, "key": {"k2"}}))
	if n := w.rows("bot"); j.State != job.Succeeded || n != 2 {
		t.Errorf("%+v: bot has %d rows", j, n)
	}
}

func TestRestore_ATableUnderAnotherName(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	w.get(contents.RestorePath("monday", "bot", "note")+"&as=note_again&show=true").want(http.StatusOK, "note_again", "Comes back", "--table=note=note_again")
	j := w.job(w.post("/backups/monday/restore", url.Values{"source": {"bot"}, "table": {"note"}, "as": {"note_again"}, "confirm": {"monday"}, "key": {"k1"}}))
	if n := sourcetest.SQLiteInt(t, w.database("bot"), "SELECT count(*) FROM note_again;"); j.State != job.Succeeded || n != 1 || w.rows("bot") != 2 {
		t.Errorf("%+v: %d rows", j, n)
	}
}

func TestRestore_OfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.get(contents.RestorePath("monday", "none", "note")).want(http.StatusNotFound, "none")
	w.get(contents.RestorePath("monday", "bot", "gone")+"&show=true").want(http.StatusOK, "This cannot be restored as things are", "gone")
	w.only("shop")
	w.get(contents.RestorePath("monday", "bot", "note", "1")+"&show=true").want(http.StatusOK, "not configured here")
}
