//go:build linux

package main

import (
	"bytes"
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

// A reading is what one run took.
type reading struct {
	wall   time.Duration
	cpu    time.Duration // user and system, of all processes
	memory int64         // most resident bytes of any one process
	output int64         // bytes on disk by which its output grew
	first  time.Duration // until it said the first word
}

// A posting is where a script runs and what counts as its output.
type posting struct {
	dir    string
	counts string
	env    []string
}

// time runs a script once the disk is quiet.
func (w *workshop) time(ctx context.Context, p posting, script string) (reading, error) {
	r, _, err := w.hear(ctx, p, script)
	return r, err
}

// hear is time with what the script says.
func (w *workshop) hear(ctx context.Context, p posting, script string) (reading, string, error) {
	before, err := diskUse(p.counts)
	if err != nil {
		return reading{}, "", err
	}
	syscall.Sync() // nobody pays for what the run before left in memory

	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Dir = p.dir
	cmd.Env = append(w.environment(), p.env...)
	// What a script has started ends with it: somebody else's retries would hold its output open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said := &ear{begun: time.Now()}
	cmd.Stdout, cmd.Stderr = said, said
	err = cmd.Run()
	wall := time.Since(said.begun)
	if err != nil {
		return reading{}, "", fmt.Errorf("%s: %w\n%s", script, err, &said.text)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return reading{}, "", fmt.Errorf("%s: the system does not tell what it used", script)
	}
	after, err := diskUse(p.counts)
	return reading{
		first:  said.first,
		wall:   wall,
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory: usage.Maxrss << 10,
		output: after - before,
	}, said.text.String(), err
}

// An ear hears what a script says, and when it began to.
type ear struct {
	begun time.Time
	first time.Duration
	text  bytes.Buffer
}

// Write implements io.Writer.
func (e *ear) Write(p []byte) (int, error) {
	if e.first == 0 {
		e.first = time.Since(e.begun)
	}
	return e.text.Write(p)
}

// output runs a script that is not measured and gives what it prints.
func (w *workshop) output(ctx context.Context, script string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Dir = w.dir
	cmd.Env = append(w.environment(), env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", script, err, text)
	}
	return string(text), nil
}

// environment is that of the scripts: where things are, and none of the
// settings that the person at the keyboard may have for holdfast.
func (w *workshop) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "HOLDFAST_") || strings.Contains(v, "BACKUP_")
	})
	return append(env, "H="+w.holdfast, "D="+filepath.Join(w.dir, "live"), "B="+w.self, "R="+filepath.Join(w.dir, "stored"))
}

// diskUse sums what the files below dir occupy; nothing, if it is not there.
func diskUse(dir string) (int64, error) {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return 0, nil
	}
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

// What is taken from readings.
func wallOf(r reading) time.Duration { return r.wall }
func cpuOf(r reading) time.Duration  { return r.cpu }
func memoryOf(r reading) int64       { return r.memory }
func outputOf(r reading) int64       { return r.output }

// median of what pick takes from the readings.
func median[T int64 | time.Duration](readings []reading, pick func(reading) T) T {
	values := make([]T, len(readings))
	for i, r := range readings {
		values[i] = pick(r)
	}
	return middle(values)
}

// middle is the median of values.
func middle[T int64 | time.Duration](values []T) T {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
