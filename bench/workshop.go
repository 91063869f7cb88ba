//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// A workshop is where everything lies: the data, the program, what the runs
// leave.
type workshop struct {
	dir      string
	holdfast string
	self     string // this program
}

// open makes a workshop in a new folder below dir and builds holdfast, unless
// one is given.
func open(ctx context.Context, o options) (*workshop, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.dir, "holdfast-bench-")
	if err != nil {
		return nil, err
	}
	w := &workshop{dir: dir, holdfast: filepath.Join(dir, "holdfast"), self: self}
	if w.dir, err = filepath.Abs(dir); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if o.holdfast != "" {
		w.holdfast, err = filepath.Abs(o.holdfast)
		return w, err
	}
	if err := w.build(ctx, w.holdfast, "./cmd/holdfast"); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// build makes a program of this module.
func (w *workshop) build(ctx context.Context, file, folder string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, folder)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build %s (run this in the root of the module): %w", folder, err)
	}
	return nil
}

// close removes everything.
func (w *workshop) close() error { return os.RemoveAll(w.dir) }

// live is the folder of a subject.
func (w *workshop) live(s subject) string { return filepath.Join(w.dir, "live", s.key) }

// prepare makes a subject.
func (w *workshop) prepare(ctx context.Context, s subject) error {
	fmt.Fprintf(os.Stderr, "making the %s\n", s.title)
	folder := w.live(s)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return w.child(ctx, nil, append([]string{s.make[0], s.target(folder)}, s.make[1:]...)...)
}

// child lets this program do one thing in a process of its own and reads its
// answer. The memory that the system reports for a process begins with that of
// the process that started it, so this one must stay small.
func (w *workshop) child(ctx context.Context, answer any, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, w.self, append([]string{"-make"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out.Bytes(), answer)
}

// serveChild is the other end: it does what args say.
func serveChild(ctx context.Context, args []string) error {
	number := func(i int) int64 {
		n, err := strconv.ParseInt(args[i], 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	print := func(v any, err error) error {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(v))
	}
	switch what := fmt.Sprintf("%s/%d", args[0], len(args)-1); what {
	case "database/2":
		return makeDatabase(ctx, args[1], number(2))
	case "change-database/3":
		return changeDatabase(ctx, args[2], int(number(1)), int(number(3)))
	case "chroma/2":
		return makeChroma(ctx, args[1], number(2))
	case "change-chroma/2":
		return changeChroma(ctx, args[1], int(number(2)))
	case "messages/2":
		return makeMessages(ctx, args[1], number(2))
	case "change-messages/3":
		return changeMessages(ctx, args[1], number(2), number(3))
	case "passages/2":
		return makePassages(ctx, args[1], number(2))
	case "change-passages/2":
		return changePassages(ctx, args[1], int(number(2)))
	case "counter/1":
		return serveCounter(args[1])
	case "s3/1":
		return runS3(ctx, args[1])
	case "marks/2":
		return writeMarks(args[1], args[2])
	case "changes/2":
		return print(readChanges(args[1], args[2]))
	case "backups/2":
		return makeBackups(ctx, args[1], int(number(2)))
	case "records/3":
		return serveRecords(int(number(1)), int(number(2)), int(number(3)))
	case "folder/1":
		return serveFolder(args[1])
	case "bodies/0":
		return serveBodies()
	case "limits/2":
		return print(measureLimits(args[1], args[2]))
	default:
		return fmt.Errorf("%s is nothing that can be made", what)
	}
}
