//go:build linux

package test

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// starts is for a longer run: go test ./test -run Killed -starts 200 -timeout 1h.
// The default is what every change has to survive.
var starts = flag.Int("starts", 20, "starts of a bot that is killed and whose disk is wiped, in all")

// newHost is a machine on which a bot is run by one line, told everything by
// variables. Its backups survive, data does not.
func newHost(t *testing.T, repository string) *machine {
	t.Helper()
	m := newMachine(t)
	return m.with("DATABASE_PATH=data/bot.db", "HOLDFAST_REPOSITORY="+repository, "HOLDFAST_SCHEDULE_ON_CHANGE=1s")
}

// wipe does what a platform does that gives a restarted container a new disk.
func (m *machine) wipe(names ...string) {
	m.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(m.path(name)); err != nil {
			m.t.Fatal(err)
		}
	}
}

// bothModes runs a test for both ways in which SQLite keeps a journal.
func bothModes(t *testing.T, test func(t *testing.T, mode string)) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}

// A Python bot is killed at random moments while it writes, its directory is
// wiped, and the same line starts it again: everything that a backup held is
// there, and the program reads in its status what happened.
func TestRun_KilledAndWipedAgainAndAgain(t *testing.T) {
	bothModes(t, func(t *testing.T, mode string) { lives(t, newHost(t, "backups"), mode, *starts/2, "data") })
}

// The same with a repository in object storage: nothing at all stays on the machine.
func TestRun_KilledAndWipedWithObjectStorage(t *testing.T) {
	t.Parallel()
	m := newHost(t, newStore(t).at("backups")).with(s3test.Environment()...)
	lives(t, m, "wal", 4, "data", ".local")
}

// lives lets a bot be killed and wiped a number of times.
func lives(t *testing.T, m *machine, mode string, rounds int, wiped ...string) {
	r := seeded(t)
	line := append([]string{"run", "--"}, botCommand(t, mode)...)
	var before *program
	for round := range rounds {
		p := m.launch(line...)
		rows, st := p.found(1, mode), p.told(1)
		start := st.Sources[0].Start
		switch {
		case start == nil || st.Survival == nil:
			t.Fatalf("round %d: the status tells nothing of the start: %+v", round, st)
		case before == nil:
			if start.Action != holdfast.StartNew || rows != 0 {
				t.Errorf("the first start: %+v, %d rows", start, rows)
			}
		default:
			if start.Action != holdfast.StartRestored || start.Backup == "" || start.BackupAt == nil {
				t.Fatalf("round %d: %+v", round, start)
			}
			if want := before.acked(start.BackupAt.Time); rows < want {
				t.Errorf("round %d: restored %d rows from %s of %s, by when %d had been acknowledged", round, rows, start.Backup, start.BackupAt, want)
			}
			if last := before.acked(time.Now()); rows > last+1 {
				t.Errorf("round %d: %d rows, but only %d were ever acknowledged", round, rows, last)
			}
		}
		if before == nil { // the first life is long enough for a backup, the others need not be
			p.until("the first backup", func() bool { return len(m.names()) > 0 })
		}
		p.await(1 + r.IntN(20))
		time.Sleep(time.Duration(r.IntN(1400)) * time.Millisecond)
		p.crash()
		m.wipe(wiped...)
		before = p
	}

	// The last one ends as it should.
	p := m.launch(line...)
	p.await(30)
	p.ends(0)
	if p.prints("bye", 1); len(p.printed("bye")) != 1 {
		t.Error("the program's own shutdown code did not run")
	}
	m.wipe(wiped...)
	again := m.launch(line...)
	if rows, want := again.found(1, mode), p.acked(time.Now()); rows != want {
		t.Errorf("after an end in order %d rows come back, %d were acknowledged", rows, want)
	}
	again.ends(0)
}

// The code of a program that is asked to end is passed on, and so is that of one
// that ends by itself; a status of its own tells how it went.
func TestRun_TheLastBackupHoldsEverything(t *testing.T) {
	bothModes(t, func(t *testing.T, mode string) {
		m := newHost(t, "backups").with("HOLDFAST_SCHEDULE_ON_CHANGE=off")
		p := m.with("BOT_EXIT=42", "BOT_PAUSE=0").launch(append([]string{"run", "--"}, botCommand(t, mode)...)...)
		p.await(50)
		p.ends(42)
		want := p.acked(time.Now())
		if got := m.newestRows(); got != want {
			t.Errorf("the last backup holds %d rows, %d were acknowledged\n%s", got, want, p)
		}
		p = m.with("BOT_ROWS=20").launch(append([]string{"run", "--"}, botCommand(t, mode)...)...)
		if got := p.exit(); got != 42 {
			t.Errorf("exit %d\n%s", got, p)
		}
		if st := p.told(1); st.Sources[0].Start.Action != holdfast.StartKept || st.Survival.State != holdfast.SurvivalKept || st.Survival.Starts != 2 {
			t.Errorf("the second start is told %+v, %+v", st.Sources[0].Start, st.Survival)
		}
		if got := m.newestRows(); got != want+21 {
			t.Errorf("the last backup holds %d rows, %d were acknowledged", got, want+21)
		}
	})
}

// newestRows restores the newest backup elsewhere and counts its rows.
func (m *machine) newestRows() int {
	m.t.Helper()
	m.must(0, "restore", "latest", "--to", "copy")
	n := m.rowsIn("copy/bot/bot.db")
	m.wipe("copy")
	return n
}

// rowsIn counts the rows of a bot's database.
func (m *machine) rowsIn(db string) int {
	m.t.Helper()
	n, err := strconv.Atoi(m.sqlite(db, "SELECT count(*) FROM rows;"))
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}
