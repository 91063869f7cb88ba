package around

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// calm is how long after a success those of backups that follow changes are not
// told: there may be one every second.
const calm = time.Minute

// pings are the URLs of a dead man's switch; an empty one is not told.
type pings struct {
	start, success, fail string
	timeout              time.Duration
	poster               *poster

	mu   sync.Mutex
	told time.Time // the last success
}

// newPings makes the URLs that are not given of the base.
func newPings(c config.Ping) *pings {
	p := &pings{start: below(c.URL, "start"), success: c.URL, fail: below(c.URL, "fail"), timeout: c.Timeout}
	for _, own := range []struct {
		given string
		field *string
	}{{c.Start, &p.start}, {c.Success, &p.success}, {c.Fail, &p.fail}} {
		switch own.given {
		case "":
		case config.PingOff:
			*own.field = ""
		default:
			*own.field = own.given
		}
	}
	return p
}

// below adds an element to the path of a URL.
func below(base, element string) string {
	u, err := url.Parse(base)
	if base == "" || err != nil {
		return ""
	}
	return u.JoinPath(element).String()
}

func (p *pings) urls() []string {
	var all []string
	for _, u := range []string{p.start, p.success, p.fail} {
		if u != "" {
			all = append(all, u)
		}
	}
	return all
}

// quiet tells that a success of this verb need not be told.
func (p *pings) quiet(v engine.Verb, now time.Time) bool {
	if v.Trigger != holdfast.TriggerChange {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now.Sub(p.told)
	return since >= 0 && since < calm
}

// ending gives what is to be sent at the end of a backup. One that is incomplete
// is none that the switch should take for good. Where somebody else is at work in
// the repository nothing failed yet; if that goes on, the switch hears nothing, and
// shouts.
func (p *pings) ending(v engine.Verb, outcome result, quiet bool, now time.Time, text string) []func(context.Context) *holdfast.Problem {
	switch {
	case errors.Is(v.Err, holdfast.ErrLocked):
		return nil
	case outcome == resultFailed || outcome == resultIncomplete:
		return p.sends(p.fail, text)
	case quiet:
		return nil
	}
	p.mu.Lock()
	p.told = now
	p.mu.Unlock()
	return p.sends(p.success, text)
}

// sends gives what is to be sent to a URL. A switch that takes no log is asked
// without one.
func (p *pings) sends(to, text string) []func(context.Context) *holdfast.Problem {
	if to == "" {
		return nil
	}
	return []func(context.Context) *holdfast.Problem{func(ctx context.Context) *holdfast.Problem {
		what := parcel{url: to, kind: "text/plain; charset=utf-8", body: []byte(text), timeout: p.timeout}
		err := p.poster.send(ctx, what)
		if s, ok := errors.AsType[*statusError](err); ok && (s.code == http.StatusMethodNotAllowed || s.code == http.StatusNotImplemented) {
			what.method = http.MethodGet
			err = p.poster.send(ctx, what)
		}
		if err == nil {
			return nil
		}
		return &holdfast.Problem{
			Object: "ping", Severity: holdfast.Warning,
			Message: fmt.Sprintf("the dead man's switch at %s could not be told: %v", redact.Endpoint(to), err),
			Hint:    "see whether the address still answers; the switch may shout although backups are made",
		}
	}}
}
