package api

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// Before the first backup there is nothing wrong with a list.
func TestList_OfARepositoryThatIsNotThereYet(t *testing.T) {
	w := newWorld(t, nil)
	var page backupPage
	w.ask("GET", "backups", nil).want(http.StatusOK, &page)
	if page.Repository.Exists || page.Total != 0 {
		t.Errorf("%+v", page)
	}
	w.ask("GET", "jobs", nil).want(http.StatusOK)
	w.ask("GET", "backups/latest", nil).problem(http.StatusNotFound, "not_found")
	w.ask("GET", "prune-plan", nil).problem(http.StatusNotFound, "not_found")
	w.ask("GET", "status", nil).want(http.StatusOK)
	w.ask("GET", "sources", nil).want(http.StatusOK)
	w.backup("first")
	w.ask("GET", "backups", nil).want(http.StatusOK, &page)
	if !page.Repository.Exists || page.Total != 1 {
		t.Errorf("%+v", page)
	}
}

// Following the links gives each backup once, in order, however they are named.
func TestList_PagesAndFilters(t *testing.T) {
	w := newWorld(t, nil)
	names := []string{"alpha", "สำรองข้อมูล", "پشتیبان", "beta", "gamma"}
	for i, name := range names {
		w.write(name)
		w.ask("POST", "backups", map[string]any{"name": name, "note": fmt.Sprint("number ", i), "pin": i == 0}).want(http.StatusCreated)
	}
	var got []string
	for at := "backups?limit=2&sort=oldest"; at != ""; {
		var page backupPage
		r := w.ask("GET", at, nil).want(http.StatusOK, &page)
		for _, b := range page.Backups {
			got = append(got, b.Name.String())
		}
		if page.Total != len(names) {
			t.Errorf("total %d", page.Total)
		}
		at = ""
		if link := r.header.Get("Link"); link != "" {
			target, rel, _ := strings.Cut(link, ";")
			if !strings.Contains(rel, `rel="next"`) || page.Next == "" {
				t.Fatalf("Link %s", link)
			}
			at = strings.Trim(target, "<>")
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("pages %v, want %v", got, names)
	}
	for query, want := range map[string]int{
		"q=number+3": 1, "q=" + url.QueryEscape("สำรอง"): 1, "q=nothing": 0, "pinned=true": 1, "pinned=false": 4, "proven=true": 0, "drilled=true": 0,
		"problems=false": 5, "type=standard": 5, "type=enhanced": 0, "trigger=manual": 5, "trigger=auto": 0, "source=bot": 5, "source=other": 0,
		"since=2020-01-01T00:00:00Z": 5, "until=2020-01-01T00:00:00Z": 0, "sort=name&limit=200": 5, "sort=size": 5,
	} {
		var page backupPage
		if w.ask("GET", "backups?"+query, nil).want(http.StatusOK, &page); page.Total != want {
			t.Errorf("%s: %d, want %d", query, page.Total, want)
		}
	}
	for _, query := range []string{"limit=0", "limit=201", "limit=x", "proven=maybe", "sort=colour", "since=yesterday", "unknown=1"} {
		w.ask("GET", "backups?"+query, nil).problem(http.StatusUnprocessableEntity, "usage")
	}
	w.ask("GET", "backups?after=nonsense", nil).problem(http.StatusBadRequest, "usage")
}

func TestList_TagsSpareWhatHasNotChanged(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	for _, path := range []string{"backups", "backups/one"} {
		r := w.ask("GET", path, nil).want(http.StatusOK)
		tag := r.header.Get("ETag")
		if tag == "" || r.header.Get("Cache-Control") != revalidate {
			t.Fatalf("%s: ETag %q, Cache-Control %q", path, tag, r.header.Get("Cache-Control"))
		}
		if again := w.ask("GET", path, nil, "If-None-Match", `"other", W/`+tag).want(http.StatusNotModified); len(again.body) > 0 || again.header.Get("ETag") != tag {
			t.Errorf("%s: 304 with %q and %s", path, again.body, again.header.Get("ETag"))
		}
		if w.ask("GET", path, nil, "If-None-Match", "*").status != http.StatusNotModified {
			t.Errorf("%s: * does not match", path)
		}
		w.ask("PATCH", "backups/one", map[string]any{"pinned": path == "backups"}).want(http.StatusOK)
		if w.ask("GET", path, nil, "If-None-Match", tag).want(http.StatusOK).header.Get("ETag") == tag {
			t.Errorf("%s: a change has the same tag", path)
		}
	}
	if tag := w.ask("GET", "backups?sort=name", nil).header.Get("ETag"); tag == w.ask("GET", "backups", nil).header.Get("ETag") {
		t.Error("two lists have one tag")
	}
}

func TestPin_OnlyWhatIsStillAsYouKnowIt(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	tag := w.ask("GET", "backups/one", nil).header.Get("ETag")
	var show report.Show
	r := w.ask("PATCH", "backups/one", map[string]any{"pinned": true}, "If-Match", tag).want(http.StatusOK, &show)
	if !show.Backup.Pinned {
		t.Error("it is not pinned")
	}
	if len(show.Places) != 1 || show.Places[0].Name != report.PlaceHere || !show.Places[0].Has {
		t.Errorf("it is in %+v", show.Places)
	}
	p := w.ask("PATCH", "backups/one", map[string]any{"pinned": false}, "If-Match", tag).problem(http.StatusPreconditionFailed, "refused")
	if p.Object != "one" {
		t.Errorf("%+v", p)
	}
	w.ask("PATCH", "backups/latest", map[string]any{"pinned": false}, "If-Match", r.header.Get("ETag")).want(http.StatusOK, &show)
	if show.Backup.Pinned {
		t.Error("it is pinned")
	}
	w.ask("PATCH", "backups/none", map[string]any{"pinned": true}).problem(http.StatusNotFound, "not_found")
	w.ask("PATCH", "backups/one", nil).problem(http.StatusBadRequest, "usage")
	w.ask("PATCH", "backups/one", map[string]any{}).problem(http.StatusUnprocessableEntity, "usage")
}

func TestFiles_PagesOfWhatIsInABackup(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	var whole filePage
	w.ask("GET", "backups/one/files", nil).want(http.StatusOK, &whole)
	if whole.Total < 2 || whole.Total != len(whole.Files) || whole.Backup != "one" {
		t.Fatalf("%+v", whole)
	}
	var got []string
	for after := ""; ; {
		var page filePage
		w.ask("GET", "backups/one/files?limit=1&after="+after, nil).want(http.StatusOK, &page)
		for _, f := range page.Files {
			got = append(got, f.Path)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for i, f := range whole.Files {
		if got[i] != f.Path {
			t.Errorf("page %d has %s, want %s", i, got[i], f.Path)
		}
	}
	if len(got) != whole.Total {
		t.Errorf("%d of %d", len(got), whole.Total)
	}
	var part filePage
	w.ask("GET", "backups/one/files?source=bot", nil).want(http.StatusOK, &part)
	if part.Total == 0 || part.Total >= whole.Total {
		t.Errorf("%+v", part)
	}
	w.ask("GET", "backups/one/files?after=!", nil).problem(http.StatusBadRequest, "usage")
	w.ask("GET", "backups/none/files", nil).problem(http.StatusNotFound, "not_found")
}

// A repository that cannot be asked any more is told beside the list that was good.
func TestList_OfARepositoryThatCannotBeAskedAnyMore(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("one")
	w.ask("GET", "backups", nil).want(http.StatusOK)
	if err := os.Rename(w.dir+"/backups", w.dir+"/elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.dir+"/backups", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.core.Book.Changed()
	var page backupPage
	w.ask("GET", "backups", nil).want(http.StatusOK, &page)
	if page.Repository.Stale == "" || page.Total != 1 {
		t.Errorf("%+v", page)
	}
}
