//go:build linux

package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A bot is a process of the C library that keeps a database open, as a running
// bot does.
type bot struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// openBot starts a bot on a database of the machine.
func (m *machine) openBot(db string) *bot {
	m.t.Helper()
	b := &bot{t: m.t, cmd: exec.Command("sqlite3", "-batch", m.path(db))}
	b.cmd.Stderr = &b.stderr
	in, err := b.cmd.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	b.in, b.out = in, bufio.NewReader(out)
	if err := b.cmd.Start(); err != nil {
		m.t.Fatalf("sqlite3: %v (./test.sh installs it)", err)
	}
	m.t.Cleanup(b.kill)
	b.ask(".timeout 20000")
	return b
}

// ask runs statements and gives what they print.
func (b *bot) ask(statements string) string {
	b.t.Helper()
	const end = "-- answered --"
	fmt.Fprintf(b.in, "%s\n.print '%s'\n", statements, end)
	var lines []string
	for {
		line, err := b.out.ReadString('\n')
		if err != nil {
			b.t.Fatalf("%s: %v %s", statements, err, &b.stderr)
		}
		if line = strings.TrimSuffix(line, "\n"); line == end {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, line)
	}
}

// kill ends the bot as a crash does: what it has not finished stays behind.
func (b *bot) kill() {
	_ = b.cmd.Process.Kill() // it may have ended
	_ = b.cmd.Wait()
}

// rows asks for the numbers in the bot's table.
func (b *bot) rows(want string) {
	b.t.Helper()
	if got := b.ask("SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY n);"); got != want {
		b.t.Errorf("the open connection sees rows %q, want %q\n%s", got, want, &b.stderr)
	}
}

// A bot that is running is backed up without noticing it; a restore under its
// feet is refused; an online restore reaches its open connection.
func TestBot_RunningInWAL(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	bot := m.openBot("bot.db")
	bot.ask("PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(n); INSERT INTO t VALUES (1),(2);")
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		return m.must(want, append([]string{"--sqlite", "bot.db", "--repo", "backups", "--yes"}, args...)...)
	}

	bot.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES (99);") // not committed: in no backup
	stdout, _ := run(0, "backup", "--name", "monday")
	contains(t, "backup", stdout, "records", "writers waited at most 0 ms")
	bot.ask("COMMIT; DELETE FROM t; INSERT INTO t VALUES (7);")

	_, stderr := run(13, "restore", "monday")
	refusal(t, stderr, "bot.db is held open by process "+fmt.Sprint(bot.cmd.Process.Pid), "sqlite3", "--online")
	bot.rows("7")

	stdout, _ = run(0, "restore", "monday", "--online")
	contains(t, "restore", stdout, "Restored bot from monday")
	bot.rows("1,2")
	bot.ask("INSERT INTO t VALUES (3);")
	bot.rows("1,2,3")
	if got := bot.ask("PRAGMA integrity_check; PRAGMA journal_mode;"); got != "ok\nwal" {
		t.Errorf("after an online restore: %q", got)
	}
	run(0, "backup", "--name", "tuesday")
	run(0, "verify", "tuesday")
	run(0, "rollback") // through the database, too, since the bot has it open still
	bot.rows("7")
	bot.ask("INSERT INTO t VALUES (8);")
	bot.rows("7,8")
	if bot.stderr.Len() > 0 {
		t.Errorf("the bot met errors: %s", &bot.stderr)
	}
}

// A rollback pulls no database from under a bot either: it is refused before
// anything is done, an emergency backup included.
func TestBot_RunningAtARollback(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.sqlite("bot.db", "CREATE TABLE t(n); INSERT INTO t VALUES (1);")
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		return m.must(want, append([]string{"--sqlite", "bot.db", "--repo", "backups", "--yes"}, args...)...)
	}
	run(0, "backup", "--name", "monday")
	m.sqlite("bot.db", "INSERT INTO t VALUES (2);")
	run(0, "restore", "monday")
	before, _ := run(0, "list", "--quiet")
	bot := m.openBot("bot.db")
	bot.rows("1")
	_, stderr := run(13, "rollback")
	refusal(t, stderr, fmt.Sprintf("process %d", bot.cmd.Process.Pid), "configure a stop hook")
	if strings.Contains(stderr, "--") {
		t.Errorf("the hint names flags that rollback does not have:\n%s", stderr)
	}
	if after, _ := run(0, "list", "--quiet"); after != before {
		t.Errorf("a refused rollback changed the list of backups:\n%s", after)
	}
	bot.kill()
	run(0, "rollback")
	if got := m.sqlite("bot.db", "SELECT count(*) FROM t;"); got != "2" {
		t.Errorf("after rollback: %s rows, want 2", got)
	}
}

