package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

func TestAutoBackup_TheSwitch(t *testing.T) {
	w := newWorld(t, nil)
	var now autoBackupBody
	w.ask("GET", "auto_backup", nil).want(http.StatusOK, &now)
	if !now.On || !now.Configured || now.By != "" {
		t.Errorf("at first: %+v", now)
	}
	w.ask("PUT", "auto_backup", map[string]any{"on": false}).want(http.StatusOK, &now)
	if now.On || now.By != "local" || now.At == nil {
		t.Errorf("off: %+v", now)
	}
	var m made
	w.ask("POST", "backups", map[string]any{"trigger": "auto"}).want(http.StatusOK, &m)
	if m.Skipped == "" || m.Backup != nil {
		t.Errorf("while it is off: %+v", m)
	}
	var st report.Status
	w.ask("GET", "status", nil).want(http.StatusOK, &st)
	if st.AutoBackup == nil || st.AutoBackup.On || st.AutoBackup.By != "local" {
		t.Errorf("the status tells %+v", st.AutoBackup)
	}
	var settings configBody
	w.ask("GET", "config", nil).want(http.StatusOK, &settings)
	for _, v := range settings.Values {
		if (v.Key == "auto_backup") != strings.Contains(v.Note, "switched off by local") {
			t.Errorf("the settings tell of %s %q: %q", v.Key, v.Value, v.Note)
		}
	}
	w.ask("PUT", "auto_backup", map[string]any{"on": "no"}).problem(http.StatusUnprocessableEntity, "usage")
	w = newWorld(t, map[string]string{"auto_backup": "false"})
	w.ask("PUT", "auto_backup", map[string]any{"on": true}).problem(http.StatusConflict, "refused")
}

func TestDelete_CanBeTakenBack(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("monday")
	var j job.Job
	w.ask("DELETE", "backups/monday?grace=60s", nil).want(http.StatusAccepted, &j)
	w.ask("POST", "jobs/"+j.ID+"/cancel", nil)
	if j = w.ended(j.ID); j.State != job.Cancelled {
		t.Errorf("it is %s", j.State)
	}
	w.ask("GET", "backups/monday", nil).want(http.StatusOK)
	w.ask("DELETE", "backups/monday?grace=61s", nil).problem(http.StatusBadRequest, "usage")
}
