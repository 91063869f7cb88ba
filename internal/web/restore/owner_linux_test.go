package restore_test

import (
	"net/http"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/procs/procstest"
)

func TestMain(m *testing.M) { procstest.Main(m) }

func TestChoose_NamesWhoHasTheDataOpen(t *testing.T) {
	w := newWorld(t)
	w.Backup("monday")
	procstest.Hold(t, w.database("bot"))
	w.get("/backups/monday/restore?show=true").want(http.StatusOK, "cannot be restored as things are", "restore.test", "Stop it and look again")
	w.get("/backups/monday/restore/plan?chosen=true&part=bot&force=true").want(http.StatusOK, "you chose to go on").without("cannot be restored as things are")
	w.get("/backups/monday/restore/plan?chosen=true&part=bot&online=true").want(http.StatusOK, "written to while it is open").without("cannot be restored as things are")
}
