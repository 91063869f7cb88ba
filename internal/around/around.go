// Package around tells others before and after each backup, restore and
// rollback, as configured: hook commands, webhooks, and a dead man's switch that
// shouts when it hears nothing.
//
// [New] makes an [engine.Around] of the configuration. Only a command before a
// verb can keep it from being begun. All that goes over the network is sent
// beside the verb, within time limits, and what fails there is a warning in the
// result: a backup is never late or lost because somebody could not be told.
//
// The parts: command.go (hooks), webhook.go, ping.go, post.go (how both are
// sent), story.go (what is told), trial.go (each of them alone, for whoever set it up).
package around

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// Options are what is told, and by what means. The zero value is good.
type Options struct {
	Logger      *slog.Logger // nil discards
	ToolVersion string
	// Client sends; nil is one of its own. Its redirects and time limits are
	// set here.
	Client *http.Client
	Now    func() time.Time // nil is time.Now
	// Environ is the environment of this process; nil is os.Environ.
	Environ []string
}

// filled puts the defaults where nothing is.
func (o Options) filled() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return o
}

// hostname is how this machine calls itself to others.
func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// agentOf is how this program calls itself to others.
func agentOf(version string) string { return "holdfast/" + cmp.Or(version, "unknown") }

// New makes what the configuration asks for; nil if it asks for nothing.
func New(c *config.Config, o Options) engine.Around {
	o = o.filled()
	a := &around{
		hooks: c.Hooks, log: o.Logger, now: o.Now,
		teller:  teller{host: hostname(), tool: o.ToolVersion},
		flights: map[flightKey]*flight{},
	}
	if inHook(o.Environ) && a.anyCommand() {
		a.hooks = config.Hooks{}
		o.Logger.Info("no hook is run: this was called by one")
	}
	pinged := newPings(c.Ping)
	a.secrets = secretsOf(c)
	a.teller.secrets = a.secrets
	post := newPoster(o.Client, agentOf(o.ToolVersion))
	if len(c.Webhooks.URLs) > 0 {
		a.webhooks = &webhooks{Webhooks: c.Webhooks, poster: post}
	}
	if len(pinged.urls()) > 0 {
		pinged.poster = post
		a.pings = pinged
	}
	if a.webhooks == nil && a.pings == nil && !a.anyCommand() {
		return nil
	}
	return a
}

// around implements engine.Around.
type around struct {
	hooks    config.Hooks
	webhooks *webhooks // nil: none
	pings    *pings    // nil: none
	log      *slog.Logger
	now      func() time.Time
	teller   teller
	secrets  []string

	mu      sync.Mutex
	flights map[flightKey]*flight
}

// flightKey names a verb between Before and After.
type flightKey struct{ op, operation string }

// A flight is what is still being sent of a verb's beginning.
type flight struct {
	done     chan struct{}
	quiet    bool // no success needs to be told
	problems []holdfast.Problem
}

// Before tells that the verb begins, and asks the command whether it may.
func (a *around) Before(ctx context.Context, v engine.Verb) error {
	a.takeOff(ctx, v)
	name, line := a.before(v.Op)
	if line == "" {
		return nil
	}
	err := a.run(ctx, line, a.environment(v, ""))
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &holdfast.Error{
		Op: "hook", Object: name,
		Err:  redact.Error(holdfast.Kindf(holdfast.ErrRefused, "%w", err), a.secrets...),
		Hint: "nothing was done, because this command failed; correct it or what it looks at",
	}
}

// takeOff begins to send, beside the verb, that it begins.
func (a *around) takeOff(ctx context.Context, v engine.Verb) {
	f := &flight{done: make(chan struct{})}
	if a.pings != nil && v.Op == opBackup {
		f.quiet = a.pings.quiet(v, a.now())
	}
	a.mu.Lock()
	a.flights[flightKey{v.Op, v.Operation}] = f
	a.mu.Unlock()
	var sends []func(context.Context) *holdfast.Problem
	if a.webhooks != nil {
		sends = append(sends, a.webhooks.sends(beforeEvent(v.Op), a.teller.before(v, a.now()))...)
	}
	if a.pings != nil && v.Op == opBackup && !f.quiet {
		sends = append(sends, a.pings.sends(a.pings.start, a.teller.beginning(v))...)
	}
	// What is sent ends by its own time limits, not with the verb.
	go func(ctx context.Context) {
		defer close(f.done)
		f.problems = together(ctx, sends)
	}(context.WithoutCancel(ctx))
}

// land waits until the beginning of a verb has been sent.
func (a *around) land(ctx context.Context, v engine.Verb) *flight {
	key := flightKey{v.Op, v.Operation}
	a.mu.Lock()
	f := a.flights[key]
	delete(a.flights, key)
	a.mu.Unlock()
	if f == nil {
		return &flight{}
	}
	select {
	case <-f.done:
		return f
	case <-ctx.Done():
		return &flight{quiet: f.quiet}
	}
}

// After tells how the verb ended.
func (a *around) After(ctx context.Context, v engine.Verb) []holdfast.Problem {
	f := a.land(ctx, v)
	v.Problems = append(v.Problems[:len(v.Problems):len(v.Problems)], f.problems...)
	outcome := resultOf(v)
	var sends []func(context.Context) *holdfast.Problem
	if name, line := a.after(v, outcome); line != "" {
		sends = append(sends, func(ctx context.Context) *holdfast.Problem {
			return a.problem("hook "+name, a.run(ctx, line, a.environment(v, outcome)), "correct the command, or what it looks at")
		})
	}
	if a.webhooks != nil {
		sends = append(sends, a.webhooks.sends(afterEvent(v.Op, outcome), a.teller.after(v, outcome, a.now()))...)
	}
	if a.pings != nil && v.Op == opBackup {
		sends = append(sends, a.pings.ending(v, outcome, f.quiet, a.now(), a.teller.story(v, outcome, a.now()))...)
	}
	problems := append(f.problems, together(ctx, sends)...)
	for i := range problems {
		problems[i].Message = redact.Text(problems[i].Message, a.secrets...)
	}
	return problems
}

// together does all at once and gathers what failed, in the order of sends.
func together(ctx context.Context, sends []func(context.Context) *holdfast.Problem) []holdfast.Problem {
	found := make([]*holdfast.Problem, len(sends))
	var wg sync.WaitGroup
	for i, send := range sends {
		wg.Go(func() { found[i] = send(ctx) })
	}
	wg.Wait()
	var problems []holdfast.Problem
	for _, p := range found {
		if p != nil {
			problems = append(problems, *p)
		}
	}
	return problems
}

// problem makes a warning of what could not be told.
func (a *around) problem(object string, err error, hint string) *holdfast.Problem {
	if err == nil {
		return nil
	}
	return &holdfast.Problem{Object: object, Severity: holdfast.Warning, Message: redact.Text(err.Error(), a.secrets...), Hint: hint}
}
