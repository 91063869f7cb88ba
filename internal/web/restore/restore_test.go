package restore_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// form is what the page would send for everything, confirmed.
func form(name string, more ...string) url.Values {
	out := url.Values{"chosen": {"true"}, "part": {"bot", "shop"}, "confirm": {name}, "key": {"k1"}}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = strings.Fields(more[i+1])
	}
	return out
}

func TestChoose_ShowsPartsAndWhatWillChange(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	w.write("bot")
	page := w.get("/backups/monday/restore").want(http.StatusOK, "monday", "What to restore", "/backups/monday/restore/plan", "holdfast restore monday")
	for _, part := range []string{"bot", "shop"} {
		if _, checked, disabled := page.input("part", part); !checked || disabled {
			t.Errorf("%s is not chosen", part)
		}
	}
	if key, _, _ := page.input("key", ""); key == "" {
		t.Error("a second click would be a second restore")
	}
	page.without("2 fewer") // it is asked for by itself
	w.get("/backups/monday/restore/plan?chosen=true&part=bot").want(http.StatusOK, "3 rows", "1 row", "2 fewer", "emergency backup").without("<html", w.database("shop"))
	w.get("/backups/monday/restore?show=true").want(http.StatusOK, "2 fewer", w.database("shop"), "<html")
	w.get("/backups/monday/restore?chosen=true&part=shop&show=true").want(http.StatusOK, "holdfast restore monday --only shop", "Same number").without("2 fewer")
	w.get("/backups/monday/restore?chosen=true").want(http.StatusOK, "Choose at least one part")
	w.get("/backups/latest/restore").want(http.StatusSeeOther)
	w.get("/backups/latest/restore?chosen=true&part=shop").want(http.StatusSeeOther).leads("/backups/monday/restore?chosen=true&part=shop")
	w.get("/backups/latest/restore?chosen=true&part=nothing").want(http.StatusNotFound, "nothing")
	w.get("/backups/sunday/restore").want(http.StatusNotFound, "sunday")
}

func TestBegin_RestoresTheChosenPartsOnly(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	w.write("shop")
	j := w.job(w.post("/backups/monday/restore", form("monday", "part", "shop")))
	if j.Kind != operation.KindRestore || j.State != job.Succeeded || j.By != "local" {
		t.Fatalf("job %+v", j)
	}
	if bot, shop := w.rows("bot"), w.rows("shop"); bot != 2 || shop != 1 {
		t.Errorf("bot has %d rows, shop %d", bot, shop)
	}
	j = w.job(w.post("/backups/monday/restore", form(" monday \n", "key", "k2")))
	if j.State != job.Succeeded || w.rows("bot") != 1 {
		t.Errorf("everything: %+v, %d rows", j, w.rows("bot"))
	}
}

func TestBegin_OnlyTheExactNameConfirms(t *testing.T) {
	w := newWorld(t)
	const name = "ก่อนอัปเดต_پشتیبان_é"
	w.Backup(name)
	w.write("bot")
	here := "/backups/" + url.PathEscape(name) + "/restore"
	for _, typed := range []string{"", "Monday", name + "_2", strings.ToUpper(name), "ก่อนอัปเดต_پشتیبان_e", "latest"} {
		page := w.post(here, form(typed, "part", "bot")).want(http.StatusUnprocessableEntity, "This is not the name of the backup")
		if key, _, _ := page.input("key", ""); key != "k1" {
			t.Errorf("the key is %q now", key)
		}
		if _, checked, _ := page.input("part", "shop"); checked {
			t.Error("the choice is lost")
		}
	}
	w.post(here, form(name, "part", "")).want(http.StatusUnprocessableEntity, "Choose at least one part")
	if jobs, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindRestore}, job.Page{}); n != 0 || w.rows("bot") != 2 {
		t.Errorf("a wrong name began %+v", jobs)
	}
	typed := "ก่อนอัปเดต_پشتيبان_e\u0301" // as other keyboards write the same letters
	if j := w.job(w.post(here, form(typed))); j.State != job.Succeeded || w.rows("bot") != 1 {
		t.Errorf("the right name: %+v", j)
	}
}

func TestBegin_ASecondClickIsTheSameRestore(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	first := w.post("/backups/monday/restore", form("monday"))
	second := w.post("/backups/monday/restore", form("monday"))
	if a, b := w.job(first), w.job(second); a.ID != b.ID {
		t.Errorf("two restores: %s and %s", a.ID, b.ID)
	}
	if _, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindRestore}, job.Page{}); n != 1 {
		t.Errorf("%d restores were begun", n)
	}
}

func TestChoose_SaysWhatCannotBeRestoredHere(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.only("bot")
	page := w.get("/backups/monday/restore?show=true").want(http.StatusOK, "not configured here", "holdfast restore monday --only bot", "1 row")
	if _, checked, disabled := page.input("part", "shop"); checked || !disabled {
		t.Error("what cannot be restored can be chosen")
	}
	w.write("bot")
	if j := w.job(w.post("/backups/monday/restore", form("monday", "part", "bot"))); j.State != job.Succeeded || w.rows("bot") != 1 {
		t.Errorf("the part that can be: %+v", j)
	}
}

func TestRestore_WhoMayOnlyReadLooks(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	page := w.as(access.ScopeRead, "GET", "/backups/monday/restore", nil).want(http.StatusOK, "lets you look, but not restore").without("Restore now", `name="confirm"`)
	if _, _, disabled := page.input("part", "bot"); disabled {
		t.Error("the fieldset is disabled as a whole, and not each part")
	}
	w.as(access.ScopeRead, "POST", "/backups/monday/restore", form("monday")).want(http.StatusForbidden)
	w.as(access.ScopeRead, "GET", "/backups/monday/restore/plan", nil).want(http.StatusForbidden)
	w.as(access.ScopeRead, "POST", "/rollback", form("monday")).want(http.StatusForbidden)
	w.as(access.ScopeRead, "POST", "/recover", form("monday")).want(http.StatusForbidden)
	w.as(access.ScopeBackup, "GET", "/backups/monday/restore", nil).want(http.StatusForbidden)
	w.as(access.ScopeRestore, "GET", "/backups/monday/restore", nil).want(http.StatusOK, "Restore now")
	w.job(w.as(access.ScopeRestore, "POST", "/backups/monday/restore", form("monday")))
	w.as(access.ScopeRead, "GET", "/rollback", nil).want(http.StatusOK, "lets you look").without("Roll back now")
}
