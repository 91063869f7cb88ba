package botapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast"
)

const token = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

// A clock moves when somebody waits.
type clock struct {
	mu     sync.Mutex
	at     time.Time
	waited []time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.waited = c.at.Add(d), append(c.waited, d)
	return context.Cause(ctx)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A world is a client, its clock and what it logs.
type world struct {
	*Client
	clock *clock
	log   *bytes.Buffer
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{clock: &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, log: &bytes.Buffer{}}
	if o.Token == "" {
		o.Token = token
	}
	o.Now, o.Wait = w.clock.now, w.clock.wait
	o.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Client = c
	t.Cleanup(w.hangUp)
	return w
}

// hangUp ends the connections that nobody uses.
func (w *world) hangUp() {
	if tr, ok := w.http.Transport.(transport); ok {
		tr.next.(*http.Transport).CloseIdleConnections()
	}
}

// answers is a server that gives these answers, the last one from then on.
func answers(t *testing.T, all ...http.HandlerFunc) (url string, asked *int) {
	t.Helper()
	var mu sync.Mutex
	asked = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		one := all[min(*asked, len(all)-1)]
		*asked++
		mu.Unlock()
		one(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// says is an answer of the Bot API.
func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// refuses is a refusal of the Bot API.
func refuses(code int, description string) http.HandlerFunc {
	return says(code, fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q}`, code, description))
}

// page is an answer of something on the way.
func page(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html>a page that nobody should see</html>")
	}
}

// drops closes the connection without an answer.
func drops(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

var message = says(200, `{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"},"text":"x"}}`)

func hello(chat any) *bot.SendMessageParams {
	return &bot.SendMessageParams{ChatID: chat, Text: "hello"}
}

func TestNew_RefusesWhatIsNoneAndDoesNotRepeatIt(t *testing.T) {
	for name, o := range map[string]Options{
		"no token":            {},
		"token of words":      {Token: "secret words"},
		"token with a path":   {Token: token + "/../secret"},
		"base without scheme": {Token: token, API: "secret.example"},
		"base with password":  {Token: token, API: "https://me:secret@host"},
		"proxy of no kind":    {Token: token, Proxy: "ftp://me:secret@host"},
		"proxy without host":  {Token: token, Proxy: "socks5:secret"},
	} {
		_, err := New(o)
		if !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error()+holdfast.HintOf(err), "secret") {
			t.Errorf("%s: it repeats what it was given: %v", name, err)
		}
	}
}

func TestCall_IsMadeAgainWhenItMayWork(t *testing.T) {
	limited := says(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`)
	for name, c := range map[string]struct {
		first  []http.HandlerFunc
		waited []time.Duration
	}{
		"too many requests":  {[]http.HandlerFunc{limited, limited}, []time.Duration{7 * time.Second, 7 * time.Second}},
		"server in trouble":  {[]http.HandlerFunc{refuses(500, "Internal Server Error")}, []time.Duration{firstPause}},
		"gateway":            {[]http.HandlerFunc{page(502), page(504)}, []time.Duration{firstPause, 2 * firstPause}},
		"gateway's limit":    {[]http.HandlerFunc{page(429)}, []time.Duration{firstPause}},
		"dropped connection": {[]http.HandlerFunc{drops}, []time.Duration{firstPause}},
		"cut answer": {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"ok":tr`)
		}}, []time.Duration{firstPause}},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := answers(t, append(c.first, message)...)
			w := newWorld(t, Options{API: url})
			m, err := w.Send(t.Context(), hello(5))
			if err != nil || m.ID != 7 {
				t.Fatalf("message %v, error %v", m, err)
			}
			if *asked != len(c.first)+1 || fmt.Sprint(w.clock.waited) != fmt.Sprint(c.waited) {
				t.Errorf("asked %d times, waited %v, want %v", *asked, w.clock.waited, c.waited)
			}
		})
	}
}

func TestCall_EndsWithThePatience(t *testing.T) {
	url, asked := answers(t, page(502))
	w := newWorld(t, Options{API: url, Patience: time.Minute})
	began := w.clock.now()
	_, err := w.Send(t.Context(), hello(5))
	if holdfast.CauseOf(err) != holdfast.CauseUnreachable || !strings.Contains(holdfast.HintOf(err), "telegram.proxy") {
		t.Errorf("error %v, cause %q", err, holdfast.CauseOf(err))
	}
	if took := w.clock.now().Sub(began); took > time.Minute || *asked < leastAttempts {
		t.Errorf("%d attempts within %s", *asked, took)
	}
	if strings.Contains(err.Error(), "html") || strings.Contains(err.Error(), "nobody should see") {
		t.Errorf("the page is quoted: %v", err)
	}
}

