package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/hook"
	"github.com/holdfast-backup/holdfast/internal/procs"
)

// A Handle is a process that has a file of the target open.
type Handle struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Path    string `json:"path"`
}

// A place is what handles are searched for: a path and its companions.
type place struct {
	path       string
	companions []string
}

// liveHandles finds the processes that hold places open, by place. Where the
// system cannot tell, asked is false.
func liveHandles(ctx context.Context, places []place) (handles [][]Handle, asked bool, err error) {
	var paths []string
	var of []int
	for i, p := range places {
		for _, suffix := range append([]string{""}, p.companions...) {
			paths, of = append(paths, p.path+suffix), append(of, i)
		}
	}
	handles = make([][]Handle, len(places))
	scan, err := procs.Holding(ctx, paths)
	if errors.Is(err, procs.ErrUnsupported) {
		return handles, false, nil
	}
	for _, h := range scan.Handles {
		i := of[h.Of]
		handles[i] = append(handles[i], Handle{PID: h.PID, Command: h.Command, Path: h.Path})
	}
	return handles, true, err
}

// handlesOf is liveHandles for the targets of works.
func handlesOf(ctx context.Context, works []*work) (handles [][]Handle, asked bool, err error) {
	places := make([]place, 0, len(works))
	for _, w := range works {
		places = append(places, place{w.path, w.target.Companions})
	}
	return liveHandles(ctx, places)
}

// inUse refuses to replace what processes hold open.
func inUse(source, path string, handles []Handle, hint string) error {
	seen := map[int]bool{}
	var who string
	for _, h := range handles {
		if seen[h.PID] {
			continue
		}
		if seen[h.PID] = true; len(seen) > 3 {
			continue
		}
		if who != "" {
			who += ", "
		}
		if h.PID == os.Getpid() {
			who += "this process itself"
		} else {
			who += fmt.Sprintf("process %d (%s)", h.PID, h.Command)
		}
	}
	if n := len(seen) - 3; n > 0 {
		who += fmt.Sprintf(" and %d more", n)
	}
	return &holdfast.Error{Op: "replace", Object: source, Err: holdfast.Kindf(holdfast.ErrRefused, "%s is held open by %s", path, who), Hint: hint, Cause: holdfast.CauseInUse}
}

// letsGo tells whether processes that hold a target open now need not have it
// open at the swap.
func (r *run) letsGo() bool {
	return r.e.o.Settings.AllowLiveHandles || r.e.o.Hooks.Stop != "" || r.e.o.Owner != nil
}

// hintInUse tells what can be done about processes that hold a target open. A
// rollback has no flags.
func (r *run) hintInUse() string {
	if r.op == opRollback {
		return "stop it, or configure a stop hook"
	}
	return "stop it, configure a stop hook, restore a SQLite database with --online, or use --force"
}

// hintStillOpen is hintInUse for what was left running by what should have stopped
// it.
func (r *run) hintStillOpen() string {
	hint := "the stop hook has run, but these still use the data: let the hook wait for their end"
	switch {
	case r.e.o.Owner != nil && r.e.o.Hooks.Stop != "":
		hint = "the stop hook has run and the program was asked to let go, but these still use the data: stop them"
	case r.e.o.Owner != nil:
		hint = "the program was asked to let go, but these still use the data: close every connection there, stop other programs"
	}
	if r.op == opRollback {
		return hint
	}
	return hint + ", or use --force"
}

// settleTime is how long processes may take to end after they were stopped.
const settleTime = 3 * time.Second

// refuseHandles refuses while a target is held open, waiting a little if its users
// have just been stopped.
func (c *ceremony) refuseHandles(ctx context.Context, wait time.Duration, hint string) error {
	if c.force || c.e.o.Settings.AllowLiveHandles {
		return nil
	}
	deadline := time.Now().Add(wait)
	for {
		err := c.findHandles(ctx, hint)
		if !errors.Is(err, holdfast.ErrRefused) || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *ceremony) findHandles(ctx context.Context, hint string) error {
	var places []place
	for _, t := range c.journal.Targets {
		places = append(places, place{t.Path, t.Companions})
	}
	found, _, err := liveHandles(ctx, places)
	if err != nil {
		return err
	}
	for i, t := range c.journal.Targets {
		if t.Method != methodOnline && len(found[i]) > 0 {
			return inUse(t.Source, t.Path, found[i], hint)
		}
	}
	return nil
}

// runHook runs one of the configured commands.
func (r *run) runHook(ctx context.Context, line string, backup holdfast.BackupName) error {
	return hook.Run(ctx, hook.Command{
		Line: line, Timeout: r.e.o.Hooks.Timeout,
		Env: []string{"HOLDFAST_OP=" + r.op, "HOLDFAST_BACKUP=" + string(backup)},
	})
}
