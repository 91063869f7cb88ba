//go:build unix

package supervise

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// engine is that of another surface.
func (w *world) engine() *engine.Engine {
	w.t.Helper()
	c := w.config()
	r, err := wire.OpenRepository(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := wire.Engine(c, wire.Options{Repository: r})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func TestRun_ARestoreStopsTheProgramAndStartsItAgain(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	name := w.backups()[0].Name
	l := w.begin(bot(t, "stay"))
	l.prints("rows 2")
	l.until("it is restored", func() bool {
		_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: string(name)})
		if err != nil && !errors.Is(err, holdfast.ErrLocked) { // by a backup of its own
			t.Fatalf("%v\n%s", err, l)
		}
		return err == nil
	})
	// It wrote its last row when it was stopped, and that is not in what came back.
	l.until("it runs again on what was restored", func() bool { return strings.HasSuffix(l.stdout(), "rows 2\nrows 3\nrows 2\n") })
	l.until("it is ready", func() bool { return l.state() == holdfast.StandingReady })
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil || w.saved() != 3 {
		t.Errorf("exit %d, %v, %d rows saved\n%s", exit, err, w.saved(), l)
	}
}

func TestRun_ARestorerThatDiesLeavesTheProgramRunning(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	l := w.begin(bot(t, "stay"))
	l.prints("rows 2")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, l.s.stateDir, w.database())
	cmd.Env = append(os.Environ(), role+"=restorer")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.prints("rows 4") // one when it was stopped, one when it was started again
	l.until("it is ready", func() bool { return l.state() == holdfast.StandingReady })
	if !l.warned("whoever asked for the restore is gone") {
		t.Errorf("nobody was told\n%s", l)
	}
	l.signals <- syscall.SIGTERM
	l.end()
}

func TestRun_AnEndDuringARestoreDoesNotStartTheProgramAgain(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	l := w.begin(bot(t, "stay"))
	l.prints("rows 2")
	if err := (*owner)(l.s).Stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if l.state() != holdfast.StandingRestoring {
		t.Errorf("the state is %s", l.state())
	}
	l.signals <- syscall.SIGTERM
	l.until("it is ending", func() bool { return l.state() != holdfast.StandingRestoring })
	if err := (*owner)(l.s).Start(t.Context()); err != nil {
		t.Error(err)
	}
	l.end()
	if got := strings.Count(l.stdout(), "rows"); got != 2 {
		t.Errorf("the program printed %d times, want 2: it was not to be started again\n%s", got, l)
	}
}

const createTable = `python3 -c 'import sqlite3,os; d=sqlite3.connect(os.environ["DATABASE_PATH"]); d.execute("delete from t"); d.commit()'`

