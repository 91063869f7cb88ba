package boot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// asBot is the variable that makes the test program a bot. Its value says what
// the bot does when its context ends.
const asBot = "TEST_AS_BOT"

// What a bot can do when it is to end.
const (
	botCloses = "closes"
	botStays  = "stays"
	botLeaves = "leaves" // it starts, and closes at once
	// It works with a library of its own.
	botForeign = "foreign"
	// A restore that has the bot let go, and is killed.
	restoreDies = "dies"
)

func TestMain(m *testing.M) {
	switch how := os.Getenv(asBot); how {
	case "":
	case restoreDies:
		os.Exit(dieAsRestore())
	default:
		os.Exit(bot(how))
	}
	os.Exit(m.Run())
}

// bot is a bot: it writes rows, and says how many were acknowledged.
func bot(how string) int {
	o := Options{
		Database: os.Getenv("TEST_DATABASE"), Repository: os.Getenv("TEST_REPOSITORY"),
		Migrations: migrations(first), Every: Never, OnChange: time.Second, ShutdownTimeout: 3 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if how == botForeign {
		o.Open = openForeign
	}
	s, err := start(context.Background(), o, fast)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if how == botLeaves {
		fmt.Println(decisionOf(s))
		defer s.Close()
		return 0
	}
	for n := 1; how == botStays || s.Context().Err() == nil; n++ {
		if _, err := s.DB().Exec("INSERT INTO users(name) VALUES(?)", n); err != nil {
			if how == botStays && s.Context().Err() != nil {
				select {} // the store was closed; the signal ends this process
			}
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(n)
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 7
}

// dieAsRestore stops the bot, says so, and waits to be killed.
func dieAsRestore() int {
	source, err := sqlite.New("bot", os.Getenv("TEST_DATABASE"), sqlite.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	state := filepath.Join(os.Getenv("TEST_REPOSITORY"), ".holdfast")
	if err := control.Owners(state, []holdfast.Source{source}).Stop(context.Background(), []string{"bot"}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("stopped")
	select {}
}

func decisionOf(s *Store) string { return string(s.Status().Sources[0].Start.Action) }

// A process is a bot in a process of its own.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
	t   *testing.T
	// last is the number of rows that were acknowledged, as far as was read.
	last int
}

// spawn starts a bot in another process; it is killed with the test.
func (w *world) spawn(how string) *process {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asBot+"="+how, "TEST_DATABASE="+w.o.Database, "TEST_REPOSITORY="+w.o.Repository)
	cmd.Stderr = testWriter{w.t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &process{cmd: cmd, out: bufio.NewScanner(out), t: w.t}
}

// acknowledged reads until n rows were.
func (p *process) acknowledged(n int) {
	p.t.Helper()
	for p.last < n {
		if !p.out.Scan() {
			p.t.Fatalf("the bot ended before %d rows", n)
		}
		p.read()
	}
}

// read takes a line of the output.
func (p *process) read() {
	if n, err := strconv.Atoi(p.out.Text()); err == nil {
		p.last = n
	}
}

// ended waits for the end, and gives the last number of rows that were
// acknowledged.
func (p *process) ended() (last int, how *os.ProcessState) {
	p.t.Helper()
	for p.out.Scan() {
		p.read()
	}
	err := p.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.t.Fatal(err)
	}
	return p.last, p.cmd.ProcessState
}

// inBackup restores the newest backup elsewhere and counts.
func (w *world) inBackup() int {
	w.t.Helper()
	if err := os.RemoveAll(w.o.Database); err != nil {
		w.t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.RemoveAll(w.o.Database + suffix); err != nil {
			w.t.Fatal(err)
		}
	}
	s := w.start()
	defer s.Close()
	return rows(w.t, s)
}

// line reads one line.
func (p *process) line() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatal("the bot said nothing")
	}
	return strings.TrimSpace(p.out.Text())
}
