package api

import (
	"net/http"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

func TestRollbackPlan_TellsWhatWouldComeBack(t *testing.T) {
	w := newWorld(t, nil)
	w.ask("GET", "rollback", nil).problem(http.StatusNotFound, "not_found")
	w.backup("monday")
	w.write("second")
	var started job.Job
	w.ask("POST", "backups/monday/restore", map[string]any{"wait": true}).want(http.StatusOK, &started)
	var st report.Status
	w.ask("GET", "status", nil).want(http.StatusOK, &st)
	if st.LastRestore == nil || st.LastRestore.Operation != started.ID || st.LastRestore.UndoneAt != nil {
		t.Errorf("status: %+v", st.LastRestore)
	}
	var p report.RollbackPlan
	w.ask("GET", "rollback", nil).want(http.StatusOK, &p)
	if !p.Undoable || p.Refused != nil || p.By != "local" || p.Last.Operation != started.ID || p.Last.Emergency == "" || len(p.Targets) != 1 || *p.Targets[0].RecordsNow != 1 || *p.Targets[0].RecordsBefore != 2 {
		t.Errorf("plan %+v", p)
	}
	w.ask("DELETE", "backups/"+p.Last.Emergency.String()+"?wait=true", nil).want(http.StatusOK)
	p = report.RollbackPlan{}
	w.ask("GET", "rollback", nil).want(http.StatusOK, &p)
	if p.Undoable || p.Refused == nil || p.Refused.Hint == "" {
		t.Errorf("without the emergency backup: %+v", p)
	}
	w.newToken("reader", access.ScopeRead)
	w.as(w.newToken("viewer", access.ScopeRead)).ask("GET", "rollback", nil).problem(http.StatusForbidden, "forbidden")
}
