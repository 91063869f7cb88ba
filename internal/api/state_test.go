package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/report"
)

func TestState_WhatIsKnown(t *testing.T) {
	w := newWorld(t, map[string]string{"notify.urls": "ntfy://user:hunter2@ntfy.example/topic"})
	w.backup("one")
	var status report.Status
	w.ask("GET", "status", nil).want(http.StatusOK, &status)
	if status.Repository.Backups != 1 || *status.Sources[0].Records != 1 {
		t.Errorf("%+v", status)
	}
	var sources sourceList
	w.ask("GET", "sources", nil).want(http.StatusOK, &sources)
	if len(sources.Sources) != 1 || sources.Sources[0].LastBackup != "one" {
		t.Errorf("%+v", sources)
	}
	var tasks taskList
	w.ask("GET", "tasks", nil).want(http.StatusOK, &tasks)
	var alarms alarmList
	w.ask("GET", "alarms", nil).want(http.StatusOK, &alarms)
	w.core.History = func(days int) history.Log {
		at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
		return history.Log{Since: holdfast.At(at), Buckets: []history.Bucket{{
			Start: holdfast.At(at), Made: map[holdfast.Trigger]int64{holdfast.TriggerQuick: 1}, Missed: int64(days), Size: &history.Size{Backups: 1, StoredBytes: 12},
		}}}
	}
	var past historyBody
	w.ask("GET", "history", nil).want(http.StatusOK, &past)
	if len(past.Buckets) != 1 || past.Buckets[0].Missed != 30 || past.Buckets[0].Made[holdfast.TriggerQuick] != 1 || past.BucketSeconds != 1800 {
		t.Errorf("%+v", past)
	}
	w.ask("GET", "history?days=401", nil).problem(http.StatusUnprocessableEntity, "usage")
	w.core.History = nil
	if r := w.ask("GET", "history?days=400", nil).want(http.StatusOK, &past); !strings.Contains(string(r.body), `"buckets":[]`) {
		t.Errorf("%s", r.body)
	}
	var version versionBody
	w.ask("GET", "version", nil).want(http.StatusOK, &version)
	if len(tasks.Tasks) != 1 || len(alarms.Alarms) != 1 || version.Version != "1.2.3" {
		t.Errorf("%+v %+v %+v", tasks, alarms, version)
	}
	var settings configBody
	r := w.ask("GET", "config", nil).want(http.StatusOK, &settings)
	if len(settings.Values) == 0 || strings.Contains(string(r.body), "hunter2") {
		t.Errorf("%s", r.body)
	}
	var sent deliveryList
	w.ask("POST", "notifications/test", nil).want(http.StatusOK, &sent)
	if !sent.OK {
		t.Errorf("%+v", sent)
	}
	var activity activityPage
	w.ask("GET", "activity?limit=1", nil).want(http.StatusOK, &activity)
	if len(activity.Entries) != 1 || activity.Entries[0].Method != "POST" || activity.Next == "" {
		t.Fatalf("%+v", activity)
	}
	w.ask("GET", "activity?before="+activity.Next, nil).want(http.StatusOK, &activity)
	if e := activity.Entries[0]; e.Backup != "one" || e.Job == "" || e.Caller != "local" || e.Status != http.StatusCreated {
		t.Errorf("%+v", e)
	}
	w.ask("GET", "activity?before=gone", nil).problem(http.StatusNotFound, "not_found")
}

func TestState_NobodyIsToBeTold(t *testing.T) {
	w := newWorld(t, nil)
	w.ask("POST", "notifications/test", nil).problem(http.StatusConflict, "refused")
}

func TestHooks_AreListedAndTested(t *testing.T) {
	w := newWorld(t, map[string]string{"hooks.before_backup": "echo ready; exit 3"})
	var list hookList
	w.ask("GET", "hooks", nil).want(http.StatusOK, &list)
	if len(list.Hooks) != 1 || list.Hooks[0].Hook != "before_backup" {
		t.Errorf("%+v", list)
	}
	var trial around.Trial
	w.ask("POST", "hooks/test", map[string]string{"hook": "before_backup"}).want(http.StatusOK, &trial)
	if trial.OK || len(trial.Runs) != 1 || trial.Runs[0].ExitCode == nil || *trial.Runs[0].ExitCode != 3 || trial.Runs[0].Output != "ready" {
		t.Errorf("%+v", trial)
	}
	w.ask("POST", "hooks/test", map[string]string{"hook": "after_backup"}).problem(http.StatusNotFound, "not_found")
	w.ask("POST", "hooks/test", map[string]string{}).problem(http.StatusUnprocessableEntity, "usage")
}

func TestHealth_TellsOneWord(t *testing.T) {
	w := newWorld(t, nil)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "holdfast_backups 1\n"} {
		if r := w.ask("GET", path, nil).want(http.StatusOK); string(r.body) != want {
			t.Errorf("%s: %q", path, r.body)
		}
	}
	w.core.Ready = func() error { return errors.New("the password is hunter2") }
	if r := w.ask("GET", "/readyz", nil).want(http.StatusServiceUnavailable); string(r.body) != "unavailable\n" {
		t.Errorf("%q", r.body)
	}
	w.ask("GET", "/healthz", nil).want(http.StatusOK)
	w.ask("POST", "/healthz", nil).problem(http.StatusMethodNotAllowed, "usage")
}

// What goes wrong inside is told with a reference to the log, and no more.
func TestState_InnerFailuresTellNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.core.Status = func(context.Context) (report.Status, error) {
		return report.Status{}, errors.New("open /secret/path: hunter2")
	}
	p := w.ask("GET", "status", nil).problem(http.StatusInternalServerError, "failed")
	if strings.Contains(p.Detail+p.Hint, "secret") {
		t.Errorf("%+v", p)
	}
}

// What stands behind the daemon may not answer at all: whoever looks something up learns
// that in time.
func TestLookUp_EndsWithoutAnAnswer(t *testing.T) {
	w := newWorldWith(t, func(o *Options) {
		o.Answer = 50 * time.Millisecond
		core := o.Core
		o.Core = func() Core {
			c := core()
			c.Status = func(ctx context.Context) (report.Status, error) {
				<-ctx.Done()
				return report.Status{}, ctx.Err()
			}
			return c
		}
	}, nil)
	p := w.ask(http.MethodGet, "status", nil).problem(http.StatusInternalServerError, "failed")
	if !strings.Contains(p.Detail, "no answer in time") || p.Hint == "" {
		t.Errorf("%+v", p)
	}
}
