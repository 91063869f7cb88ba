package around

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/hook"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// The kinds of what is called around a backup or restore.
const (
	HookCommand = "command" // a command of hooks.*
	HookOwner   = "owner"   // hooks.stop and hooks.start, which belong together
	HookWebhook = "webhook"
	HookPing    = "ping" // the dead man's switch
)

// HookKinds gives every kind.
func HookKinds() []string { return []string{HookCommand, HookOwner, HookWebhook, HookPing} }

// opTest is the verb of a test.
const opTest = "test"

// The names of what is tried, which are those of the settings.
const (
	hookOwner = "stop_start"
	hookPing  = "ping"
)

// A Hook is one thing that is called around a backup or restore, as it is configured.
type Hook struct {
	Hook   string   `json:"hook" doc:"Its name: before_backup, after_backup, before_restore, after_restore, on_failure, stop_start, webhooks.urls[0] …, ping."`
	Kind   string   `json:"kind" enum:"command,owner,webhook,ping" doc:"What it is; owner is the pair of commands that stop and start what uses the data."`
	Target []string `json:"target" doc:"What is called, without secrets: the command, the commands in their order, or where the message goes."`
}

// A Trial is what became of a test.
type Trial struct {
	Hook string `json:"hook" doc:"What was tried."`
	Kind string `json:"kind" enum:"command,owner,webhook,ping"`
	OK   bool   `json:"ok" doc:"Whether all of it worked."`
	Runs []Run  `json:"runs" doc:"Each thing that was called, in order."`
}

// A Run is one thing that was called for a test.
type Run struct {
	Name       string `json:"name" doc:"The setting."`
	OK         bool   `json:"ok"`
	ExitCode   *int   `json:"exit_code,omitempty" doc:"Of a command that came to its end."`
	DurationMS int64  `json:"duration_ms"`
	Output     string `json:"output,omitempty" doc:"The end of what a command said, without secrets."`
	Error      string `json:"error,omitempty" doc:"Why it did not work."`
}

// Hooks lists what is configured and can be tried, in the order in which it is called.
func Hooks(c *config.Config) []Hook {
	secrets := secretsOf(c)
	shown := func(line string) string { return redact.Text(line, secrets...) }
	hooks := []Hook{}
	for _, named := range commands(c.Hooks) {
		if named.line != "" {
			hooks = append(hooks, Hook{named.name, HookCommand, []string{shown(named.line)}})
		}
	}
	if pair := owners(c.Hooks); len(pair) > 0 {
		h := Hook{Hook: hookOwner, Kind: HookOwner}
		for _, named := range pair {
			h.Target = append(h.Target, shown(named.line))
		}
		hooks = append(hooks, h)
	}
	for i, url := range c.Webhooks.URLs {
		hooks = append(hooks, Hook{webhookName(i), HookWebhook, []string{redact.Endpoint(url)}})
	}
	if url := trialPing(c.Ping); url != "" {
		hooks = append(hooks, Hook{hookPing, HookPing, []string{redact.Endpoint(url)}})
	}
	return hooks
}

// Try calls one of them now. A command finds HOLDFAST_OP=test; a webhook gets a signed
// message of the event test, whatever events it asked for; the dead man's switch is told
// of a success, since it knows no other message that does not shout. What fails is in the
// Trial; the error says that there is nothing of this name.
func Try(ctx context.Context, c *config.Config, name, operation string, o Options) (Trial, error) {
	o = o.filled()
	t := &trier{Config: c, o: o, operation: operation, secrets: secretsOf(c)}
	for _, h := range Hooks(c) {
		if h.Hook != name {
			continue
		}
		out := Trial{Hook: h.Hook, Kind: h.Kind, Runs: t.run(ctx, h), OK: true}
		for _, r := range out.Runs {
			out.OK = out.OK && r.OK
		}
		return out, nil
	}
	return Trial{}, &holdfast.Error{
		Op: "test hook", Object: fmt.Sprintf("%q", line(name)), Err: holdfast.Kindf(holdfast.ErrNotFound, "nothing of this name is configured"),
		Hint: "GET /api/v1/hooks lists what can be tested",
	}
}

// trier calls things for a test.
type trier struct {
	*config.Config
	o         Options
	operation string
	secrets   []string
}

// named is a command with the name of its setting.
type named struct{ name, line string }

// commands are those that are called around verbs.
func commands(h config.Hooks) []named {
	return []named{
		{"before_backup", h.BeforeBackup},
		{"after_backup", h.AfterBackup},
		{"before_restore", h.BeforeRestore},
		{"after_restore", h.AfterRestore},
		{"on_failure", h.OnFailure},
	}
}

