package keeper

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

const day = 24 * time.Hour

// daemonOf gives the options of a daemon with this schedule, on a wall clock that can
// be set.
func daemonOf(s config.Schedule, sources ...holdfast.Source) (Options, *wall) {
	c := scheduleOf(0, 0)
	c.Schedule = s
	c.Verify.Every = 30 * day
	w := &wall{}
	return Options{Config: c, Sources: sources, Daemon: true, Now: w.now}, w
}

// asked gives the triggers and the times, as "02 15:04", of what was asked of the
// engine: backups, and looks that found nothing new.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Concat(f.backups, f.unchanged)
	slices.SortFunc(all, func(a, b made) int { return a.begun.Compare(b.begun) })
	var out []string
	for _, m := range all {
		out = append(out, string(m.request.Trigger)+" "+m.begun.UTC().Format("02 15:04"))
	}
	return out
}

func (f *fake) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("asked for were %q, want %q", got, want)
	}
}

// In a bubble it is midnight in UTC, the first of January 2000.
func TestDaemon_CronThroughAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		o, _ := daemonOf(config.Schedule{Cron: []string{"0 3 * * *"}}, s)
		k, f := newFake(t, o)
		stop := run(t, k)
		want := []string{"scheduled 01 00:00"} // there is no backup at all
		for night := range 31 {
			s.write()
			time.Sleep(day)
			want = append(want, "scheduled "+time.Date(2000, 1, 1+night, 3, 0, 0, 0, time.UTC).Format("02 15:04"))
		}
		stop()
		f.wantAsked(t, want...)
		if c := k.Counts(); c.Backups != 32 || c.Unchanged != 0 || len(c.Failures) != 0 {
			t.Errorf("counted were %+v", c)
		}
		if got := len(f.proven()); got != 32 {
			t.Errorf("%d proofs", got)
		}
		if task := k.Task(); task.Runs != 32 || task.EveryMS != 0 {
			t.Errorf("the task stands %+v", task)
		}
	})
}

func TestDaemon_TheClockIsSet(t *testing.T) {
	for _, c := range []struct {
		name string
		when time.Duration // after the start
		by   time.Duration
		want []string // by the clock that was right at the start, in three days
	}{
		{"forward over a moment", 2 * time.Hour, 4 * time.Hour, []string{"01 00:00", "01 02:00", "01 23:00", "02 23:00", "03 23:00"}},
		{"back over one that was", 4 * time.Hour, -2 * time.Hour, []string{"01 00:00", "01 03:00", "02 03:00", "03 05:00"}},
		{"back by a month", 4 * time.Hour, -31 * day, []string{"01 00:00", "01 03:00", "02 03:00", "03 03:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := daemonOf(config.Schedule{Cron: []string{"0 3 * * *"}}, newSeen("bot"))
				k, f := newFake(t, o)
				stop := run(t, k)
				time.Sleep(c.when)
				w.jump(c.by)
				time.Sleep(3*day - c.when)
				stop()
				var want []string
				for _, at := range c.want {
					want = append(want, "scheduled "+at)
				}
				f.wantAsked(t, want...)
			})
		})
	}
}

// What was missed while no daemon ran is made up for by one backup, and a start makes
// none otherwise.
func TestDaemon_GoesOnWhereTheOneBeforeLeftOff(t *testing.T) {
	for _, c := range []struct {
		name     string
		schedule config.Schedule
		away     time.Duration // since the newest backup, at midnight of the first
		want     []string      // in a day from then on
	}{
		{"a moment was missed", config.Schedule{Cron: []string{"0 3 * * *"}}, 10 * time.Hour, []string{"scheduled 01 10:00", "scheduled 02 03:00"}},
		{"many were", config.Schedule{Cron: []string{"0 3 * * *"}}, 9*day + 10*time.Hour, []string{"scheduled 10 10:00", "scheduled 11 03:00"}},
		{"none was", config.Schedule{Cron: []string{"0 3 * * *"}}, 2 * time.Hour, []string{"scheduled 01 03:00"}},
		{"an interval is over", config.Schedule{Every: 12 * time.Hour}, 13 * time.Hour, []string{"scheduled 01 13:00", "scheduled 02 01:00", "scheduled 02 13:00"}},
		{"it is nearly over", config.Schedule{Every: 12 * time.Hour}, 11 * time.Hour, []string{"scheduled 01 12:00", "scheduled 02 00:00"}},
		{"whichever comes first", config.Schedule{Every: 12 * time.Hour, Cron: []string{"0 14 * * *"}}, 11 * time.Hour, []string{"scheduled 01 12:00", "scheduled 01 14:00", "scheduled 02 02:00"}},
		{"a change would not have been seen", config.Schedule{Every: 12 * time.Hour, OnChange: time.Minute}, 11 * time.Hour, []string{"change 01 11:00", "scheduled 01 12:00", "scheduled 02 00:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeen("bot")
				o, _ := daemonOf(c.schedule, s)
				before, f := newFake(t, o)
				if _, err := before.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerScheduled}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.away)
				k, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				f.serve(k)
				stop := run(t, k)
				if s := k.Standing(); s.Last != "backup_1" || s.NextAt == nil {
					t.Errorf("at the start it stands %+v", s)
				}
				time.Sleep(day + time.Minute)
				stop()
				f.wantAsked(t, append([]string{"scheduled 01 00:00"}, c.want...)...)
			})
		})
	}
}

