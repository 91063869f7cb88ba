package around

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// start is when every verb of these tests begins.
var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// made makes what is tested, without the environment of the test.
func made(t *testing.T, c *config.Config) engine.Around {
	t.Helper()
	a := New(c, Options{ToolVersion: "1.2.3", Environ: []string{}, Now: func() time.Time { return start.Add(3 * time.Second) }})
	if a == nil {
		t.Fatal("nothing is told, although something is configured")
	}
	return a
}

func begun() engine.Verb {
	return engine.Verb{Op: "backup", Operation: "op-1", Trigger: holdfast.TriggerScheduled, Sources: []string{"chromadb", "bot"}, Begun: start}
}

func done() engine.Verb {
	v := begun()
	v.Backup, v.Stored, v.Duration = "scheduled_backup_20260304_050607", 4096, 2500*time.Millisecond
	return v
}

func failed(err error) engine.Verb {
	v := begun()
	v.Duration, v.Err = time.Second, err
	return v
}

func TestNew_NothingConfigured(t *testing.T) {
	if a := New(&config.Config{}, Options{}); a != nil {
		t.Errorf("got %v", a)
	}
}

func webhooksTo(urls ...string) config.Webhooks {
	return config.Webhooks{URLs: urls, On: config.WebhookEvents(), Timeout: 5 * time.Second}
}

