package keeper

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

func TestRun_AFailureIsTriedAgainAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(6*time.Hour, time.Minute), Sources: []holdfast.Source{s}, Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
		f.fail = errors.New("disk is full")
		stop := run(t, k)
		time.Sleep(10 * time.Minute)
		f.set(func(f *fake) {
			if f.tries < 10 || f.tries > 20 {
				t.Errorf("%d attempts in ten minutes", f.tries)
			}
		})
		if s := k.Standing(); s.Failed < 10 || s.Error != "disk is full" || s.NextAt == nil || s.Last != "" || s.Unsaved == nil {
			t.Errorf("while it fails: %+v", s)
		}
		if task := k.Task(); task.Failures != task.Runs || task.Error == "" {
			t.Errorf("the task: %+v", task)
		}
		f.set(func(f *fake) { f.fail = errors.New("no permission") })
		time.Sleep(3 * time.Minute)
		f.set(func(f *fake) { f.fail = nil })
		time.Sleep(2 * time.Minute)
		if s := k.Standing(); s.Failed != 0 || s.Error != "" || s.Last != "backup_1" {
			t.Errorf("after it went well: %+v", s)
		}
		stop()
		mu.Lock()
		defer mu.Unlock()
		for what, want := range map[string]int{"disk is full": 1, "no permission": 1, "backups can be made again": 1, "backup made": 1} {
			if n := strings.Count(log.String(), what); n != want {
				t.Errorf("%q is told %d times:\n%s", what, n, log.String())
			}
		}
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestBackup_WaitsForALockedRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, 0), Sources: []holdfast.Source{s}})
		f.locked = 10
		if _, err := k.Backup(t.Context(), engine.BackupRequest{}); err != nil {
			t.Errorf("it was free after ten attempts: %v", err)
		}
		if k.Standing().Failed != 0 {
			t.Error("waiting counts as failing")
		}
		f.locked = 1000
		begun := time.Now()
		if _, err := k.Backup(t.Context(), engine.BackupRequest{}); !errors.Is(err, holdfast.ErrLocked) {
			t.Errorf("never free: %v", err)
		}
		if waited := time.Since(begun); waited < lockWait || waited > lockWait+5*time.Second {
			t.Errorf("it was waited for %s", waited)
		}
	})
}

func TestRun_ASlowReplicaKeepsNoChangeWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		f.replicate = func(ctx context.Context) (*engine.ReplicateResult, error) {
			if err := sleep(ctx, 3*time.Hour); err != nil {
				return nil, err
			}
			return &engine.ReplicateResult{}, nil
		}
		stop := run(t, k)
		for range 10 {
			s.write()
			time.Sleep(5 * time.Minute)
		}
		savedInTime(t, s, f.all(), time.Minute, 0)
		f.set(func(f *fake) {
			if f.replicated != 1 {
				t.Errorf("%d copies side by side", f.replicated)
			}
		})
		stop() // does not wait for hours: the bubble's clock would tell
	})
}

func TestRun_ReplicasThatLackSomethingAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		f.replicate = func(context.Context) (*engine.ReplicateResult, error) {
			err := errors.New("cannot be reached")
			return &engine.ReplicateResult{Replicas: []engine.ReplicaResult{{Name: "copy", Errs: []error{err}}}}, err
		}
		stop := run(t, k)
		time.Sleep(time.Minute)
		if p := k.Problems(); len(p) != 1 || p[0].Object != "replica copy" || p[0].Severity != holdfast.Warning {
			t.Errorf("problems %+v", p)
		}
		f.set(func(f *fake) { f.replicate = nil })
		time.Sleep(6 * time.Minute)
		if p := k.Problems(); len(p) != 0 || f.count(&f.replicated) < 2 {
			t.Errorf("after it could be reached: %+v, %d attempts", p, f.count(&f.replicated))
		}
		n := f.count(&f.replicated)
		time.Sleep(time.Hour)
		if f.count(&f.replicated) != n {
			t.Errorf("%d more copies of nothing", f.count(&f.replicated)-n)
		}
		stop()
	})
}

func TestRun_ChangesPruneNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		stop := run(t, k)
		for range 60 {
			s.write()
			time.Sleep(time.Minute)
		}
		if len(f.all()) < 55 || f.count(&f.pruned) < 5 || f.count(&f.pruned) > 7 {
			t.Errorf("%d backups in an hour, pruned %d times", len(f.all()), f.count(&f.pruned))
		}
		stop()
	})
}

// A backup that does not read back is none.
func TestRun_ADamagedBackupIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(time.Hour, 0), Sources: []holdfast.Source{s}})
		f.damaged = true
		stop := run(t, k)
		if p := k.Problems(); len(p) != 1 || p[0].Severity != holdfast.Damaged {
			t.Errorf("problems %+v", p)
		}
		time.Sleep(10 * time.Second)
		b := f.all()
		if len(b) != 2 || b[1].request.IfChanged || !b[1].request.Full {
			t.Errorf("backups %+v", b)
		}
		if p := k.Problems(); len(p) != 0 || len(f.proven()) != 2 {
			t.Errorf("problems %+v, proven %v", p, f.proven())
		}
		stop()
	})
}
