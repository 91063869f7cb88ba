package backups_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/backups"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// want fails unless a page has a status and some words, and none of those behind "-".
func want(t *testing.T, r webtest.Reply, status int, words ...string) webtest.Reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	for _, word := range words {
		if without, ok := strings.CutPrefix(word, "-"); ok == strings.Contains(r.Body, without) {
			t.Errorf("the page and %q: %s", word, r.Body)
		}
	}
	return r
}

// jobOf is the job to whose page an answer leads.
func jobOf(t *testing.T, w *webtest.World, r webtest.Reply) job.Job {
	t.Helper()
	id, ok := strings.CutPrefix(r.Header.Get("Location"), "/jobs/")
	if r.Status != http.StatusSeeOther || !ok {
		t.Fatalf("%d, %s: %s", r.Status, r.Header.Get("Location"), r.Body)
	}
	j, err := w.Core().Jobs.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// hrefs are the backups that a page lists.
var hrefs = regexp.MustCompile(`<a href="/backups/([^"/?]+)">`)

func listed(r webtest.Reply) (names []string) {
	for _, m := range hrefs.FindAllStringSubmatch(r.Body, -1) {
		if name, err := url.PathUnescape(m[1]); err == nil && name != "new" {
			names = append(names, name)
		}
	}
	return names
}

func TestList_Filters(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	want(t, w.Get("/backups"), http.StatusOK, "No backups yet", "Make the first backup")
	w.Backup("monday")
	w.Write("more")
	w.Backup("ก่อนอัปเดต")
	jobOf(t, w, w.Post("/backups", url.Values{"name": {"wednesday"}, "note": {"before the move"}, "pin": {"true"}, "key": {"k"}}))
	jobOf(t, w, w.Post("/quick", url.Values{"key": {"q"}}))
	w.Ended(w.Core().Operations.Verify(t.Context(), "tester", "", operation.VerifyRequest{Name: "monday"}))
	for query, wanted := range map[string]string{
		"":           "4",
		"q=MON":      "monday",
		"q=the+move": "wednesday",
		"q=" + url.QueryEscape("อัปเดต"): "ก่อนอัปเดต",
		"q=nothing-like-it":              "",
		"trigger=manual":                 "3",
		"trigger=quick":                  "1",
		"type=enhanced":                  "",
		"type=standard":                  "4",
		"source=bot":                     "4",
		"source=shop":                    "",
		"proven=true":                    "monday",
		"proven=false":                   "3",
		"drilled=true":                   "",
		"pinned=true":                    "wednesday",
		"pinned=false&trigger=manual":    "2",
		"problems=true":                  "",
		"since=2001-01-01":               "4",
		"until=2001-01-01":               "",
		"type=nonsense&since=yesterday&sort=up&after=%00": "4",
	} {
		r := want(t, w.Get("/backups?"+query), http.StatusOK)
		names := listed(r)
		switch {
		case wanted == "":
			if len(names) != 0 || !strings.Contains(r.Body, "No backup matches") {
				t.Errorf("%s: %v", query, names)
			}
		case len(wanted) == 1:
			if fmt.Sprint(len(names)) != wanted {
				t.Errorf("%s: %v, want %s", query, names, wanted)
			}
		case len(names) != 1 || names[0] != wanted:
			t.Errorf("%s: %v", query, names)
		}
	}
	if names := listed(w.Get("/backups?sort=name&trigger=manual")); strings.Join(names, " ") != "monday wednesday ก่อนอัปเดต" {
		t.Errorf("by name: %v", names)
	}
	want(t, w.Get("/backups?q=monday&pinned=true"), http.StatusOK, `value="monday"`, `<option value="true" selected`)
}

func TestCreate_OneFormMakesOneBackup(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	want(t, w.Get("/new"), http.StatusOK, "Enhanced Backup", "holdfast backup", "bot", `name="key"`, `-name="memory"`)
	form := url.Values{"name": {"ปลายสัปดาห์_پشتیبان"}, "note": {"it's mine"}, "key": {"one-form"}, "full": {"true"}}
	first := jobOf(t, w, w.Post("/backups", form))
	second := jobOf(t, w, w.Post("/backups", form))
	if first.ID != second.ID || first.State != job.Succeeded || first.Backup != "ปลายสัปดาห์_پشتیبان" {
		t.Errorf("%+v and %s", first, second.ID)
	}
	quick := url.Values{"key": {"one-click"}}
	if a, b := jobOf(t, w, w.Post("/quick", quick)), jobOf(t, w, w.Post("/quick", quick)); a.ID != b.ID {
		t.Error("two clicks made two")
	}
	if n := len(listed(w.Get("/backups"))); n != 2 {
		t.Errorf("there are %d", n)
	}
	want(t, w.Get("/new/command?name=friday&note=it%27s&full=true"), http.StatusOK, "holdfast backup --name friday --full --note", "-<html")
}

func TestCreate_NamesAreExplainedInTheReadersWords(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	for name, words := range map[string][3]string{
		"a/b":                    {"is not allowed in a name", "ในชื่อไม่ได้", "در نام مجاز نیست"},
		".hidden":                {"cannot begin with", "ขึ้นต้นด้วย", "شروع شود"},
		"-dash":                  {"cannot begin with", "ขึ้นต้นด้วย", "شروع شود"},
		"dot.":                   {"cannot end with", "ลงท้ายด้วย", "پایان یابد"},
		"latest":                 {"has another meaning", "มีความหมายอื่น", "معنای دیگری دارد"},
		"con.txt":                {"has another meaning", "มีความหมายอื่น", "معنای دیگری دارد"},
		strings.Repeat("ก", 100): {"too long", "ยาวเกินไป", "طولانی است"},
		"\xff":                   {"cannot be read", "อ่านชื่อนี้ไม่ได้", "خوانده نمی‌شود"},
		"monday":                 {"There is a backup of this name", "มี backup ชื่อนี้แล้ว", "نسخه‌ای با این نام هست"},
	} {
		for i, lang := range []string{"en", "th", "fa"} {
			r := w.Post("/backups", url.Values{"name": {name}, "note": {"kept"}, "key": {"k"}}, "Accept-Language", lang)
			want(t, r, http.StatusUnprocessableEntity, words[i], `aria-invalid="true"`, "kept")
		}
	}
	want(t, w.Post("/backups", url.Values{"name": {"ok"}, "note": {strings.Repeat("ก", 700)}, "key": {"k"}}), http.StatusUnprocessableEntity, "The note is too long")
	if n := len(listed(w.Get("/backups"))); n != 1 {
		t.Errorf("%d backups were made", n-1)
	}
}

func TestDelete_WithUndo(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	for _, name := range []string{"monday", "tuesday", "wednesday"} {
		w.Backup(name)
		w.Write(name)
	}
	r := w.Post("/selected/delete", url.Values{"name": {"monday"}, "back": {"/backups?sort=name"}})
	if r.Status != http.StatusSeeOther || r.Header.Get("Location") != "/backups?sort=name" {
		t.Fatalf("%d, %s: %s", r.Status, r.Header.Get("Location"), r.Body)
	}
	notice, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	page := want(t, w.Get("/backups?sort=name", "Cookie", notice), http.StatusOK, "will be deleted in a few seconds", "Being deleted", `form="undo-`, "every 2s")
	undo := regexp.MustCompile(`action="(/jobs/[^"]+/cancel)"`).FindStringSubmatch(page.Body)
	if undo == nil {
		t.Fatal("there is no undo")
	}
	if at := want(t, w.Post(undo[1]+"?back=%2Fbackups%3Fsort%3Dname", nil), http.StatusSeeOther).Header.Get("Location"); at != "/backups?sort=name" {
		t.Errorf("the undo leads to %s", at)
	}
	id := strings.Split(undo[1], "/")[2]
	if j := w.Ended(w.Core().Jobs.Get(id)); j.State != job.Cancelled {
		t.Errorf("the deletion is %s", j.State)
	}
	if names := listed(w.Get("/backups")); len(names) != 3 {
		t.Errorf("left are %v", names)
	}
}

// Who presses twice, or in two tabs, must not have taken back one deletion of two.
func TestDelete_TwiceIsOne(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	for _, name := range []string{"monday", "tuesday", "wednesday"} {
		w.Backup(name)
		w.Write(name)
	}
	form := url.Values{"name": {"monday"}}
	first := want(t, w.Post("/selected/delete", form), http.StatusSeeOther)
	again := want(t, w.Post("/backups/monday/delete", form), http.StatusSeeOther)
	jobs, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindDelete}, job.Page{})
	if n != 1 {
		t.Fatalf("%d deletions", n)
	}
	for _, r := range []webtest.Reply{first, again} {
		notice, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
		want(t, w.Get("/backups", "Cookie", notice), http.StatusOK, "will be deleted in a few seconds", `action="/jobs/`+jobs[0].ID+`/cancel`)
	}
	// The undo of one deletion is not offered for two.
	want(t, w.Post("/selected/delete", url.Values{"name": {"tuesday"}}), http.StatusSeeOther)
	both := want(t, w.Post("/selected/delete", url.Values{"name": {"monday", "tuesday"}}), http.StatusSeeOther)
	notice, _, _ := strings.Cut(both.Header.Get("Set-Cookie"), ";")
	want(t, w.Get("/backups", "Cookie", notice), http.StatusOK, "2 backups will be deleted", "-/cancel?back=")
	other, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindDelete}, job.Page{Limit: 1})
	if n != 2 {
		t.Fatalf("%d deletions", n)
	}
	want(t, w.Post("/jobs/"+other[0].ID+"/cancel", nil), http.StatusSeeOther)
	w.Ended(other[0], nil)
	// What goes is not what stays: with the last two nothing would be left.
	want(t, w.Post("/selected/delete", url.Values{"name": {"monday", "tuesday", "wednesday"}}), http.StatusOK, "Delete 2 backups", "No backup will be left")
	want(t, w.Post("/jobs/"+jobs[0].ID+"/cancel", nil), http.StatusSeeOther)
	w.Ended(jobs[0], nil)
	if names := listed(w.Get("/backups")); len(names) != 3 {
		t.Errorf("left are %v", names)
	}
	want(t, w.Post("/selected/delete", form), http.StatusSeeOther)
	next, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindDelete, States: []job.State{job.Queued, job.Running}}, job.Page{})
	if n != 1 {
		t.Fatalf("what was taken back cannot be deleted later: %d deletions", n)
	}
	want(t, w.Post("/jobs/"+next[0].ID+"/cancel", nil), http.StatusSeeOther)
	w.Ended(next[0], nil)
}

