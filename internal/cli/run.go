package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	process "github.com/holdfast-backup/holdfast/internal/child"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/supervise"
)

type runCmd struct {
	Command         []string `arg:"" optional:"" passthrough:"" name:"command" help:"The program and its arguments, after --."`
	Migrate         string   `value:"COMMAND" help:"Run this by the shell before the program, to migrate its data. A backup comes before it, and is restored if it fails."`
	Ready           string   `value:"URL" help:"The program serves once this answers; a restore waits for it."`
	Restart         string   `enum:",no,on-failure,always" default:"" value:"WHEN" help:"Start the program again when it ends: no (default), on-failure, always."`
	StopSignal      string   `enum:",TERM,INT,QUIT,HUP" default:"" value:"SIGNAL" help:"What asks the program to end: TERM, INT, QUIT, HUP (default: the signal that holdfast gets, and TERM for a restore)."`
	Every           string   `value:"DURATION" help:"How often a backup is made (default 6h), or off."`
	OnChange        string   `value:"DURATION" help:"The longest that a change goes without a backup (default 1m), or off."`
	ShutdownTimeout string   `value:"DURATION" help:"How long the end of the program and the last backup may take together (default 9s)."`
}

func (runCmd) about() about {
	return about{
		text: `Runs a program whose data survives. Before it starts, its directory is probed, a
database that is missing or damaged is restored from the newest backup that is
good, and the migrations run. While it runs, backups are made: once it has started,
every 6 hours, within a minute of a change, and a last one when it ends. Nothing is
stored when nothing has changed. A healthy database is never replaced.

The program finds its database in DATABASE_PATH (of several sources each in
DATABASE_PATH_NAME), and how it stands in the file that HOLDFAST_STATUS names. If
no source is configured, the database that DATABASE_PATH names is the source. If
its directory cannot hold a SQLite database, that lies in memory until it can, and
DATABASE_PATH tells where; a Chroma directory is not moved, and the start is
refused.

Signals are passed on. The first SIGTERM or SIGINT begins the end, and the program
is killed if it takes longer than the shutdown timeout leaves it; a second one
kills at once. A restore, by holdfast restore in another shell, stops the program,
replaces its data and starts it again.

The exit status is the program's: 128 and the number of the signal that ended it,
127 if it is not there, 126 if it cannot be run. If the program ended with 0 and
its last backup failed, it is 3. The others below tell why it was not started.`,
		examples: []example{
			{"holdfast run --sqlite /data/bot.db --repo s3://bucket/bot -- python bot.py", "a bot in any language"},
			{"holdfast run -- node bot.js", "configured by the environment: DATABASE_PATH, HOLDFAST_REPOSITORY …"},
			{"holdfast run --migrate 'alembic upgrade head' -- gunicorn app:app", "migrations that are undone if they fail"},
			{"holdfast run --chroma ./chroma --ready http://127.0.0.1:8000/api/v2/heartbeat --stop-signal INT -- chroma run --path ./chroma", "a Chroma server; a restore waits until it serves again"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// settings are the flags that stand for keys of the configuration.
func (c *runCmd) settings() map[string]config.FlagValue {
	out := map[string]config.FlagValue{}
	for _, s := range []struct{ key, flag, value string }{
		{"run.migrate", "migrate", c.Migrate},
		{"run.ready", "ready", c.Ready},
		{"run.restart", "restart", c.Restart},
		{"run.stop_signal", "stop-signal", c.StopSignal},
		{"schedule.every", "every", c.Every},
		{"schedule.on_change", "on-change", c.OnChange},
		{"shutdown_timeout", "shutdown-timeout", c.ShutdownTimeout},
	} {
		if s.value != "" {
			out[s.key] = config.FlagValue{Flag: "--" + s.flag, Value: s.value}
		}
	}
	return out
}

// runObject is one line of run with --json, on standard error: standard output is
// the program's.
type runObject struct {
	Type    string        `json:"type"` // run
	Time    holdfast.Time `json:"time"`
	Message string        `json:"message"`
}

// Run runs the program.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 || command[0] == "" {
		return usagef("holdfast run --sqlite /data/bot.db -- python bot.py", "no command is named")
	}
	signals, giveBack := takeSignals(ctx, passedOn...)
	defer giveBack()
	// Before anything is started: whatever is, is a child of the second process.
	if code, was, err := process.AsInit(); was {
		if err != nil {
			return err
		}
		return &ending{code}
	}
	a.settings, a.databasePath = c.settings(), true
	cfg, err := a.sources()
	if err != nil {
		if cfg == nil && a.cfg != nil {
			return usagef("holdfast run --sqlite /data/bot.db -- "+strings.Join(command, " "), "nothing to protect: no source is configured, and DATABASE_PATH is not set")
		}
		return err
	}
	progress := newProgress(a.ui, a.Events, a.Verbose)
	defer progress.stop()
	var observe holdfast.Observer
	if a.Events || a.Verbose {
		observe = progress.observe
	}
	code, err := supervise.Run(ctx, supervise.Options{
		Config: cfg, Args: command, Environ: a.sys.Environ, Stdin: a.sys.Stdin, Stdout: a.sys.Stdout, Stderr: a.sys.Stderr,
		Signals: signals, Logger: a.logger(), Observer: observe, Tell: a.ui.say, Warn: a.ui.sayProblem, Now: a.sys.Now, ToolVersion: a.sys.Version,
	})
	if err != nil {
		return &exiting{err: err, code: code}
	}
	return &ending{code}
}

// exiting is an error whose exit code is not the one of its kind.
type exiting struct {
	err  error
	code int
}

func (e *exiting) Error() string { return e.err.Error() }
func (e *exiting) Unwrap() error { return e.err }

// linePrefix begins every line of run: it shares standard error with the program.
const linePrefix = "holdfast: "

// say writes a line of run.
func (u *ui) say(line string) {
	if u.quiet {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.json {
		u.errLine(runObject{Type: "run", Time: holdfast.At(u.now()), Message: line})
		return
	}
	fmt.Fprintf(u.err, "%s%s\n", linePrefix, clean(line))
}

// sayProblem writes a problem of run.
func (u *ui) sayProblem(p holdfast.Problem) {
	if u.json {
		u.warn(p)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	label := string(p.Severity)
	fmt.Fprintf(u.err, "%s%s: %s\n", linePrefix, label, problemText(p))
	if p.Hint != "" {
		fmt.Fprintf(u.err, "%shint: %s\n", linePrefix, clean(p.Hint))
	}
}
