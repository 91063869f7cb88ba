package telegramtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// The webhook handler of the library, with its secret.
func TestWebhookOfTheLibrary(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b := client(t, s, bot.WithDefaultHandler(talk(t)), bot.WithWebhookSecretToken("s3cret"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.StartWebhook(ctx)
	}()
	server := httptest.NewServer(b.WebhookHandler())
	t.Cleanup(func() {
		cancel()
		<-ended
		server.Close()
	})
	if _, err := b.SetWebhook(ctx, &bot.SetWebhookParams{URL: server.URL, SecretToken: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	ada := s.User(7, "Ada", "en")
	ada.Says(0, "/start")
	m := s.AwaitText(7, "Hello Ada")
	if a := ada.Presses(m, "Go on"); a.Text != "done" {
		t.Errorf("the answer is %+v", a)
	}
}

// A webhook that fails is told again, in order; its answer may be a call.
func TestWebhookAgain(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	var mu sync.Mutex
	var got []string
	fails := 2
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var u struct {
			Message telegramtest.Message `json:"message"`
		}
		if err := json.NewDecoder(req.Body).Decode(&u); err != nil {
			t.Error(err)
		}
		got = append(got, u.Message.Text)
		if fails > 0 {
			fails--
			http.Error(w, "not yet", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, fmt.Sprintf(`{"method":"sendMessage","chat_id":7,"text":"heard %s"}`, u.Message.Text))
	}))
	t.Cleanup(server.Close)
	ada.Says(0, "one")
	ada.Says(0, "two")
	if r := call(t, s, "setWebhook", `{"url":"`+server.URL+`"}`); !r.OK {
		t.Fatal(r.Description)
	}
	s.AwaitText(7, "heard two")
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"one", "one", "one", "two"}; !slices.Equal(got, want) {
		t.Errorf("the webhook was told %q, want %q", got, want)
	}
	s.Until("the queue to be empty", func() bool { return info(t, s).Pending == 0 })
	if i := info(t, s); i.URL != server.URL || i.Error != "Wrong response from the webhook: 500 Internal Server Error" {
		t.Errorf("getWebhookInfo: %+v", i)
	}
}

type hookInfo struct {
	URL     string `json:"url"`
	Pending int    `json:"pending_update_count"`
	Error   string `json:"last_error_message"`
}

func info(t *testing.T, s *telegramtest.Server) (i hookInfo) {
	t.Helper()
	if err := json.Unmarshal(call(t, s, "getWebhookInfo", "{}").Result, &i); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestWebhookRefused(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	refused(t, s, "setWebhook", `{"url":"http://example.org/"}`, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
	refused(t, s, "setWebhook", `{"url":"https://example.org/","secret_token":"a b"}`, "Bad Request: secret token contains unallowed characters")
}
