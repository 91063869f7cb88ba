package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

func TestRun_BacksUpAtTheStartAndAtEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(6*time.Hour, 0), Sources: []holdfast.Source{s}})
		stop := run(t, k)
		if b := f.all(); len(b) != 1 || b[0].request.Trigger != holdfast.TriggerStartup || !b[0].request.IfChanged {
			t.Fatalf("at the start: %+v", b)
		}
		if task := k.Task(); task.Name != "backup_task" || task.Runs != 1 || task.EveryMS != 6*3600_000 || task.NextAt == nil {
			t.Errorf("the task: %+v", task)
		}
		time.Sleep(6*time.Hour + time.Minute) // nothing has changed
		if b := f.all(); len(b) != 1 || f.looks() != 1 {
			t.Errorf("nothing has changed: %+v, and looked %d times", b, f.looks())
		}
		if s := k.Standing(); s.LastChecked == nil || s.Last != "backup_1" {
			t.Errorf("nothing has changed: %+v", s)
		}
		for range 4 {
			s.write()
			time.Sleep(6 * time.Hour)
		}
		if b := f.all(); len(b) != 5 || b[4].request.Trigger != holdfast.TriggerScheduled {
			t.Errorf("a day later: %+v", b)
		}
		if len(f.proven()) != 5 {
			t.Errorf("proven were %v, want each once", f.proven())
		}
		if task := k.Task(); task.Runs != 6 || task.Failures != 0 {
			t.Errorf("the task: %+v", task)
		}
		stop()
	})
}

// A program that is started for the first time makes its data itself.
func TestRun_TheFirstStartWaitsForTheData(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  time.Duration // the data appears; zero: never
		tries  int           // after twenty seconds
		failed bool          // after a minute
	}{
		{"the data appears", 10 * time.Second, 1, false},
		{"it never does", 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &seen{blind{name: "bot"}}
				k, f := newFake(t, Options{Config: scheduleOf(time.Hour, time.Minute), Sources: []holdfast.Source{s}})
				f.fail = errors.New("it does not exist")
				stop := run(t, k)
				if c.after > 0 {
					time.Sleep(c.after)
					f.set(func(f *fake) { f.fail = nil })
					s.write()
				}
				time.Sleep(20*time.Second - c.after)
				if f.count(&f.tries) != c.tries {
					t.Errorf("%d attempts in twenty seconds, want %d", f.count(&f.tries), c.tries)
				}
				time.Sleep(40 * time.Second)
				if failed := k.Standing().Failed > 0; failed != c.failed {
					t.Errorf("after a minute: %+v", k.Standing())
				}
				stop()
			})
		})
	}
}

// What was backed up just before is not read again.
func TestRun_NothingIsDoneTwiceAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(time.Hour, time.Minute), Sources: []holdfast.Source{s}})
		if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerStartup, IfChanged: true}); err != nil {
			t.Fatal(err)
		}
		stop := run(t, k)
		time.Sleep(time.Minute)
		if f.count(&f.tries) != 1 {
			t.Errorf("%d attempts", f.count(&f.tries))
		}
		s.write() // a migration, say
		time.Sleep(time.Minute)
		if n := len(f.all()); n != 2 {
			t.Errorf("%d backups", n)
		}
		stop()
	})
}

// A restart shortly after the last backup does not begin the interval anew.
func TestRun_TheIntervalBeginsWithTheNewestBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		o := Options{Config: scheduleOf(6*time.Hour, 0), Sources: []holdfast.Source{s}}
		first, f := newFake(t, o)
		run(t, first)()
		time.Sleep(5 * time.Hour)
		second, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f.serve(second)
		stop := run(t, second)
		if f.looks() != 1 {
			t.Fatalf("at the second start: looked %d times", f.looks())
		}
		s.write()
		time.Sleep(time.Hour + time.Minute)
		if n := len(f.all()); n != 2 {
			t.Errorf("six hours after the backup there are %d", n)
		}
		stop()
	})
}

// savedInTime checks that every write is in a backup that was begun in time.
func savedInTime(t *testing.T, s *seen, backups []made, within, late time.Duration) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for version, at := range s.writes {
		if version == 0 {
			continue // before the start
		}
		for i, b := range backups {
			if b.version <= version {
				continue
			}
			if wait := b.begun.Sub(at); wait > within/2+late {
				t.Errorf("write %d waited %s for backup %d, on_change is %s", version, wait, i, within)
			}
			break
		}
		if n := len(backups); backups[n-1].version <= version {
			t.Errorf("write %d of %d is in no backup", version, len(s.writes))
		}
	}
}

func TestRun_EveryChangeIsBackedUpInTime(t *testing.T) {
	seed := time.Now().UnixNano()
	for _, within := range []time.Duration{time.Second, 10 * time.Second, time.Minute, time.Hour} {
		for _, takes := range []time.Duration{0, 300 * time.Millisecond, 20 * time.Second} {
			t.Run(fmt.Sprintf("on_change=%s/takes=%s", within, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(uint64(seed), 0))
					s := newSeen("bot")
					k, f := newFake(t, Options{Config: scheduleOf(0, within), Sources: []holdfast.Source{s}})
					f.takes = takes
					stop := run(t, k)
					for range 500 {
						// Bursts, single writes, and long silence.
						time.Sleep(time.Duration(random.ExpFloat64() * float64([]time.Duration{10 * time.Millisecond, time.Second, within}[random.IntN(3)])))
						s.write()
					}
					time.Sleep(2*within + 2*takes + 10*time.Second)
					// A write during a backup waits for its end; that this backup
					// holds it is not known.
					savedInTime(t, s, f.all(), within, takes)
					stop()
				})
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
		}
	}
}