// A reload takes another keeper in the place of the first.
func TestDaemon_ReloadWithAnotherSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		o, _ := daemonOf(config.Schedule{Cron: []string{"0 3 * * *"}}, s)
		k, f := newFake(t, o)
		stop := run(t, k)
		time.Sleep(4 * time.Hour)
		if err := k.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		o, _ = daemonOf(config.Schedule{Cron: []string{"30 4 * * *"}}, s)
		next, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f.serve(next)
		stop = run(t, next)
		time.Sleep(day)
		stop()
		f.wantAsked(t, "scheduled 01 00:00", "scheduled 01 03:00", "scheduled 01 04:30")
	})
}

// Who has switched everything off gets what is asked for alone, the first backup included.
func TestDaemon_WithoutAScheduleNothingComesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{}, newSeen("bot"))
		k, f := newFake(t, o)
		stop := run(t, k)
		time.Sleep(7 * day)
		f.wantAsked(t)
		stop()
	})
}

func TestDaemon_WhatNeverComesIsRefused(t *testing.T) {
	o, _ := daemonOf(config.Schedule{Cron: []string{"0 0 30 2 *"}}, newSeen("bot"))
	if _, err := New(o); !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(err.Error(), "30 2") {
		t.Errorf("never: %v", err)
	}
}

// A repository that cannot be reached at the start is waited for, and told of once an
// hour.
func TestDaemon_ARepositoryThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		o, _ := daemonOf(config.Schedule{Every: 6 * time.Hour}, newSeen("bot"))
		o.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
		told := &ending{}
		o.Around = told
		k, f := newFake(t, o)
		away := errors.New("no route to host")
		f.hidden = away
		k.opener = func(context.Context, engine.BackupRequest) (worker, error) {
			if _, err := f.newest(t.Context()); errors.Is(err, away) {
				return nil, err
			}
			return f, nil
		}
		stop := run(t, k)
		time.Sleep(5*time.Hour + 30*time.Minute)
		mu.Lock()
		lines := strings.Count(log.String(), "no route to host")
		mu.Unlock()
		verbs := told.all()
		if lines != 6 || len(verbs) != 6 {
			t.Fatalf("in five hours it was told %d times, and to others %d times", lines, len(verbs))
		}
		if v := verbs[0]; v.Op != "backup" || v.Trigger != holdfast.TriggerScheduled || !errors.Is(v.Err, away) {
			t.Errorf("others were told %+v", v)
		}
		if c := k.Counts(); c.Failures[holdfast.TriggerScheduled] < 300 {
			t.Errorf("counted were %+v", c)
		}
		if !k.LastSuccess().IsZero() {
			t.Errorf("it succeeded at %s", k.LastSuccess())
		}
		f.set(func(f *fake) { f.hidden = nil })
		time.Sleep(2 * time.Minute)
		if len(f.all()) != 1 || k.LastSuccess().IsZero() {
			t.Errorf("when it is back: %q, success at %s", f.asked(), k.LastSuccess())
		}
		stop()
	})
}

// An ending is told how verbs ended.
type ending struct {
	mu    sync.Mutex
	verbs []engine.Verb
}

func (e *ending) Before(context.Context, engine.Verb) error { return nil }
func (e *ending) After(_ context.Context, v engine.Verb) []holdfast.Problem {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.verbs = append(e.verbs, v)
	return nil
}

func (e *ending) all() []engine.Verb {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.verbs)
}

func TestDaemon_StandsBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{Cron: []string{"0 3 * * *"}}, newSeen("bot"))
		var other atomic.Value
		other.Store("another")
		o.Standby = func() string { return other.Load().(string) }
		k, f := newFake(t, o)
		stop := run(t, k)
		time.Sleep(5 * time.Hour)
		f.wantAsked(t)
		other.Store("")
		time.Sleep(day)
		stop()
		f.wantAsked(t, "scheduled 01 05:00", "scheduled 02 03:00")
	})
}

// A backup that somebody removed, or found to be damaged, saves nothing any more.
func TestRefresh_WhatIsGoneSavesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*fake){
		"removed":   func(f *fake) { f.backups = f.backups[:1] },
		"all are":   func(f *fake) { f.backups = nil },
		"disproven": func(f *fake) { f.spoiled = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeen("bot")
				o, _ := daemonOf(config.Schedule{Every: 100 * time.Hour}, s)
				o.Config.Verify.Every = 0
				k, f := newFake(t, o)
				stop := run(t, k)
				time.Sleep(time.Minute)
				s.write()
				time.Sleep(time.Minute)
				if _, err := k.Backup(t.Context(), engine.BackupRequest{}); err != nil {
					t.Fatal(err)
				}
				k.Refresh(t.Context())
				if _, ok := k.Recent(time.Minute); !ok || len(f.all()) != 2 {
					t.Fatalf("nothing happened, and made were %+v", f.all())
				}
				// What makes up for it begins at once, and is not there before a second has passed.
				f.set(func(f *fake) { spoil(f); f.takes = time.Second })
				before := f.count(&f.tries)
				k.Refresh(t.Context())
				if _, ok := k.Recent(time.Minute); ok {
					t.Error("it is still there")
				}
				f.set(func(f *fake) { f.spoiled = false })
				time.Sleep(time.Minute)
				if f.count(&f.tries) != before+1 {
					t.Errorf("%d attempts to make up for it", f.count(&f.tries)-before)
				}
				if _, ok := k.Recent(2 * time.Minute); !ok {
					t.Error("nothing makes up for it")
				}
				stop()
			})
		})
	}
}
