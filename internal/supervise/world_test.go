//go:build unix

package supervise

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the bots' databases

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// The programs that are supervised are this test's own binary, told by a variable
// what to be.
const role = "HF_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "bot":
		botMain()
	case "restorer":
		restorerMain()
	case "leaver":
		leaverMain()
	case "changer":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		changerMain(asked)
	}
}

// botMain adds a row, says how many there are, and then ends with the code that
// it was given or, if that is "stay", waits for SIGTERM and adds another.
func botMain() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	db, err := sql.Open("sqlite", "file:"+os.Getenv("DATABASE_PATH")+"?_pragma=journal_mode("+os.Getenv("MODE")+")")
	add := func(what string) {
		if err == nil {
			_, err = db.Exec("CREATE TABLE IF NOT EXISTS t(a TEXT); INSERT INTO t VALUES (?)", what)
		}
		if err != nil {
			fmt.Println("bot:", err)
			os.Exit(99)
		}
	}
	add("start")
	fmt.Println("rows", rowsOf(db))
	if os.Args[1] == "stay" {
		<-asked
		add("end")
		fmt.Println("rows", rowsOf(db))
	}
	if err := db.Close(); err != nil {
		os.Exit(98)
	}
	code := 0
	_, _ = fmt.Sscan(os.Args[1], &code)
	os.Exit(code)
}

// restorerMain stops the program that holds the data and dies with it stopped.
func restorerMain() {
	source, err := wire.Source(config.Source{Name: "bot", Kind: holdfast.KindSQLite, Path: os.Args[2]})
	if err == nil {
		err = control.Owners(os.Args[1], []holdfast.Source{source}).Stop(context.Background(), []string{"bot"})
	}
	if err != nil {
		fmt.Println("restorer:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func rowsOf(db *sql.DB) int {
	n := -1
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		return -1
	}
	return n
}

// A world is a directory with a database that is backed up.
type world struct {
	t    *testing.T
	dir  string
	flag config.Flags
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	t.Chdir(dir)
	return &world{t: t, dir: dir, flag: config.Flags{
		NoFile: true, Repository: filepath.Join(dir, "repo"),
		Sources:  []config.Source{{Name: "bot", Kind: holdfast.KindSQLite, Path: filepath.Join(dir, "data", "bot.db")}},
		Settings: map[string]config.FlagValue{},
	}}
}

// set sets a key of the configuration.
func (w *world) set(key, value string) *world {
	w.flag.Settings[key] = config.FlagValue{Flag: "--" + key, Value: value}
	return w
}

func (w *world) database() string { return w.flag.Sources[0].Path }

func (w *world) config() *config.Config {
	w.t.Helper()
	c, err := config.Load(w.flag, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// rows counts the rows of a database; -1 if there is none.
func (w *world) rows(path string) int {
	w.t.Helper()
	if _, err := os.Stat(path); err != nil {
		return -1
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	return rowsOf(db)
}

// backups lists the backups, newest first, without emergency ones.
func (w *world) backups() []repo.Info {
	w.t.Helper()
	r, err := wire.OpenRepository(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	infos, err := r.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(infos, func(i repo.Info) bool { return i.Metadata.Trigger == holdfast.TriggerEmergency })
}

// saved is the number of rows in the newest backup.
func (w *world) saved() int64 {
	w.t.Helper()
	infos := w.backups()
	if len(infos) == 0 {
		return -1
	}
	n, _ := infos[0].Metadata.Sources[0].Facts.Records()
	return n
}

// A life is one run of a program.
type life struct {
	t       *testing.T
	s       *supervisor
	signals chan os.Signal
	done    chan struct{}
	exit    int
	err     error

	mu       sync.Mutex
	out      bytes.Buffer
	errs     bytes.Buffer
	said     []string
	problems []holdfast.Problem
}

// A stream is one of the outputs of a life.
type stream struct {
	l *life
	b *bytes.Buffer
}

// Write implements io.Writer.
func (s stream) Write(p []byte) (int, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.b.Write(p)
}

// bot is the command line of the bot.
func bot(t *testing.T, how string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, how}
}

// sh is the command line of a shell.
func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

// begin runs a program.
func (w *world) begin(args []string, environ ...string) *life {
	w.t.Helper()
	l := &life{t: w.t, signals: make(chan os.Signal, 4), done: make(chan struct{})}
	s, err := newSupervisor(Options{
		Config: w.config(), Args: args, Environ: append(append(os.Environ(), role+"=bot", "MODE=WAL"), environ...),
		Stdout: stream{l, &l.out}, Stderr: stream{l, &l.errs}, Signals: l.signals,
		Tell: func(line string) { l.mu.Lock(); l.said = append(l.said, line); l.mu.Unlock() },
		Warn: func(p holdfast.Problem) { l.mu.Lock(); l.problems = append(l.problems, p); l.mu.Unlock() },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	l.s = s
	go func() {
		defer close(l.done)
		l.exit, l.err = s.live(context.Background())
	}()
	w.t.Cleanup(func() {
		select {
		case <-l.done:
		default: // a test that failed leaves no program behind
			s.program.Kill()
			l.signals <- syscall.SIGTERM
			l.signals <- syscall.SIGTERM
			<-l.done
		}
	})
	return l
}

// patience is how long anything may take before a test gives up.
const patience = 30 * time.Second

// end waits for the end.
func (l *life) end() (int, error) {
	l.t.Helper()
	select {
	case <-l.done:
		return l.exit, l.err
	case <-time.After(patience):
		l.t.Fatalf("it does not end\n%s", l)
		return 0, nil
	}
}

// until waits for something.
func (l *life) until(what string, is func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-l.done:
			if !is() {
				l.t.Fatalf("it ended before %s\n%s", what, l)
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("never: %s\n%s", what, l)
		}
	}
}

// stdout is what the program said.
func (l *life) stdout() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// prints waits for a text of the program.
func (l *life) prints(text string) {
	l.t.Helper()
	l.until("it prints "+text, func() bool { return strings.Contains(l.stdout(), text) })
}

// warned tells whether a problem with this text was told.
func (l *life) warned(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, text) })
}

// state is the state as others see it.
func (l *life) state() holdfast.StandingState { return l.s.board.standing().State }

// String shows everything that was said, for a test that fails.
func (l *life) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("said: %q\nproblems: %+v\nstdout: %s\nstderr: %s", l.said, l.problems, l.out.String(), l.errs.String())
}
