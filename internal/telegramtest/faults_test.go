package telegramtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

func say(t *testing.T, b *bot.Bot, text string) error {
	t.Helper()
	_, err := b.SendMessage(t.Context(), &bot.SendMessageParams{ChatID: 7, Text: text})
	return err
}

// Each fault as the library tells it, and what is in the chat after it.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault telegramtest.Fault
		want  string // in the error
		sent  int    // messages that came about
	}{
		"429":     {telegramtest.Fault{Code: 429, RetryAfter: 17}, "retry_after 17", 0},
		"502":     {telegramtest.Fault{Code: 502}, "502 Bad Gateway", 0},
		"500":     {telegramtest.Fault{Code: 500, Text: "Internal Server Error"}, "500 Internal Server Error", 0},
		"dropped": {telegramtest.Fault{Drop: true}, "EOF", 0},
		"cut":     {telegramtest.Fault{Cut: 10}, "", 0},
		"lost":    {telegramtest.Fault{Lost: true}, "EOF", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := telegramtest.Start(t, telegramtest.Options{})
			b := client(t, s)
			s.User(7, "Ada", "en")
			s.Fail("sendMessage", 1, c.fault)
			if err := say(t, b, "one"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
			if got := len(s.Chat(7).Messages()); got != c.sent {
				t.Errorf("there are %d messages, want %d", got, c.sent)
			}
			if err := say(t, b, "two"); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// Faults of every method end when they are healed.
func TestHeal(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b := client(t, s)
	s.User(7, "Ada", "en")
	s.Fail(telegramtest.Any, 100, telegramtest.Fault{Code: 429, RetryAfter: 1})
	if err := say(t, b, "one"); !bot.IsTooManyRequestsError(err) {
		t.Errorf("the error is %v", err)
	}
	if got := s.Heal(); got != 99 {
		t.Errorf("%d faults were left, want 99", got)
	}
	if err := say(t, b, "two"); err != nil {
		t.Error(err)
	}
	var errs int
	for _, c := range s.Calls() {
		if c.Error != "" {
			errs++
		}
	}
	if errs != 1 {
		t.Errorf("%d calls failed, want 1: %+v", errs, s.Calls())
	}
}

// A call that is never answered ends with the patience of the client.
func TestHang(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b := client(t, s)
	s.User(7, "Ada", "en")
	s.Fail("getChat", 1, telegramtest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.GetChat(ctx, &bot.GetChatParams{ChatID: 7})
		done <- err
	}()
	s.Until("the call", func() bool { return len(s.Calls()) == 2 }) // getMe, getChat
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// Uploads and downloads break off in the middle.
func TestCut(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b := client(t, s)
	s.User(7, "Ada", "en")
	s.Fail("sendDocument", 1, telegramtest.Fault{Cut: 1 << 20})
	if _, err := upload(t, b, "a", zeros(3<<20)); err == nil {
		t.Error("the upload that was cut succeeded")
	}
	if got := len(s.Chat(7).Messages()); got != 0 {
		t.Errorf("there are %d messages", got)
	}
	m, err := upload(t, b, "a", zeros(3<<20))
	if err != nil {
		t.Fatal(err)
	}
	f, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: m.Document.FileID})
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(telegramtest.Download, 1, telegramtest.Fault{Cut: 1 << 20})
	resp, err := http.Get(b.FileDownloadLink(f))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n != 1<<20 {
		t.Errorf("the download gave %d bytes and %v", n, err)
	}
}

// Who sends faster than Telegram takes it is told how long to wait.
func TestPace(t *testing.T) {
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Paced: true, Now: c.now})
	b := client(t, s)
	s.User(7, "Ada", "en")
	for range 4 {
		if err := say(t, b, "quick"); err != nil {
			t.Fatal(err)
		}
	}
	err := say(t, b, "too quick")
	limit, ok := errors.AsType[*bot.TooManyRequestsError](err)
	if !ok || limit.RetryAfter < 1 {
		t.Fatalf("the error is %v", err)
	}
	c.pass(time.Duration(limit.RetryAfter) * time.Second)
	if err := say(t, b, "patient"); err != nil {
		t.Errorf("after %d seconds: %v", limit.RetryAfter, err)
	}

	s.Supergroup(-1000000000050, "Admins")
	for range 20 {
		sent(t, s, "sendMessage", `{"chat_id":-1000000000050,"text":"x"}`)
		c.pass(100 * time.Millisecond)
	}
	r := call(t, s, "sendMessage", `{"chat_id":-1000000000050,"text":"x"}`)
	if r.Status != 429 || r.Parameters.RetryAfter != 58 {
		t.Errorf("the 21st in a group within a minute: %+v", r)
	}
}
