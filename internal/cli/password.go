package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

type passwordCmd struct {
	Set    passwordSetCmd    `cmd:"" help:"Set the password of the pages of holdfast serve, or another one."`
	Remove passwordRemoveCmd `cmd:"" help:"Take the password of the pages away."`
}

type passwordSetCmd struct{}

func (passwordSetCmd) about() about {
	return about{
		text: `On a terminal the new password is asked for twice; otherwise it is the first line of
standard input. It has 10 characters at least, and no other rule: several words are
easy to remember. The present one is not needed here, so this helps whoever has
forgotten it.

Whoever is logged in by the former password is logged out at once. The first
password closes the pages and the API as the first token does; "holdfast serve" need
not be started again. In a container, HOLDFAST_SERVE_PASSWORD_FILE does the same.`,
		examples: []example{
			{"holdfast password set", "asks twice"},
			{"holdfast password set < password.txt", "for scripts"},
		},
		exits: []int{holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// passwordObject is the outcome of password set and password remove.
type passwordObject struct {
	Type string `json:"type"` // password
	Set  bool   `json:"set"`  // there is one now
	Was  bool   `json:"was"`  // there was one before
}

// Run sets the password.
func (c *passwordSetCmd) Run(ctx context.Context, a *app) error {
	door, err := a.access()
	if err != nil {
		return err
	}
	password, err := a.newPassword(ctx)
	if err != nil {
		return err
	}
	was := door.HasPassword()
	if err := door.SetPassword(ctx, password); err != nil {
		return err
	}
	a.ui.tell(passwordObject{Type: "password", Set: true, Was: was}, func() {
		if was {
			a.ui.print("The password is another one now. Whoever was logged in by the former one logs in again.\n")
			return
		}
		a.ui.print("The password is set. The pages and the API need it, or a token, from now on.\n")
	})
	return nil
}

// newPassword asks for a password twice, or reads it where nobody can be asked.
func (a *app) newPassword(ctx context.Context) (string, error) {
	if isTerminal(a.ui.in) {
		return a.ui.askNewSecret(ctx, "password")
	}
	line, err := bufio.NewReader(io.LimitReader(a.ui.in, config.MostPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", &holdfast.Error{Op: "read the password", Err: err}
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usagef("write it there, or call this on a terminal", "there is no password on standard input")
	}
	return line, nil
}

type passwordRemoveCmd struct{}

func (passwordRemoveCmd) about() about {
	return about{
		text: `Whoever is logged in by the password is logged out at once; tokens stay.

Where there is no token either, the pages and the API are open again to whoever
reaches their port on loopback, unless serve.auth is required.`,
		examples: []example{{"holdfast password remove", "tokens only from now on"}},
		exits:    []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// Run takes the password away.
func (c *passwordRemoveCmd) Run(ctx context.Context, a *app) error {
	door, err := a.access()
	if err != nil {
		return err
	}
	was, err := door.RemovePassword(ctx)
	if err != nil {
		return err
	}
	if !was {
		return &holdfast.Error{Op: "password", Err: holdfast.Kindf(holdfast.ErrNotFound, "there is none"), Hint: "`holdfast password set` sets one"}
	}
	if door.Open() {
		a.ui.warn(holdfast.Problem{
			Severity: holdfast.Warning,
			Message:  "there is no password and no token: on loopback the pages and the API are open to whoever reaches their port",
			Hint:     "set serve.auth to required to keep them closed",
		})
	}
	a.ui.tell(passwordObject{Type: "password", Was: true}, func() { a.ui.print("The password is gone.\n") })
	return nil
}
