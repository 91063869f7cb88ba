package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

type drillCmd struct {
	Name          string `arg:"" optional:"" help:"Name of the backup, or latest (the default)."`
	ChromaCommand string `value:"COMMAND" help:"Shell command that starts a Chroma server on the copy, at $$CHROMA_PATH, $$CHROMA_HOST and $$CHROMA_PORT (default: drill.chroma_command)."`
	Dir           string `value:"DIR" help:"Where the scratch copy is made (default: drill.dir, or beside the restore journal)."`
	Timeout       string `value:"DURATION" help:"How long the drill may take (default: drill.timeout, 1h)."`
}

func (drillCmd) about() about {
	return about{
		text: `Restores the backup for real into a scratch directory, lets each source make its
deepest check there, and compares rows, collections, files and memory with what
was recorded when they were captured. Where a Chroma command is known, a real
server is started on the copy and asked questions whose answers were recorded
with the backup: that finds what no checksum can. The scratch copy is removed, and
the outcome is kept with the backup, with the time that the restore took. A
backup that passes is proven, by more than verify can tell.`,
		examples: []example{
			{"holdfast drill", "can the newest backup really be restored?"},
			{"holdfast drill monday --dir /mnt/scratch", "where there is room for a copy"},
			{"holdfast drill --chroma-command ./start-chroma.sh", "with a real server, which the script starts on $CHROMA_PATH at $CHROMA_PORT"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// settings are the keys that the flags set.
func (c *drillCmd) settings() map[string]config.FlagValue {
	out := map[string]config.FlagValue{}
	for _, s := range []struct{ key, flag, value string }{
		{"drill.chroma_command", "chroma-command", c.ChromaCommand},
		{"drill.dir", "dir", c.Dir},
		{"drill.timeout", "timeout", c.Timeout},
	} {
		if s.value != "" {
			out[s.key] = config.FlagValue{Flag: "--" + s.flag, Value: s.value}
		}
	}
	return out
}

// Run holds a drill.
func (c *drillCmd) Run(ctx context.Context, a *app) error {
	a.settings = c.settings()
	cfg, err := a.config()
	if err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		name := cmp.Or(c.Name, "latest")
		result, err := e.Drill(ctx, wire.DrillRequest(cfg, name))
		if result == nil {
			return err
		}
		out := report.NewDrill(locationOf(e), name, result, err)
		a.ui.tell(out, func() { c.print(a.ui, out) })
		if err != nil {
			return &ending{holdfast.ExitCode(err)}
		}
		return nil
	})
}

// print tells the outcome to a person.
func (c *drillCmd) print(u *ui, out report.Drill) {
	name, p := u.outPaint.bold(clean(out.Backup.String()))+fromWords(out.From), out.Proof
	for _, problem := range p.Problems {
		u.warn(problem)
	}
	good := 0
	for _, comparison := range p.Compared {
		if comparison.OK {
			good++
		}
	}
	switch {
	case out.OK && len(p.Compared) == 0: // of an encrypted delta nothing could be counted when it was captured
		u.print("%s %s: restored in %s, and what came back is sound; there was nothing to compare it with\n", u.outPaint.green("proven"), name, span(millis(p.RestoreMS)))
	case out.OK:
		u.print("%s %s: restored in %s, and everything is as it was captured%s\n", u.outPaint.green("proven"), name, span(millis(p.RestoreMS)), askedWords(out.Asked))
	case p.OK:
		u.warn(holdfast.Problem{Object: out.Backup.String(), Severity: holdfast.Warning, Message: out.Error})
		u.print("%s %s: it stood the drill, but the proof was not kept\n", u.outPaint.yellow("not proven"), name)
	default:
		u.print("%s %s: it did not stand the drill: %s\n", u.outPaint.red("not proven"), name, clean(out.Error))
	}
	u.print("%s", facts(
		[2]string{"  compared", fmt.Sprintf("%s as captured, %d not", plural(good, "thing", "things"), len(p.Compared)-good)},
		[2]string{"  took", span(millis(p.DurationMS))},
	))
}

// askedWords says which sources a server answered for.
func askedWords(asked []string) string {
	if len(asked) == 0 {
		return ""
	}
	return "; a server answered for " + clean(strings.Join(asked, ", "))
}
