package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// The whole of what an assistant needs: one call, and the backup is there.
func TestMake_TheCallBeforeAnUpload(t *testing.T) {
	w := newWorld(t, nil)
	var m made
	r := w.ask("POST", "backups", map[string]any{"trigger": "auto"}).want(http.StatusCreated, &m)
	if m.Backup == nil || m.Incomplete || m.Reused || m.Job == "" {
		t.Fatalf("%s", r.body)
	}
	if got, want := r.header.Get("Location"), Root+"/backups/"+m.Backup.Name.String(); got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	var show report.Show
	w.ask("GET", "backups/"+m.Backup.Name.String(), nil).want(http.StatusOK, &show)
	if show.Metadata.Trigger != "auto" {
		t.Errorf("trigger %s", show.Metadata.Trigger)
	}
	var j job.Job
	w.ask("GET", "jobs/"+m.Job, nil).want(http.StatusOK, &j)
	if j.Backup != m.Backup.Name || j.By != access.Local {
		t.Errorf("job %+v", j)
	}
}

// Nothing was written since: the backup that is there stands for it, once the files have
// come to rest. A write makes a new one.
func TestMake_ReusesWhatHoldsEverything(t *testing.T) {
	w := newWorld(t, nil)
	var first, again made
	w.ask("POST", "backups", map[string]any{"trigger": "auto"}).want(http.StatusCreated, &first)
	for deadline := time.Now().Add(30 * time.Second); !again.Reused; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a quiet database is never reused")
		}
		again = made{}
		if r := w.ask("POST", "backups", map[string]any{"trigger": "auto"}); r.status == http.StatusCreated {
			r.want(http.StatusCreated, &first)
		} else {
			r.want(http.StatusOK, &again)
		}
	}
	if again.Backup.Name != first.Backup.Name {
		t.Errorf("reused %s, the newest is %s", again.Backup.Name, first.Backup.Name)
	}
	w.write("something new")
	var after made
	w.ask("POST", "backups", map[string]any{"trigger": "auto"}).want(http.StatusCreated, &after)
	if after.Backup.Name == first.Backup.Name {
		t.Error("a change is not backed up")
	}
}

func TestMake_AutomaticBackupsSwitchedOff(t *testing.T) {
	w := newWorld(t, map[string]string{"auto_backup": "false"})
	var m made
	w.ask("POST", "backups", map[string]any{"trigger": "auto"}).want(http.StatusOK, &m)
	if m.Skipped == "" || m.Backup != nil {
		t.Errorf("%+v", m)
	}
	w.ask("POST", "backups", nil).want(http.StatusCreated)
}

func TestMake_AnsweredAtOnceOrAfterAWhile(t *testing.T) {
	w := newWorld(t, nil)
	var j job.Job
	r := w.ask("POST", "backups", map[string]any{"name": "later", "wait": false}).want(http.StatusAccepted, &j)
	if got := r.header.Get("Location"); got != Root+"/jobs/"+j.ID {
		t.Errorf("Location %s", got)
	}
	if j = w.ended(j.ID); j.State != job.Succeeded {
		t.Fatalf("job %+v", j)
	}
	w.ask("GET", "backups/later", nil).want(http.StatusOK)
}