func TestWebhook_WhatItGets(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	hooks := webhooksTo(sink.URL + "/hook")
	hooks.Secret = "shared"
	a := made(t, &config.Config{Webhooks: hooks})
	if err := a.Before(t.Context(), begun()); err != nil {
		t.Fatal(err)
	}
	v := done()
	v.Problems = []holdfast.Problem{{Source: "bot", Severity: holdfast.Warning, Message: "slow"}}
	if problems := a.After(t.Context(), v); problems != nil {
		t.Fatalf("got %v", problems)
	}
	got := sink.Wait(t, 2)
	if len(got) != 2 {
		t.Fatalf("%d requests", len(got))
	}
	for i, event := range []string{"before_backup", "after_backup"} {
		r := got[i]
		if r.Method != http.MethodPost || r.Header.Get("X-Holdfast-Event") != event || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Holdfast-Delivery") == "" {
			t.Errorf("request %d: %s %v", i, r.Method, r.Header)
		}
		mac := hmac.New(sha256.New, []byte("shared"))
		mac.Write(r.Body)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-Holdfast-Signature") != want {
			t.Errorf("request %d is signed %q, want %q", i, r.Header.Get("X-Holdfast-Signature"), want)
		}
	}
	var m map[string]any
	if err := json.Unmarshal(got[1].Body, &m); err != nil {
		t.Fatal(err)
	}
	if host, _ := m["host"].(string); host == "" {
		t.Error("the host is missing")
	}
	delete(m, "host")
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "backup": "scheduled_backup_20260304_050607",
 "begun": "2026-03-04T05:06:07.000Z",
 "duration_ms": 2500,
 "event": "after_backup",
 "op": "backup",
 "operation": "op-1",
 "problems": [
  {
   "message": "slow",
   "severity": "warning",
   "source": "bot"
  }
 ],
 "result": "ok",
 "sources": [
  "chromadb",
  "bot"
 ],
 "stored_bytes": 4096,
 "time": "2026-03-04T05:06:10.000Z",
 "tool_version": "1.2.3",
 "trigger": "scheduled"
}`
	if string(b) != want {
		t.Errorf("got %s", b)
	}
}

func TestWebhook_EventsThatAreAskedFor(t *testing.T) {
	for _, c := range []struct {
		op   string
		on   []string
		err  error
		want []string
	}{
		{"backup", config.WebhookEvents(), nil, []string{"before_backup", "after_backup"}},
		{"backup", config.WebhookEvents(), errors.New("no"), []string{"before_backup", "failure"}},
		{"restore", config.WebhookEvents(), nil, []string{"before_restore", "after_restore"}},
		{"rollback", config.WebhookEvents(), nil, []string{"before_restore", "after_restore"}},
		{"restore", []string{"failure"}, nil, nil},
		{"rollback", []string{"failure"}, errors.New("no"), []string{"failure"}},
	} {
		sink := sinktest.NewHTTP(t)
		hooks := webhooksTo(sink.URL)
		hooks.On = c.on
		a := made(t, &config.Config{Webhooks: hooks})
		v := begun()
		v.Op, v.Err = c.op, c.err
		if err := a.Before(t.Context(), beginningOf(v)); err != nil {
			t.Fatal(err)
		}
		a.After(t.Context(), v)
		var got []string
		for _, r := range sink.Requests() {
			got = append(got, r.Header.Get("X-Holdfast-Event"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %v: told %v, want %v", c.op, c.err, got, c.want)
		}
	}
}

// beginningOf is the beginning of a verb.
func beginningOf(v engine.Verb) engine.Verb {
	v.Err = nil
	return v
}

func TestWebhook_TriesAgainOnlyWhatMayPass(t *testing.T) {
	for name, c := range map[string]struct {
		replies []sinktest.Reply
		tries   int
		problem string
	}{
		"fails, then works":   {[]sinktest.Reply{{Status: 503}, {Drop: true}, {}}, 3, ""},
		"goes on failing":     {[]sinktest.Reply{{Status: 500}, {Status: 502}, {Status: 503}, {}}, 3, "503 Service Unavailable"},
		"does not want it":    {[]sinktest.Reply{{Status: 404}, {}}, 1, "404 Not Found"},
		"too many for it":     {[]sinktest.Reply{{Status: 429}, {Status: 204}}, 2, ""},
		"answers very much":   {[]sinktest.Reply{{Body: strings.Repeat("x", 1<<20)}}, 1, ""},
		"loses what was sent": {[]sinktest.Reply{{Status: 302, Location: "/elsewhere"}, {}}, 1, "would lose what is sent"},
	} {
		t.Run(name, func(t *testing.T) {
			sink := sinktest.NewHTTP(t)
			sink.Answer(func(n int, _ sinktest.Request) sinktest.Reply { return c.replies[n] })
			hooks := webhooksTo(sink.URL)
			hooks.On, hooks.Timeout = []string{"after_backup"}, 2*time.Second
			a := made(t, &config.Config{Webhooks: hooks})
			problems := a.After(t.Context(), done())
			got := sink.Requests()
			if len(got) != c.tries {
				t.Errorf("%d tries, want %d", len(got), c.tries)
			}
			for _, r := range got[1:] {
				if r.Header.Get("X-Holdfast-Delivery") != got[0].Header.Get("X-Holdfast-Delivery") || !bytes.Equal(r.Body, got[0].Body) {
					t.Error("another try is another delivery")
				}
			}
			switch {
			case c.problem == "" && len(problems) > 0:
				t.Errorf("got %v", problems)
			case c.problem != "" && (len(problems) != 1 || problems[0].Severity != holdfast.Warning || !strings.Contains(problems[0].Message, c.problem) || problems[0].Object != "webhooks.urls[0]"):
				t.Errorf("got %v, want a warning with %q", problems, c.problem)
			}
		})
	}
}

func TestWebhook_IsNotLedToAnotherHost(t *testing.T) {
	other, sink := sinktest.NewHTTP(t), sinktest.NewHTTP(t)
	sink.Answer(func(n int, _ sinktest.Request) sinktest.Reply {
		return sinktest.Reply{Status: http.StatusTemporaryRedirect, Location: other.URL}
	})
	a := made(t, &config.Config{Webhooks: webhooksTo(sink.URL)})
	problems := a.After(t.Context(), done())
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "another host") {
		t.Errorf("got %v", problems)
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
}

func TestWebhook_FollowsItsOwnHost(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	sink.Answer(func(n int, _ sinktest.Request) sinktest.Reply {
		if n == 0 {
			return sinktest.Reply{Status: http.StatusPermanentRedirect, Location: "/new"}
		}
		return sinktest.Reply{}
	})
	a := made(t, &config.Config{Webhooks: webhooksTo(sink.URL + "/old")})
	if problems := a.After(t.Context(), done()); problems != nil {
		t.Fatalf("got %v", problems)
	}
	if got := sink.Requests(); len(got) != 2 || got[1].Path != "/new" || len(got[1].Body) == 0 {
		t.Errorf("got %v", got)
	}
}

func TestBefore_IsNotKeptByWhoDoesNotAnswer(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	release := make(chan struct{})
	sink.Answer(func(n int, r sinktest.Request) sinktest.Reply {
		if n == 0 {
			<-release
		}
		return sinktest.Reply{}
	})
	hooks := webhooksTo(sink.URL)
	hooks.Timeout = time.Minute
	a := made(t, &config.Config{Webhooks: hooks})
	if err := a.Before(t.Context(), begun()); err != nil { // would never return
		t.Fatal(err)
	}
	close(release)
	if problems := a.After(t.Context(), done()); problems != nil {
		t.Fatalf("got %v", problems)
	}
	if got := sink.Requests(); len(got) != 2 || got[0].Header.Get("X-Holdfast-Event") != "before_backup" {
		t.Errorf("the beginning was not told first: %v", got)
	}
}

func TestAfter_EndsByItsTimeLimit(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	sink.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Delay: time.Hour} })
	hooks := webhooksTo(sink.URL)
	hooks.Timeout = 100 * time.Millisecond
	a := made(t, &config.Config{Webhooks: hooks, Ping: config.Ping{URL: sink.URL, Timeout: 100 * time.Millisecond}})
	if err := a.Before(t.Context(), begun()); err != nil {
		t.Fatal(err)
	}
	problems := a.After(t.Context(), done())
	if len(problems) != 4 {
		t.Fatalf("got %v, want what began and what ended, of two", problems)
	}
	for _, p := range problems {
		if p.Severity != holdfast.Warning || !strings.Contains(p.Message, "no answer within 100ms") {
			t.Errorf("got %+v", p)
		}
	}
}

func TestAfter_EndsWithItsContext(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	sink.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Delay: time.Hour} })
	hooks := webhooksTo(sink.URL)
	hooks.Timeout = time.Hour
	a := made(t, &config.Config{Webhooks: hooks})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		sink.Wait(t, 1)
		cancel()
	}()
	if problems := a.After(ctx, done()); len(problems) != 1 {
		t.Errorf("got %v", problems)
	}
}

// pathsOf gives what a switch heard.
func pathsOf(sink *sinktest.HTTP) []string {
	var paths []string
	for _, r := range sink.Requests() {
		paths = append(paths, r.Path)
	}
	return paths
}

func TestPing_StartAndEnd(t *testing.T) {
	lacking, unchanged, restored := done(), done(), done()
	lacking.Problems = []holdfast.Problem{{Severity: holdfast.Incomplete, Source: "bot", Message: "a file is missing"}}
	unchanged.Unchanged = true
	restored.Op = "restore"
	for name, c := range map[string]struct {
		end  engine.Verb
		want []string
		body string
	}{
		"made":       {done(), []string{"/p/start", "/p"}, "made scheduled_backup_20260304_050607, 4.0 KiB stored"},
		"unchanged":  {unchanged, []string{"/p/start", "/p"}, "nothing has changed since scheduled_backup_20260304_050607"},
		"incomplete": {lacking, []string{"/p/start", "/p/fail"}, "exit status 3\nmade scheduled_backup_20260304_050607, 4.0 KiB stored\nincomplete: bot: a file is missing"},
		"failed": {
			failed(&holdfast.Error{Op: "store", Object: "x", Err: holdfast.Kindf(holdfast.ErrRefused, "disk full"), Hint: "make room"}),
			[]string{"/p/start", "/p/fail"},
			"failed, exit status 13\nerror: store x: disk full\nhint: make room",
		},
		"interrupted": {failed(context.Canceled), []string{"/p/start", "/p/fail"}, "exit status 130"},
		"locked":      {failed(&holdfast.LockedError{Object: "r"}), []string{"/p/start"}, ""},
		"a restore":   {restored, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sink := sinktest.NewHTTP(t)
			a := made(t, &config.Config{Ping: config.Ping{URL: sink.URL + "/p", Timeout: 5 * time.Second}})
			first := begun()
			first.Op = c.end.Op
			if err := a.Before(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			if problems := a.After(t.Context(), c.end); problems != nil {
				t.Fatalf("got %v", problems)
			}
			if got := pathsOf(sink); !slices.Equal(got, c.want) {
				t.Fatalf("heard %v, want %v", got, c.want)
			}
			if len(c.want) < 2 {
				return
			}
			got := sink.Requests()
			if text := string(got[0].Body); !strings.HasPrefix(text, "backup (scheduled) on ") || strings.Contains(text, "ended") {
				t.Errorf("it began with %q", text)
			}
			if text := string(got[1].Body); !strings.Contains(text, c.body) || !strings.Contains(text, "sources: chromadb, bot") {
				t.Errorf("it ended with %q, want %q in it", text, c.body)
			}
		})
	}
}

func TestPing_URLsOfItsOwn(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	for _, c := range []struct {
		ping config.Ping
		err  error
		want []string
	}{
		{config.Ping{URL: sink.URL + "/base?a=b"}, nil, []string{"/base/start?a=b", "/base?a=b"}},
		{config.Ping{URL: sink.URL + "/base", Start: config.PingOff}, nil, []string{"/base"}},
		{config.Ping{Success: sink.URL + "/up"}, nil, []string{"/up"}},
		{config.Ping{URL: sink.URL + "/base", Start: config.PingOff, Fail: sink.URL + "/down?status=down"}, errors.New("no"), []string{"/down?status=down"}},
		{config.Ping{URL: sink.URL + "/base", Start: config.PingOff, Fail: config.PingOff}, errors.New("no"), nil},
	} {
		c.ping.Timeout = 5 * time.Second
		before := len(sink.Requests())
		a := made(t, &config.Config{Ping: c.ping})
		if err := a.Before(t.Context(), begun()); err != nil {
			t.Fatal(err)
		}
		v := done()
		v.Err = c.err
		a.After(t.Context(), v)
		if got := pathsOf(sink)[before:]; !slices.Equal(got, c.want) {
			t.Errorf("%+v: heard %v, want %v", c.ping, got, c.want)
		}
	}
}

func TestPing_ChangesAreToldOnceAMinuteButFailuresAlways(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	now := start
	a := New(&config.Config{Ping: config.Ping{URL: sink.URL + "/p", Timeout: 5 * time.Second}}, Options{Environ: []string{}, Now: func() time.Time { return now }})
	backup := func(trigger holdfast.Trigger, err error) {
		v := begun()
		v.Trigger = trigger
		if err := a.Before(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		v.Err = err
		a.After(t.Context(), v)
		now = now.Add(20 * time.Second)
	}
	backup(holdfast.TriggerChange, nil)              // told
	backup(holdfast.TriggerChange, nil)              // not
	backup(holdfast.TriggerChange, errors.New("no")) // told
	backup(holdfast.TriggerChange, nil)              // a minute is over
	backup(holdfast.TriggerManual, nil)              // told
	want := []string{"/p/start", "/p", "/p/fail", "/p/start", "/p", "/p/start", "/p"}
	if got := pathsOf(sink); !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
}

func TestPing_ASwitchThatTakesNoLog(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	sink.Answer(func(n int, r sinktest.Request) sinktest.Reply {
		if r.Method != http.MethodGet {
			return sinktest.Reply{Status: http.StatusMethodNotAllowed}
		}
		return sinktest.Reply{}
	})
	a := made(t, &config.Config{Ping: config.Ping{Success: sink.URL + "/push", Timeout: 5 * time.Second}})
	if problems := a.After(t.Context(), done()); problems != nil {
		t.Errorf("got %v", problems)
	}
	if got := sink.Requests(); len(got) != 2 || got[1].Method != http.MethodGet {
		t.Errorf("got %v", got)
	}
}

func TestPing_LogIsBounded(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	a := made(t, &config.Config{Ping: config.Ping{URL: sink.URL, Timeout: 5 * time.Second}})
	v := failed(errors.New(strings.Repeat("long ", 10_000)))
	for n := range 1000 {
		v.Problems = append(v.Problems, holdfast.Problem{Severity: holdfast.Warning, Message: fmt.Sprintf("problem %d", n)})
	}
	a.After(t.Context(), v)
	got := sink.Requests()[0].Body
	if len(got) > mostStory || !bytes.Contains(got, []byte("problem 100")) || !bytes.Contains(got, []byte("error: long")) {
		t.Errorf("%d bytes: %.200s", len(got), got)
	}
}

// canary is in every secret of the next test.
const canary = "canary4Z"

func TestSecrets_AreInNoText(t *testing.T) {
	gone := "http://user:" + canary + "pw@127.0.0.1:1/" + canary + "path/x?token=" + canary + "q"
	sink, other := sinktest.NewHTTP(t), sinktest.NewHTTP(t)
	for name, reply := range map[string]sinktest.Reply{
		"500":      {Status: 500, Body: canary},
		"redirect": {Status: 307, Location: other.URL + "/" + canary},
		"nonsense": {Status: 307, Location: "http://[::1/" + canary},
		"dropped":  {Drop: true},
		"slow":     {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			sink.Answer(func(int, sinktest.Request) sinktest.Reply { return reply })
			secret := sink.URL + "/hooks/" + canary + "?key=" + canary
			var log bytes.Buffer
			hooks := webhooksTo(secret, gone)
			hooks.Secret, hooks.Timeout = canary+"hmac", 150*time.Millisecond
			c := &config.Config{
				Webhooks: hooks,
				Ping:     config.Ping{URL: secret, Fail: gone, Timeout: 150 * time.Millisecond},
				Hooks: config.Hooks{
					BeforeBackup: "echo " + canary + "pw >&2; exit 1",
					OnFailure:    `echo "$HOLDFAST_ERROR" >&2; exit 1`,
				},
			}
			a := New(c, Options{Environ: []string{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			err := a.Before(t.Context(), begun())
			if err == nil {
				t.Fatal("the command did not refuse")
			}
			texts := []string{err.Error(), holdfast.HintOf(err)}
			for _, p := range a.After(t.Context(), failed(fmt.Errorf("telling %s: %w", gone, err))) {
				texts = append(texts, p.Object, p.Message, p.Hint)
			}
			texts = append(texts, log.String())
			for _, s := range texts {
				if strings.Contains(s, canary) {
					t.Errorf("a secret is told: %s", s)
				}
			}
			for _, r := range sink.Requests() {
				if bytes.Contains(r.Body, []byte(canary)) {
					t.Errorf("a secret is sent: %s", r.Body)
				}
			}
		})
	}
}
