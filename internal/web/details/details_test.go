package details_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

func TestPage_OfARealBackup(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	page := w.Get("/backups/monday")
	for _, text := range []string{"note", "backup_name", "sha256sum -c SHA256SUMS", "/api/v1/backups/monday/download?format=tar", "/backups/monday/restore"} {
		if page.Status != http.StatusOK || !strings.Contains(page.Body, text) {
			t.Errorf("%d: %q is not on the page", page.Status, text)
		}
	}
	if files := w.Get("/backups/monday/files"); files.Status != http.StatusOK || !strings.Contains(files.Body, "bot/bot.db") {
		t.Errorf("the files are %d %s", files.Status, files.Body)
	}
	if lost := w.Get("/backups/mondya"); lost.Status != http.StatusNotFound || !strings.Contains(lost.Body, `href="/backups/monday"`) {
		t.Errorf("a name that is nearly right: %d %s", lost.Status, lost.Body)
	}
	if r := w.Get("/backups/latest"); r.Header.Get("Location") != "/backups/monday" {
		t.Errorf("latest leads to %v", r.Header)
	}
	if r := w.Post("/backups/monday/pin", nil); r.Status != http.StatusSeeOther || !strings.Contains(w.Get("/backups/monday").Body, "/backups/monday/unpin") {
		t.Errorf("pin: %d", r.Status)
	}
	for _, action := range []string{"verify", "drill"} {
		if r := w.Post("/backups/monday/"+action, nil); r.Status != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/jobs/") {
			t.Errorf("%s: %d %v", action, r.Status, r.Header)
		}
	}
}

// Deleting from the page of a backup is deleting from the list: the last backup is asked
// about, any other can be taken back.
func TestDelete_AsksAsTheListDoes(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	asked := w.Post("/backups/monday/delete", nil)
	if asked.Status != http.StatusOK || !strings.Contains(asked.Body, `data-confirm="monday"`) {
		t.Fatalf("the last backup goes without a question: %d %v", asked.Status, asked.Header)
	}
	w.Backup("tuesday")
	if r := w.Post("/backups/monday/delete", nil); r.Status != http.StatusSeeOther || r.Header.Get("Location") != "/backups" {
		t.Fatalf("delete: %d %v", r.Status, r.Header)
	}
	undo := regexp.MustCompile(`action="(/jobs/[^"]+/cancel)`).FindStringSubmatch(w.Get("/backups").Body)
	if undo == nil {
		t.Fatal("it cannot be taken back")
	}
	w.Post(undo[1], nil)
	w.Post("/backups/monday/pin", nil)
	if r := w.Post("/backups/monday/delete", url.Values{"confirm": {"monday"}}); r.Status != http.StatusOK || !strings.Contains(r.Body, "Pinned") {
		t.Errorf("a pinned one: %d %v", r.Status, r.Header)
	}
}

// fixed are words that stand in addresses of the pages.
var fixed = []string{"new", "quick", "auto", "selected", "delete", "verify", "pin", "unpin", "restore", "files", "command", "drill", "plan", "backups", "jobs", "assets", "api"}

// Whatever a backup is called, its address is the page of that backup and of no other.
func TestShow_EveryNameHasItsPage(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	for _, name := range fixed {
		w.Backup(name)
		page := w.Get("/backups/" + name)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "/api/v1/backups/"+name+"/download") {
			t.Errorf("the page of %q: %d", name, page.Status)
		}
		if r := w.Post("/backups/"+name+"/pin", nil); r.Status != http.StatusSeeOther || !strings.HasSuffix(r.Header.Get("Location"), "/backups/"+name) {
			t.Errorf("%q is pinned with %d %v", name, r.Status, r.Header)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.SampledFrom(fixed), rapid.StringMatching(`[a-zA-Z0-9_ก-ฮا-ی][a-z0-9_.ก-ฮا-ی-]{0,30}`)).Filter(func(s string) bool {
			_, err := holdfast.ParseBackupName(s)
			return err == nil
		}).Draw(t, "name")
		for _, rest := range []string{"", "/files", "/restore"} {
			r := w.Get("/backups/" + url.PathEscape(name) + rest)
			if r.Status == http.StatusMethodNotAllowed || r.Status != http.StatusOK && r.Status != http.StatusNotFound {
				t.Fatalf("%q%s: %d", name, rest, r.Status)
			}
			if !strings.Contains(r.Body, name) {
				t.Fatalf("the page %q%s is of something else", name, rest)
			}
		}
	})
}
