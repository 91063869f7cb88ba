//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A command is one side of a comparison. Its script runs in a shell, in a
// directory of its own that is empty at first; what it leaves there counts as
// its output.
type command struct {
	label  string
	script string
}

// A contest is two commands that do the same work; theirs is empty if nobody
// else does that work.
type contest struct {
	name         string
	ours, theirs command
}

// A reading is what one run took.
type reading struct {
	wall   time.Duration
	cpu    time.Duration // user and system, of all processes
	memory int64         // most resident bytes of any one process
	output int64         // bytes on disk that it left
}

// A result is the readings of a contest.
type result struct {
	contest
	our, their []reading
}

// measure runs both commands in turns; who begins changes with every run, since
// the first meets the memory and the disk that the turn before left.
func (c contest) measure(ctx context.Context, w *workshop, runs int) (result, error) {
	r := result{contest: c}
	sides := []side{{c.ours, &r.our}, {c.theirs, &r.their}}
	if c.theirs.script == "" {
		sides = sides[:1]
	}
	for i := range runs {
		for _, s := range sides {
			took, err := w.time(ctx, s.command)
			if err != nil {
				return r, err
			}
			*s.readings = append(*s.readings, took)
			fmt.Fprintf(os.Stderr, "  run %d: %.2f s, %s\n", i+1, took.wall.Seconds(), s.label)
		}
		slices.Reverse(sides)
	}
	return r, nil
}

// A side is one of the two commands of a contest and where its readings go.
type side struct {
	command
	readings *[]reading
}

// time runs one command in an empty directory once the disk is quiet.
func (w *workshop) time(ctx context.Context, c command) (reading, error) {
	out := filepath.Join(w.dir, "out")
	if err := os.RemoveAll(out); err != nil {
		return reading{}, err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return reading{}, err
	}
	syscall.Sync() // nobody pays for what the run before left in memory

	cmd := exec.CommandContext(ctx, "sh", "-ec", c.script)
	cmd.Dir = out
	cmd.Env = w.environment()
	start := time.Now()
	text, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		return reading{}, fmt.Errorf("%s: %w\n%s", c.script, err, text)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return reading{}, fmt.Errorf("%s: the system does not tell what it used", c.script)
	}
	size, err := diskUse(out)
	return reading{
		wall:   wall,
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory: usage.Maxrss << 10,
		output: size,
	}, err
}

// environment is that of the scripts: where things are, and none of the
// settings that the person at the keyboard may have for holdfast.
func (w *workshop) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "HOLDFAST_") || strings.Contains(v, "BACKUP_")
	})
	return append(env, "H="+w.holdfast, "D="+w.dir)
}

// diskUse sums what the files below dir occupy.
func diskUse(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return nil
	})
	return total, err
}

// median of what pick takes from the readings.
func median[T int64 | time.Duration](readings []reading, pick func(reading) T) T {
	values := make([]T, len(readings))
	for i, r := range readings {
		values[i] = pick(r)
	}
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
