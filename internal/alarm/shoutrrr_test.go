package alarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// mailTo is the URL of a mail sink.
func mailTo(s *sinktest.SMTP, user, password string) string {
	return "smtp://" + user + ":" + password + "@" + s.Addr + "/?from=holdfast@example.org&to=admin@example.org,second@example.org"
}

// hookTo is the URL of a generic webhook at a sink.
func hookTo(s *sinktest.HTTP) string { return "generic+" + s.URL + "/alarm?template=json" }

func services(t *testing.T, timeout time.Duration, urls ...string) *Services {
	t.Helper()
	s, err := Shoutrrr(urls, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShoutrrr_RealMailAndWebhook(t *testing.T) {
	mail, hook := sinktest.NewSMTP(t, "me", "pass1234"), sinktest.NewHTTP(t)
	hook.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Body: "{}"} })
	s := services(t, 10*time.Second, mailTo(mail, "me", "pass1234"), hookTo(hook), "ntfy://"+strings.TrimPrefix(hook.URL, "http://")+"/topic?scheme=http")
	errs := s.Send(t.Context(), Message{Title: "holdfast on büro: backups fail", Text: "ALARM: ผิด\n.\nline three"})
	if err := errors.Join(errs...); err != nil || len(errs) != 3 {
		t.Fatalf("got %d, %v", len(errs), err)
	}
	emails := mail.Emails()
	var to []string
	for _, m := range emails {
		to = append(to, m.To...)
	}
	if !slices.Equal(to, []string{"admin@example.org", "second@example.org"}) {
		t.Fatalf("e-mails to %v", to)
	}
	if m := emails[0]; m.Subject != "holdfast on büro: backups fail" || strings.TrimRight(m.Body, "\n") != "ALARM: ผิด\n.\nline three" || m.From != "holdfast@example.org" || m.User != "me" {
		t.Errorf("got %+v", m)
	}
	got := hook.Requests()
	if len(got) != 2 {
		t.Fatalf("%d requests", len(got))
	}
	if i := slices.IndexFunc(got, func(r sinktest.Request) bool { return strings.HasPrefix(r.Path, "/alarm") }); i < 0 {
		t.Errorf("the webhook got nothing: %v", got)
	} else {
		var m map[string]string
		if err := json.Unmarshal(got[i].Body, &m); err != nil || m["title"] != "holdfast on büro: backups fail" || m["message"] != "ALARM: ผิด\n.\nline three" {
			t.Errorf("the webhook got %s, %v", got[i].Body, err)
		}
	}
	if i := slices.IndexFunc(got, func(r sinktest.Request) bool { return r.Path == "/topic" }); i < 0 {
		t.Errorf("ntfy got nothing: %v", got)
	} else if !strings.Contains(got[i].Header.Get("Title"), "backups fail") || string(got[i].Body) != "ALARM: ผิด\n.\nline three" {
		t.Errorf("ntfy got %v %s", got[i].Header, got[i].Body)
	}
}

func TestShoutrrr_URLsOfTheDocument(t *testing.T) {
	for _, url := range documented(t) {
		if _, err := Shoutrrr([]string{url}, 0); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// documented gives the URLs that docs/alarms.md shows.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, url := range regexp.MustCompile("`([a-z]+(?:\\+https?)?://[^`…]+)`").FindAllStringSubmatch(string(text), -1) {
		if scheme, _, _ := strings.Cut(url[1], ":"); scheme != "http" && scheme != "https" {
			all = append(all, url[1])
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d URLs found", len(all))
	}
	return all
}

func TestShoutrrr_OneThatIsWrongDoesNotSilenceTheOthers(t *testing.T) {
	hook := sinktest.NewHTTP(t)
	s, err := Shoutrrr([]string{"nonsense", "gopher://canary42/x", "telegram://canary42@telegram", "smtp://u:canary42@h/?to=canary42@x", hookTo(hook), "://canary42", "logger://"}, time.Second)
	if err == nil {
		t.Fatal("no URL is wrong")
	}
	for _, want := range []string{"notify.urls[0] (no URL)", "notify.urls[1] (gopher)", "notify.urls[2] (telegram)", "notify.urls[3] (smtp)", "notify.urls[5]", "notify.urls[6] (logger)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "canary42") {
		t.Errorf("a secret is told: %v", err)
	}
	if holdfast.ExitCode(err) != holdfast.ExitUsage {
		t.Errorf("exit status %d", holdfast.ExitCode(err))
	}
	if got := s.Test(t.Context(), "attic"); len(got) != 1 || !got[0].OK || got[0].Service != "notify.urls[4] (generic)" {
		t.Errorf("got %+v", got)
	}
}

func TestShoutrrr_NobodyAtAll(t *testing.T) {
	if s, err := Shoutrrr(nil, 0); s != nil || err != nil {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestShoutrrr_EachHasItsTime(t *testing.T) {
	slow, fast := sinktest.NewHTTP(t), sinktest.NewHTTP(t)
	slow.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Delay: time.Hour} })
	s := services(t, 200*time.Millisecond, hookTo(slow), hookTo(fast))
	for range mostHanging + 2 {
		errs := s.Send(t.Context(), Message{Text: "x"})
		if errs[0] == nil || errs[1] != nil {
			t.Fatalf("got %v", errs)
		}
	}
	if n := len(slow.Requests()); n != mostHanging {
		t.Errorf("%d messages hang, %d at most wanted", n, mostHanging)
	}
	if n := len(fast.Requests()); n != mostHanging+2 {
		t.Errorf("the other got %d", n)
	}
}

