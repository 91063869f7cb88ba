// Package cli is the command line: it reads arguments, calls the engine's
// verbs and tells how they ended. It has no logic of its own about backups.
//
// Start from [Main] and the table of commands in root. Each command is a
// struct in a file of its own: its fields are its arguments, about is its
// help, Run calls the engine. What everybody shares: app (configuration,
// repository and engine on demand), ui (what goes where), and the objects of
// --json, which docs/json.md describes.
//
// Data goes to standard output, everything else to standard error; a prompt
// appears on a terminal only.
package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/holdfast-backup/holdfast"
)

// System is the world that the command line runs in.
type System struct {
	Args    []string // without the program's name
	Environ []string // in the form of os.Environ
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Now     func() time.Time
	Version string
}

// Main runs one command and gives the exit code.
func Main(ctx context.Context, sys System) int {
	a := &app{sys: sys}
	commands, help := &root{}, &sticky{w: sys.Stdout}
	parser, err := newParser(commands, help, sys.Stderr)
	if err != nil {
		a.ui = newUI(sys, &globals{})
		return a.ui.fail("holdfast", err)
	}
	parsed, err := parser.Parse(arguments(sys.Args))
	a.globals = &commands.globals
	a.ui = newUI(sys, a.globals)
	if err != nil {
		if errors.Is(err, errHelpShown) {
			return a.ui.fail("help", help.err)
		}
		return a.usage(parser, err)
	}
	if a.globals.Events && !a.globals.JSON {
		return a.ui.fail(commandName(parsed), usagef("add --json", "--events only goes with --json"))
	}
	if flag := emptyFlag(parsed); flag != "" {
		return a.ui.fail(commandName(parsed), usagef("leave the flag out for its default; an unset variable of the shell gives an empty value", "--%s is empty", flag))
	}
	a.model = parser.Model
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(ctx, a)
	if flushed := a.ui.finish(); err == nil {
		err = flushed
	}
	if ended, ok := errors.AsType[*ending](err); ok {
		return ended.code
	}
	code := a.ui.fail(commandName(parsed), err)
	if other, ok := errors.AsType[*exiting](err); ok {
		return other.code
	}
	return code
}

// emptyFlag gives the name of a flag that was given with nothing as its value.
// Taken for absent, --to "$UNSET" would restore in place. Only a note may be
// empty.
func emptyFlag(parsed *kong.Context) string {
	for _, p := range parsed.Path {
		if p.Flag == nil || p.Flag.Name == "note" {
			continue
		}
		switch value := parsed.FlagValue(p.Flag).(type) {
		case string:
			if value == "" {
				return p.Flag.Name
			}
		case []string:
			if len(value) == 0 || slices.Contains(value, "") {
				return p.Flag.Name
			}
		}
	}
	return ""
}

// sticky keeps the first failure to write.
type sticky struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (s *sticky) Write(p []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.w.Write(p)
	}
	return len(p), s.err
}

// newParser builds kong's model of the commands.
func newParser(commands *root, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(commands,
		kong.Name("holdfast"),
		kong.Description("Keeps the state of small AI applications and bots safe."),
		kong.NoDefaultHelp(),
		kong.Writers(stdout, stderr),
	)
}

// arguments reads "help COMMAND" as "COMMAND --help".
func arguments(args []string) []string {
	if len(args) > 0 && args[0] == "help" {
		return append(append([]string{}, args[1:]...), "--help")
	}
	return args
}

// usage ends a command line that could not be read.
func (a *app) usage(parser *kong.Kong, err error) int {
	a.ui.json = hasFlag(a.sys.Args, "--json")
	if len(a.sys.Args) == 0 {
		overview(a.sys.Stderr, parser.Model)
		return holdfast.ExitUsage
	}
	command, hint := "holdfast", "`holdfast --help` lists the commands"
	if pe, ok := errors.AsType[*kong.ParseError](err); ok {
		err = pe.Unwrap()
		if node := pe.Context.Selected(); node != nil {
			command = nodePath(node)
			hint = "`holdfast " + command + " --help` shows how it is used"
		}
	}
	return a.ui.fail(command, usagef(suggestion(a.sys.Args, parser.Model, hint), "%v", plain(err)))
}

func hasFlag(args []string, flag string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if arg == flag {
			return true
		}
	}
	return false
}

// commandName is the command in words, without its arguments.
func commandName(c *kong.Context) string {
	if node := c.Selected(); node != nil {
		return nodePath(node)
	}
	return "holdfast"
}

// usagef makes a usage error.
func usagef(hint, format string, args ...any) error {
	return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrUsage, format, args...), Hint: hint}
}

// ending is how a command ends that has already told everything itself.
type ending struct{ code int }

func (e *ending) Error() string { return "exit " + holdfastExit(e.code) }
