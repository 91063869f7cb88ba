package startup_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// killed leaves what a writer in WAL mode leaves that is killed: a database with
// what was checkpointed, and a log with the rest. It gives both files.
func (w *world) killed() (main, log []byte) {
	w.t.Helper()
	return w.killedBy(`
c.execute("CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT UNIQUE)")
def add(n):
    c.execute("BEGIN")
    for i in range(n):
        c.execute("INSERT INTO notes(text) VALUES (hex(randomblob(100)))")
    c.execute("COMMIT")
for i in range(10): add(20)
c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
for i in range(10): add(20)
`)
}

// killedBy leaves what a writer leaves that is killed after some work.
func (w *world) killedBy(work string) (main, log []byte) {
	w.t.Helper()
	cmd := exec.Command("python3", "-c", `
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA wal_autocheckpoint=0")
`+work+`
print("ready", flush=True)
time.sleep(60)
`, w.database)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatalf("the tests need python3: %v", err)
	}
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = cmd.Wait() // it reports the kill
	return read(w.t, w.database), read(w.t, w.database+"-wal")
}

// A verdict is what the sqlite3 program finds in a copy of a database and its log.
type verdict struct {
	notes string
	sound bool // in every respect
	torn  bool // as a structure; what is neither has an index that misses rows
}

func judge(t *testing.T, main, log []byte) verdict {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	write(t, path, main)
	write(t, path+"-wal", log)
	out, err := exec.Command("sqlite3", "-batch", path, "SELECT count(*) FROM notes; PRAGMA quick_check; PRAGMA integrity_check").CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	v := verdict{notes: lines[0]}
	v.torn = err != nil || len(lines) < 3 || lines[1] != "ok"
	v.sound = !v.torn && lines[2] == "ok"
	return v
}

// A log may be cut or overwritten anywhere. What SQLite still makes a sound
// database of is kept, as the sqlite3 program sees it; a torn one is replaced.
func TestPrepare_LogsCutAndOverwritten(t *testing.T) {
	w := newWorld(t)
	main, log := w.killed()
	backup := w.backup()
	// A checkpoint that was cut after some pages: only the log makes it whole.
	half := halfCheckpointed(t, main, log)
	rng := rand.New(rand.NewPCG(1, 2))
	type variant struct {
		name string
		main []byte
		log  []byte
	}
	variants := []variant{{"whole", main, log}, {"half checkpointed", half, log}, {"half checkpointed, log lost", half, nil}}
	for i := range 18 {
		at := rng.IntN(len(log))
		if i < 7 {
			at = rng.IntN(len(log) / 20) // where little of the checkpoint is left
		}
		changed := bytes.Clone(log)
		for i := at; i < min(at+1+rng.IntN(300), len(changed)); i++ {
			changed[i] ^= byte(1 + rng.IntN(255))
		}
		variants = append(variants,
			variant{"cut at " + strconv.Itoa(at), main, log[:at]},
			variant{"overwritten at " + strconv.Itoa(at), main, changed},
			variant{"half checkpointed, cut at " + strconv.Itoa(at), half, log[:at]},
			variant{"half checkpointed, overwritten at " + strconv.Itoa(at), half, changed})
	}
	seen := map[bool]int{}
	for _, v := range variants {
		w.wipe()
		os.MkdirAll(filepath.Dir(w.database), 0o755)
		write(t, w.database, v.main)
		write(t, w.database+"-wal", v.log)
		want := judge(t, v.main, v.log)
		seen[want.sound]++
		d := w.prepare()
		switch {
		case want.sound && d.Action != holdfast.StartKept:
			t.Errorf("%s: sound with %s notes, but %s: %s", v.name, want.notes, d.Action, d.Reason)
		case d.Action == holdfast.StartKept && w.notes() != want.notes:
			t.Errorf("%s: %s notes, want %s", v.name, w.notes(), want.notes)
		case want.torn && (d.Action != holdfast.StartRestored || d.Backup != backup):
			t.Errorf("%s: damaged, but %s: %s", v.name, d.Action, d.Reason)
		case d.Action == holdfast.StartRestored && w.notes() != "400":
			t.Errorf("%s: %s notes came back, want 400", v.name, w.notes())
		}
	}
	if seen[true] < 30 || seen[false] < 6 {
		t.Errorf("the variants were not telling: %v", seen)
	}
}

// halfCheckpointed gives a database into which the first half of the pages of a
// checkpoint were written.
func halfCheckpointed(t *testing.T, main, log []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.db")
	write(t, path, main)
	write(t, path+"-wal", log)
	sqlOn(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
	whole := read(t, path)
	half := bytes.Clone(whole)
	for i := 0; i+4096 <= len(main); i += 4096 {
		if i/4096%2 == 1 {
			copy(half[i:], main[i:i+4096])
		}
	}
	return half
}

// A check leaves the log of a crash to whoever opens the database next, and makes
// no files where there were none.
func TestExamine_LeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	w.killed()
	os.Remove(w.database + "-shm")
	data := filepath.Dir(w.database)
	before := read(t, w.database)
	log := read(t, w.database+"-wal")
	if c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{}); c.State != startup.Healthy {
		t.Fatalf("got %+v", c)
	}
	if !bytes.Equal(before, read(t, w.database)) || !bytes.Equal(log, read(t, w.database+"-wal")) {
		t.Error("the check changed the database or its log")
	}
	if w.notes() != "400" { // the last to close, it removes the log
		t.Error("the log is lost")
	}
	one := snapshot(t, data)
	if c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{}); c.State != startup.Healthy || !c.Sound {
		t.Fatalf("got %+v", c)
	}
	if after := snapshot(t, data); after != one {
		t.Errorf("the check left something:\n%s\nbecame\n%s", one, after)
	}
}

