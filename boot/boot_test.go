package boot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// fast is the pace of tests.
var fast = pace{look: 50 * time.Millisecond, retry: 50 * time.Millisecond, remind: time.Minute, publish: time.Second, lease: 3 * time.Second}

// A world is a machine with one bot on it.
type world struct {
	t   *testing.T
	dir string
	o   Options
}

// newWorld makes a machine on which nothing ran yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"data", "elsewhere"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return &world{t: t, dir: dir, o: Options{
		Database: filepath.Join(dir, "data", "bot.db"), Repository: filepath.Join(dir, "elsewhere", "backups"),
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})), NoSignals: true,
	}}
}

// testWriter logs to a test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", p)
	}
	return len(p), nil
}

// unreachable makes the repository one that cannot be reached or made: a file has
// the place of its directory.
func (w *world) unreachable() {
	w.t.Helper()
	w.o.Repository = filepath.Join(w.dir, "file", "backups")
	if err := os.WriteFile(filepath.Join(w.dir, "file"), []byte("x"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv("HOLDFAST_STATE", filepath.Join(w.dir, "state"))
}

// start starts the bot; it is closed with the test, if not before.
func (w *world) start() *Store {
	w.t.Helper()
	s, err := start(w.t.Context(), w.o, fast)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// fails starts the bot, which must not work.
func (w *world) fails() error {
	w.t.Helper()
	s, err := start(w.t.Context(), w.o, fast)
	if err == nil {
		s.Close()
		w.t.Fatal("the start did not fail")
	}
	return err
}

func (w *world) close(s *Store) {
	w.t.Helper()
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func run(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// fill makes a table with n rows.
func fill(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	run(t, db, "CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, name TEXT)")
	for i := range n {
		run(t, db, "INSERT INTO users(name) VALUES(?)", fmt.Sprint("user ", i))
	}
}

// rows counts what fill made.
func rows(t *testing.T, s *Store) int {
	t.Helper()
	return number(t, s.DB(), "SELECT count(*) FROM users")
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: it did not come so", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// decision is what the start did.
func decision(t *testing.T, s *Store) holdfast.StartDecision {
	t.Helper()
	d := s.Status().Sources[0].Start
	if d == nil {
		t.Fatal("there is no decision")
	}
	return *d
}

func TestStart_FirstThenKept(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	if d := decision(t, s); d.Action != holdfast.StartNew {
		t.Errorf("the first start: %+v", d)
	}
	if st := s.Status(); st.State != Ready {
		t.Errorf("the state is %s: %s", st.State, st.Message)
	}
	fill(t, s.DB(), 10)
	w.close(s)
	if err := s.DB().Ping(); err == nil {
		t.Error("the database is open after Close")
	}
	if st := s.Status(); st.State != Stopped || st.Backups.Last == "" {
		t.Errorf("after Close: %s, backup %q", st.State, st.Backups.Last)
	}
	s = w.start()
	if d := decision(t, s); d.Action != holdfast.StartKept {
		t.Errorf("the second start: %+v", d)
	}
	if n := rows(t, s); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
	eventually(t, "survival", func() bool { return s.Status().Survival.State == holdfast.SurvivalKept })
}

func TestStart_RestoresWhatWasWiped(t *testing.T) {
	w := newWorld(t)
	w.o.Mirror = filepath.Join(w.dir, "elsewhere", "bot.db.backup")
	s := w.start()
	fill(t, s.DB(), 25)
	w.close(s)
	wipe := func() {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(w.dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []string{"the repository", "the mirror"} {
		wipe()
		if from == "the mirror" {
			if err := os.RemoveAll(w.o.Repository); err != nil {
				t.Fatal(err)
			}
		}
		s := w.start()
		if d := decision(t, s); d.Action != holdfast.StartRestored {
			t.Errorf("from %s: %+v", from, d)
		}
		if n := rows(t, s); n != 25 {
			t.Errorf("from %s: %d rows, want 25", from, n)
		}
		run(t, s.DB(), "UPDATE users SET name = name || '!'")
		w.close(s)
	}
}

// A start that finds a healthy database asks nobody on the network.
func TestStart_HealthyWaitsForNobody(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	s := w.start()
	fill(t, s.DB(), 2)
	w.close(s)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer c.Close() // it never answers
		}
	})
	defer accepting.Wait()
	defer l.Close()
	w.o.Repository = "s3://bucket/bot?region=here&endpoint=http://" + l.Addr().String()
	t.Setenv("XDG_STATE_HOME", filepath.Join(w.dir, "state"))
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "knows")
	set, err := w.o.settle()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = newStore(set, fast); err != nil {
		t.Fatal(err)
	}
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s); n != 2 || s.Status().State != Ready {
		t.Errorf("%d rows, %s", n, s.Status().State)
	}
	if err := s.giveUp(t.Context()); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the repository was asked %d times before the database was handed out", n)
	}
}

// Close can repeat, also side by side, and what comes too late fails.
func TestClose_CanRepeat(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 3)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Context().Err() == nil || s.Status().State != Stopped {
		t.Errorf("after Close: %v, %s", s.Context().Err(), s.Status().State)
	}
	if _, err := s.DB().Exec("INSERT INTO users(name) VALUES('late')"); err == nil {
		t.Error("a statement after Close was acknowledged")
	}
	if _, err := os.Stat(w.o.Database + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log was left: %v", err)
	}
	for what, late := range map[string]func() error{
		"backup":   func() error { _, err := s.Backup(t.Context(), BackupOptions{}); return err },
		"restore":  func() error { _, err := s.Restore(t.Context(), "latest"); return err },
		"rollback": func() error { _, err := s.Rollback(t.Context()); return err },
		"task":     func() error { return s.Task("late", time.Second, func(context.Context) error { return nil }) },
	} {
		if err := late(); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("a %s after Close: %v", what, err)
		}
	}
}

// What does not end must not take the time of the last backup.
func TestClose_BesideATaskThatDoesNotEnd(t *testing.T) {
	w := newWorld(t)
	w.o.ShutdownTimeout = 6 * time.Second
	w.o.OnChange = Never
	s := w.start()
	eventually(t, "the backup of the start", func() bool { return s.Status().Backups.Last != "" })
	running, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	if err := s.Task("deaf", 10*time.Millisecond, func(context.Context) error { close(running); <-end; return nil }); err != nil {
		t.Fatal(err)
	}
	<-running
	fill(t, s.DB(), 3)
	w.close(s)
	if st := s.Status().Backups; st.LastTrigger != holdfast.TriggerShutdown {
		t.Errorf("the last backup: %+v", st)
	}
}