// A writer that never rests is backed up all the same, and no more often than it must.
func TestRun_APermanentWriterIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{s}, Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
		stop := run(t, k)
		for range 10 * 60 * 10 { // ten minutes
			time.Sleep(100 * time.Millisecond)
			s.write()
		}
		if n := len(f.all()); n < 20 || n > 26 {
			t.Errorf("%d backups in ten minutes, on_change is a minute", n)
		}
		time.Sleep(time.Minute)
		savedInTime(t, s, f.all(), time.Minute, 0)
		n, looks := len(f.all()), f.looks()
		time.Sleep(24 * time.Hour)
		if len(f.all()) != n || f.looks() > looks+1 {
			t.Errorf("a day of silence: %d more backups, %d looks", len(f.all())-n, f.looks()-looks)
		}
		stop()
		mu.Lock()
		defer mu.Unlock()
		if n := strings.Count(log.String(), "\n"); n > 3 {
			t.Errorf("%d lines of log where nothing is remarkable:\n%s", n, &log)
		}
	})
}

func TestRun_AChangeIsBackedUpAsSoonAsTheMachineWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(6*time.Hour, 10*time.Minute), Sources: []holdfast.Source{s}, Now: w.now})
		stop := run(t, k)
		time.Sleep(time.Minute)
		s.write()
		time.Sleep(10 * time.Second)
		if s := k.Standing(); s.Unsaved == nil || s.NextAt == nil {
			t.Errorf("a change was made: %+v", s)
		}
		w.jump(time.Hour) // suspended
		time.Sleep(6 * time.Second)
		if b := f.all(); len(b) != 2 || b[1].request.Trigger != holdfast.TriggerChange {
			t.Errorf("six seconds after it woke: %+v", b)
		}
		if s := k.Standing(); s.Unsaved != nil || s.LastTrigger != holdfast.TriggerChange {
			t.Errorf("all is saved: %+v", s)
		}
		stop()
	})
}

func TestRun_StandbyMakesNoBackupsAndTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		other := "process 7 on old"
		s := newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(time.Hour, time.Minute), Sources: []holdfast.Source{s}, Standby: func() string {
			mu.Lock()
			defer mu.Unlock()
			return other
		}})
		k.opened.err, k.opened.askAgain = errors.New("not there"), time.Hour // nothing is learnt
		stop := run(t, k)
		for range 5 {
			s.write()
			time.Sleep(time.Hour)
		}
		if n := len(f.all()); n != 0 {
			t.Errorf("on standby %d backups were made", n)
		}
		if s := k.Standing(); s.Standby != other || s.NextAt != nil {
			t.Errorf("on standby: %+v", s)
		}
		if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerManual}); err != nil || len(f.all()) != 1 {
			t.Errorf("what is asked for is made: %v", err)
		}
		s.write()
		mu.Lock()
		other = ""
		mu.Unlock()
		time.Sleep(6 * time.Second)
		if n := len(f.all()); n != 2 {
			t.Errorf("six seconds after the takeover there are %d", n)
		}
		s.write()
		time.Sleep(time.Minute)
		if n := len(f.all()); n != 3 {
			t.Errorf("a change after the takeover: there are %d", n)
		}
		stop()
	})
}

func TestRun_BlindSourcesGoByTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &blind{name: "remote"}
		k, f := newFake(t, Options{Config: scheduleOf(time.Hour, time.Minute), Sources: []holdfast.Source{s}})
		stop := run(t, k)
		if p := k.Problems(); len(p) != 1 || p[0].Source != "remote" || !strings.Contains(p[0].Message, "every 1h0m0s") {
			t.Errorf("problems %+v", p)
		}
		s.write()
		time.Sleep(59 * time.Minute)
		if n := len(f.all()); n != 1 {
			t.Errorf("before the interval there are %d", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(f.all()); n != 2 {
			t.Errorf("after it there are %d", n)
		}
		stop()
	})
}

func TestSetSources_AreTheNextBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, memory := newSeen("bot"), newSeen("bot")
		k, f := newFake(t, Options{Config: scheduleOf(0, time.Minute), Sources: []holdfast.Source{disk}})
		stop := run(t, k)
		memory.write()
		memory.write()
		k.SetSources([]holdfast.Source{memory})
		synctest.Wait()
		if b := f.all(); len(b) != 2 || b[1].version != 3 {
			t.Errorf("the new sources: %+v", b)
		}
		disk.write()
		time.Sleep(5 * time.Minute)
		if n := len(f.all()); n != 2 {
			t.Errorf("the old sources are watched: %d", n)
		}
		memory.write()
		time.Sleep(time.Minute)
		if n := len(f.all()); n != 3 {
			t.Errorf("the new ones are not: %d", n)
		}
		stop()
	})
}

func TestRun_Once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := newFake(t, Options{Config: scheduleOf(time.Hour, 0), Sources: []holdfast.Source{newSeen("bot")}})
		stop := run(t, k)
		if err := k.Run(t.Context()); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("twice: %v", err)
		}
		stop()
	})
}