func TestRun_MigrationsAreUndoneIfTheyFail(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	l := w.set("run.migrate", createTable+"; echo it broke >&2; exit 5").begin(sh("echo never"))
	exit, err := l.end()
	if exit != holdfast.ExitFailed || err == nil || !strings.Contains(holdfast.HintOf(err), "was restored") {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
	if l.stdout() != "" || !strings.Contains(l.errs.String(), "it broke") {
		t.Errorf("the program ran, or the command's output is lost\n%s", l)
	}
	if got := w.rows(w.database()); got != 1 {
		t.Errorf("%d rows, want the 1 from before", got)
	}
	m := l.s.places[0].standing().Migration
	if m == nil || m.Failed == "" || m.RestoredFrom == "" || m.RestoredFrom != m.Backup {
		t.Errorf("the standing tells %+v", m)
	}
}

func TestRun_MigrationsThatSucceedStay(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	l := w.set("run.migrate", createTable).begin(bot(t, "0"))
	if exit, err := l.end(); exit != 0 || err != nil || w.rows(w.database()) != 1 {
		t.Errorf("exit %d, %v, %d rows\n%s", exit, err, w.rows(w.database()), l)
	}
	if m := l.s.places[0].standing().Migration; m == nil || m.Backup == "" || m.Failed != "" {
		t.Errorf("the standing tells %+v", m)
	}
}

func TestRun_MigrationsOfAFirstStartNeedNoBackup(t *testing.T) {
	w := newWorld(t).set("run.migrate", `test ! -e "$DATABASE_PATH" && echo made`)
	l := w.begin(bot(t, "0"))
	if exit, err := l.end(); exit != 0 || err != nil || !strings.Contains(l.errs.String(), "made") {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}

// blocked lets the directory of the database be one that no database can live in;
// the returned function makes it one again.
func (w *world) blocked() (unblock func()) {
	w.t.Helper()
	dir := filepath.Dir(w.database())
	if err := os.RemoveAll(dir); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(dir, []byte("not a directory"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(dir); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestRun_DataLiesInMemoryWhileItsStorageCannotHoldIt(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	unblock := w.blocked()
	l := w.begin(bot(t, "stay"))
	l.prints("rows 2") // loaded from the backup
	l.until("it is degraded", func() bool { return l.state() == holdfast.StandingDegraded })
	st := l.s.board.standing().Sources[0]
	if st.At == "" || st.Path != w.database() || st.DegradedSince == nil || st.Reason == "" || !l.warned("DEGRADED") {
		t.Errorf("the standing tells %+v\n%s", st, l)
	}
	if err := (*owner)(l.s).Stop(t.Context(), nil); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("a restore that would make another copy gives %v, want a refusal", err)
	}
	l.until("a backup of it", func() bool { return w.saved() == 2 })

	l.s.tryHome(t.Context())
	if l.state() != holdfast.StandingDegraded {
		t.Errorf("it came home to where it cannot live")
	}
	unblock()
	l.s.tryHome(t.Context())
	l.prints("rows 4") // one when it was stopped, one when it was started again
	if got := w.rows(w.database()); got != 4 {
		t.Errorf("%d rows at home, want 4", got)
	}
	if st := l.s.board.standing().Sources[0]; st.At != "" || st.DegradedSince != nil || l.state() != holdfast.StandingReady {
		t.Errorf("the standing tells %+v, %s", st, l.state())
	}
	if _, err := os.Stat(filepath.Dir(st.At)); err == nil {
		t.Errorf("%s is left", filepath.Dir(st.At))
	}
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil || w.saved() != 5 {
		t.Errorf("exit %d, %v, %d rows saved\n%s", exit, err, w.saved(), l)
	}
}

// That the program does not answer in time after its database came home is another
// matter than a database that could not come home.
func TestRun_ADatabaseThatIsHomeIsHomeWhateverTheProgramDoes(t *testing.T) {
	w := newWorld(t).set("run.ready", "http://127.0.0.1:1/").set("run.ready_timeout", "50ms")
	unblock := w.blocked()
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1")
	unblock()
	l.s.tryHome(t.Context())
	l.prints("rows 3") // one when it was stopped, one when it was started again
	if l.warned("could not be brought back") || !l.warned("the program does not serve") {
		t.Errorf("it is not told as it is\n%s", l)
	}
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil || w.saved() != 4 {
		t.Errorf("exit %d, %v, %d rows saved\n%s", exit, err, w.saved(), l)
	}
}

func TestLoad_TakesTheOriginalIfASoundCopyCanBeHad(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage bool
		rows   int
	}{
		{"sound", false, 2},
		{"damaged", true, 1}, // of the backup
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.begin(bot(t, "0")).end()
			cmd := exec.Command(bot(t, "0")[0], "0") // a row that no backup has
			cmd.Env = append(os.Environ(), role+"=bot", "MODE=DELETE", "DATABASE_PATH="+w.database())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if c.damage {
				if err := os.WriteFile(w.database(), []byte("no database"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := &life{t: t}
			s, err := newSupervisor(Options{Config: w.config(), Warn: func(p holdfast.Problem) { l.problems = append(l.problems, p) }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.close(t.Context())
			p := s.places[0]
			if err := s.leaveHome(t.Context(), p, "told so"); err != nil {
				t.Fatalf("%v\n%s", err, l)
			}
			if got := w.rows(p.path()); got != c.rows || l.warned("the newest backup is taken") != c.damage {
				t.Errorf("%d rows in memory, want %d\n%s", got, c.rows, l)
			}
			if err := dropRefuge(filepath.Dir(p.path())); err != nil {
				t.Error(err)
			}
		})
	}
}

// Of two instances that work with the database in memory none takes it home under the
// other, however often each has tried.
func TestGoHome_NotWhileAnotherInstanceWorksInMemory(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	var all []*supervisor
	for range 2 {
		s, err := newSupervisor(Options{Config: w.config()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.close(t.Context())
		s.mark()
		if err := s.leaveHome(t.Context(), s.places[0], "told so"); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i := range 6 {
		s := all[i%2]
		if err := s.goHome(t.Context(), s.places[0]); !errors.Is(err, holdfast.ErrLocked) {
			t.Fatalf("the database went home under the other instance: %v", err)
		}
	}
	if err := all[1].places[0].clear(true); err != nil {
		t.Error(err)
	}
	if err := all[0].goHome(t.Context(), all[0].places[0]); err != nil {
		t.Errorf("alone: %v", err)
	}
	if got := w.rows(w.database()); got != 1 {
		t.Errorf("%d rows at home", got)
	}
}

// What a crash left in memory is the newest state only as long as nobody has written to
// the original since: a start may have found that, and left it where it was.
func TestLoad_WhatACrashLeftIsNotNewestForEver(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	l := &life{t: t}
	leave := func() (folder string) {
		s, err := newSupervisor(Options{Config: w.config(), Warn: func(p holdfast.Problem) { l.problems = append(l.problems, p) }})
		if err != nil {
			t.Fatal(err)
		}
		p := s.places[0]
		if err := s.leaveHome(t.Context(), p, "told so"); err != nil {
			t.Fatalf("%v\n%s", err, l)
		}
		folder = filepath.Dir(p.path())
		if err := s.close(t.Context()); err == nil { // no backup of this life holds it
			t.Fatal("what lies in memory is not left there")
		}
		return folder
	}
	folder := leave()
	t.Cleanup(func() {
		aside, err := filepath.Glob(folder + ".left-*")
		if err != nil || len(aside) != 1 || w.rows(filepath.Join(aside[0], "bot.db")) != 2 {
			t.Errorf("what a crash left is not kept: %q, %v", aside, err)
		}
		for _, dir := range aside {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		if err := errors.Join(err, dropRefuge(folder)); err != nil {
			t.Error(err)
		}
	})
	left := filepath.Join(folder, "bot.db")
	write := func(path string) {
		t.Helper()
		cmd := exec.Command(bot(t, "0")[0], "0")
		cmd.Env = append(os.Environ(), role+"=bot", "MODE=DELETE", "DATABASE_PATH="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	write(left)
	leave()
	if got := w.rows(left); got != 2 || l.warned("set aside") {
		t.Errorf("%d rows in memory, want the 2 that a crash left there\n%s", got, l)
	}
	write(w.database())
	write(w.database())
	leave()
	if got := w.rows(left); got != 3 || !l.warned("set aside") {
		t.Errorf("%d rows in memory, want the 3 of the original\n%s", got, l)
	}
	leave()
	if got := w.rows(left); got != 3 {
		t.Errorf("%d rows in memory, want the 3 that were loaded", got)
	}
}

func TestRun_WhatACrashLeftInMemoryIsBroughtBack(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	unblock := w.blocked()
	l := w.begin(bot(t, "0"))
	l.end()
	// As if nothing had been cleared away: the copy in memory is the newest.
	folder := filepath.Join(sharedMem, aboveName(), refugeName(w.database()))
	t.Cleanup(func() {
		if err := dropRefuge(folder); err != nil {
			t.Error(err)
		}
	})
	unblock()
	w.begin(sh("exit 1")).end() // restores
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(folder, "bot.db")
	source, err := wire.Source(w.config().Sources[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := copyDatabase(t.Context(), source, left, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bot(t, "0")[0], "0")
	cmd.Env = append(os.Environ(), role+"=bot", "MODE=WAL", "DATABASE_PATH="+left)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := w.rows(left)

	older := time.Now().Add(time.Hour)
	if err := os.Chtimes(w.database(), older, older); err != nil {
		t.Fatal(err)
	}
	l = w.begin(sh("exit 1"))
	l.end()
	if got := w.rows(w.database()); got != want-1 || !l.warned("was written to since") {
		t.Errorf("what is newer at home was replaced: %d rows\n%s", got, l)
	}
	older = time.Now().Add(-time.Hour)
	if err := os.Chtimes(w.database(), older, older); err != nil {
		t.Fatal(err)
	}
	l = w.begin(sh("exit 1"))
	l.end()
	if got := w.rows(w.database()); got != want {
		t.Errorf("%d rows at home, want the %d that lay in memory\n%s", got, want, l)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Errorf("%s is left", folder)
	}
}

func TestRun_AChromaDirectoryIsNotMoved(t *testing.T) {
	w := newWorld(t)
	w.flag.Sources = []config.Source{{Name: "chromadb", Kind: holdfast.KindChroma, Path: filepath.Join(w.dir, "file", "chroma")}}
	if err := os.WriteFile(filepath.Join(w.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := w.begin(sh("echo never"))
	if exit, err := l.end(); exit != holdfast.ExitRefused || err == nil || l.stdout() != "" {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}

func TestAnswers(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNotFound) // it serves, if not this
	}))
	defer server.Close()
	if err := answers(t.Context(), server.URL, nil); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
	asked.Store(-1000)
	ended := make(chan struct{})
	close(ended)
	if err := answers(t.Context(), server.URL, ended); !errors.Is(err, errEnded) {
		t.Errorf("a program that has ended gives %v", err)
	}
}
