package jobs_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// A puppet is a job that does what the test says.
type puppet struct {
	job.Job
	say chan holdfast.Event
}

// newPuppet begins one; to close say ends it well.
func newPuppet(t *testing.T, w *webtest.World, kind string) *puppet {
	t.Helper()
	p := &puppet{say: make(chan holdfast.Event)}
	j, _, err := w.Core().Jobs.Start(kind, access.Local, "", nil, func(ctx context.Context, _ *job.Handle) (any, error) {
		for {
			select {
			case e, ok := <-p.say:
				if !ok {
					return map[string]string{}, nil
				}
				holdfast.ObserverOf(ctx).Send(e)
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Job = j
	return p
}

func (p *puppet) step(step holdfast.Step, state holdfast.State) {
	p.say <- holdfast.Event{Op: p.Kind, Step: step, State: state, Source: "bot"}
}

// A message is one event of a stream.
type message struct{ id, name, data string }

// A listener reads a stream.
type listener struct {
	t    *testing.T
	res  *http.Response
	in   *bufio.Scanner
	stop context.CancelFunc
}

// listen opens the stream of a job.
func listen(t *testing.T, w *webtest.World, id string, headers ...string) *listener {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	res, err := http.DefaultClient.Do(w.Request(ctx, http.MethodGet, "/jobs/"+id+"/live", nil, headers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		res.Body.Close()
	})
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("the stream is %d, %v", res.StatusCode, res.Header)
	}
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, 1<<20)
	return &listener{t, res, in, stop}
}

// next gives the next message; false at the end of the stream.
func (l *listener) next() (m message, ok bool) {
	for l.in.Scan() {
		field, value, _ := strings.Cut(l.in.Text(), ": ")
		switch field {
		case "id":
			m.id = value
		case "event":
			m.name = value
		case "data":
			m.data += value + "\n"
		case "":
			if l.in.Text() == "" && m.id != "" {
				return m, true
			}
		}
	}
	return m, false
}

// until reads until a message has a text, and gives all that was read.
func (l *listener) until(text string) (all []message) {
	l.t.Helper()
	for {
		m, ok := l.next()
		if !ok {
			l.t.Fatalf("the stream ended before %q", text)
		}
		all = append(all, m)
		if strings.Contains(m.data, text) {
			return all
		}
	}
}

// rest reads to the end.
func (l *listener) rest() (all []message) {
	for {
		m, ok := l.next()
		if !ok {
			return all
		}
		all = append(all, m)
	}
}

func lines(messages []message) (n int) {
	for _, m := range messages {
		n += strings.Count(m.data, `class="log-line`)
	}
	return n
}

// Two readers see the job to its end, one of them slowly, and one that comes back hears
// nothing twice.
func TestLive_ToTheEnd(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	p := newPuppet(t, w, operation.KindVerify)
	first, second := listen(t, w, p.ID), listen(t, w, p.ID)
	p.step(holdfast.StepVerify, holdfast.Started)
	heard := first.until(`class="step running"`)
	p.step(holdfast.StepVerify, holdfast.Finished)
	p.step(holdfast.StepCheck, holdfast.Started)
	heard = append(heard, first.until("log-line finished")...)
	last := heard[len(heard)-1]
	first.stop()

	p.step(holdfast.StepCheck, holdfast.Finished)
	close(p.say)
	if _, err := w.Core().Jobs.Wait(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	back := listen(t, w, p.ID, "Last-Event-ID", last.id).rest()
	all := second.rest()
	for name, messages := range map[string][]message{"who came back": back, "the slow one": all} {
		if n := len(messages); n < 2 || messages[n-1].name != "close" || !strings.Contains(messages[n-2].data, "job-result-title") {
			t.Errorf("%s: the end is %+v", name, messages)
		}
	}
	if want := 6; lines(all) != want || lines(heard)+lines(back) < want {
		t.Errorf("%d lines in all, %d before and %d after", lines(all), lines(heard), lines(back))
	}
	seen, err := strconv.ParseInt(last.id, 10, 64)
	if err != nil || lines(back) != 6-int(seen) {
		t.Errorf("after event %s came %d lines", last.id, lines(back))
	}
	for i := 1; i < len(all); i++ {
		before, _ := strconv.Atoi(all[i-1].id)
		if now, _ := strconv.Atoi(all[i].id); now < before {
			t.Errorf("the stream goes back from %d to %d", before, now)
		}
	}
}

// What is said aloud are steps and the end, not every bit of progress.
func TestLive_SaysOnlyChanges(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	p := newPuppet(t, w, operation.KindVerify)
	l := listen(t, w, p.ID)
	p.step(holdfast.StepVerify, holdfast.Started)
	heard := l.until(`class="step running"`)
	for i := range int64(4) {
		time.Sleep(300 * time.Millisecond) // so that the runner does not thin it out
		p.say <- holdfast.Event{Op: p.Kind, Step: holdfast.StepVerify, State: holdfast.Progress, Done: i, Total: 10}
	}
	close(p.say)
	heard = append(heard, l.rest()...)
	said := 0
	for _, m := range heard {
		said += strings.Count(m.data, "#job-said")
	}
	if said != 2 {
		t.Errorf("it was said %d times, want the step and the end", said)
	}
}

// A reader that leaves, a daemon that stops: nothing stays behind.
func TestLive_LeavesNothingBehind(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	p := newPuppet(t, w, operation.KindVerify)
	p.step(holdfast.StepVerify, holdfast.Started)
	stays := listen(t, w, p.ID) // with all that a stream starts
	stays.until("job-steps")
	p.step(holdfast.StepVerify, holdfast.Finished)
	stays.until("log-line finished")
	before := runtime.NumGoroutine()
	for range 5 {
		l := listen(t, w, p.ID)
		l.until("job-steps")
		l.stop()
		l.res.Body.Close()
	}
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries == 500 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		http.DefaultClient.CloseIdleConnections()
		time.Sleep(10 * time.Millisecond)
	}
	l := listen(t, w, p.ID)
	l.until("job-steps")
	close(w.Closing)
	for _, m := range l.rest() {
		if m.name == "close" {
			t.Error("a job that goes on was told to have ended")
		}
	}
	close(p.say)
}

// The daemon is started anew in the middle: the job is settled, its page says so, and
// the stream ends properly.
func TestPage_OverARestart(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	p := newPuppet(t, w, operation.KindVerify)
	p.step(holdfast.StepVerify, holdfast.Started)
	listen(t, w, p.ID).until(`class="step running"`)
	if page := w.Get("/jobs/" + p.ID); page.Status != http.StatusOK || !strings.Contains(page.Body, "sse:connect") || strings.Contains(page.Body, "job-result-title") {
		t.Fatalf("while it runs: %d %s", page.Status, page.Body)
	}
	w.Start()
	page := w.Get("/jobs/" + p.ID)
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "holdfast was stopped before this was done") || strings.Contains(page.Body, "sse:connect") {
		t.Errorf("after the restart: %d %s", page.Status, page.Body)
	}
	all := listen(t, w, p.ID, "Last-Event-ID", "2").rest()
	if len(all) != 2 || all[1].name != "close" {
		t.Errorf("the stream is %+v", all)
	}
}

func TestPage_OfRealWorkAndItsActions(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	w.Backup("monday")
	w.Write("second")
	restored := w.Ended(w.Core().Operations.Restore(t.Context(), access.Local, "", operation.RestoreRequest{Name: "monday"}))
	for lang, want := range map[string][]string{
		"en": {`lang="en"`, "Your data is as it was in", "Emergency backup", "/rollback", "No stop hook"},
		"th": {`lang="th"`, "ข้อมูลกลับเป็นเหมือนใน", "ข้อมูลสำรองฉุกเฉิน", "กู้คืนฐานข้อมูล"},
		"fa": {`dir="rtl"`, "داده‌های شما همان است که در", "پشتیبان اضطراری"},
	} {
		page := w.Get("/jobs/"+restored.ID, "Cookie", "hf_lang="+lang)
		for _, text := range want {
			if !strings.Contains(strings.ToLower(page.Body), strings.ToLower(text)) {
				t.Errorf("%s: %q is not on the page", lang, text)
			}
		}
	}
	if page := w.Get("/jobs/20241030T143000123-AAAAAAAA"); page.Status != http.StatusNotFound {
		t.Errorf("an unknown job is %d", page.Status)
	}

	p := newPuppet(t, w, operation.KindVerify)
	p.step(holdfast.StepVerify, holdfast.Started)
	if r := w.Post("/jobs/"+p.ID+"/cancel", url.Values{}); r.Status != http.StatusSeeOther || r.Header.Get("Location") != "/jobs/"+p.ID {
		t.Errorf("cancel: %d %v", r.Status, r.Header)
	}
	if j, err := w.Core().Jobs.Wait(t.Context(), p.ID); err != nil || j.State != job.Cancelled {
		t.Errorf("it is %s, %v", j.State, err)
	}
	if page := w.Get("/jobs/" + p.ID); !strings.Contains(page.Body, "Stopped here") {
		t.Errorf("the cancelled job is %s", page.Body)
	}
}

// Whoever may only back up sees and cancels its own jobs, and who may only look cancels
// none.
func TestPage_KeepsToTheScopes(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	p := newPuppet(t, w, operation.KindVerify)
	defer close(p.say)
	token := func(name string, scope access.Scope) string {
		secret, _, err := w.Access.Tokens().Create(name, []access.Scope{scope}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	reader, saver, admin := token("reader", access.ScopeRead), token("saver", access.ScopeBackup), token("owner-token", access.ScopeAdmin)
	for _, c := range []struct {
		token, method, path string
		status              int
	}{
		{"", http.MethodGet, "", http.StatusSeeOther},
		{reader, http.MethodGet, "", http.StatusOK},
		{reader, http.MethodPost, "/cancel", http.StatusForbidden},
		{saver, http.MethodGet, "", http.StatusNotFound},
		{saver, http.MethodGet, "/live", http.StatusNotFound},
		{saver, http.MethodPost, "/cancel", http.StatusNotFound},
		{admin, http.MethodGet, "", http.StatusOK},
	} {
		w.Token = c.token
		if r := w.Do(w.Request(t.Context(), c.method, "/jobs/"+p.ID+c.path, url.Values{})); r.Status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, r.Status, c.status)
		}
	}
}
