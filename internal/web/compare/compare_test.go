package compare_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func newWorld(t *testing.T) *webtest.World {
	t.Helper()
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	sourcetest.SQLite(t, w.Database, "UPDATE note SET text='<b>second</b>' WHERE id=1; INSERT INTO note VALUES(7,'seventh'); CREATE TABLE other(id INTEGER PRIMARY KEY);")
	w.Backup("tuesday")
	sourcetest.SQLite(t, w.Database, "DELETE FROM note WHERE id=1; DROP TABLE other;")
	return w
}

func get(t *testing.T, w *webtest.World, path string, status int, text ...string) string {
	t.Helper()
	r := w.Get(path)
	if r.Status != status {
		t.Fatalf("GET %s: status %d, want %d: %s", path, r.Status, status, r.Body)
	}
	for _, one := range text {
		if !strings.Contains(r.Body, one) {
			t.Errorf("GET %s does not say %q:\n%s", path, one, r.Body)
		}
	}
	return r.Body
}

func rows(name, with string) string {
	return "/backups/" + name + "/compare/table?" + url.Values{"with": {with}, "source": {"bot"}, "table": {"note"}}.Encode()
}

func TestCompare_TellsTablesAndThenRows(t *testing.T) {
	w := newWorld(t)
	get(t, w, "/backups/monday/compare", http.StatusOK, `value="live"`, `value="tuesday"`, "</html>")
	get(t, w, "/backups/monday/compare?with=tuesday", http.StatusOK, "Rows added: 1, changed: 1, removed: 0", "other", "/backups/monday/compare/table?", "holdfast diff monday tuesday")
	get(t, w, "/backups/tuesday/compare?with=tuesday", http.StatusOK, "Both are the same", "</html>")
	body := get(t, w, rows("monday", "tuesday"), http.StatusOK, "first", "&lt;b&gt;second&lt;/b&gt;", "seventh", "/backups/tuesday/contents/bot/row?key=7", "/backups/monday/restore?row=1")
	if strings.Contains(body, "<b>second") {
		t.Error("what a user wrote is part of the page")
	}
}

func TestCompare_WithThePresentState(t *testing.T) {
	w := newWorld(t)
	get(t, w, "/backups/tuesday/compare?with=live", http.StatusOK, "Rows added: 0, changed: 0, removed: 1", "the present state")
	get(t, w, rows("tuesday", "live"), http.StatusOK, "Removed", "/backups/tuesday/restore?row=1")
	token, _, err := w.Access.Tokens().Create("viewer", []access.Scope{access.ScopeRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.Token = token
	get(t, w, "/backups/tuesday/compare?with=live", http.StatusForbidden)
	get(t, w, rows("tuesday", "live"), http.StatusForbidden)
	body := get(t, w, "/backups/monday/compare?with=tuesday", http.StatusOK, "Rows added: 1")
	if strings.Contains(body, `value="live"`) {
		t.Error("the present state is offered to whoever may not see it")
	}
	if body = get(t, w, rows("monday", "tuesday"), http.StatusOK); strings.Contains(body, "/restore?") {
		t.Error("a restore is offered to whoever may not")
	}
}

func TestCompare_SaysWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	get(t, w, "/backups/sunday/compare?with=tuesday", http.StatusNotFound)
	get(t, w, "/backups/monday/compare?with=sunday", http.StatusOK, "The comparison ended early", "sunday", "</html>") // it had begun
	get(t, w, "/backups/monday/compare?with=..%2Fx", http.StatusBadRequest)
	get(t, w, "/backups/monday/compare/table?with=tuesday", http.StatusBadRequest)
	get(t, w, strings.Replace(rows("monday", "tuesday"), "bot", "none", 1), http.StatusNotFound)
	get(t, w, strings.Replace(rows("monday", "tuesday"), "note", "none", 1), http.StatusOK, "The comparison ended early")
}
