package keeper

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// last calls Last with a deadline.
func last(t *testing.T, k *Keeper, within time.Duration) (*engine.BackupResult, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return k.Last(ctx)
}

func TestLast_BacksUpWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(6*time.Hour, time.Hour), Sources: []holdfast.Source{s}})
		stop := run(t, k)
		time.Sleep(time.Minute)
		replicated := f.count(&f.replicated)
		s.write()
		got, err := last(t, k, 9*time.Second)
		if err != nil || got.Unchanged || got.Backup.Name != "backup_2" {
			t.Fatalf("%+v, %v", got, err)
		}
		if b := f.all(); b[1].request.Trigger != holdfast.TriggerShutdown || !b[1].request.IfChanged {
			t.Errorf("%+v", b)
		}
		if f.count(&f.replicated) != replicated+1 {
			t.Errorf("%d copies", f.count(&f.replicated)-replicated)
		}
		time.Sleep(3 * time.Second) // the program ends; the write before has settled
		if got, err = last(t, k, 9*time.Second); err != nil || !got.Unchanged || got.Backup.Name != "backup_2" {
			t.Errorf("a look at what was unsettled: %+v, %v", got, err)
		}
		tries := f.count(&f.tries)
		if got, err = last(t, k, 9*time.Second); err != nil || !got.Unchanged || got.Backup.Name != "backup_2" || f.count(&f.tries) != tries {
			t.Errorf("nothing has changed: %+v, %v, %d attempts", got, err, f.count(&f.tries)-tries)
		}
		stop()
	})
}

// The running backup that began after the last change is the last one.
func TestLast_TakesTheRunningBackupThatHoldsEverything(t *testing.T) {
	for _, c := range []struct {
		name  string
		write bool
		want  int
	}{
		{"nothing written since", false, 2},
		{"written since", true, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeen("bot")
				k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
				stop := run(t, k)
				f.set(func(f *fake) { f.takes = 4 * time.Second })
				s.write()
				for k.covering() == nil { // a backup has begun
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(time.Second)
				if c.write {
					s.write()
				}
				got, err := last(t, k, 9*time.Second)
				if err != nil || got.Backup.Metadata == nil {
					t.Fatalf("%+v, %v", got, err)
				}
				b := f.all()
				if len(b) != c.want || b[len(b)-1].version != s.version() || f.looks() != 0 {
					t.Errorf("%d backups, %d looks, want %d: %+v", len(b), f.looks(), c.want, b)
				}
				stop()
			})
		})
	}
}

// A backup that still waits for its repository will capture what is there then: a
// program that ends as soon as it has started needs no second look.
func TestLast_JoinsTheBackupThatHasNotBegunToCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		k.opener = func(ctx context.Context, req engine.BackupRequest) (worker, error) {
			if err := sleep(ctx, time.Second); err != nil {
				return nil, err
			}
			return f.open(ctx, req)
		}
		stop := run(t, k)
		s.write()
		got, err := last(t, k, 9*time.Second)
		if err != nil || got.Unchanged || got.Backup.Name != "backup_1" {
			t.Fatalf("%+v, %v", got, err)
		}
		if b := f.all(); len(b) != 1 || b[0].version != s.version() || f.count(&f.tries) != 1 {
			t.Errorf("%d attempts: %+v", f.count(&f.tries), b)
		}
		stop()
	})
}

func TestLast_EndsWhatFollowsOtherBackups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		f.replicate = func(ctx context.Context) (*engine.ReplicateResult, error) {
			return nil, sleep(ctx, 10*time.Hour)
		}
		stop := run(t, k)
		time.Sleep(time.Minute)
		s.write()
		begun := time.Now()
		got, err := last(t, k, 9*time.Second)
		if err != nil || got.Backup.Name != "backup_2" {
			t.Fatalf("%+v, %v", got, err)
		}
		if len(got.Problems) != 1 || got.Incomplete() {
			t.Errorf("the copy that was cut: %+v", got.Problems)
		}
		if f.count(&f.replicated) != 2 {
			t.Errorf("replicas were served %d times, want once more", f.count(&f.replicated))
		}
		if took := time.Since(begun); took > 9*time.Second+lastGrace {
			t.Errorf("it took %s", took)
		}
		stop()
	})
}

// What another backup's end cut short is made up for, also if nothing has changed.
func TestLast_ServesTheReplicasThatWereLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		f.replicate = func(ctx context.Context) (*engine.ReplicateResult, error) {
			if err := sleep(ctx, 5*time.Second); err != nil {
				return nil, err
			}
			return &engine.ReplicateResult{}, nil
		}
		stop := run(t, k)
		time.Sleep(time.Second)
		got, err := last(t, k, 9*time.Second)
		if err != nil || !got.Unchanged || len(got.Problems) != 0 || f.count(&f.replicated) != 2 {
			t.Errorf("%+v, %v, replicas were served %d times", got, err, f.count(&f.replicated))
		}
		if got, err = last(t, k, 9*time.Second); err != nil || f.count(&f.replicated) != 2 {
			t.Errorf("again: %+v, %v, replicas were served %d times", got, err, f.count(&f.replicated))
		}
		stop()
	})
}

func TestLast_TheDeadlineComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}})
		stop := run(t, k)
		time.Sleep(10 * time.Second)
		s.write()
		time.Sleep(6 * time.Second) // it is seen
		f.set(func(f *fake) { f.takes = time.Hour })
		begun := time.Now()
		got, err := last(t, k, 9*time.Second)
		if got != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, want := range []string{"backup_1", "what changed since", "is not saved", "the time was over"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error lacks %q: %v", want, err)
			}
		}
		if took := time.Since(begun); took > 9*time.Second+lastGrace {
			t.Errorf("it took %s", took)
		}
		f.set(func(f *fake) { f.takes = 0 })
		time.Sleep(time.Minute) // it did not end after all
		savedInTime(t, s, f.all(), time.Minute, 9*time.Second)
		stop()
	})
}

func TestLast_WaitsForALockUpToItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{newSeen("bot")}})
		f.locked = 5
		if got, err := last(t, k, 9*time.Second); err != nil || got.Backup.Name != "backup_1" {
			t.Errorf("%+v, %v", got, err)
		}
		k.watch.reset()
		f.locked = 1000
		_, err := last(t, k, 9*time.Second)
		if err == nil || !strings.Contains(err.Error(), "process 7") {
			t.Errorf("never free: %v", err)
		}
	})
}

func TestLast_AFailureIsNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{newSeen("bot")}})
		f.fail = errors.New("disk is full")
		_, err := last(t, k, 9*time.Second)
		if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), "nothing of this run is saved") || holdfast.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
	})
}
