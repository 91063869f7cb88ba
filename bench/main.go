//go:build linux

// Command bench measures holdfast beside the tools that people use today, on
// the same data, in one run: every pair of commands runs in turns, so that a
// busy moment of the machine hits both.
//
//	go run ./bench              measure and print the table
//	go run ./bench -write       put the table into docs/benchmarks.md as well
//
// docs/benchmarks.md says what is compared and why that is fair. It needs
// Linux, sqlite3, zstd, tar and about 8 GiB of room; the Chroma directory is
// written by a real server (test/servers/install.sh).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags of the program.
type options struct {
	dir   string
	runs  int
	size  int64
	only  string
	write bool
	make  string
}

func run(ctx context.Context, args []string) error {
	var o options
	var mib int64
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "work here and keep the data for the next run (default: a temporary directory)")
	flags.IntVar(&o.runs, "runs", 3, "how often each command runs")
	flags.Int64Var(&mib, "size", 1024, "size of the large database in MiB")
	flags.StringVar(&o.only, "only", "", "measure only the cases whose name contains this")
	flags.BoolVar(&o.write, "write", false, "put the table into docs/benchmarks.md")
	flags.StringVar(&o.make, "make", "", "only make one piece of data (used by bench itself)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.size = mib << 20
	if o.make != "" {
		return makeData(ctx, o)
	}
	if o.runs < 1 {
		return fmt.Errorf("%d runs measure nothing", o.runs)
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "holdfast-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	return measureAll(ctx, o)
}

func measureAll(ctx context.Context, o options) error {
	for _, tool := range []string{"sqlite3", "zstd", "tar", "sync", "cp"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	w := &workshop{dir: dir, holdfast: filepath.Join(dir, "holdfast")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", w.holdfast, "./cmd/holdfast")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build holdfast (run this in the root of the module): %w", err)
	}
	if err := w.prepare(ctx, o); err != nil {
		return err
	}

	before := load()
	var results []result
	for _, c := range w.cases() {
		if !strings.Contains(c.name, o.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", c.name)
		r, err := c.measure(ctx, w, o.runs)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, r)
	}
	if len(results) == 0 {
		return fmt.Errorf("no case is named like %q", o.only)
	}
	text := table(results) + "\n" + circumstances(ctx, w, o) + "Load of the machine before " + before + ", after " + load() + ".\n"
	fmt.Print(text)
	if o.write {
		if o.only != "" {
			return errors.New("the table of some cases only does not replace the table of all")
		}
		return writeTable(filepath.Join("docs", "benchmarks.md"), text)
	}
	return nil
}

// circumstances says what the numbers depend on.
func circumstances(ctx context.Context, w *workshop, o options) string {
	return fmt.Sprintf("%d runs of each command in turns, medians; %d CPUs, %s; %s; data: %s.\n",
		o.runs, runtime.NumCPU(), runtime.Version(), versions(ctx), w.data)
}

// load is the load average of the last minute: what else was running.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	minute, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "unknown"
	}
	return minute
}

// versions names the other tools.
func versions(ctx context.Context) string {
	var all []string
	for _, cmd := range [][]string{{"sqlite3", "--version"}, {"zstd", "--version"}, {"tar", "--version"}} {
		out, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output()
		version := "of unknown version"
		if err == nil {
			version = versionIn(string(out))
		}
		all = append(all, cmd[0]+" "+version)
	}
	return strings.Join(all, ", ")
}

// versionIn finds the first word with a digit followed by a dot.
func versionIn(s string) string {
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
		digits := strings.TrimLeft(word, "v")
		if before, _, ok := strings.Cut(digits, "."); ok && before != "" && strings.Trim(before, "0123456789") == "" {
			return digits
		}
	}
	return "of unknown version"
}
