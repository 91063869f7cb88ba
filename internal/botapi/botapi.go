// Package botapi is one client of the Bot API of Telegram for everything that talks to
// it: the admin panel, alarms, replicas in a chat. It is a thin layer over
// go-telegram/bot that says what fails in the vocabulary of holdfast, tries again what
// passes by itself, keeps to the pace that Telegram allows, and lets no token out.
//
// Start from [New]. What it promises: an upload is read anew for each attempt and never
// held in memory; a call ends with its context; no error, log line or URL holds a token or
// the password of a proxy.
//
// A call that Telegram did not answer is made again, although it may have taken effect:
// whoever sends a message may have sent it twice.
package botapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast"
)

// DefaultAPI is the server that Telegram runs.
const DefaultAPI = "https://api.telegram.org"

// MostUpload and MostDownload are what a bot can send and fetch back.
const (
	MostUpload   = 50_000_000
	MostDownload = 20_000_000
)

const (
	defaultPatience = 2 * time.Minute
	// answerWithin is how long the server may take to begin an answer once it has
	// everything; a long poll has its own time on top.
	answerWithin  = time.Minute
	connectWithin = 20 * time.Second
)

// Options are what a client needs.
type Options struct {
	Token string
	API   string // base URL; empty: DefaultAPI
	Proxy string // http, https, socks5 or socks5h URL; empty: that of the environment
	// Patience is how long a call is tried again, three times at least; zero is two
	// minutes.
	Patience time.Duration
	Logger   *slog.Logger                               // nil discards
	Now      func() time.Time                           // nil: time.Now
	Wait     func(context.Context, time.Duration) error // nil: by the real clock
}

// A Client talks to Telegram as one bot. Its methods may be called side by side.
type Client struct {
	o    Options
	log  *slog.Logger
	bot  *bot.Bot
	http caller
	api  *url.URL
	pace pace

	mu    sync.Mutex
	moved map[string]int64 // groups that have become supergroups, by their former id
}

var tokenForm = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

// New makes a client. It asks nobody.
func New(o Options) (*Client, error) {
	refuse := func(what, hint string) (*Client, error) {
		return nil, &holdfast.Error{Op: "telegram", Err: holdfast.Kindf(holdfast.ErrUsage, "%s", what), Hint: hint}
	}
	if !tokenForm.MatchString(o.Token) {
		return refuse("the token is none", "BotFather gives it: 123456:ABC-DEF…")
	}
	if o.API == "" {
		o.API = DefaultAPI
	}
	o.API = strings.TrimRight(o.API, "/")
	api, err := url.Parse(o.API)
	if err != nil || api.Host == "" || api.User != nil || api.Scheme != "http" && api.Scheme != "https" || strings.ContainsAny(o.API, "?#") {
		return refuse("the base URL of the Bot API is none", "write it as https://host:port, without a name, a password or anything behind")
	}
	proxy := http.ProxyFromEnvironment
	if o.Proxy != "" {
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" || !strings.Contains(" http https socks5 socks5h ", " "+u.Scheme+" ") {
			return refuse("the URL of the proxy is none", "write it as http://host:port or socks5://host:port")
		}
		proxy = http.ProxyURL(u)
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	c := &Client{o: o, log: o.Logger, api: api, moved: map[string]int64{}}
	c.pace.now = o.Now
	c.http = caller{&http.Client{Transport: newTransport(proxy, stalledAfter)}}
	c.bot, err = bot.New(o.Token, bot.WithSkipGetMe(), bot.WithServerURL(o.API), bot.WithHTTPClient(answerWithin, c.http), bot.WithErrorsHandler(func(err error) {
		c.log.Debug("telegram", "error", c.clean(err))
	}))
	if err != nil {
		return nil, c.fail("client", nil, err)
	}
	return c, nil
}

// wait waits by the real clock.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
