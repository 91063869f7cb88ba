package restore_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A world is the pages behind their door, over two real databases.
type world struct{ *webtest.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	shop := filepath.Join(t.TempDir(), "shop.db")
	sourcetest.SQLite(t, shop, "PRAGMA journal_mode=WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note(text) VALUES('first');")
	s, err := config.AdHoc(holdfast.KindSQLite, "sqlite", "shop="+shop)
	if err != nil {
		t.Fatal(err)
	}
	return &world{webtest.New(t, webtest.Options{Change: func(f *config.Flags) { f.Sources = append(f.Sources, s) }})}
}

// only configures one database alone, from now on.
func (w *world) only(name string) {
	w.T.Helper()
	c := *w.Config
	c.Sources = slices.DeleteFunc(slices.Clone(c.Sources), func(s config.Source) bool { return s.Name != name })
	w.Config = &c
	w.Start()
}

// database is where a database lies.
func (w *world) database(name string) string {
	w.T.Helper()
	for _, s := range w.Config.Sources {
		if s.Name == name {
			return s.Path
		}
	}
	w.T.Fatalf("there is no source %s", name)
	return ""
}

// write adds a row to a database.
func (w *world) write(name string) {
	w.T.Helper()
	sourcetest.SQLite(w.T, w.database(name), "INSERT INTO note(text) VALUES('more');")
}

// rows counts what is in a database.
func (w *world) rows(name string) int64 {
	w.T.Helper()
	return sourcetest.SQLiteInt(w.T, w.database(name), "SELECT count(*) FROM note;")
}

// as sends a request with a token of one scope.
func (w *world) as(scope access.Scope, method, path string, form url.Values) reply {
	w.T.Helper()
	token, _, err := w.Access.Tokens().Create(strings.ToLower(rand.Text()), []access.Scope{scope}, time.Time{})
	if err != nil {
		w.T.Fatal(err)
	}
	r := w.Request(w.T.Context(), method, path, form)
	r.Header.Set("Authorization", "Bearer "+token)
	return reply{w.T, method + " " + path, w.Do(r)}
}

func (w *world) get(path string) reply { return reply{w.T, "GET " + path, w.Get(path)} }

func (w *world) post(path string, form url.Values) reply {
	return reply{w.T, "POST " + path, w.Post(path, form)}
}

// A reply is one answer to a request.
type reply struct {
	t    *testing.T
	what string
	webtest.Reply
}

// want wants a status and some text in the page.
func (r reply) want(status int, text ...string) reply {
	r.t.Helper()
	if r.Status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.Status, status, r.Body)
	}
	for _, one := range text {
		if !strings.Contains(r.Body, one) {
			r.t.Errorf("%s does not say %q:\n%s", r.what, one, r.Body)
		}
	}
	return r
}

// leads wants a redirection to a path.
func (r reply) leads(to string) reply {
	r.t.Helper()
	if at := r.Header.Get("Location"); at != to {
		r.t.Errorf("%s leads to %s, want %s", r.what, at, to)
	}
	return r
}

// without wants some text not to be there.
func (r reply) without(text ...string) reply {
	r.t.Helper()
	for _, one := range text {
		if strings.Contains(r.Body, one) {
			r.t.Errorf("%s says %q", r.what, one)
		}
	}
	return r
}

// job is that to which an action sent the reader, when it has ended.
func (w *world) job(r reply) job.Job {
	w.T.Helper()
	id, ok := strings.CutPrefix(r.want(http.StatusSeeOther).Header.Get("Location"), "/jobs/")
	if !ok {
		w.T.Fatalf("%s leads to %s", r.what, r.Header.Get("Location"))
	}
	return w.Ended(job.Job{ID: id}, nil)
}

// input gives the value of a field of a page, and whether it is ticked or disabled.
func (r reply) input(name, value string) (v string, checked, disabled bool) {
	r.t.Helper()
	z := html.NewTokenizer(strings.NewReader(r.Body))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		token := z.Token()
		if token.Data != "input" {
			continue
		}
		attrs := map[string]string{}
		for _, a := range token.Attr {
			attrs[a.Key] = a.Val
		}
		if attrs["name"] != name || value != "" && attrs["value"] != value {
			continue
		}
		_, checked = attrs["checked"]
		_, disabled = attrs["disabled"]
		return attrs["value"], checked, disabled
	}
	r.t.Fatalf("%s has no input %s=%s:\n%s", r.what, name, value, r.Body)
	return "", false, false
}
