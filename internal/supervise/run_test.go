//go:build unix

package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/child"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestRun_TheExitCodeIsThePrograms(t *testing.T) {
	w := newWorld(t)
	script := filepath.Join(w.dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		exit int
		fail bool
	}{
		{sh("exit 0"), 0, false},
		{sh("exit 7"), 7, false},
		{sh("kill -TERM $$"), 143, false},
		{[]string{"there-is-no-such-command"}, 127, true},
		{[]string{script}, 126, true},
	} {
		exit, err := w.begin(c.args).end()
		// Nothing was ever written, so there was nothing to back up either.
		if c.exit == 0 {
			c.exit = holdfast.ExitIncomplete
		}
		if exit != c.exit || (err != nil) != c.fail {
			t.Errorf("%q: exit %d, error %v; want %d", c.args, exit, err, c.exit)
		}
	}
}

func TestRun_TheEnvironmentTellsWhereTheDataLies(t *testing.T) {
	w := newWorld(t)
	w.flag.Sources = append([]config.Source{{Name: "my-docs", Kind: holdfast.KindFiles, Path: filepath.Join(w.dir, "docs")}}, w.flag.Sources...)
	l := w.begin(sh(`echo "$DATABASE_PATH|$DATABASE_PATH_BOT|$DATABASE_PATH_MY_DOCS|$KEPT"; cat "$HOLDFAST_STATUS"; exit 1`), "DATABASE_PATH=/elsewhere", "KEPT=yes")
	l.end()
	first, rest, _ := strings.Cut(l.stdout(), "\n")
	db := filepath.Join(w.dir, "data", "bot.db")
	if want := db + "|" + db + "|" + filepath.Join(w.dir, "docs") + "|yes"; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	var st holdfast.Standing
	if err := json.Unmarshal([]byte(rest), &st); err != nil || st.PID != os.Getpid() || len(st.Sources) != 2 {
		t.Errorf("the status file is %v, %s", err, rest)
	}
}

func TestRun_AWipedStorageIsRestored(t *testing.T) {
	w := newWorld(t)
	for i, mode := range []string{"WAL", "DELETE"} {
		if exit, err := w.begin(bot(t, "0"), "MODE="+mode).end(); exit != 0 || err != nil {
			t.Fatalf("exit %d, %v", exit, err)
		}
		if err := os.RemoveAll(filepath.Join(w.dir, "data")); err != nil {
			t.Fatal(err)
		}
		l := w.begin(bot(t, "0"), "MODE="+mode)
		if exit, err := l.end(); exit != 0 || err != nil {
			t.Fatalf("exit %d, %v\n%s", exit, err, l)
		}
		if got, want := w.rows(w.database()), 2*(i+1); got != want {
			t.Errorf("%d rows after the restore, want %d", got, want)
		}
	}
}

