package cli

import (
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token for the HTTP API, and print it once."`
	List   tokenListCmd   `cmd:"" help:"List the tokens of the HTTP API."`
	Revoke tokenRevokeCmd `cmd:"" help:"Take a token of the HTTP API back."`
}

// access opens the tokens of the configured repository. They lie in its state
// directory, where `holdfast serve` reads them again when they change.
func (a *app) access() (*access.Access, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	dir, err := wire.StateDir(cfg)
	if err != nil {
		return nil, err
	}
	return access.Open(access.Options{Dir: dir, Config: cfg, Now: a.sys.Now, Logger: a.failures()})
}

// failures logs what went wrong beside the outcome of a command.
func (a *app) failures() *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelError}
	if a.JSON {
		return slog.New(slog.NewJSONHandler(a.sys.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(a.sys.Stderr, o))
}

type tokenCreateCmd struct {
	Name    string   `arg:"" help:"Name of the token: who will use it."`
	Scope   []string `sep:"none" required:"" value:"SCOPE" help:"What it may be used for: read, backup, restore, admin; repeatable, or a list with commas."`
	Expires string   `value:"DURATION" help:"How long it is good for, such as 12h or 90d (default: until it is revoked)."`
}

func (tokenCreateCmd) about() about {
	return about{
		text: `The token is printed once, alone on standard output, and kept only as a digest:
whoever loses it makes another one. Send it as "Authorization: Bearer TOKEN".

  read     list, look inside backups, and ask for the state
  backup   make backups, and ask what became of them; nothing else
  restore  read, verify, drill, download, restore and roll back
  admin    everything

The first token closes the API: from then on every request needs one.
"holdfast serve" need not be started again.`,
		examples: []example{
			{"holdfast token create assistant --scope backup", "a program that may back up and nothing else"},
			{"holdfast token create me --scope admin --expires 90d", "everything, for three months"},
		},
		exits: []int{holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// tokenObject is the outcome of token create.
type tokenObject struct {
	Type  string       `json:"type"` // token
	Token string       `json:"token"`
	Made  access.Token `json:"made"`
}

// Run makes a token.
func (c *tokenCreateCmd) Run(a *app) error {
	scopes, err := access.ParseScopes(c.Scope)
	if err != nil {
		return err
	}
	var expires time.Time
	if c.Expires != "" {
		d, err := config.ParseDuration(c.Expires)
		if err != nil || d <= 0 {
			return usagef("name one such as 12h or 90d", "--expires: %q is not a duration", c.Expires)
		}
		expires = a.sys.Now().Add(d)
	}
	door, err := a.access()
	if err != nil {
		return err
	}
	token, made, err := door.Tokens().Create(c.Name, scopes, expires)
	if err != nil {
		return noRoom(err)
	}
	a.ui.tell(tokenObject{Type: "token", Token: token, Made: made}, func() {
		a.ui.print("%s\n", token)
		a.ui.note("%s token %s with the scope %s, good %s", a.ui.errPaint.green("Made:"), clean(made.Name), made.Scopes, goodUntil(made))
		a.ui.note("It is shown this once. Send it as: Authorization: Bearer TOKEN")
	})
	return nil
}

func goodUntil(t access.Token) string {
	if t.ExpiresAt == nil {
		return "until it is revoked"
	}
	return "until " + moment(t.ExpiresAt.Time)
}

type tokenListCmd struct{}

func (tokenListCmd) about() about {
	return about{
		text: `Shows who may use the HTTP API, for what, until when, and when each token was
used last (right to an hour). The tokens themselves cannot be shown.`,
		examples: []example{{"holdfast token list", "who may ask"}},
	}
}

// tokensObject is the outcome of token list.
type tokensObject struct {
	Type   string         `json:"type"` // tokens
	Tokens []access.Token `json:"tokens"`
}

// Run lists the tokens.
func (c *tokenListCmd) Run(a *app) error {
	door, err := a.access()
	if err != nil {
		return err
	}
	all, err := door.Tokens().List()
	if err != nil {
		return err
	}
	a.ui.tell(tokensObject{Type: "tokens", Tokens: all}, func() {
		if len(all) == 0 {
			a.ui.print("There is no token. On loopback the API is open to whoever reaches its port.\n")
			return
		}
		now := a.sys.Now()
		t := table{head: []string{"NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED"}}
		for _, one := range all {
			t.add(clean(one.Name), one.Scopes.String(), moment(one.CreatedAt.Time), expiry(one, now), lastUse(one, now))
		}
		a.ui.print("%s", t.render(a.ui.outPaint))
	})
	return nil
}

func expiry(t access.Token, now time.Time) string {
	switch {
	case t.ExpiresAt == nil:
		return "never"
	case t.Expired(now):
		return "expired"
	}
	return moment(t.ExpiresAt.Time)
}

func lastUse(t access.Token, now time.Time) string {
	if t.LastUsedAt == nil {
		return "never"
	}
	return report.Ago(t.LastUsedAt.Time, now)
}

type tokenRevokeCmd struct {
	Name string `arg:"" help:"Name of the token."`
}

func (tokenRevokeCmd) about() about {
	return about{
		text: `The token is refused from the next request on; a running "holdfast serve" sees
it at once. Jobs that it has started go on.

Where no token and no password is left the API is open again to whoever reaches its
port on loopback, unless serve.auth is required.`,
		examples: []example{{"holdfast token revoke assistant", "it may not ask any more"}},
		exits:    []int{holdfast.ExitNotFound, holdfast.ExitLocked},
	}
}

// tokenRevokedObject is the outcome of token revoke.
type tokenRevokedObject struct {
	Type string `json:"type"` // token_revoked
	Name string `json:"name"`
	Left int    `json:"left"`
}

// Run takes a token back.
func (c *tokenRevokeCmd) Run(a *app) error {
	door, err := a.access()
	if err != nil {
		return err
	}
	left, err := door.Tokens().Revoke(c.Name)
	if err != nil {
		return err
	}
	if left == 0 && !door.HasPassword() && a.cfg.Serve.Auth != config.AuthRequired {
		a.ui.warn(holdfast.Problem{
			Severity: holdfast.Warning,
			Message:  "no token is left: on loopback the API is open to whoever reaches its port",
			Hint:     "set serve.auth to required to keep it closed",
		})
	}
	a.ui.tell(tokenRevokedObject{Type: "token_revoked", Name: c.Name, Left: left}, func() {
		a.ui.print("Revoked %s.\n", clean(c.Name))
	})
	return nil
}
