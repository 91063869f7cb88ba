package operation

import (
	"context"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// waiting begins a deletion and waits until it can be taken back.
func (w *world) waiting(grace string, names ...string) job.Job {
	w.t.Helper()
	j, err := w.Delete(w.t.Context(), "tester", "", DeleteRequest{Names: names, Grace: grace})
	if err != nil {
		w.t.Fatal(err)
	}
	for ev := range w.jobs.Events(w.t.Context(), j.ID, 0) {
		if ev.Event != nil && ev.Event.Step == holdfast.StepWait {
			if ev.Event.Total <= 0 || ev.Event.Done > ev.Event.Total {
				w.t.Errorf("it waits %d of %d", ev.Event.Done, ev.Event.Total)
			}
			return j
		}
	}
	w.t.Fatal("it does not wait")
	return j
}

func TestDelete_IsTakenBackDuringTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.backup("tuesday")
	j := w.waiting("60s", "monday", "tuesday")
	if _, err := w.jobs.Cancel(j.ID); err != nil {
		t.Fatal(err)
	}
	j = w.end(j, nil)
	if j.State != job.Cancelled || j.Outcome != takenBack || len(w.backups()) != 2 {
		t.Errorf("%+v; left are %d", j, len(w.backups()))
	}
}

func TestDelete_AfterTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.backup("tuesday")
	var out report.Delete
	j, err := w.Delete(t.Context(), "tester", "", DeleteRequest{Names: []string{"monday"}, Grace: "50ms"})
	j = w.done(&out, j, err)
	if len(out.Deleted) != 1 || len(w.backups()) != 1 {
		t.Errorf("deleted %v", out.Deleted)
	}
	if j, err = w.jobs.Cancel(j.ID); err == nil && j.State != job.Succeeded {
		t.Errorf("taken back too late it is %s", j.State)
	}
}

// What cannot be deleted is told at once, not after the grace.
func TestDelete_RefusesBeforeTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	if _, err := w.Pin(t.Context(), "monday", true); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]string{"monday": "refused", "sunday": "not_found"} {
		j, err := w.Delete(t.Context(), "tester", "", DeleteRequest{Names: []string{name}, Grace: "60s"})
		if j = w.end(j, err); j.State != job.Failed || j.Error == nil || j.Error.Code != code {
			t.Errorf("%s: %+v", name, j.Error)
		}
	}
	for _, grace := range []string{"61s", "-1s", "soon", "10"} {
		_, err := w.Delete(t.Context(), "tester", "", DeleteRequest{Names: []string{"monday"}, Grace: grace})
		mustBe(t, grace, err, holdfast.ErrUsage)
	}
}

// A daemon that is killed or stopped during the grace deletes nothing, and says so.
func TestDelete_CutDuringTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	j := w.waiting("60s", "monday")
	w.next()
	w.settle()
	found, err := w.jobs.Get(j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if found.State != job.Interrupted || found.Outcome != neverBegan || len(w.backups()) != 1 {
		t.Errorf("after a kill: %+v", found)
	}

	j = w.waiting("60s", "monday")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.jobs.Close(ctx)
	if found, err = w.jobs.Get(j.ID); err != nil || found.State != job.Interrupted || len(w.backups()) != 1 {
		t.Errorf("after a stop: %+v, %v", found, err)
	}
}

// A second deletion that waits for its turn does not begin its grace anew.
func TestDelete_TwoDoNotWaitOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.backup("monday")
	w.backup("tuesday")
	first := w.waiting("300ms", "monday")
	second, err := w.Delete(t.Context(), "tester", "", DeleteRequest{Names: []string{"tuesday"}, Grace: "300ms"})
	if w.end(first, nil).State != job.Succeeded || w.end(second, err).State != job.Succeeded || len(w.backups()) != 0 {
		t.Error("not both are gone")
	}
}

func TestAutoBackup_OnlyAssistantsAreSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if now := w.AutoBackup(); !now.On || !now.Configured || now.At != nil || now.Origin != "default" {
		t.Fatalf("nobody has turned it: %+v", now)
	}
	if now, err := w.SetAutoBackup("somchai", AutoBackupRequest{On: false}); err != nil || now.On || now.By != "somchai" || now.At == nil {
		t.Fatalf("off: %+v, %v", now, err)
	}
	w.backup("before")
	w.next() // it survives a restart
	for _, trigger := range []holdfast.Trigger{holdfast.TriggerManual, holdfast.TriggerQuick, holdfast.TriggerScheduled, holdfast.TriggerGuard} {
		var out report.BackupResult
		j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Trigger: trigger})
		if w.done(&out, j, err); out.Skipped != "" || out.Backup == nil {
			t.Errorf("%s: skipped, %s", trigger, out.Skipped)
		}
	}
	var out report.BackupResult
	j, err := w.Backup(t.Context(), "bot", "", BackupRequest{Trigger: holdfast.TriggerAuto})
	w.done(&out, j, err)
	for _, word := range []string{"switched off", "web UI", "somchai"} {
		if !strings.Contains(out.Skipped, word) {
			t.Errorf("skipped: %q", out.Skipped)
		}
	}
	out = report.BackupResult{}
	j, err = w.Backup(t.Context(), "proxy", "", BackupRequest{Trigger: holdfast.TriggerAuto, Always: true})
	if w.done(&out, j, err); out.Backup == nil {
		t.Errorf("one that always makes backups: %+v", out)
	}
	if _, err := w.SetAutoBackup("somchai", AutoBackupRequest{On: true}); err != nil {
		t.Fatal(err)
	}
	w.write()
	out = report.BackupResult{}
	j, err = w.Backup(t.Context(), "bot", "", BackupRequest{Trigger: holdfast.TriggerAuto, Reuse: "0s"})
	if w.done(&out, j, err); out.Backup == nil {
		t.Errorf("on again: %+v", out)
	}
}

func TestAutoBackup_TheConfigurationBeatsTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"auto_backup": "false"})
	now, err := w.SetAutoBackup("somchai", AutoBackupRequest{On: true})
	mustBe(t, "turning it on", err, holdfast.ErrRefused)
	if now.On || now.Configured || now.Origin != "flag auto_backup" || holdfast.HintOf(err) == "" {
		t.Errorf("%+v, %v", now, err)
	}
}