func TestDelete_TheUndoSaysThatItCameTooLate(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	w.Write("x")
	w.Backup("tuesday")
	j := w.Ended(w.Core().Operations.Delete(t.Context(), "local", "", operation.DeleteRequest{Names: []string{"monday"}}))
	r := want(t, w.Post("/jobs/"+j.ID+"/cancel?back=%2Fbackups", nil), http.StatusSeeOther)
	notice, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	want(t, w.Get("/backups", "Cookie", notice), http.StatusOK, "Nothing was taken back")
}

func TestDelete_SeveralAreAskedAbout(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	for _, name := range []string{"monday", "tuesday", "wednesday"} {
		w.Backup(name)
		w.Write(name)
	}
	two := url.Values{"name": {"monday", "tuesday"}}
	want(t, w.Post("/selected/delete", two), http.StatusOK, "Delete 2 backups", "monday", "tuesday", `data-confirm="2"`)
	two.Set("confirm", "3")
	want(t, w.Post("/selected/delete", two), http.StatusUnprocessableEntity, "Type it exactly")
	w.Post("/selected/pin", url.Values{"name": {"monday"}})
	two.Set("confirm", "۲") // as a Persian keyboard writes it
	want(t, w.Post("/selected/delete", two), http.StatusOK, "Pinned", "-data-confirm")
	w.Post("/selected/unpin", url.Values{"name": {"monday"}})
	want(t, w.Post("/selected/delete", two), http.StatusSeeOther)
	jobs, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindDelete}, job.Page{})
	if n != 1 {
		t.Fatalf("%d jobs", n)
	}
	if _, err := w.Core().Jobs.Cancel(jobs[0].ID); err != nil {
		t.Fatal(err)
	}
	w.Ended(jobs[0], nil)
	// The last proven one wants its name.
	w.Ended(w.Core().Operations.Verify(t.Context(), "tester", "", operation.VerifyRequest{Name: "monday"}))
	w.Core().Book.Changed()
	want(t, w.Post("/selected/delete", url.Values{"name": {"monday"}}), http.StatusOK, "The last proven one", `data-confirm="monday"`)
	want(t, w.Post("/selected/delete", nil), http.StatusSeeOther)
	want(t, w.Post("/selected/delete", url.Values{"name": {"../../etc"}}), http.StatusBadRequest)
	r := w.Post("/selected/delete", url.Values{"name": {"wednesday"}, "back": {"https://evil.example/"}})
	if at := r.Header.Get("Location"); at != "/backups" {
		t.Errorf("it leads to %s", at)
	}
}

