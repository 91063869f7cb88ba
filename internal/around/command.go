package around

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/hook"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// The variables that a hook command finds.
const (
	envOp          = "HOLDFAST_OP"
	envOperation   = "HOLDFAST_OPERATION"
	envTrigger     = "HOLDFAST_TRIGGER"
	envBackup      = "HOLDFAST_BACKUP"
	envResult      = "HOLDFAST_RESULT"
	envError       = "HOLDFAST_ERROR"
	envSourceNames = "HOLDFAST_SOURCE_NAMES"
	envStored      = "HOLDFAST_STORED_BYTES"
)

// inHook tells whether this process was called by a hook command: then none of
// its own is run, so that a backup that a hook makes does not call the hook again
// for ever.
func inHook(environ []string) bool {
	return slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, envOperation+"=") })
}

func (a *around) anyCommand() bool {
	h := a.hooks
	return h.BeforeBackup+h.AfterBackup+h.BeforeRestore+h.AfterRestore+h.OnFailure != ""
}

// before gives the command that precedes a verb, and the name of its setting.
func (a *around) before(op string) (name, line string) {
	if op == opBackup {
		return "before_backup", a.hooks.BeforeBackup
	}
	return "before_restore", a.hooks.BeforeRestore
}

// after gives the command that follows a verb. A backup that was not needed was
// not made: nothing follows it.
func (a *around) after(v engine.Verb, outcome result) (name, line string) {
	switch {
	case outcome == resultFailed:
		return "on_failure", a.hooks.OnFailure
	case outcome == resultUnchanged:
		return "", ""
	case v.Op == opBackup:
		return "after_backup", a.hooks.AfterBackup
	}
	return "after_restore", a.hooks.AfterRestore
}

func (a *around) run(ctx context.Context, line string, env []string) error {
	return hook.Run(ctx, hook.Command{Line: line, Timeout: a.hooks.Timeout, Env: env})
}

// environment is what a command is told. Variables of what is not known yet are
// empty, so that none is inherited from elsewhere.
func (a *around) environment(v engine.Verb, outcome result) []string {
	text := ""
	if v.Err != nil {
		text = line(redact.Text(v.Err.Error(), a.secrets...))
	}
	stored := ""
	if outcome != "" {
		stored = strconv.FormatInt(v.Stored, 10)
	}
	return []string{
		envOp + "=" + v.Op,
		envOperation + "=" + line(v.Operation),
		envTrigger + "=" + line(string(v.Trigger)),
		envBackup + "=" + line(string(v.Backup)),
		envResult + "=" + string(outcome),
		envError + "=" + text,
		envSourceNames + "=" + line(strings.Join(v.Sources, ",")),
		envStored + "=" + stored,
	}
}

// longest bounds one text that is told.
const longest = 2000

// line makes one bounded line of a text: a variable cannot hold a NUL, and a
// script that prints it expects one line.
func line(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }), " ")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + " …"
	}
	return s
}

// opBackup is the verb that is not a restore or a rollback.
const opBackup = "backup"

// A result is how a verb ended, in a word.
type result string

const (
	resultOK         result = "ok"
	resultUnchanged  result = "unchanged"
	resultIncomplete result = "incomplete"
	resultFailed     result = "failed"
)

// resultOf judges a verb that has ended.
func resultOf(v engine.Verb) result {
	lacking := func(p holdfast.Problem) bool {
		return p.Severity == holdfast.Damaged || p.Severity == holdfast.Incomplete
	}
	switch {
	case v.Err != nil:
		return resultFailed
	case v.Unchanged:
		return resultUnchanged
	case slices.ContainsFunc(v.Problems, lacking):
		return resultIncomplete
	}
	return resultOK
}
