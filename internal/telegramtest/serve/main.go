// Serve plays Telegram on this machine, so that the panel and examples/bot can be
// tried without Telegram: people write and press on a page of the browser.
// README.md beside this file says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(2)
	}
}

// A who is one of the people of the chats.
type who struct {
	id       int64
	name     string
	language string
}

// people are those of the flags --user.
type people []who

// String implements flag.Value.
func (p *people) String() string { return "" }

// Set implements flag.Value.
func (p *people) Set(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[1] == "" {
		return errors.New("write ID:NAME:LANGUAGE, as 7:Ada:en")
	}
	id, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || id <= 0 {
		return errors.New("an id is a number above 0")
	}
	one := who{id: id, name: parts[1], language: "en"}
	if len(parts) == 3 && parts[2] != "" {
		one.language = parts[2]
	}
	*p = append(*p, one)
	return nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.SetOutput(stderr)
	var o telegramtest.Options
	var users people
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8081", "`address` to listen on")
	f.StringVar(&o.Dir, "dir", "", "`folder` in which chats and files survive (empty: a temporary one)")
	f.StringVar(&o.Token, "token", telegramtest.DefaultToken, "`token` of the bot")
	f.StringVar(&o.Name, "name", "Holdfast", "`name` of the bot")
	f.BoolVar(&o.Paced, "paced", false, "refuse what is sent faster than Telegram takes it")
	verbose := f.Bool("verbose", false, "tell each call of the bot")
	f.Var(&users, "user", "a person, `ID:NAME:LANGUAGE`; may be given several times (default 7:Ada:en)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no flag: there are flags only", f.Arg(0))
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	o.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if len(users) == 0 {
		users = people{{id: 7, name: "Ada", language: "en"}}
	}
	s, err := telegramtest.New(o)
	if err != nil {
		return err
	}
	var ids []string
	for _, u := range users {
		s.User(u.id, u.name, u.language)
		ids = append(ids, strconv.FormatInt(u.id, 10))
	}
	fmt.Fprintf(stdout, "Bot API   %s\nToken     %s\nAdmins    %s\n", s.URL, s.Token, strings.Join(ids, ","))
	for _, u := range users {
		fmt.Fprintf(stdout, "%-9s %s/chat/%d\n", u.name, s.URL, u.id)
	}
	<-ctx.Done()
	return s.Close()
}
