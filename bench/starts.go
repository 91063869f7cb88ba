//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// startsPerRun is how often a start is measured where -n says once: it takes
// milliseconds, and its least counts as well as its median.
const startsPerRun = 5

// A program is one that is started. It says "ready" when it has answered its
// first question, or does its work and ends.
type program struct {
	label  string
	needs  string   // a command that must be installed
	before string   // a script that brings the data into the state to start from; not measured
	killed []string // started before, and killed once it is ready; not measured
	args   []string // with variables of the environment
	serves bool     // says when it is ready, and ends when its input does
}

// A start is one situation with the programs that begin in it. The last is what
// the others are compared with.
type start struct {
	name     string
	programs []program
}

// A launch is what one start took.
type launch struct {
	ready  time.Duration // until the first answer, or until it ended
	end    time.Duration // from being told to end
	cpu    time.Duration // of all of it
	memory int64         // most resident bytes of the process until it was ready
}

// An entry is a program with its launches.
type entry struct {
	program
	launches []launch // none if what it needs is missing
}

// A lineup is a start that was measured.
type lineup struct {
	name    string
	entries []entry
}

// The situations. $P is the folder of a program, in which its database and its
// backups lie; $SEED a database and backups of it, made by prepareStarts.
const (
	missing = `rm -rf "$P/data" "$P/home"; mkdir -p "$P"; [ -d "$P/repo" ] || cp -a "$SEED/repo" "$P"`
	emptied = `rm -rf "$P"; mkdir "$P"`
)

// settled is a database after a clean end of a program. Its first ends come soon
// after the file was made, when its times do not tell yet whether it has changed.
func settled(command string) string {
	return `[ -d "$P" ] || { mkdir "$P"; cp -a "$SEED/data" "$P"; sleep 2; ` + command + ` </dev/null; ` + command + ` </dev/null; }`
}

// starts are what is measured. s3 is the repository in an S3 server.
func starts(s3 string) []start {
	var (
		bot   = []string{"$BOT"}
		plain = []string{"$BOT", "-plain"}
	)
	below := func(before, where string) program {
		return program{label: "sql.Open below holdfast run" + where, before: before, args: slices.Concat([]string{"$H", "run", "--quiet", "--"}, plain), serves: true}
	}
	both := func(killed ...string) []program {
		leave := func(args []string) []string {
			if len(killed) == 0 {
				return nil
			}
			return slices.Concat(args, killed)
		}
		return []program{
			{label: "boot.Start", before: settled(`"$BOT"`), killed: leave(bot), args: bot, serves: true},
			{label: "sql.Open, the same driver", before: settled(`"$BOT" -plain`), killed: leave(plain), args: plain, serves: true},
		}
	}
	nothing := `"$H" run --quiet -- true`
	healthy := slices.Insert(both(), 1, below(settled(nothing), ""))
	return []start{
		{"a healthy database after a clean end", healthy},
		{"a healthy database after kill -9", both("-write")},
		{"a database that is gone", []program{
			{label: "boot.Start, backups in a directory", before: missing, args: bot, serves: true},
			{label: "boot.Start, backups in S3", before: missing, args: slices.Concat([]string{"env", "HOLDFAST_REPOSITORY=" + s3}, bot), serves: true},
			below(missing, ", backups in a directory"),
			{label: "litestream restore", needs: "litestream", before: emptied, args: []string{"litestream", "restore", "-o", "$P/data.db", "file://$SEED/litestream"}},
			{label: "zstd -d, sync", before: emptied, args: []string{"sh", "-ec", `zstd -q -d "$SEED/data.zst" -o "$P/data.db"; sync "$P/data.db" "$P"`}},
		}},
		{"a command that ends at once", []program{
			{label: "holdfast run -- true", before: settled(nothing), args: []string{"$H", "run", "--quiet", "--", "true"}},
			{label: "true", args: []string{"true"}},
		}},
	}
}

// prepareStarts makes the seed: a database after a clean end and its backups.
func (w *workshop) prepareStarts(ctx context.Context, s subject, s3 string, env []string) error {
	if err := w.build(ctx, filepath.Join(w.dir, "startbot"), "./bench/startbot"); err != nil {
		return err
	}
	const script = `mkdir -p "$SEED/data"; cp "$S/data.db" "$SEED/data/bot.db"; zstd -q -3 "$S/data.db" -o "$SEED/data.zst"
cd "$SEED"; export DATABASE_PATH="$SEED/data/bot.db" HOLDFAST_REPOSITORY="$SEED/repo" XDG_STATE_HOME="$SEED/home"
"$BOT" </dev/null >log 2>&1; "$BOT" </dev/null >log 2>&1
"$H" backup --quiet --repo "$S3" --sqlite bot="$DATABASE_PATH"
if command -v litestream >/dev/null; then cp "$S/data.db" replicated.db; litestream replicate -once replicated.db "file://$SEED/litestream" >log 2>&1; fi`
	_, err := w.output(ctx, script, append(env, "S="+w.live(s), "S3="+s3)...)
	return err
}