// A platform asks to end once, and then kills: a signal that comes when all is prepared
// but the program does not run yet must not be lost.
func TestRun_ASignalBeforeTheProgramIsNotLost(t *testing.T) {
	w := newWorld(t)
	if exit, err := w.begin(bot(t, "0")).end(); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v", exit, err)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "data")); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal)
	asked := false
	s, err := newSupervisor(Options{
		Config: w.config(), Args: sh("exit 9"), Signals: signals,
		Tell: func(line string) {
			if strings.HasPrefix(line, "bot: ") && !asked { // it is restored: the last thing before the program
				asked = true
				signals <- syscall.SIGTERM
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	exit, err := s.live(t.Context())
	if !asked {
		t.Fatal("nothing was restored")
	}
	if exit != holdfast.ExitInterrupted || err == nil {
		t.Errorf("exit %d, %v: the program was started", exit, err)
	}
}

func TestRun_IdenticalStartsAddNoBackups(t *testing.T) {
	w := newWorld(t)
	w.begin(bot(t, "0")).end()
	before := len(w.backups())
	var l *life
	for range 3 {
		l = w.begin(sh("exit 5"))
		if exit, _ := l.end(); exit != 5 {
			t.Fatalf("exit %d\n%s", exit, l)
		}
	}
	if got := len(w.backups()); got != before {
		t.Errorf("%d backups after three identical starts, %d before", got, before)
	}
	if sv := l.s.board.standing().Survival; sv == nil || sv.Starts != 4 {
		t.Errorf("the marker knows %+v, want 4 starts", sv)
	}
}

func TestRun_ASignalBeginsTheEndAndTheLastBackupHoldsEverything(t *testing.T) {
	w := newWorld(t).set("schedule.on_change", "off")
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1")
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v\n%s", exit, err, l)
	}
	if got := w.saved(); got != 2 {
		t.Errorf("the newest backup has %d rows, want 2: the program wrote one while it ended", got)
	}
	if l.state() != holdfast.StandingStopped {
		t.Errorf("the state is %s", l.state())
	}
}

func TestRun_AProgramThatIgnoresTheEndIsKilledAndSaved(t *testing.T) {
	w := newWorld(t).set("shutdown_timeout", "2s")
	w.begin(bot(t, "0")).end()
	l := w.begin(sh(`trap '' TERM; echo up; sleep 600 & wait; sleep 600`))
	l.prints("up")
	l.signals <- syscall.SIGTERM
	if exit, _ := l.end(); exit != 137 || !l.warned("was killed") {
		t.Errorf("exit %d\n%s", exit, l)
	}
}

func TestRun_ASecondSignalKillsAtOnce(t *testing.T) {
	w := newWorld(t).set("shutdown_timeout", "10m")
	l := w.begin(sh(`trap '' TERM INT; echo up; sleep 600 & wait; sleep 600`))
	l.prints("up")
	l.signals <- syscall.SIGTERM
	l.until("it is ending", func() bool { return l.state() == holdfast.StandingStopping })
	l.signals <- os.Interrupt
	if exit, _ := l.end(); exit != 137 {
		t.Errorf("exit %d\n%s", exit, l)
	}
}

func TestRun_TheStopSignalIsThePrograms(t *testing.T) {
	w := newWorld(t).set("run.stop_signal", "INT")
	w.begin(bot(t, "0")).end()
	name := w.backups()[0].Name
	l := w.begin(sh(`trap 'echo int; exit 6' INT; trap '' TERM; echo up; while :; do sleep 0.05; done`))
	l.prints("up")
	l.until("it is restored", func() bool {
		_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: string(name)})
		if err != nil && !errors.Is(err, holdfast.ErrLocked) { // by a backup of its own
			t.Fatalf("%v\n%s", err, l)
		}
		return err == nil
	})
	l.prints("up\nint\nup")
	l.signals <- syscall.SIGTERM
	if exit, _ := l.end(); exit != 6 || l.warned("was killed") {
		t.Errorf("exit %d\n%s", exit, l)
	}
}

func TestRun_OtherSignalsArePassedOn(t *testing.T) {
	w := newWorld(t)
	l := w.begin(sh(`trap 'echo usr1; exit 4' USR1; echo up; while :; do sleep 0.05; done`))
	l.prints("up")
	l.signals <- syscall.SIGUSR1
	if exit, _ := l.end(); exit != 4 || !strings.Contains(l.stdout(), "usr1") {
		t.Errorf("exit %d\n%s", exit, l)
	}
}

func TestRun_StandardOutputIsThePrograms(t *testing.T) {
	w := newWorld(t)
	l := w.begin(sh("echo mine; echo his >&2; exit 2"))
	l.end()
	if l.stdout() != "mine\n" || l.errs.String() != "his\n" {
		t.Errorf("stdout %q, stderr %q", l.stdout(), l.errs.String())
	}
}

func TestRun_RestartsAreCountedAndTold(t *testing.T) {
	w := newWorld(t).set("run.restart", config.RestartOnFailure)
	l := w.begin(sh("echo again; exit 3"))
	l.until("it ended twice", func() bool {
		return strings.Count(l.stdout(), "again") == 2 && l.state() == holdfast.StandingRestarting
	})
	l.until("that is told", func() bool {
		return strings.Contains(l.s.board.standing().Message, "ended with code 3") && strings.Contains(l.s.board.standing().Message, "2 times in a row")
	})
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 143 || err != nil {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}

func TestRun_OnFailureDoesNotRestartSuccess(t *testing.T) {
	w := newWorld(t).set("run.restart", config.RestartOnFailure)
	l := w.begin(bot(t, "0"))
	if exit, err := l.end(); exit != 0 || err != nil || strings.Count(l.stdout(), "rows") != 1 {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	var got []time.Duration
	for _, lived := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, time.Hour, 0} {
		got = append(got, b.next(lived)/time.Second)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 1, 2}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("waits of %v seconds, want %v", got, want)
		}
	}
}

func TestAgain(t *testing.T) {
	well, badly := ending{}, ending{exit: child.ExitState{Code: 1}}
	for _, c := range []struct {
		restart     string
		well, badly bool
	}{
		{config.RestartNo, false, false},
		{config.RestartOnFailure, false, true},
		{config.RestartAlways, true, true},
	} {
		if again(c.restart, well) != c.well || again(c.restart, badly) != c.badly {
			t.Errorf("%s restarts wrongly", c.restart)
		}
	}
}

func TestReserve(t *testing.T) {
	const limit = 8 * time.Second
	for _, c := range []struct{ took, want time.Duration }{
		{0, 2 * time.Second},
		{time.Millisecond, leastReserve},
		{2 * time.Second, 3 * time.Second},
		{time.Minute, 4 * time.Second},
	} {
		if got := reserve(limit, c.took); got != c.want {
			t.Errorf("after a backup of %s, %s are kept for the last one, want %s", c.took, got, c.want)
		}
	}
}

func TestVariable(t *testing.T) {
	for name, want := range map[string]string{"bot": "BOT", "my-docs.2": "MY_DOCS_2", "ข้อมูลa": "______A"} {
		if got := variable(name); got != want {
			t.Errorf("%q is %q in a variable, want %q", name, got, want)
		}
	}
}

func TestListen_TheFirstSignalSetsTheLimitAndTheSecondCuts(t *testing.T) {
	w := newWorld(t).set("shutdown_timeout", "10m")
	for _, asked := range []bool{false, true} {
		signals := make(chan os.Signal)
		s := &supervisor{Options: Options{Config: w.config(), Signals: signals}}
		ctx, stop := s.listen(t.Context(), asked)
		signals <- syscall.SIGUSR1
		if !asked {
			signals <- syscall.SIGTERM
			signals <- syscall.SIGUSR1 // taken only once the first is dealt with
			if ctx.Err() != nil {
				t.Errorf("the first signal cuts the last backup")
			}
		}
		signals <- syscall.SIGTERM
		select {
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errAtOnce) {
				t.Errorf("it ends because %v", context.Cause(ctx))
			}
		case <-time.After(patience):
			t.Error("the next signal does not cut the last backup")
		}
		stop()
		if s.deadline.IsZero() == !asked {
			t.Errorf("asked %v: the limit ends at %s", asked, s.deadline)
		}
	}
}
