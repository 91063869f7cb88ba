package sinktest

import (
	"net/http"
	"net/smtp"
	"slices"
	"strings"
	"testing"
)

func TestSMTP_RecordsWhatItsUserSends(t *testing.T) {
	s := NewSMTP(t, "me", "secret")
	auth := smtp.PlainAuth("", "me", "secret", "127.0.0.1")
	text := "Subject: =?utf-8?q?=E2=9A=A0_trouble?=\r\nFrom: a@b.c\r\n\r\nline one\r\n.dot\r\n"
	if err := smtp.SendMail(s.Addr, auth, "a@b.c", []string{"d@e.f", "g@h.i"}, []byte(text)); err != nil {
		t.Fatal(err)
	}
	got := s.Emails()
	if len(got) != 1 {
		t.Fatalf("%d e-mails", len(got))
	}
	if m := got[0]; m.From != "a@b.c" || !slices.Equal(m.To, []string{"d@e.f", "g@h.i"}) || m.Subject != "⚠ trouble" || m.Body != "line one\n.dot\n" || m.User != "me" {
		t.Errorf("got %+v", m)
	}
}

func TestSMTP_RefusesStrangers(t *testing.T) {
	s := NewSMTP(t, "me", "secret")
	if err := smtp.SendMail(s.Addr, nil, "a@b.c", []string{"d@e.f"}, []byte("x\r\n")); err == nil || !strings.Contains(err.Error(), "530") {
		t.Errorf("got %v", err)
	}
	err := smtp.SendMail(s.Addr, smtp.PlainAuth("", "me", "wrong", "127.0.0.1"), "a@b.c", []string{"d@e.f"}, []byte("x\r\n"))
	if err == nil || !strings.Contains(err.Error(), "535") {
		t.Errorf("got %v", err)
	}
	s.Refuse(Refusal{Command: "MAIL", Reply: "451 later"})
	err = smtp.SendMail(s.Addr, smtp.PlainAuth("", "me", "secret", "127.0.0.1"), "a@b.c", []string{"d@e.f"}, []byte("x\r\n"))
	if err == nil || !strings.Contains(err.Error(), "451") {
		t.Errorf("got %v", err)
	}
	if n := len(s.Emails()); n != 0 {
		t.Errorf("%d e-mails were taken", n)
	}
}

func TestHTTP_AnswersAsTold(t *testing.T) {
	s := NewHTTP(t)
	s.Answer(func(n int, _ Request) Reply {
		return []Reply{{Status: http.StatusTeapot, Body: "short and stout"}, {Drop: true}}[n]
	})
	resp, err := http.Post(s.URL+"/a?b=c", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusTeapot {
		t.Errorf("got %s", resp.Status)
	}
	if resp, err := http.Post(s.URL, "text/plain", nil); err == nil {
		t.Errorf("got %s, but the connection was to be dropped", resp.Status)
	}
	got := s.Wait(t, 2)
	if got[0].Method != "POST" || got[0].Path != "/a?b=c" || string(got[0].Body) != "body" {
		t.Errorf("got %+v", got[0])
	}
}
