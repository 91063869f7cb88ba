package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/holdfast-backup/holdfast"
)

// askSecret asks for a line that is not shown, on the terminal.
func (u *ui) askSecret(ctx context.Context, question string) (string, error) {
	terminal, err := openTerminal()
	if err != nil {
		return "", errNoPassphrase
	}
	defer terminal.Close()
	return readSecret(ctx, terminal, question)
}

// askOnce asks when the answer is needed for the first time, and remembers it.
func (u *ui) askOnce(question string) func(context.Context) (string, error) {
	var mu sync.Mutex
	var known string
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if known != "" {
			return known, nil
		}
		answer, err := u.askSecret(ctx, question)
		if err == nil {
			known = answer
		}
		return answer, err
	}
}

var errNoPassphrase = &holdfast.Error{
	Err:  holdfast.Kindf(holdfast.ErrUsage, "a passphrase is needed, and there is no terminal to ask on"),
	Hint: "give it with passphrase_file, passphrase_command or HOLDFAST_PASSPHRASE",
}

// readSecret reads a line without echo. An interruption brings the echo back;
// the read itself ends with the process, which ends now.
func readSecret(ctx context.Context, terminal *os.File, question string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", errNoPassphrase
	}
	fmt.Fprintf(terminal, "%s: ", question)
	defer fmt.Fprintln(terminal)
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return "", &holdfast.Error{Op: "ask for the passphrase", Err: a.err}
		}
		return strings.TrimRight(string(a.line), "\r\n"), nil
	case <-ctx.Done():
		if err := term.Restore(fd, before); err != nil {
			return "", err
		}
		return "", context.Cause(ctx)
	}
}

// askNewSecret asks twice for a passphrase or a password that is to be remembered.
func (u *ui) askNewSecret(ctx context.Context, word string) (string, error) {
	first, err := u.askSecret(ctx, "New "+word)
	if err != nil {
		return "", err
	}
	again, err := u.askSecret(ctx, "The same again")
	if err != nil {
		return "", err
	}
	if first != again || first == "" {
		return "", usagef("type the same "+word+" twice", "the two are not the same, or empty")
	}
	return first, nil
}

// canAsk tells whether a person can be asked.
func (u *ui) canAsk() bool { return !u.json && isTerminal(u.in) }