// measureStarts measures every start, its programs in turns.
func (w *workshop) measureStarts(ctx context.Context, s subject, runs int) (all []lineup, err error) {
	server, err := w.serveS3(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	seed := filepath.Join(w.dir, "seed")
	env := append(server.env, "SEED="+seed, "BOT="+filepath.Join(w.dir, "startbot"))
	if err := w.prepareStarts(ctx, s, server.url, env); err != nil {
		return nil, fmt.Errorf("make what to start from: %w", err)
	}
	for i, st := range starts(server.url) {
		fmt.Fprintf(os.Stderr, "measuring the start with %s\n", st.name)
		l := lineup{name: st.name, entries: make([]entry, len(st.programs))}
		order := make([]int, len(st.programs))
		for k, p := range st.programs {
			l.entries[k].program, order[k] = p, k
		}
		for range runs * startsPerRun {
			for _, k := range order {
				e := &l.entries[k]
				if _, err := exec.LookPath(e.needs); e.needs != "" && err != nil {
					continue
				}
				place := filepath.Join(w.dir, fmt.Sprintf("start-%d-%d", i, k))
				took, err := w.launch(ctx, e.program, append(env, "P="+place, "DATABASE_PATH="+filepath.Join(place, "data", "bot.db"),
					"HOLDFAST_REPOSITORY="+filepath.Join(place, "repo"), "HOLDFAST_SOURCES=", "XDG_STATE_HOME="+filepath.Join(place, "home")))
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", st.name, e.label, err)
				}
				e.launches = append(e.launches, took)
			}
			slices.Reverse(order)
		}
		all = append(all, l)
	}
	return all, nil
}

// launch brings the data into its state and measures one start.
func (w *workshop) launch(ctx context.Context, p program, env []string) (launch, error) {
	if _, err := w.output(ctx, p.before, env...); err != nil {
		return launch{}, err
	}
	if p.killed != nil {
		r, err := w.begin(ctx, p.killed, env)
		if err == nil {
			_, err = r.ready()
		}
		if err != nil {
			return launch{}, fmt.Errorf("the one to be killed: %w", err)
		}
		if err := r.kill(); err != nil {
			return launch{}, err
		}
	}
	syscall.Sync()
	r, err := w.begin(ctx, p.args, env)
	if err != nil {
		return launch{}, err
	}
	var l launch
	if p.serves {
		if l.ready, err = r.ready(); err != nil {
			return l, err
		}
		l.memory = peak(r.cmd.Process.Pid)
	}
	told := time.Now()
	if err := r.end(); err != nil {
		return l, err
	}
	l.cpu = r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
	if p.serves {
		l.end = time.Since(told)
		return l, nil
	}
	l.ready = time.Since(r.begun)
	if usage, ok := r.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		l.memory = usage.Maxrss << 10
	}
	return l, nil
}

// peak is the most that a living process had resident, in bytes.
func peak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// A runner is a program that was started.
type runner struct {
	cmd    *exec.Cmd
	begun  time.Time
	input  io.WriteCloser
	output *bufio.Reader
	errors *strings.Builder
}

// begin starts a program.
func (w *workshop) begin(ctx context.Context, args, env []string) (*runner, error) {
	env = append(w.environment(), env...)
	args = slices.Clone(args)
	for i, a := range args {
		if i == 0 || args[0] != "sh" {
			args[i] = os.Expand(a, func(name string) string { return lookup(env, name) })
		}
	}
	r := &runner{cmd: exec.CommandContext(ctx, args[0], args[1:]...), errors: new(strings.Builder)}
	r.cmd.Env, r.cmd.Dir, r.cmd.Stderr = env, w.dir, r.errors
	output, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if r.input, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	r.output, r.begun = bufio.NewReader(output), time.Now()
	return r, r.cmd.Start()
}

// lookup gives the last value of a variable, as a process sees it.
func lookup(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// ready waits for the first answer.
func (r *runner) ready() (time.Duration, error) {
	line, err := r.output.ReadString('\n')
	took := time.Since(r.begun)
	if strings.TrimSpace(line) == "ready" {
		return took, nil
	}
	err = errors.Join(err, r.cmd.Wait())
	return 0, fmt.Errorf("it never was ready: %w\n%s%s", err, line, r.errors)
}

// end closes the program's input and waits until it has ended.
func (r *runner) end() error {
	if err := r.input.Close(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r.output)
	if err = errors.Join(err, r.cmd.Wait()); err != nil {
		return fmt.Errorf("%w\n%s", err, r.errors)
	}
	return nil
}

// kill ends the program without a word.
func (r *runner) kill() error {
	err := r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it says that it was killed
	return err
}
