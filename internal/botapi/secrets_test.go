package botapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
)

// every way to call the Bot API.
func everyCall() map[string]func(context.Context, *Client) error {
	doc := Document{Name: "piece.age", Size: 3, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }}
	return map[string]func(context.Context, *Client) error{
		"Me":   func(ctx context.Context, c *Client) error { _, err := c.Me(ctx); return err },
		"Send": func(ctx context.Context, c *Client) error { _, err := c.Send(ctx, hello(5)); return err },
		"Edit": func(ctx context.Context, c *Client) error {
			_, err := c.Edit(ctx, &bot.EditMessageTextParams{ChatID: 5, MessageID: 7, Text: "x"})
			return err
		},
		"Answer": func(ctx context.Context, c *Client) error {
			return c.Answer(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: "1"})
		},
		"Delete":          func(ctx context.Context, c *Client) error { return c.Delete(ctx, 5, 7) },
		"Caption":         func(ctx context.Context, c *Client) error { return c.Caption(ctx, 5, 7, "x") },
		"Forward":         func(ctx context.Context, c *Client) error { _, err := c.Forward(ctx, 5, 6, 7); return err },
		"Pin":             func(ctx context.Context, c *Client) error { return c.Pin(ctx, 5, 7) },
		"Unpin":           func(ctx context.Context, c *Client) error { return c.Unpin(ctx, 5, 7) },
		"Chat":            func(ctx context.Context, c *Client) error { _, err := c.Chat(ctx, 5); return err },
		"SendDocument":    func(ctx context.Context, c *Client) error { _, err := c.SendDocument(ctx, 5, doc); return err },
		"ReplaceDocument": func(ctx context.Context, c *Client) error { _, err := c.ReplaceDocument(ctx, 5, 7, doc); return err },
		"Download":        func(ctx context.Context, c *Client) error { _, err := c.Download(ctx, "f"); return err },
		"Updates":         func(ctx context.Context, c *Client) error { _, err := c.Updates(ctx, 1, time.Second); return err },
		"Commands": func(ctx context.Context, c *Client) error {
			return c.Commands(ctx, 5, "en", []models.BotCommand{{Command: "backup", Description: "x"}})
		},
	}
}

// told is every text of an error: its own, those of what it wraps, and its hint.
func told(err error) string {
	if err == nil {
		return ""
	}
	out := err.Error() + "\n" + holdfast.HintOf(err) + "\n" + fmt.Sprintf("%+v\n", err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		out += told(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			out += told(part)
		}
	}
	return out
}

// No error and no log line tells the token or the password of the proxy, whatever fails,
// wherever, and whoever quotes them.
func TestSecretsAreInNoErrorAndNoLog(t *testing.T) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	random := rand.New(rand.NewPCG(7, 11))
	word := func(n int, from string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from[random.IntN(len(from))]
		}
		return string(b)
	}
	for range 4 {
		secret := word(35, letters)
		token := word(9, "123456789") + ":" + secret
		password := word(8, letters) + word(6, `/@:%+&= "`+letters)
		proxy := "http://proxyuser:" + url.QueryEscape(password) + "@127.0.0.1:1"
		// What a server that is not kind may quote.
		quote := strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace("see /bot"+token+"/x and /bot"+url.QueryEscape(token)+"/x by ") + secret
		file := says(200, `{"ok":true,"result":{"file_id":"f","file_unique_id":"u","file_path":"documents/x"}}`)
		servers := map[string][]http.HandlerFunc{
			"400":       {refuses(400, "Bad Request: "+quote)},
			"401":       {refuses(401, "Unauthorized "+quote)},
			"403":       {refuses(403, "Forbidden: "+quote)},
			"404":       {refuses(404, "Not Found "+quote)},
			"409":       {refuses(409, "Conflict: "+quote)},
			"429":       {refuses(429, "Too Many Requests: "+quote)},
			"500":       {refuses(500, quote)},
			"page":      {page(502)},
			"dropped":   {drops},
			"no JSON":   {says(200, quote)},
			"odd JSON":  {says(200, `{"ok":true,"result":"`+quote+`"}`)},
			"file gone": {file, page(404)},
			"file lost": {file, drops},
			"redirect": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/bot"+token+"/elsewhere", http.StatusTemporaryRedirect)
			}},
		}
		failed := 0
		for server, handlers := range servers {
			url, _ := answers(t, handlers...)
			for call, do := range everyCall() {
				w := newWorld(t, Options{API: url, Token: token, Patience: time.Second})
				failed += check(t, server+" "+call, w, do, secret, password)
			}
		}
		for call, do := range everyCall() {
			w := newWorld(t, Options{API: "https://bots.example", Token: token, Proxy: proxy, Patience: time.Second})
			failed += check(t, "proxy "+call, w, do, secret, password)
			ended, end := context.WithCancelCause(t.Context())
			end(errors.New("enough"))
			if text := told(do(ended, w.Client)); strings.Contains(text, secret) {
				t.Errorf("%s tells the token when it ends: %s", call, text)
			}
		}
		if failed < len(servers)*len(everyCall())/2 {
			t.Fatalf("only %d calls failed: this proves nothing", failed)
		}
	}
}

// check makes one call and looks at what is told of it; 1 if it failed.
func check(t *testing.T, name string, w *world, do func(context.Context, *Client) error, secret, password string) int {
	t.Helper()
	err := do(t.Context(), w.Client)
	text := told(err) + w.log.String()
	for _, s := range []string{
		secret, url.QueryEscape(secret), password, url.QueryEscape(password), url.PathEscape(password),
		base64.StdEncoding.EncodeToString([]byte("proxyuser:" + password)),
	} {
		if strings.Contains(text, s) {
			t.Errorf("%s tells %q: %s", name, s, text)
		}
	}
	if err == nil {
		return 0
	}
	return 1
}
