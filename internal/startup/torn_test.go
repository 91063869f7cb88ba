package startup_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A log that lost committed changes is found out, although what is left passes its
// check. The database is replaced if the backup has what is missing.
func TestPrepare_TornLog(t *testing.T) {
	w := newWorld(t)
	w.opts.Unopened = true
	main, log := w.killed()
	memory := read(t, w.database+"-shm")
	whole := w.backup() // of all 400 notes
	middle := bytes.Clone(log)
	for i := range 300 {
		middle[len(log)/2+i] ^= 0xa5
	}
	headless := bytes.Clone(log)
	headless[20] ^= 1
	half := log[:len(log)/2]
	for _, test := range []struct {
		name     string
		log, shm []byte
		noted    bool // by a start that was cut
		want     holdfast.StartAction
		notes    string
		told     bool // that something is missing
	}{
		{"whole", log, memory, false, holdfast.StartKept, "400", false},
		{"whole, without shared memory", log, nil, false, holdfast.StartKept, "400", false},
		{"cut", half, memory, false, holdfast.StartRestored, "400", true},
		{"cut to nothing", nil, memory, false, holdfast.StartRestored, "400", true},
		{"cut without a trace", half, nil, false, holdfast.StartKept, "", false},
		{"cut, seen by a start that was cut", half, nil, true, holdfast.StartRestored, "400", true},
		{"overwritten", middle, memory, false, holdfast.StartRestored, "400", true},
		{"overwritten, without shared memory", middle, nil, false, holdfast.StartRestored, "400", true},
		{"without its head", headless, memory, false, holdfast.StartRestored, "400", true},
		{"shared memory of another log", half, bytes.Repeat([]byte{7}, len(memory)), false, holdfast.StartKept, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.place(main, test.log, test.shm)
			if test.noted {
				write(t, filepath.Join(filepath.Dir(w.database), ".holdfast-torn-"+filepath.Base(w.database)), []byte("torn"))
			}
			d := w.prepare()
			if d.Action != test.want || test.want == holdfast.StartRestored && d.Backup != whole {
				t.Errorf("%s (%s)", d.Action, d.Reason)
			}
			if n := w.notes(); test.notes != "" && n != test.notes {
				t.Errorf("%s notes, want %s", n, test.notes)
			}
			if told := strings.Contains(d.Reason, "-wal"); told != test.told {
				t.Errorf("the reason: %s", d.Reason)
			}
		})
	}
}

// place puts the files of a database where it belongs; an absent log is an empty
// one, as SQLite leaves it.
func (w *world) place(main, log, shm []byte) {
	w.t.Helper()
	w.wipe()
	if err := os.MkdirAll(filepath.Dir(w.database), 0o755); err != nil {
		w.t.Fatal(err)
	}
	write(w.t, w.database, main)
	write(w.t, w.database+"-wal", log)
	if shm != nil {
		write(w.t, w.database+"-shm", shm)
	}
}

// What is left stays if no backup is better, and what is missing is told.
func TestPrepare_TornLogAndNoBetterBackup(t *testing.T) {
	for _, test := range []struct {
		name   string
		backup func(w *world)
		words  string
	}{
		{"no backup", func(*world) {}, "no backup"},
		{"an older backup", func(w *world) {
			w.sql("DELETE FROM notes WHERE id > 100")
			w.backup()
		}, "does not hold all of it"},
		{"a backup with as many rows", func(w *world) {
			w.sql("DELETE FROM notes WHERE id > 200")
			w.backup()
		}, "holds no more rows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.opts.Unopened = true
			main, _ := w.killed() // with 200 notes, if the log has gone
			memory := read(t, w.database+"-shm")
			test.backup(w)
			w.place(main, nil, memory)
			d := w.prepare()
			if d.Action != holdfast.StartKept || w.notes() != "200" {
				t.Errorf("%s with %s notes: %s", d.Action, w.notes(), d.Reason)
			}
			if len(d.Passed) != 1 || d.Passed[0].Severity != holdfast.Damaged || !strings.Contains(d.Passed[0].Message, test.words) {
				t.Errorf("told is %+v", d.Passed)
			}
			if again := w.prepare(); len(again.Passed) > 0 {
				t.Errorf("the next start tells it again: %+v", again.Passed)
			}
		})
	}
}

// A log that is cut after all of it was copied brings back pages of an earlier time beside
// later ones: rows are there twice, and quick_check finds nothing. The start looks deeper
// where a log may have been cut.
func TestPrepare_LogCutAfterItWasCopied(t *testing.T) {
	w := newWorld(t)
	w.opts.Unopened = true
	main, log := w.killedBy(`
c.execute("CREATE TABLE entries(run INTEGER, n INTEGER, text TEXT, PRIMARY KEY(run, n)) WITHOUT ROWID")
for n in range(1, 41): c.execute("INSERT INTO entries VALUES(1, ?, ?)", (n, "x" * 210))
c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
for n in range(1, 16): c.execute("INSERT INTO entries VALUES(2, ?, ?)", (n, "x" * 210))
c.execute("PRAGMA wal_checkpoint(PASSIVE)")
`)
	memory := read(t, w.database+"-shm")
	whole := w.backup()
	const frame = 24 + 4096
	cut := log[:32+5*frame]
	w.place(main, cut, nil)
	if got := sourcetest.SQLite(t, w.database, "PRAGMA quick_check; PRAGMA integrity_check;"); !strings.HasPrefix(got, "ok\nrow not in PRIMARY KEY order") {
		t.Fatalf("this log does no harm that is hard to see: %s", got)
	}
	for name, shm := range map[string][]byte{"without shared memory": nil, "with it": memory} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.place(main, cut, shm)
			if d := w.prepare(); d.Action != holdfast.StartRestored || d.Backup != whole || !strings.Contains(d.Reason, "order") {
				t.Errorf("%s (%s)", d.Action, d.Reason)
			}
			if got := sourcetest.SQLite(t, w.database, "PRAGMA integrity_check; SELECT count(*) FROM entries;"); strings.TrimSpace(got) != "ok\n55" {
				t.Errorf("it is %s now", got)
			}
		})
	}
}
