package engine

import (
	"context"
	"errors"
	"fmt"
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

// liveHandles finds the processes that hold a target open. Where the system
// cannot tell, asked is false.
func liveHandles(ctx context.Context, path string, companions []string) (handles []Handle, asked bool, err error) {
	paths := []string{path}
	for _, c := range companions {
		paths = append(paths, path+c)
	}
	scan, err := procs.Holding(ctx, paths)
	if errors.Is(err, procs.ErrUnsupported) {
		return nil, false, nil
	}
	for _, h := range scan.Handles {
		handles = append(handles, Handle(h))
	}
	return handles, true, err
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
		who += fmt.Sprintf("process %d (%s)", h.PID, h.Command)
	}
	if n := len(seen) - 3; n > 0 {
		who += fmt.Sprintf(" and %d more", n)
	}
	return &holdfast.Error{Op: "replace", Object: source, Err: holdfast.Kindf(holdfast.ErrRefused, "%s is held open by %s", path, who), Hint: hint}
}

const (
	hintInUse     = "stop it, configure a stop hook, restore a SQLite database with --online, or use --force"
	hintStillOpen = "the stop hook has run, but these still use the data: let the hook wait for their end, or use --force"
)

// settleTime is how long processes may take to end after the stop hook has.
const settleTime = 3 * time.Second

// refuseHandles refuses while a target is held open, waiting a little if the
// stop hook has just run.
func (c *ceremony) refuseHandles(ctx context.Context, wait time.Duration, hint string) error {
	if c.force || c.e.o.Settings.AllowLiveHandles {
		return nil
	}
	deadline := time.Now().Add(wait)
	for _, t := range c.journal.Targets {
		if t.Method == methodOnline {
			continue
		}
		for {
			handles, _, err := liveHandles(ctx, t.Path, t.Companions)
			if err != nil {
				return err
			}
			if len(handles) == 0 {
				break
			}
			if time.Now().After(deadline) {
				return inUse(t.Source, t.Path, handles, hint)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(50 * time.Millisecond):
			}
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
