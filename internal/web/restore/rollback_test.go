package restore_test

import (
	"net/http"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

func TestRollback_BringsTheStateBeforeBack(t *testing.T) {
	w := newWorld(t)
	w.get("/rollback").want(http.StatusOK, "There is no restore to undo")
	w.post("/rollback", form("monday")).want(http.StatusNotFound)
	w.Backup("monday")
	w.write("bot")
	w.job(w.post("/backups/monday/restore", form("monday")))
	page := w.get("/rollback").want(http.StatusOK, "monday", "this computer, without a login", "emergency_restore_", "1 more", "Roll back now", "holdfast rollback")
	key, _, _ := page.input("key", "")

	w.post("/rollback", form("tuesday", "key", key)).want(http.StatusUnprocessableEntity, "This is not the name of the backup")
	if w.rows("bot") != 1 {
		t.Fatal("a wrong name changed something")
	}
	first := w.job(w.post("/rollback", form("monday", "key", key)))
	if first.Kind != operation.KindRollback || first.State != job.Succeeded || w.rows("bot") != 2 {
		t.Fatalf("rollback: %+v, %d rows", first, w.rows("bot"))
	}
	if again := w.job(w.post("/rollback", form("monday", "key", key))); again.ID != first.ID {
		t.Errorf("a second click began %+v", again)
	}
	w.get("/rollback").want(http.StatusOK, "The last restore was undone").without("Roll back now")
}

func TestRollback_SaysWhyItCannotBeUndone(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.write("bot")
	w.job(w.post("/backups/monday/restore", form("monday")))
	last, err := w.Core().Operations.LastRestore(t.Context())
	if err != nil || last == nil {
		t.Fatalf("%+v, %v", last, err)
	}
	w.Ended(w.Core().Operations.Delete(t.Context(), "local", "", operation.DeleteRequest{Names: []string{last.Emergency.String()}}))
	w.get("/rollback").want(http.StatusOK, "It cannot be undone as things are", last.Emergency.String()).without("Roll back now")
}

func TestRecover_WithoutACutRestore(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	w.get("/recover").want(http.StatusOK, "Nothing to settle")
	if j := w.job(w.post("/recover", form(""))); j.Kind != operation.KindRecover || j.State != job.Succeeded {
		t.Errorf("%+v", j)
	}
}