// Whoever hangs up does not end the backup.
func TestMake_GoesOnWithoutTheClient(t *testing.T) {
	w := newWorld(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", w.url+Root+"/backups", strings.NewReader(`{"name":"alone"}`))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	var id string
	for id == "" {
		jobs, _, _ := w.core.Jobs.List(job.Filter{}, job.Page{})
		if len(jobs) > 0 {
			id = jobs[0].ID
		}
		time.Sleep(time.Millisecond)
	}
	hangUp()
	<-gone
	if j := w.ended(id); j.State != job.Succeeded {
		t.Errorf("job %+v", j)
	}
}

// The time that a client has for sending its request is not the time that a backup has.
func TestMake_TakesLongerThanARequestMay(t *testing.T) {
	impatient := func(o *Options) { o.Patience = 500 * time.Millisecond }
	w := newWorldWith(t, impatient, map[string]string{"hooks.before_backup": "sleep 2"})
	w.ask("POST", "backups", map[string]any{"name": "slow"}).want(http.StatusCreated)
	w.ask("POST", "backups", nil).want(http.StatusCreated)

	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST "+Root+"/backups HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	w.spec.holdTo(t, "POST", Root+"/backups", res.StatusCode, res.Header.Get("Content-Type"), body)
	reply{t, "a body that does not come", res.StatusCode, res.Header, body}.problem(http.StatusRequestTimeout, "usage")
}

func TestMake_FailuresSpeakTheVocabulary(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("monday")
	p := w.ask("POST", "backups", map[string]any{"name": "monday"}).problem(http.StatusConflict, "refused")
	if p.Operation == "" || p.Hint == "" || p.Exit != 13 {
		t.Errorf("%+v", p)
	}
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{`{"name":"../evil"}`, 400, "usage"},
		{`{"name":"a/b"}`, 400, "usage"},
		{`{"name":"latest"}`, 400, "usage"},
		{`{"name":"` + strings.Repeat("x", 200) + `"}`, 422, "usage"},
		{`{"trigger":"emergency"}`, 422, "usage"},
		{`{"trigger":7}`, 422, "usage"},
		{`{"unknown":true}`, 422, "usage"},
		{`{"name":`, 400, "usage"},
		{`[]`, 422, "usage"},
		{strings.Repeat("[", 1000) + strings.Repeat("]", 1000), 400, "usage"},
		{`{"note":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too_large"},
	} {
		w.ask("POST", "backups", c.body).problem(c.status, c.code)
	}
	w.ask("POST", "backups", `name=monday`, "Content-Type", "application/x-www-form-urlencoded").problem(415, "usage")
}

func TestMake_TheSameKeyIsTheSameJob(t *testing.T) {
	w := newWorld(t, nil)
	var first, again made
	w.ask("POST", "backups", map[string]any{"note": "one"}, "Idempotency-Key", "k1").want(http.StatusCreated, &first)
	w.ask("POST", "backups", map[string]any{"note": "one"}, "Idempotency-Key", "k1").want(http.StatusCreated, &again)
	if first.Job != again.Job || first.Backup.Name != again.Backup.Name {
		t.Errorf("%s and %s", first.Job, again.Job)
	}
	w.ask("POST", "backups", map[string]any{"note": "two"}, "Idempotency-Key", "k1").problem(http.StatusConflict, "refused")
	w.ask("POST", "backups/latest/verify", nil, "Idempotency-Key", "k1").problem(http.StatusConflict, "refused")
	w.ask("POST", "backups", nil, "Idempotency-Key", strings.Repeat("k", 300)).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("POST", "backups", nil, "Idempotency-Key", "a b").problem(http.StatusBadRequest, "usage")
	var page jobPage
	w.ask("GET", "jobs", nil).want(http.StatusOK, &page)
	if page.Total != 1 {
		t.Errorf("%d jobs", page.Total)
	}
}

// What a token may do that an assistant is given: back up, and nothing else.
func TestMake_AnAssistantMayBackUpAndNothingElse(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("secret")
	owner := w.as(w.newToken("me", access.ScopeAdmin))
	bot := w.as(w.newToken("bot", access.ScopeBackup))
	var m made
	bot.ask("POST", "backups", map[string]any{"trigger": "auto", "reuse": "0s"}).want(http.StatusCreated, &m)
	bot.ask("GET", "jobs/"+m.Job, nil).want(http.StatusOK)
	bot.ask("GET", "status", nil).want(http.StatusOK)
	var page jobPage
	bot.ask("GET", "jobs", nil).want(http.StatusOK, &page)
	if page.Total != 1 || page.Jobs[0].ID != m.Job {
		t.Errorf("it sees %+v", page)
	}
	bot.ask("GET", "jobs?by=local", nil).want(http.StatusOK, &page)
	if page.Total != 1 {
		t.Errorf("it sees %+v", page)
	}
	others, _, _ := w.core.Jobs.List(job.Filter{By: access.Local}, job.Page{})
	if len(others) != 1 {
		t.Fatalf("%d jobs of others", len(others))
	}
	for _, path := range []string{"jobs/" + others[0].ID, "jobs/" + others[0].ID + "/events"} {
		bot.ask("GET", path, nil).problem(http.StatusNotFound, "not_found")
	}
	bot.ask("POST", "jobs/"+others[0].ID+"/cancel", nil).problem(http.StatusNotFound, "not_found")
	owner.ask("GET", "jobs/"+m.Job, nil).want(http.StatusOK)
	for _, path := range []string{"backups", "backups/latest", "sources", "config", "activity", "backups/latest/download", "tasks", "alarms", "replicas"} {
		bot.ask("GET", path, nil).problem(http.StatusForbidden, "forbidden")
	}
	bot.ask("DELETE", "backups/secret", nil).problem(http.StatusForbidden, "forbidden")
	bot.ask("POST", "backups/secret/restore", nil).problem(http.StatusForbidden, "forbidden")
}

func TestMake_ResultIsWhatTheCommandLinePrints(t *testing.T) {
	w := newWorld(t, nil)
	var m made
	r := w.ask("POST", "backups", map[string]any{"note": "for people", "pin": true}).want(http.StatusCreated, &m)
	var fields map[string]any
	if err := json.Unmarshal(r.body, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["type"] != "backup" || !m.Backup.Pinned || m.Backup.Note != "for people" {
		t.Errorf("%s", r.body)
	}
}
