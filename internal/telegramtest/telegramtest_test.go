package telegramtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// client is the library that bots use, without its loop.
func client(t *testing.T, s *telegramtest.Server, o ...bot.Option) *bot.Bot {
	t.Helper()
	b, err := bot.New(s.Token, append([]bot.Option{bot.WithServerURL(s.URL)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A reply is what the Bot API answers, as it is on the wire.
type reply struct {
	Status      int
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	Code        int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"`
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// call calls a method with a JSON object.
func call(t *testing.T, s *telegramtest.Server, method, body string) reply {
	t.Helper()
	resp, err := http.Post(s.URL+"/bot"+s.Token+"/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{Status: resp.StatusCode}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if r.OK != (r.Status == http.StatusOK) || !r.OK && r.Code != r.Status {
		t.Errorf("the answer contradicts itself: %d %s", r.Status, b)
	}
	return r
}

// sent calls a method that has to do, and gives the message that it returns.
func sent(t *testing.T, s *telegramtest.Server, method, body string) telegramtest.Message {
	t.Helper()
	r := call(t, s, method, body)
	if !r.OK {
		t.Fatalf("%s %s: %s", method, body, r.Description)
	}
	var m telegramtest.Message
	if err := json.Unmarshal(r.Result, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// refused calls a method that has to be refused with the description.
func refused(t *testing.T, s *telegramtest.Server, method, body, want string) {
	t.Helper()
	if r := call(t, s, method, body); r.Description != want {
		t.Errorf("%s %.200s:\n got %q\nwant %q", method, body, r.Description, want)
	}
}

// A clock stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// running is a bot that answers what is written with a button, and a press with
// an edit.
func running(t *testing.T, s *telegramtest.Server) {
	t.Helper()
	b := client(t, s, bot.WithDefaultHandler(talk(t)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func talk(t *testing.T) bot.HandlerFunc {
	return func(ctx context.Context, b *bot.Bot, u *models.Update) {
		var err error
		switch {
		case u.Message != nil:
			_, err = b.SendMessage(ctx, &bot.SendMessageParams{
				ChatID: u.Message.Chat.ID, Text: "<b>Hello</b> " + u.Message.From.FirstName, ParseMode: models.ParseModeHTML,
				ReplyMarkup: &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{{{Text: "Go on", CallbackData: "go"}}}},
			})
		case u.CallbackQuery != nil:
			m := u.CallbackQuery.Message.Message
			if _, err = b.EditMessageText(ctx, &bot.EditMessageTextParams{ChatID: m.Chat.ID, MessageID: m.ID, Text: "Gone on with " + u.CallbackQuery.Data}); err == nil {
				_, err = b.AnswerCallbackQuery(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: u.CallbackQuery.ID, Text: "done", ShowAlert: true})
			}
		}
		if err != nil && ctx.Err() == nil { // a test may end while its last answer is on the way
			t.Error(err)
		}
	}
}

// The loop of a bot: a person writes, presses, and sees the message change.
func TestConversation(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	running(t, s)
	ada := s.User(7, "Ada", "en")
	ada.Says(0, "/start")
	m := s.AwaitText(7, "Hello Ada")
	if got, want := m.HTML(), "<b>Hello</b> Ada"; got != want {
		t.Errorf("HTML() = %q, want %q", got, want)
	}
	if a := ada.Presses(m, "Go on"); a.Text != "done" || !a.ShowAlert {
		t.Errorf("the answer is %+v", a)
	}
	m, _ = s.Chat(7).Message(m.ID)
	if m.Text != "Gone on with go" || m.Edits != 1 || m.Keyboard != nil {
		t.Errorf("after the press: %v", m)
	}
	if got := s.Chat(7).Last().ID; got != m.ID {
		t.Errorf("the last message is %d, want %d", got, m.ID)
	}
}

// Requests come in every form that the Bot API takes.
func TestForms(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	s.User(7, "Ada", "en")
	url := s.URL + "/bot" + s.Token + "/SENDmessage"
	for name, do := range map[string]func() (*http.Response, error){
		"query": func() (*http.Response, error) { return http.Get(url + "?chat_id=7&text=query") },
		"form": func() (*http.Response, error) {
			return http.Post(url, "application/x-www-form-urlencoded", strings.NewReader("chat_id=7&text=form"))
		},
		"json": func() (*http.Response, error) {
			return http.Post(url, "application/json; charset=utf-8", strings.NewReader(`{"chat_id":7,"text":"json"}`))
		},
		"parts": func() (*http.Response, error) {
			return http.Post(url, "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n7\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nparts\r\n--x--\r\n"))
		},
	} {
		resp, err := do()
		if err != nil {
			t.Fatal(err)
		}
		if r := read(t, resp); !r.OK {
			t.Errorf("%s: %s", name, r.Description)
		}
		if got := s.Chat(7).Last().Text; got != name {
			t.Errorf("the last message is %q, want %q", got, name)
		}
	}
	resp, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader("chat_id=7&text=%ff"))
	if err != nil {
		t.Fatal(err)
	}
	if r := read(t, resp); r.Description != "Bad Request: strings must be encoded in UTF-8" {
		t.Errorf("text that is none: %s", r.Description)
	}
	refused(t, s, "sendMessage", `{"chat_id":`, "Bad Request: can't parse JSON object")
}

// What is no method and no token.
func TestDoor(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	for path, want := range map[string]int{
		"/bot" + s.Token + "/getMe":        200,
		"/bot" + s.Token + "/sendDice":     404,
		"/bot" + s.Token + "x/getMe":       401,
		"/botnonsense/getMe":               404,
		"/nothing":                         404,
		"/file/bot" + s.Token + "/nothing": 404,
	} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if r := read(t, resp); r.Status != want {
			t.Errorf("%s: %d %s, want %d", path, r.Status, r.Description, want)
		}
	}
	s.Revoke("7120000001:another")
	if r := call(t, s, "getMe", "{}"); r.Description != "Unauthorized" {
		t.Errorf("with the old token: %s", r.Description)
	}
	b, err := bot.New("7120000001:another", bot.WithServerURL(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	if b.ID() != 7120000001 {
		t.Errorf("the bot is %d", b.ID())
	}
}
