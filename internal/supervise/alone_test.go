//go:build unix

package supervise

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast/internal/child"
)

// leaverMain makes a database large and ends without closing it, as a crash does.
func leaverMain() {
	db, err := sql.Open("sqlite", "file:"+os.Getenv("DATABASE_PATH")+"?_pragma=journal_mode(WAL)")
	if err == nil {
		_, err = db.Exec(`CREATE TABLE ballast(b BLOB);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000) INSERT INTO ballast SELECT randomblob(4000) FROM n`)
	}
	if err != nil {
		fmt.Println("leaver:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// changerMain changes the journal mode at its start and again after it was asked to
// end, each time for a while: SQLite refuses that at once if somebody else has the
// database open.
func changerMain(asked <-chan os.Signal) {
	var held *sql.DB // open in WAL mode, so that its log stays
	change := func(when string, long time.Duration) {
		for end := time.Now().Add(long); time.Now().Before(end); {
			for _, mode := range []string{"DELETE", "WAL"} {
				if held != nil {
					_ = held.Close()
				}
				db, err := sql.Open("sqlite", "file:"+os.Getenv("DATABASE_PATH")+"?_pragma=busy_timeout(5000)")
				if err == nil {
					_, err = db.Exec("PRAGMA journal_mode=" + mode)
				}
				if err == nil {
					_, err = db.Exec("CREATE TABLE IF NOT EXISTS t(a TEXT); INSERT INTO t VALUES (?)", when)
				}
				if err != nil {
					fmt.Printf("changer at the %s: %v\n", when, err)
					os.Exit(97)
				}
				held = db
			}
		}
	}
	change("start", time.Millisecond)
	fmt.Println("changed")
	<-asked
	change("end", 100*time.Millisecond)
	os.Exit(0)
}

// A program must not fail because it is being backed up while it changes the
// journal mode of its database, which programs do when they open and close it.
func TestRun_LeavesTheProgramAloneAtItsStartAndItsEnd(t *testing.T) {
	w := newWorld(t).set("schedule.on_change", "off")
	for range 2 {
		if err := os.MkdirAll(filepath.Dir(w.database()), 0o700); err != nil {
			t.Fatal(err)
		}
		leaver := exec.Command(os.Args[0])
		leaver.Env = append(os.Environ(), role+"=leaver", "DATABASE_PATH="+w.database())
		if out, err := leaver.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		l := w.begin(bot(t, ""), role+"=changer")
		l.prints("changed")
		l.signals <- terminate
		if exit, err := l.end(); exit != 0 || err != nil {
			t.Fatalf("exit %d, %v\n%s", exit, err, l)
		}
		if infos := w.backups(); len(infos) == 0 || infos[0].Metadata.LogicalBytes < 4000*4000 {
			t.Errorf("the backups are %+v", infos)
		}
		if err := os.RemoveAll(filepath.Dir(w.database())); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(w.dir, "repo")); err != nil {
			t.Fatal(err)
		}
	}
}

// The moments are bounded by what was promised for changes and for the end.
func TestOpening_IsAShareOfShortLimits(t *testing.T) {
	for _, c := range []struct {
		onChange, shutdown string
		age                time.Duration
		running            bool
		opening, closing   time.Duration
	}{
		{"1m", "9s", 0, true, 2 * time.Second, 2 * time.Second},
		{"1m", "4s", 0, true, 2 * time.Second, time.Second},
		{"off", "9s", 1500 * time.Millisecond, true, 500 * time.Millisecond, 500 * time.Millisecond},
		{"1m", "9s", time.Minute, true, 0, 400 * time.Millisecond},
		{"1m", "1s", time.Minute, true, 0, 50 * time.Millisecond},
		{"1s", "9s", 0, true, 250 * time.Millisecond, 400 * time.Millisecond},
		{"1m", "9s", 0, false, 0, 400 * time.Millisecond},
	} {
		w := newWorld(t).set("schedule.on_change", c.onChange).set("shutdown_timeout", c.shutdown)
		config := w.config()
		synctest.Test(t, func(t *testing.T) { // no time passes
			s := &supervisor{Options: Options{Config: config}, program: newProgram(nil)}
			s.program.begun = time.Now().Add(-c.age)
			if c.running {
				s.program.current = &child.Child{}
			}
			if opening, closing := s.opening(), s.closing(); opening != c.opening || closing != c.closing {
				t.Errorf("%+v: opening %v, closing %v", c, opening, closing)
			}
		})
	}
}
