package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/daemon"
)

type serveCmd struct {
	Listen      string   `value:"ADDRESS" help:"Address of the HTTP API (default 127.0.0.1:8484; port 0 is any free one), or off."`
	ChromaProxy []string `name:"chroma-proxy" sep:"none" value:"LISTEN=UPSTREAM" help:"A proxy in front of a Chroma server that backs up before writes and deletions; repeatable."`
	Every       string   `value:"DURATION" help:"How often a backup is made (default 6h), or off."`
	Cron        []string `sep:"none" value:"EXPRESSION" help:"Moments of further backups, in UTC: '0 3 * * *'; repeatable."`
	OnChange    string   `value:"DURATION" help:"The longest that a change goes without a backup (default 1m), or off."`
}

func (serveCmd) about() about {
	return about{
		text: `Makes and proves backups by itself, and serves pages for a browser and an HTTP API:
open the address that it prints, http://127.0.0.1:8484. Backups are made every 6
hours, at moments of cron, and within a minute of a change; nothing is stored when
nothing has changed. What was missed while it did not run is caught up with. The
newest backup is verified at once, every byte of all of them within 30 days, and
once a week one is restored into scratch space to prove that it can be. Old ones
are pruned, replicas brought up to date. Those named by notify.urls are told when
something is wrong.

The pages and the API answer on this machine only, to everybody there as long as
there is no password and no token. Elsewhere they do only once there is one (holdfast
password set for people, holdfast token create for programs). The API is described
at /api/v1/openapi.json; an assistant calls POST /api/v1/backups
{"trigger":"auto"} before an upload. /healthz, /readyz and /metrics are for
platforms and Prometheus.

With --chroma-proxy, programs that talk to a Chroma server are backed up without a
change to them: a backup is made before the first write after a pause, and before
each deletion of a collection.

SIGHUP reads the configuration again; one that cannot be used changes nothing. The
first SIGTERM or SIGINT lets what is at work finish within the shutdown timeout,
or rolls it back; a second one leaves at once, and the next start settles what was
left. One daemon serves a repository.`,
		examples: []example{
			{"holdfast serve --sqlite ./bot.db --repo ./backups", "backups by themselves, pages and API on 127.0.0.1:8484"},
			{"holdfast serve --cron '0 3 * * *' --every off", "every night at three, and after changes"},
			{"holdfast serve --chroma-proxy 127.0.0.1:8001=http://127.0.0.1:8000", "programs use port 8001 in place of 8000"},
			{"holdfast serve --listen off", "backups, drills and alarms alone"},
		},
		exits: []int{holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// settings are the flags that stand for keys of the configuration.
func (c *serveCmd) settings() map[string]config.FlagValue {
	out := map[string]config.FlagValue{}
	for _, s := range []struct{ key, flag, value string }{
		{"serve.listen", "listen", c.Listen},
		{"serve.chroma_proxy", "chroma-proxy", strings.Join(c.ChromaProxy, " ")},
		{"schedule.every", "every", c.Every},
		{"schedule.cron", "cron", strings.Join(c.Cron, ";")},
		{"schedule.on_change", "on-change", c.OnChange},
	} {
		if s.value != "" {
			out[s.key] = config.FlagValue{Flag: "--" + s.flag, Value: s.value}
		}
	}
	return out
}

// serveObject tells where serve answers, once it does.
type serveObject struct {
	Type    string       `json:"type"` // serve
	Address string       `json:"address,omitempty"`
	URL     string       `json:"url,omitempty"`
	Proxies []serveProxy `json:"proxies,omitempty"`
}

// serveProxy is one door of a Chroma server.
type serveProxy struct {
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
}

// Run serves until a signal asks it to stop.
func (c *serveCmd) Run(parent context.Context, a *app) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	signals, giveBack := takeSignals(ctx, syscall.SIGHUP)
	defer giveBack()
	reload, stop := make(chan struct{}, 1), make(chan struct{})
	go relaySignals(ctx, signals, reload, stop, cancel)

	format := ""
	if a.JSON {
		format = "json"
	}
	var level slog.Leveler // that of the configuration
	switch {
	case a.Verbose:
		level = slog.LevelDebug
	case a.Quiet:
		level = slog.LevelWarn
	}
	log := daemon.NewLog(a.sys.Stderr, format, level)
	served := false
	err := daemon.Run(ctx, daemon.Options{
		Load: func() (*config.Config, error) { return c.load(a) }, Configured: log.Follow,
		Reload: reload, Stop: stop, Logger: log.Logger(), ToolVersion: a.sys.Version, Now: a.sys.Now,
		Listening: func(s daemon.Serving) {
			if a.JSON && !served {
				a.ui.object(newServeObject(s))
			}
			served = true
			c.tell(a, s)
		},
	})
	if err == nil && errors.Is(context.Cause(ctx), errSecondSignal) {
		return &ending{holdfast.ExitInterrupted}
	}
	return err
}

// load reads the configuration, anew each time.
func (c *serveCmd) load(a *app) (*config.Config, error) {
	before := a.cfg
	a.cfg, a.settings, a.databasePath = nil, c.settings(), true
	cfg, err := a.sources()
	if err == nil && before != nil {
		cfg.Encryption.Prompt = before.Encryption.Prompt // nobody is asked twice
	}
	return cfg, err
}

// tell says to a person where it answers.
func (c *serveCmd) tell(a *app, s daemon.Serving) {
	if s.URL != "" {
		a.ui.note("serving %s (pages for a browser, and the API; Ctrl-C stops)", s.URL)
	} else {
		a.ui.note("serving without the API (Ctrl-C stops)")
	}
	for _, p := range s.Proxies {
		a.ui.note("serving http://%s for the Chroma server %s", p.Listen, p.Upstream)
	}
}

func newServeObject(s daemon.Serving) serveObject {
	out := serveObject{Type: "serve", Address: s.Address, URL: s.URL}
	for _, p := range s.Proxies {
		out.Proxies = append(out.Proxies, serveProxy(p))
	}
	return out
}

// errSecondSignal is why what is at work is not waited for.
var errSecondSignal = errors.New("a second signal came")

// relaySignals makes requests of signals: to reload, to stop, and then to leave.
func relaySignals(ctx context.Context, signals <-chan os.Signal, reload, stop chan<- struct{}, leave context.CancelCauseFunc) {
	stopping := false
	for {
		select {
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP && !stopping:
				select {
				case reload <- struct{}{}:
				default: // one is waiting, and will read what is there then
				}
			case s == syscall.SIGHUP:
			case !stopping:
				stopping = true
				close(stop)
			default:
				leave(errSecondSignal)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
