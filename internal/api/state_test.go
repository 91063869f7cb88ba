package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

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