// Whoever calls next for a chat that Telegram wants to hear nothing of for long is told
// so, as the first was, and does not wait for an hour.
func TestCall_NobodyWaitsForAChatLongerThanThePatience(t *testing.T) {
	url, asked := answers(t, says(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3600","parameters":{"retry_after":3600}}`), message)
	w := newWorld(t, Options{API: url})
	for range 2 {
		if _, err := w.Send(t.Context(), hello(5)); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "for 3600 seconds") {
			t.Errorf("error %v", err)
		}
	}
	if *asked != 1 || len(w.clock.waited) > 0 {
		t.Errorf("asked %d times, waited %v", *asked, w.clock.waited)
	}
	if _, err := w.Send(t.Context(), hello(6)); err != nil {
		t.Errorf("another chat: %v", err)
	}
	w.clock.pass(time.Hour)
	if _, err := w.Send(t.Context(), hello(5)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestCall_OnceIsEnough(t *testing.T) {
	long := says(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 600","parameters":{"retry_after":600}}`)
	endless := says(429, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":10000000000}}`)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   error // nil: none of the vocabulary
		says   string
		hint   string
	}{
		"token revoked":     {refuses(401, "Unauthorized"), holdfast.ErrUsage, "the token is not accepted", "HOLDFAST_TELEGRAM_TOKEN"},
		"token of no bot":   {refuses(404, "Not Found"), holdfast.ErrUsage, "the token is not accepted", "telegram.api"},
		"blocked":           {refuses(403, "Forbidden: bot was blocked by the user"), holdfast.ErrRefused, "chat 5: bot was blocked by the user", "/start"},
		"kicked":            {refuses(403, "Forbidden: bot was kicked from the supergroup chat"), holdfast.ErrRefused, "kicked", "member"},
		"another reader":    {refuses(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"), holdfast.ErrLocked, "another program", "a bot of its own"},
		"no chat":           {refuses(400, "Bad Request: chat not found"), holdfast.ErrNotFound, "chat 5: chat not found", "write to the bot first"},
		"no message":        {refuses(400, "Bad Request: message to edit not found"), ErrNoMessage, "message to edit not found", ""},
		"too old":           {refuses(400, "Bad Request: message can't be edited"), ErrFixedMessage, "can't be edited", ""},
		"no right":          {refuses(400, "Bad Request: not enough rights to send text messages to the chat"), holdfast.ErrRefused, "not enough rights", "this right"},
		"bad markup":        {refuses(400, "Bad Request: can't parse entities: unclosed tag"), nil, "chat 5: can't parse entities", ""},
		"a wait of no time": {endless, holdfast.ErrRefused, "takes nothing more", "try again then"},
		"too long a wait":   {long, holdfast.ErrRefused, "takes nothing more for 600 seconds", "try again then"},
		"no API":            {page(404), holdfast.ErrNotFound, "the server answers 404", "telegram.api"},
		"a page of a login": {page(200), nil, "the server answers 200", "telegram.proxy"},
		"too large":         {refuses(413, "Request Entity Too Large"), holdfast.ErrRefused, "too large", "50 MB"},
		"proxy":             {page(407), holdfast.ErrUsage, "name or password", "telegram.proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := answers(t, c.answer, message)
			_, err := newWorld(t, Options{API: url}).Send(t.Context(), hello(5))
			if *asked != 1 {
				t.Errorf("asked %d times", *asked)
			}
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(holdfast.HintOf(err), c.hint) {
				t.Errorf("error %v, hint %q", err, holdfast.HintOf(err))
			}
			// What is no word on the message must not pass for one.
			for _, of := range []error{ErrNoMessage, ErrFixedMessage} {
				if errors.Is(err, of) != (c.kind == of) {
					t.Errorf("%v matches %v", err, of)
				}
			}
			if c.kind == nil && holdfast.ExitCode(err) != holdfast.ExitFailed {
				t.Errorf("exit code %d", holdfast.ExitCode(err))
			}
		})
	}
}

func TestCall_EndsWithItsContext(t *testing.T) {
	url, _ := answers(t, page(502))
	reason := errors.New("the daemon ends")
	ctx, cancel := context.WithCancelCause(t.Context())
	w := newWorld(t, Options{API: url})
	w.o.Wait = func(context.Context, time.Duration) error {
		cancel(reason)
		return context.Cause(ctx)
	}
	_, err := w.Send(ctx, hello(5))
	if !errors.Is(err, reason) || holdfast.CauseOf(err) != "" {
		t.Errorf("error %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := w.Me(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := w.Updates(ended, 0, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestHarmlessRefusalsAreNone(t *testing.T) {
	ctx := t.Context()
	for said, do := range map[string]func(*world) error{
		"message is not modified: specified new message content and reply markup are exactly the same": func(w *world) error {
			_, err := w.Edit(ctx, &bot.EditMessageTextParams{ChatID: 5, MessageID: 7, Text: "x"})
			return err
		},
		"message is not modified": func(w *world) error { return w.Caption(ctx, 5, 7, "x") },
		"query is too old and response timeout expired or query ID is invalid": func(w *world) error {
			return w.Answer(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: "1"})
		},
	} {
		url, _ := answers(t, refuses(400, "Bad Request: "+said))
		if err := do(newWorld(t, Options{API: url})); err != nil {
			t.Errorf("%s: %v", said, err)
		}
		url, _ = answers(t, refuses(400, "Bad Request: something else"))
		if err := do(newWorld(t, Options{API: url})); err == nil {
			t.Errorf("%s: every refusal is harmless", said)
		}
	}
}

func TestSend_FollowsAGroupThatBecameASupergroup(t *testing.T) {
	var to []string
	url, asked := answers(t, func(w http.ResponseWriter, r *http.Request) {
		to = append(to, r.FormValue("chat_id"))
		if len(to) == 1 {
			says(400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001}}`)(w, r)
			return
		}
		message(w, r)
	})
	w := newWorld(t, Options{API: url})
	for range 2 {
		if _, err := w.Send(t.Context(), hello(int64(-1))); err != nil {
			t.Fatal(err)
		}
	}
	if *asked != 3 || fmt.Sprint(to) != "[-1 -1001 -1001]" {
		t.Errorf("asked %v", to)
	}
	if !strings.Contains(w.log.String(), "level=WARN") || !strings.Contains(w.log.String(), "now=-1001") {
		t.Errorf("nobody is told: %s", w.log)
	}

	url, asked = answers(t, says(400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-1001}}`))
	if _, err := newWorld(t, Options{API: url}).Chat(t.Context(), -1); !errors.Is(err, holdfast.ErrNotFound) || *asked != mostMoves+1 {
		t.Errorf("a chat that moves for ever: %d questions, %v", *asked, err)
	}
}
