package contents_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// hostile is what a user may have written.
const hostile = `<script>alert(1)</script>` + "\u202e\x1b[31m" + `"><img src=x>`

func newWorld(t *testing.T) *webtest.World {
	t.Helper()
	w := webtest.New(t, webtest.Options{})
	sourcetest.SQLite(t, w.Database, "CREATE TABLE \"a/b <i>\"(id TEXT PRIMARY KEY, text TEXT, n INTEGER, r REAL, b BLOB);"+
		"INSERT INTO \"a/b <i>\" VALUES('k''1', '"+strings.ReplaceAll(hostile, "'", "''")+"', 2, 2.0, x'00ff'), ('long', '"+strings.Repeat("ยาว", 40_000)+"', NULL, NULL, NULL);"+
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 120) INSERT INTO note(text) SELECT 'row ' || i FROM c;")
	w.Backup("monday")
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

func TestTables_AreListedWithTheirRows(t *testing.T) {
	w := newWorld(t)
	get(t, w, "/backups/monday", http.StatusOK, "/backups/monday/contents", "/backups/monday/compare")
	get(t, w, "/backups/monday/contents", http.StatusOK, "note", "121 rows", "a/b &lt;i&gt;", "2 rows", contents.RowsPath("monday", "bot", "note", "")[:30])
	get(t, w, "/backups/sunday/contents", http.StatusNotFound)
	get(t, w, "/backups/monday/contents?source=none", http.StatusNotFound)
	get(t, w, contents.RowsPath("monday", "bot", "nothing", ""), http.StatusNotFound, "nothing")
}

func TestRows_ArePagedToTheEndAndEachIsThereOnce(t *testing.T) {
	w := newWorld(t)
	seen := map[string]int{}
	path := contents.RowsPath("monday", "bot", "note", "")
	pages := 0
	for path != "" {
		pages++
		body := get(t, w, path, http.StatusOK)
		for line := range strings.SplitSeq(body, "<bdi class=\"value\">") {
			if text, _, ok := strings.Cut(line, "</bdi>"); ok && strings.HasPrefix(text, "row ") {
				seen[text]++
			}
		}
		path = ""
		if _, rest, ok := strings.Cut(body, `rel="next" href="`); ok {
			href, _, _ := strings.Cut(rest, `"`)
			path = strings.ReplaceAll(href, "&amp;", "&")
		}
	}
	if pages != 3 || len(seen) != 120 {
		t.Errorf("%d pages with %d rows", pages, len(seen))
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
}

func TestRow_IsShownWholeAndHarmless(t *testing.T) {
	w := newWorld(t)
	const table = "a/b <i>"
	row := contents.RowPath("monday", "bot", table, "k'1")
	for _, path := range []string{row, contents.RowsPath("monday", "bot", table, ""), contents.SearchPath("monday") + "?q=alert"} {
		body := get(t, w, path, http.StatusOK, "⟨U+202E⟩", "␛[31m")
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, "\u202e") {
			t.Errorf("%s is the user's page: %s", path, body)
		}
	}
	get(t, w, row, http.StatusOK, "2.0", "00ff", "holdfast restore monday", "/backups/monday/restore?")
	long := contents.RowPath("monday", "bot", table, "long")
	body := get(t, w, long, http.StatusOK, "Save all of it")
	if len(body) > 200_000 {
		t.Errorf("the page of a long value has %d bytes", len(body))
	}
	r := w.Get("/backups/monday/contents/bot/value?" + url.Values{"table": {table}, "key": {"long"}, "field": {"text"}}.Encode())
	if r.Status != http.StatusOK || r.Body != strings.Repeat("ยาว", 40_000) || !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("the whole value: %d, %d bytes, %v", r.Status, len(r.Body), r.Header)
	}
	get(t, w, "/backups/monday/contents/bot/value?"+url.Values{"table": {table}, "key": {"long"}, "field": {"none"}}.Encode(), http.StatusNotFound)
	get(t, w, contents.RowPath("monday", "bot", table, "no such"), http.StatusNotFound)
}