func TestSelected_VerifiesAndPins(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	w.Write("x")
	w.Backup("tuesday")
	both := url.Values{"name": {"monday", "tuesday", "monday"}}
	want(t, w.Post("/selected/verify", both), http.StatusSeeOther)
	jobs, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindVerify}, job.Page{})
	if n != 2 {
		t.Fatalf("%d verifications", n)
	}
	for _, j := range jobs {
		if w.Ended(j, nil).State != job.Succeeded {
			t.Errorf("%s did not pass", j.Backup)
		}
	}
	want(t, w.Post("/selected/pin", both), http.StatusSeeOther)
	if names := listed(w.Get("/backups?pinned=true&proven=true")); len(names) != 2 {
		t.Errorf("pinned and proven are %v", names)
	}
}

func TestAuto_SwitchedFromThePage(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	want(t, w.Get("/backups"), http.StatusOK, "Auto Backup", "Switch off")
	for _, unclear := range []url.Values{{}, {"on": {"off"}}, {"on": {""}}} {
		want(t, w.Post("/auto", unclear), http.StatusBadRequest)
	}
	if !w.Core().Operations.AutoBackup().On {
		t.Error("a form that does not say what it wants turned it off")
	}
	want(t, w.Post("/auto", url.Values{"on": {"false"}, "back": {"/"}}), http.StatusSeeOther)
	w.Start() // it survives a restart
	want(t, w.Get("/backups"), http.StatusOK, "switched it off", "Switch on")
	want(t, w.Post("/auto", url.Values{"on": {"true"}}), http.StatusSeeOther)
	want(t, w.Get("/backups"), http.StatusOK, "Switch off")

	w = webtest.New(t, webtest.Options{Settings: map[string]string{"auto_backup": "false"}})
	want(t, w.Get("/backups"), http.StatusOK, "The configuration switches it off", "-Switch on")
	want(t, w.Post("/auto", url.Values{"on": {"true"}}), http.StatusConflict)
}

// A repository that is gone leaves the list as it was, and says so.
func TestList_Aged(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	want(t, w.Get("/backups"), http.StatusOK, "monday")
	file := filepath.Join(w.Dir, "backups", "repository.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Core().Book.Changed()
	r := w.Get("/backups")
	if r.Status != http.StatusOK || !strings.Contains(r.Body, "monday") {
		t.Errorf("%d: %s", r.Status, r.Body)
	}
}

// A look that failed is told: else a hold that it would have shown is taken for none.
func TestView_SaysThatTheStatusIsUnknown(t *testing.T) {
	m := backups.Build(backups.Input{Unknown: &report.Error{Code: "unreachable", Message: "the alarms cannot be read"}})
	var out strings.Builder
	if err := backups.View(ui.Page{L: locale.Of(locale.English)}, m).Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "the alarms cannot be read") {
		t.Errorf("the list does not say it: %s", out.String())
	}
}