// What a crashed bot leaves beside its database belongs to that database alone:
// it must not meet the restored one, and must come back with a rollback.
func TestBot_LeftoversOfACrash(t *testing.T) {
	t.Parallel()
	const fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) INSERT INTO t SELECT i, randomblob(900) FROM n;"
	tests := []struct {
		name, crash string // what the bot does before it is killed
		leaves      string // the suffix of what it leaves
		before      string // the count of rows that it had committed
	}{
		{"wal", "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; DELETE FROM t WHERE n>50;", "-wal", "50"},
		{"hot journal", "PRAGMA journal_mode=delete; PRAGMA cache_size=3; PRAGMA cache_spill=1; BEGIN; DELETE FROM t; " + fill + fill, "-journal", "400"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.sqlite("bot.db", "CREATE TABLE t(n, x); INSERT INTO t VALUES (1,'monday');")
			run := func(args ...string) {
				t.Helper()
				m.must(0, append([]string{"--sqlite", "bot.db", "--repo", "backups", "--yes"}, args...)...)
			}
			run("backup", "--name", "monday")
			monday := m.sum("bot.db")
			m.sqlite("bot.db", "DELETE FROM t; "+fill)
			before := m.sum("bot.db")
			bot := m.openBot("bot.db")
			bot.ask(test.crash)
			bot.kill()
			if test.leaves == "-journal" && m.sum("bot.db") == before {
				t.Fatal("the crash came before the transaction had reached the file")
			}
			if info, err := os.Stat(m.path("bot.db" + test.leaves)); err != nil || info.Size() == 0 {
				t.Fatalf("the crash left no %s: %v", test.leaves, err)
			}

			run("restore", "monday")
			m.alone("bot.db", monday)
			if got := m.sqlite("bot.db", "PRAGMA integrity_check; SELECT x FROM t;"); got != "ok\nmonday" {
				t.Errorf("the restored database holds %q", got)
			}
			run("rollback")
			if got := m.sqlite("bot.db", "PRAGMA integrity_check; SELECT count(*) FROM t;"); got != "ok\n"+test.before {
				t.Errorf("after rollback the database holds %q, want %s rows", got, test.before)
			}
		})
	}
}

// A -wal whose database is gone would be replayed into whatever takes its place.
func TestBot_LeftoversOfADeletedDatabase(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.sqlite("bot.db", "PRAGMA journal_mode=wal; CREATE TABLE t(x); INSERT INTO t VALUES ('monday');")
	global := []string{"--sqlite", "bot.db", "--repo", "backups", "--yes"}
	m.must(0, append(global, "backup", "--name", "monday")...)
	monday := m.sum("bot.db")
	bot := m.openBot("bot.db")
	bot.ask("PRAGMA wal_autocheckpoint=0; UPDATE t SET x='later';")
	bot.kill()
	if err := os.Remove(m.path("bot.db")); err != nil {
		t.Fatal(err)
	}
	m.must(0, append(global, "restore", "monday")...)
	m.alone("bot.db", monday)
	if got := m.sqlite("bot.db", "SELECT x FROM t;"); got != "monday" {
		t.Errorf("the restored database holds %q", got)
	}
}

// alone wants a database to be as it was, with nothing of another one beside
// it.
func (m *machine) alone(db, sum string) {
	m.t.Helper()
	if m.sum(db) != sum {
		m.t.Errorf("%s is not what was backed up", db)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if left, _ := filepath.Glob(m.path(db + suffix)); len(left) != 0 {
			m.t.Errorf("%s lies beside the restored database", left)
		}
	}
}

// Money moves between accounts while the real binary backs up: the sum is exact
// in every backup.
func TestBot_SumsAreExactWhileItWrites(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			bank := sourcetest.NewBank(t, m.path("bank.db"), mode, 8<<20)
			stop := bank.Busy(t, 2)
			const rounds = 5
			for i := range rounds {
				name := fmt.Sprintf("round%d", i)
				m.must(0, "--sqlite", "bank.db", "--repo", "backups", "backup", "--name", name)
				m.must(0, "--repo", "backups", "restore", name, "--to", name)
				bank.Check(t, m.path(name, "bank", "bank.db"))
			}
			if n := stop(); n < rounds {
				t.Errorf("only %d transactions were committed: this was no load", n)
			}
		})
	}
}
