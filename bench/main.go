//go:build linux

// Command bench measures holdfast beside the tools that people use today, on
// the same data, in one run: commands that do the same work run in turns, so
// that a busy moment of the machine hits all of them.
//
//	go run ./bench                                     measure all and print the tables
//	go run ./bench -run full,increment -size 64MiB     a part, small
//	go run ./bench -run api,ui,proxy                   a daemon: its API, its pages, its Chroma proxy
//	go run ./bench -run requests                       Chroma servers by requests, and looking inside
//	go run ./bench -run looks                          looking into large databases, also in a bucket
//	go run ./bench -write                              put all into docs/benchmarks.md as well
//
// Start from [subject], the data; [tool], who backs it up; [course], the steps;
// [goal], what holdfast has to reach; [limits], what the machine can do at all.
// docs/benchmarks.md says what is compared and why that is fair.
//
// It needs Linux, sqlite3, zstd, tar and about 20 GiB of room; the Chroma
// directory is written by a real server (test/servers/install.sh). Other
// backup tools are measured if they are installed; peers.sh installs them.
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
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) > 1 && args[0] == "-make" { // a child of its own
		return serveChild(ctx, args[1:])
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	for _, command := range []string{"sqlite3", "zstd", "tar", "sync", "cp", "cmp", "find"} {
		if _, err := exec.LookPath(command); err != nil {
			return err
		}
	}
	w, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	document := filepath.Join("docs", "benchmarks.md")
	publish := func(part, text string) error {
		fmt.Print(text)
		if o.write {
			return writeTables(document, part, text)
		}
		return nil
	}
	if o.tables() {
		r, err := measureAll(ctx, w, o)
		if err != nil {
			return err
		}
		if err := publish(partTables, r.markdown()); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		run, marks string
		measure    func(context.Context, *workshop, options) (string, error)
	}{
		{runStarts, partStarts, measureStarts},
		{runAPI, partAPI, measureAPI},
		{runUI, partUI, measureUI},
		{runProxy, partProxy, measureProxy},
		{runRequests, partRequests, measureRequests},
		{runLooks, partLooks, measureLooks},
	} {
		if !o.run.has(part.run) {
			continue
		}
		text, err := part.measure(ctx, w, o)
		if err != nil {
			return err
		}
		if err := publish(part.marks, text); err != nil {
			return err
		}
	}
	return nil
}

// measureAPI measures the pages of a daemon.
func measureAPI(ctx context.Context, w *workshop, o options) (string, error) {
	before := load()
	r, err := w.measureAPI(ctx, o)
	if err != nil {
		return "", err
	}
	return r.table(fmt.Sprintf("%s in all, clients and server on the same %d CPUs; load of the machine before %s, after %s.\n", o.lasts, runtime.NumCPU(), before, load())), nil
}

// measureProxy measures reads through proxies.
func measureProxy(ctx context.Context, w *workshop, o options) (string, error) {
	before := load()
	all, err := w.measureProxy(ctx, o)
	if err != nil {
		return "", err
	}
	return proxyTable(all, fmt.Sprintf("%d requests on each way in turns, one after the other; load of the machine before %s, after %s.\n", o.requests, before, load())), nil
}

// measureStarts makes the small database and measures the starts of bots.
func measureStarts(ctx context.Context, w *workshop, o options) (string, error) {
	before := load()
	all := subjects(o)
	s := all[slices.IndexFunc(all, func(s subject) bool { return s.key == "bot" })]
	if _, err := os.Stat(w.live(s)); err != nil { // it may have been made for the other tables
		if err := w.prepare(ctx, s); err != nil {
			return "", fmt.Errorf("make the %s: %w", s.title, err)
		}
	}
	lineups, err := w.measureStarts(ctx, s, o.runs)
	if err != nil {
		return "", err
	}
	return startTable(lineups, fmt.Sprintf("%d starts of each program in turns, with the %s; load of the machine before %s, after %s.\n", o.runs*startsPerRun, s.title, before, load())), nil
}

// measureAll makes the data and measures what was asked for.
func measureAll(ctx context.Context, w *workshop, o options) (report, error) {
	var r report
	before := load()
	var all []subject
	for _, s := range subjects(o) {
		if !o.data.has(s.key) {
			continue
		}
		if err := w.prepare(ctx, s); err != nil {
			return r, fmt.Errorf("make the %s: %w", s.title, err)
		}
		all = append(all, s)
	}
	if o.run.has(runLimits) {
		fmt.Fprintln(os.Stderr, "measuring the machine")
		r.limits = &limits{}
		s := all[0]
		if err := w.child(ctx, r.limits, "limits", filepath.Join(w.live(s), s.database), w.dir); err != nil {
			return r, err
		}
	}
	if o.run.has(runContests) {
		if err := w.prepareStored(ctx, all); err != nil {
			return r, err
		}
		for _, c := range contests(all) {
			fmt.Fprintf(os.Stderr, "measuring: %s\n", c.name)
			result, err := c.measure(ctx, w, o.runs)
			if err != nil {
				return r, err
			}
			r.contests = append(r.contests, result)
		}
	}
	for _, s := range all {
		c := w.newCourse(s, o)
		if len(c.steps) == 0 {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", s.title)
		if err := c.measure(ctx, w, o.runs); err != nil {
			return r, err
		}
		r.courses = append(r.courses, c)
	}
	r.foot = fmt.Sprintf("%d runs of each command in turns, medians; %d CPUs, %s; %s.\nLoad of the machine before %s, after %s.\n",
		o.runs, runtime.NumCPU(), runtime.Version(), versions(ctx), before, load())
	return r, nil
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

// versions names the other tools that are installed.
func versions(ctx context.Context) string {
	var all []string
	for _, cmd := range [][]string{
		{"sqlite3", "--version"},
		{"zstd", "--version"},
		{"tar", "--version"},
		{"restic", "version"},
		{"borg", "--version"},
		{"litestream", "version"},
	} {
		out, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output()
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
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