// A hot journal is what a crash in rollback mode leaves: SQLite rolls it back, and
// the database is healthy.
func TestPrepare_AHotJournalIsRolledBack(t *testing.T) {
	w := newWorld(t)
	w.fill(2000)
	w.backup()
	cmd := exec.Command("python3", "-c", `
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size=2")
c.execute("PRAGMA cache_spill=1")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE notes SET text = 'gone' || id")
print("ready", flush=True)
time.sleep(60)
`, w.database)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	_ = cmd.Wait() // it reports the kill
	if size := len(read(t, w.database+"-journal")); size == 0 {
		t.Fatal("no hot journal was left")
	}
	d := w.prepare()
	if d.Action != holdfast.StartKept {
		t.Fatalf("got %+v", d)
	}
	if got := w.sql("SELECT count(*) FROM notes WHERE text LIKE 'note%'"); got != "2000" {
		t.Errorf("%s notes are as they were committed, want 2000", got)
	}
}

func TestPrepare_LeavesALockedDatabaseAlone(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	cmd := exec.Command("python3", "-c", `
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA locking_mode=EXCLUSIVE")
c.execute("BEGIN EXCLUSIVE")
c.execute("DELETE FROM notes")
print("ready", flush=True)
sys.stdin.read()
c.execute("COMMIT")
`, w.database)
	in, _ := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	d := w.prepare()
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if d.Action != holdfast.StartKept || d.Found != "locked" {
		t.Fatalf("got %+v", d)
	}
	wantWords(t, d.Reason, "in use", "process")
	if w.notes() != "0" {
		t.Error("what its owner did is not there")
	}
}

// A database that uses a module of its application cannot be checked here, which
// is no reason to replace it.
func TestPrepare_KeepsWhatItCannotCheck(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	w.sql(`PRAGMA writable_schema=1;
		INSERT INTO sqlite_master VALUES('table', 'odd', 'odd', 0, 'CREATE VIRTUAL TABLE odd USING nobody_knows(x)');`)
	c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{})
	if c.State != startup.Healthy {
		t.Fatalf("got %+v", c)
	}
	if d := w.prepare(); d.Action != holdfast.StartKept {
		t.Fatalf("got %+v", d)
	}
}

func TestPrepare_FailsOnWhatCannotBeRead(t *testing.T) {
	for name, harm := range map[string]func(w *world){
		"a file above it": func(w *world) {
			w.wipe()
			write(t, filepath.Dir(w.database), []byte("a file"))
		},
		"links in a circle": func(w *world) {
			os.Remove(w.database)
			os.Symlink(w.database+"2", w.database)
			os.Symlink(w.database, w.database+"2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			w.backup()
			harm(w)
			w.opts.Engine = func(context.Context) (*engine.Engine, error) {
				t.Error("the repository was asked")
				return nil, nil
			}
			d, err := startup.Prepare(t.Context(), w.opts)
			if err == nil || d.Action != holdfast.StartFailed || d.Found != "unreadable" {
				t.Fatalf("got %+v, %v", d, err)
			}
			wantWords(t, fmt.Sprint(err), filepath.Dir(w.database))
		})
	}
}

// Kill a writer at random moments: what was committed is there, or, if its
// directory went with it, what was backed up.
func TestPrepare_KillAndWipe(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	for round := range 8 {
		cmd := exec.Command("python3", "-c", `
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
c.execute("PRAGMA journal_mode=" + sys.argv[2])
while True:
    c.execute("INSERT INTO notes(text) VALUES (hex(randomblob(400)))")
    n = c.execute("SELECT count(*) FROM notes").fetchone()[0]
    print(n, flush=True)
`, w.database, []string{"WAL", "DELETE"}[round%2])
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		acknowledged := 0
		for range 1 + rand.IntN(40) {
			if !said.Scan() {
				t.Fatalf("the writer ended: %v", said.Err())
			}
			acknowledged, _ = strconv.Atoi(said.Text())
		}
		wiped := round%4 == 3
		if wiped {
			go io.Copy(io.Discard, out)
			w.backup() // while it writes
		}
		cmd.Process.Kill()
		_ = cmd.Wait() // it reports the kill
		if wiped {
			w.wipe()
		}
		d := w.prepare()
		got, _ := strconv.Atoi(w.notes())
		switch {
		case wiped && (d.Action != holdfast.StartRestored || got < 10):
			t.Errorf("round %d: %+v with %d notes", round, d, got)
		case !wiped && (d.Action != holdfast.StartKept || got < acknowledged):
			t.Errorf("round %d: %+v with %d notes of %d that were acknowledged", round, d, got, acknowledged)
		}
		if check := w.sql("PRAGMA integrity_check"); check != "ok" {
			t.Errorf("round %d: %s", round, check)
		}
	}
}