// Of a long file a page has the beginning only, which nobody is given as the file.
func TestRow_TheBeginningOfAFileIsNotTheFile(t *testing.T) {
	docs := t.TempDir()
	for name, text := range map[string]string{"long.txt": strings.Repeat("line\n", 20_000), "short.txt": "all of it"} {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := webtest.New(t, webtest.Options{Change: func(f *config.Flags) {
		s, err := config.AdHoc(holdfast.KindFiles, "files", "docs="+docs)
		if err != nil {
			t.Fatal(err)
		}
		f.Sources = append(f.Sources, s)
	}})
	w.Backup("monday")
	body := get(t, w, contents.RowPath("monday", "docs", "files", "long.txt"), http.StatusOK, "Only the beginning is shown", "98 KiB", "holdfast restore monday --only docs --to DIR")
	if strings.Contains(body, "Save all of it") {
		t.Error("the beginning is offered as all of it")
	}
	value := func(key string) string {
		return "/backups/monday/contents/docs/value?" + url.Values{"table": {"files"}, "key": {key}, "field": {"content"}}.Encode()
	}
	get(t, w, value("long.txt"), http.StatusConflict, "only its beginning")
	if got := get(t, w, value("short.txt"), http.StatusOK); got != "all of it" {
		t.Errorf("the whole file: %q", got)
	}
}

func TestSearch_FindsRowsAndSaysHowItEnded(t *testing.T) {
	w := newWorld(t)
	search := func(values url.Values) string { return contents.SearchPath("monday") + "?" + values.Encode() }
	get(t, w, search(nil), http.StatusOK, "Text to find")
	get(t, w, search(url.Values{"q": {"ROW 117"}}), http.StatusOK, "<mark>row 117</mark>", "1 row has the text", contents.RestorePath("monday", "bot", "note", "118")[:30], "</html>")
	get(t, w, search(url.Values{"q": {"row"}, "source": {"bot"}, "table": {"note"}}), http.StatusOK, "100 rows have the text", "There are more")
	get(t, w, search(url.Values{"q": {"nobody wrote this"}}), http.StatusOK, "Nothing was found", "</html>")
	get(t, w, search(url.Values{"q": {"row"}, "source": {"none"}}), http.StatusNotFound)
	get(t, w, search(url.Values{"q": {"row"}, "source": {"bot"}, "table": {"none"}}), http.StatusNotFound)
}

func TestSearch_TellsWhatItCannotRead(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	sourcetest.SQLite(t, w.Database, "CREATE VIRTUAL TABLE box USING rtree(id, a, b)")
	w.Backup("monday")
	search := contents.SearchPath("monday") + "?" + url.Values{"q": {"nobody wrote this"}}.Encode()
	get(t, w, search, http.StatusOK, "Nothing was found", "table box", "it was not searched", "</html>")
}

func TestShow_TellsValuesApart(t *testing.T) {
	for _, c := range []struct {
		field holdfast.Field
		most  int
		want  contents.Shown
	}{
		{holdfast.Field{Value: int64(2)}, 10, contents.Shown{Kind: "number", Text: "2"}},
		{holdfast.Field{Value: 2.0}, 10, contents.Shown{Kind: "number", Text: "2.0"}},
		{holdfast.Field{Value: 1e300}, 10, contents.Shown{Kind: "number", Text: "1e+300"}},
		{holdfast.Field{Value: true}, 10, contents.Shown{Kind: "truth", Text: "true"}},
		{holdfast.Field{}, 10, contents.Shown{Kind: "null"}},
		{holdfast.Field{Value: ""}, 10, contents.Shown{Kind: "text"}},
		{holdfast.Field{Value: "กข"}, 4, contents.Shown{Kind: "text", Text: "ก", Length: 6, Cut: true}},
		{holdfast.Field{Value: "a", Length: 9}, 4, contents.Shown{Kind: "text", Text: "a", Length: 9, Cut: true}},
		{holdfast.Field{Value: []byte{1, 255}}, 4, contents.Shown{Kind: "bytes", Text: "01ff", Length: 2}},
		{holdfast.Field{Value: []float32{0.1, 2}}, 40, contents.Shown{Kind: "vector", Text: "0.1, 2", Length: 2}},
		{holdfast.Field{Name: holdfast.FieldEmbedding, Length: 384}, 40, contents.Shown{Kind: "vector", Length: 384, Cut: true}},
		{holdfast.Field{Value: []any{"x", int64(1), 1.0}}, 40, contents.Shown{Kind: "list", Text: `["x", 1, 1.0]`, Length: 13}},
	} {
		if got := contents.Show(c.field, c.most); got != c.want {
			t.Errorf("%#v is shown as %#v, want %#v", c.field.Value, got, c.want)
		}
	}
}

func TestVisible_LeavesScriptsAlone(t *testing.T) {
	for text, want := range map[string]string{
		"می\u200cشود": "می\u200cشود", "นี่\nคือ\tข้อความ": "นี่\nคือ\tข้อความ", "a\x00b\x7f": "a␀b␡",
		"\u200fx\u2066y\u2069": "⟨U+200F⟩x⟨U+2066⟩y⟨U+2069⟩", "\u061c1": "⟨U+061C⟩1", "a\xffb": "a\ufffdb", "\u0085": "⟨U+0085⟩",
	} {
		if got := contents.Visible(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