// owners are those that stop and start what uses the data, as far as there are any.
func owners(h config.Hooks) []named {
	var pair []named
	for _, n := range []named{{"stop", h.Stop}, {"start", h.Start}} {
		if n.line != "" {
			pair = append(pair, n)
		}
	}
	return pair
}

func webhookName(i int) string { return fmt.Sprintf("webhooks.urls[%d]", i) }

// trialPing is where a test of the switch goes; empty: nowhere.
func trialPing(c config.Ping) string {
	p := newPings(c)
	return cmp.Or(p.success, p.start)
}

func secretsOf(c *config.Config) []string {
	secrets := redact.Secrets(c.Webhooks.URLs...)
	secrets = append(secrets, redact.Secrets(newPings(c.Ping).urls()...)...)
	secrets = append(secrets, redact.Secrets(c.Notify.URLs...)...)
	return append(secrets, c.Webhooks.Secret)
}

func (t *trier) run(ctx context.Context, h Hook) []Run {
	switch h.Kind {
	case HookOwner:
		var runs []Run
		for _, n := range owners(t.Hooks) {
			runs = append(runs, t.command(ctx, n))
			// Whatever was stopped is started, also if nobody waits for the answer any more.
			ctx = context.WithoutCancel(ctx)
		}
		return runs
	case HookWebhook:
		return t.webhook(ctx, h.Hook)
	case HookPing:
		return t.ping(ctx)
	}
	for _, n := range commands(t.Hooks) {
		if n.name == h.Hook {
			return []Run{t.command(ctx, n)}
		}
	}
	return nil
}

// command runs one. It is told what it would be told of a verb that went well, or badly
// where it is there for that.
func (t *trier) command(ctx context.Context, n named) Run {
	v, outcome := t.verb(), result("")
	switch n.name {
	case "after_backup", "after_restore":
		outcome = resultOK
	case "on_failure":
		v.Err, outcome = errors.New("this is a test: nothing has failed"), resultFailed
	}
	a := &around{secrets: t.secrets}
	begun := t.o.Now()
	said, err := hook.Output(ctx, hook.Command{Line: n.line, Timeout: t.Hooks.Timeout, Env: a.environment(v, outcome)})
	r := t.ended("hooks."+n.name, begun, err)
	r.Output = redact.Text(strings.TrimSpace(said), t.secrets...)
	if exit, ok := errors.AsType[*exec.ExitError](err); err == nil || ok {
		code := 0
		if ok {
			code = exit.ExitCode()
		}
		r.ExitCode = &code
	}
	if failure, ok := errors.AsType[*hook.Error](err); ok { // the line and the output are told beside it
		r.Error = redact.Text(failure.Err.Error(), t.secrets...)
	}
	return r
}

func (t *trier) webhook(ctx context.Context, name string) []Run {
	for i, url := range t.Webhooks.URLs {
		if webhookName(i) != name {
			continue
		}
		one := t.Webhooks
		one.URLs, one.On = []string{url}, []string{opTest}
		w := &webhooks{Webhooks: one, poster: t.poster()}
		begun := t.o.Now()
		m := t.teller().after(t.verb(), resultOK, begun)
		return []Run{t.sent(ctx, name, begun, w.sends(opTest, m))}
	}
	return nil
}

func (t *trier) ping(ctx context.Context) []Run {
	to := trialPing(t.Ping)
	p := newPings(t.Ping)
	p.poster = t.poster()
	begun := t.o.Now()
	text := t.teller().beginning(t.verb()) + "this is a test: no backup was made\n"
	return []Run{t.sent(ctx, hookPing, begun, p.sends(to, text))}
}

// sent sends and tells what became of it.
func (t *trier) sent(ctx context.Context, name string, begun time.Time, sends []func(context.Context) *holdfast.Problem) Run {
	var err error
	for _, p := range together(ctx, sends) {
		err = errors.Join(err, errors.New(p.Message))
	}
	return t.ended(name, begun, err)
}

func (t *trier) ended(name string, begun time.Time, err error) Run {
	r := Run{Name: name, OK: err == nil, DurationMS: t.o.Now().Sub(begun).Milliseconds()}
	if err != nil {
		r.Error = redact.Text(err.Error(), t.secrets...)
	}
	return r
}

// verb is what a test tells: nothing was done.
func (t *trier) verb() engine.Verb {
	sources := make([]string, len(t.Sources))
	for i, s := range t.Sources {
		sources[i] = s.Name
	}
	return engine.Verb{Op: opTest, Operation: t.operation, Trigger: holdfast.TriggerManual, Sources: sources, Begun: t.o.Now()}
}

func (t *trier) teller() teller {
	return teller{host: hostname(), tool: t.o.ToolVersion, secrets: t.secrets}
}

func (t *trier) poster() *poster { return newPoster(t.o.Client, agentOf(t.o.ToolVersion)) }
