package sourcetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	accounts = 400
	balance  = 1000
	// Total is the sum over all accounts of a Bank, at every instant.
	Total = accounts * balance
)

// A Bank is a SQLite database whose transactions move money between accounts:
// whatever moment a capture catches, the sum must be exact. All changes are
// made by the C library, in processes of their own.
type Bank struct {
	Path string
	// Mode is the journal mode its writers ask for.
	Mode string
	// Pause is how long a writer rests after a transaction; zero is never.
	Pause time.Duration
}

// NewBank makes a bank at path. mode is any journal mode of SQLite; ballast is
// a number of bytes to fill the database with.
func NewBank(t testing.TB, path, mode string, ballast int) *Bank {
	t.Helper()
	b := &Bank{Path: path, Mode: mode}
	SQLite(t, path, fmt.Sprintf(`PRAGMA journal_mode=%s;
		BEGIN;
		CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note BLOB);
		CREATE TABLE transfer(id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount INTEGER);
		CREATE INDEX transfer_source ON transfer(source);
		CREATE TABLE ballast(id INTEGER PRIMARY KEY, data BLOB);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)
			INSERT INTO account SELECT i, %d, randomblob(300) FROM n;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)
			INSERT INTO ballast SELECT i, randomblob(8192) FROM n;
		COMMIT;`, mode, accounts, balance, max(1, ballast/8192)))
	return b
}

// Busy keeps processes of the C library moving money until the function that
// it returns is called; that one gives the number of transactions that were
// committed and fails the test if any writer met an error.
func (b *Bank) Busy(t testing.TB, processes int) (stop func() int) {
	t.Helper()
	var writers []*bankWriter
	for i := range processes {
		writers = append(writers, b.start(t, uint64(i)))
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	for _, w := range writers {
		running.Go(func() { w.run(done) })
	}
	var once sync.Once
	committed := 0
	stop = func() int {
		once.Do(func() {
			close(done)
			running.Wait()
			for _, w := range writers {
				n, err := w.finish()
				if err != nil {
					t.Errorf("a writer failed: %v", err)
				}
				committed += n
			}
		})
		return committed
	}
	t.Cleanup(func() { stop() })
	return stop
}

// Check wants the copy at path to be a sound bank: quick_check passes, and no
// money was lost or made.
func (b *Bank) Check(t testing.TB, path string) {
	t.Helper()
	got := SQLite(t, path, "PRAGMA quick_check; SELECT sum(balance) FROM account; SELECT count(*) FROM account;")
	want := fmt.Sprintf("ok\n%d\n%d\n", Total, accounts)
	if got != want {
		t.Fatalf("the copy %s is not of one instant: got %q, want %q", path, got, want)
	}
}

// bankWriter is one sqlite3 process that is fed transactions.
type bankWriter struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	stderr    bytes.Buffer
	random    *rand.Rand
	pause     time.Duration
	committed int
	err       error
}

func (b *Bank) start(t testing.TB, seed uint64) *bankWriter {
	t.Helper()
	w := &bankWriter{random: rand.New(rand.NewPCG(seed, 1)), pause: b.Pause}
	w.cmd = exec.Command(tool(t), "-bail", "-batch", b.Path)
	w.cmd.Stderr = &w.stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w.in, ".timeout 60000\nPRAGMA journal_mode=%s;\n", b.Mode)
	if _, err := w.out.ReadString('\n'); err != nil {
		t.Fatalf("sqlite3 did not start: %v %s", err, w.stderr.String())
	}
	return w
}

// run commits one transaction after the other.
func (w *bankWriter) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(w.pause):
		}
		from, to, amount := 1+w.random.IntN(accounts), 1+w.random.IntN(accounts), w.random.IntN(50)
		// The note makes every transaction touch pages all over the file.
		_, err := fmt.Fprintf(w.in, `BEGIN IMMEDIATE;
UPDATE account SET balance=balance-%d, note=randomblob(300) WHERE id=%d;
UPDATE account SET balance=balance+%d, note=randomblob(300) WHERE id=%d;
INSERT INTO transfer(source,target,amount) VALUES(%d,%d,%d);
UPDATE ballast SET data=randomblob(8192) WHERE id=1+abs(random())%%(SELECT max(id) FROM ballast);
COMMIT;
SELECT changes();
`, amount, from, amount, to, from, to, amount)
		if err == nil {
			_, err = w.out.ReadString('\n')
		}
		if err != nil {
			w.err = err
			return
		}
		w.committed++
	}
}

func (w *bankWriter) finish() (int, error) {
	w.in.Close()
	if err := errors.Join(w.err, w.cmd.Wait()); err != nil {
		return w.committed, fmt.Errorf("after %d transactions: %w: %s", w.committed, err, w.stderr.String())
	}
	return w.committed, nil
}

// SQLite runs statements on the database at path with the C library's
// command-line tool and gives what it printed.
func SQLite(t testing.TB, path, statements string) string {
	t.Helper()
	cmd := exec.Command(tool(t), "-bail", "-batch", path)
	cmd.Stdin = strings.NewReader(".timeout 60000\n" + statements + "\n")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("sqlite3 %s: %v: %s", path, err, stderr.String())
	}
	return out.String()
}

// SQLiteInt is SQLite for a statement that gives one number.
func SQLiteInt(t testing.TB, path, statement string) int64 {
	t.Helper()
	out := strings.TrimSpace(SQLite(t, path, statement))
	n, err := strconv.ParseInt(out, 10, 64)
	if err != nil {
		t.Fatalf("sqlite3 %s: %s gave %q", path, statement, out)
	}
	return n
}

// tool is the path of sqlite3, which the tests need as the independent
// implementation that they are about.
func tool(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Fatalf("the tests of SQLite need the sqlite3 command-line tool (Debian: apt install sqlite3): %v", err)
	}
	return path
}