func TestShoutrrr_EndsWithItsContext(t *testing.T) {
	slow := sinktest.NewHTTP(t)
	slow.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Delay: time.Hour} })
	s := services(t, time.Hour, hookTo(slow))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		slow.Wait(t, 1)
		cancel()
	}()
	if errs := s.Send(ctx, Message{Text: "x"}); !errors.Is(errs[0], context.Canceled) {
		t.Errorf("got %v", errs)
	}
}

func TestShoutrrr_NoSecretIsTold(t *testing.T) {
	mail, hook := sinktest.NewSMTP(t, "me", "right"), sinktest.NewHTTP(t)
	// Every secret is in the longer one, which the server says.
	const canary, longer = "canary42", "Acanary42abcdef"
	host := strings.TrimPrefix(hook.URL, "http://")
	dead := "127.0.0.1:1"
	urls := []string{
		mailTo(mail, "me", canary), // the server quotes it
		"smtp://me:" + canary + "@" + dead + "/?from=a@b.c&to=d@e.f",
		"generic+" + hook.URL + "/" + canary + "?@Authorization=" + canary,
		"generic+http://" + dead + "/" + canary + "?token=" + canary,
		"generic://" + canary + ":" + canary + "@" + dead + "/?disabletls=yes",
		"ntfy://u:" + canary + "@" + host + "/" + canary + "?scheme=http",
		"ntfy://u:" + canary + "@" + dead + "/" + canary,
		"gotify://" + host + "/" + longer + "?disabletls=yes",
		"mattermost://" + host + "/" + canary + "?disabletls=yes",
		"rocketchat://" + dead + "/" + canary + "/" + canary,
		"bark://:" + canary + "@" + host + "/?scheme=http",
		"matrix://u:" + canary + "@" + dead + "/?rooms=!r:x&disabletls=yes",
	}
	for name, reply := range map[string]sinktest.Reply{
		"refused": {Status: http.StatusForbidden, Body: `{"error":"` + longer + ` is wrong","errorDescription":"` + longer + `"}`},
		"dropped": {Drop: true},
		"led off": {Status: http.StatusFound, Location: "http://" + dead + "/" + longer},
	} {
		t.Run(name, func(t *testing.T) {
			hook.Answer(func(int, sinktest.Request) sinktest.Reply { return reply })
			s := services(t, 5*time.Second, urls...)
			var log bytes.Buffer
			b, err := New(Options{File: filepath.Join(t.TempDir(), "alarms.json"), Sender: s, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			b.Update(t.Context(), []Condition{failing})
			for i, d := range s.Test(t.Context(), "attic") {
				if d.OK {
					t.Errorf("%s was told", urls[i])
				}
				if strings.Contains(d.Error+d.Service, canary) {
					t.Errorf("a secret is told: %+v", d)
				}
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("a secret is logged: %s", log.String())
			}
		})
	}
}

func TestShoutrrr_AMailServerThatRefuses(t *testing.T) {
	mail := sinktest.NewSMTP(t, "", "")
	s := services(t, 300*time.Millisecond, "smtp://"+mail.Addr+"/?from=a@b.c&to=d@e.f")
	for _, r := range []sinktest.Refusal{{Command: "EHLO", Hang: true}, {Command: "RCPT", Reply: "550 nobody here"}, {Command: "MAIL"}, {Command: "DATA", Reply: "451 try later"}} {
		mail.Refuse(r)
		if got := s.Test(t.Context(), "attic"); got[0].OK || got[0].Error == "" {
			t.Errorf("%+v: got %+v", r, got)
		}
	}
	mail.Refuse(sinktest.Refusal{})
	if got := s.Test(t.Context(), "attic"); !got[0].OK {
		t.Errorf("got %+v", got)
	}
	if n := len(mail.Emails()); n != 1 {
		t.Errorf("%d e-mails", n)
	}
}
