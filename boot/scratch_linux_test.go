package boot

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// scratches are the directories in memory of a world's database.
func (w *world) scratches() []string {
	w.t.Helper()
	s := &Store{o: &settings{Options: w.o}}
	var all []string
	for _, base := range scratchBases() {
		found, err := filepath.Glob(filepath.Join(base, s.scratchPrefix()+"*"))
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// killedInMemory has a bot with a library of its own go on in memory, and kills
// it there. It gives what was acknowledged.
func (w *world) killedInMemory(f failing) (acknowledged int) {
	w.t.Helper()
	w.o.Open, w.o.Migrations, w.o.OnChange = openForeign, migrations(first), Never
	w.t.Cleanup(func() {
		if err := removeTrees(w.scratches()); err != nil {
			w.t.Error(err)
		}
	})
	bot := w.spawn(botForeign)
	bot.acknowledged(20)
	f.fail()
	eventually(w.t, "the bot in memory", func() bool {
		bot.acknowledged(bot.last + 20)
		for _, dir := range w.scratches() {
			if _, err := os.Stat(filepath.Join(dir, scratchNote)); err == nil {
				return true
			}
		}
		return false
	})
	bot.acknowledged(bot.last + 50)
	if err := bot.cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	last, _ := bot.ended()
	return last
}

func removeTrees(dirs []string) error {
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// A process that is killed while its database lies in a file in memory has lost
// nothing: the next start finds it.
func TestScratch_IsFoundByTheNextStart(t *testing.T) {
	for _, mended := range []bool{true, false} {
		w := newWorld(t)
		f := failures(w, "full")
		want := w.killedInMemory(f)
		if mended {
			f.mend()
		}
		s := w.start()
		if n := rows(t, s); n < want {
			t.Errorf("mended %v: %d rows after the kill, of %d that were acknowledged", mended, n, want)
		}
		if !mended {
			if st := s.Status(); st.State != Degraded {
				t.Errorf("the state is %s on a full disk", st.State)
			}
			f.mend()
			eventually(t, "back", func() bool { return s.Status().State == Ready })
			if n := rows(t, s); n < want {
				t.Errorf("back on disk there are %d rows, of %d that were acknowledged", n, want)
			}
		}
		w.close(s)
		if left := w.scratches(); len(left) > 0 {
			t.Errorf("left in memory: %v", left)
		}
	}
}

// What lies on disk is never replaced by what may be older.
func TestScratch_IsNamedWhereTheDiskChanged(t *testing.T) {
	w := newWorld(t)
	f := failures(w, "full")
	w.killedInMemory(f)
	f.mend()
	conn, err := openForeign(t.Context(), "file:"+w.o.Database+"?x=y")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector{open: func(context.Context, string) (driver.Conn, error) { return conn, nil }})
	run(t, db, "DELETE FROM users")
	run(t, db, "INSERT INTO users(name) VALUES('written since')")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := w.start()
	if n := rows(t, s); n != 1 {
		t.Errorf("%d rows, want what lies on disk", n)
	}
	left := w.scratches()
	if len(left) != 1 {
		t.Fatalf("in memory: %v", left)
	}
	for _, p := range s.Status().Problems {
		if p.Severity == holdfast.Incomplete && strings.HasPrefix(p.Object, left[0]) {
			return
		}
	}
	t.Errorf("nothing names %s: %+v", left[0], s.Status().Problems)
}
