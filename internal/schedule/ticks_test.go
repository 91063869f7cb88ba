package schedule_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/schedule"
	"github.com/holdfast-backup/holdfast/internal/schedule/scheduletest"
)

// first is a Sunday, in the first minute of a month.
var first = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// A calendar notes when a task was run, by the wall clock.
type calendar struct {
	t      *testing.T
	clock  *scheduletest.Clock
	runner *schedule.Runner

	mu   sync.Mutex
	runs []time.Time
}

// months runs a task on a simulated clock, in a bubble.
func months(t *testing.T, task schedule.Task, live func(c *calendar)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &calendar{t: t, clock: scheduletest.New(first, scheduletest.Options{Settle: synctest.Wait})}
		c.runner = schedule.New(schedule.Options{Now: c.clock.Now, Timer: c.clock.Timer})
		takes := task.Run
		task.Name, task.Jitter = "t", -1
		task.Run = func(ctx context.Context) error {
			c.mu.Lock()
			c.runs = append(c.runs, c.clock.Now())
			c.mu.Unlock()
			if takes != nil {
				return takes(ctx)
			}
			return nil
		}
		if err := c.runner.Add(task); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.runner.Run(ctx) }()
		synctest.Wait()
		live(c)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// want compares the runs since the last call with times of the form "02 15:04".
func (c *calendar) want(times ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for _, at := range c.runs {
		got = append(got, at.Format("02 15:04"))
	}
	c.runs = nil
	if !slices.Equal(got, times) {
		c.t.Errorf("it ran at %q, want %q", got, times)
	}
}

const day = 24 * time.Hour

func TestRunner_CronThroughAMonth(t *testing.T) {
	months(t, schedule.Task{Cron: []string{"0 3 * * *"}}, func(c *calendar) {
		c.clock.Through(31*day, 10*time.Minute)
		var nights []string
		for night := range 31 {
			nights = append(nights, first.AddDate(0, 0, night).Format("02")+" 03:00")
		}
		c.want(nights...)
		s := c.runner.Standing()[0]
		if s.EveryMS != 0 || s.Runs != 31 || s.NextAt == nil || !s.NextAt.Equal(time.Date(2026, 4, 1, 3, 0, 0, 0, time.UTC)) {
			t.Errorf("it stands %+v", s)
		}
	})
}

// What passes between the setting of a clock and the next look at it is not seen here:
// package time, which tells it, stands still. What is due then comes a step later.
func TestRunner_CronIsDueOnceThoughTheClockIsSet(t *testing.T) {
	for _, c := range []struct {
		name string
		cron string
		live func(c *calendar)
		want []string
	}{
		{"forward over a moment", "0 3 * * *", func(c *calendar) {
			c.clock.Through(time.Hour, time.Minute)
			c.clock.Set(first.Add(5 * time.Hour))
			c.clock.Through(day, time.Minute)
		}, []string{"01 05:01", "02 03:00"}},
		{"forward over many", "0 3 * * *", func(c *calendar) {
			c.clock.Set(first.Add(10*day + 5*time.Hour))
			c.clock.Through(day, time.Minute)
		}, []string{"11 05:01", "12 03:00"}},
		{"back over one that was", "0 3 * * *", func(c *calendar) {
			c.clock.Through(3*time.Hour+10*time.Minute, time.Minute)
			c.clock.Set(first.Add(2 * time.Hour))
			c.clock.Through(day, time.Minute)
		}, []string{"01 03:00", "02 01:51"}}, // as long after the first as it should be
		{"back before one that is to come", "0 3 * * *", func(c *calendar) {
			c.clock.Through(2*time.Hour+30*time.Minute, time.Minute)
			c.clock.Set(first.Add(time.Hour))
			c.clock.Through(3*time.Hour, time.Minute)
			c.want("01 01:31") // when it would have been
			c.clock.Through(2*day, time.Minute)
		}, []string{"02 03:00", "03 03:00"}},
		{"back by a year", "0 3 * * *", func(c *calendar) {
			c.clock.Through(2*time.Hour, time.Minute)
			c.clock.Set(first.AddDate(-1, 0, 0).Add(2 * time.Hour))
			c.clock.Through(2*day, time.Minute)
		}, []string{"01 03:01", "02 03:00"}},
		{"back by hours, where it comes often", "*/20 * * * *", func(c *calendar) {
			c.clock.Through(12*time.Hour+30*time.Minute, 10*time.Minute)
			c.want(slices.Collect(func(yield func(string) bool) {
				for at := 20 * time.Minute; at <= 12*time.Hour+20*time.Minute; at += 20 * time.Minute {
					yield(first.Add(at).Format("02 15:04"))
				}
			})...)
			c.clock.Set(first.Add(6 * time.Hour))
			c.clock.Through(time.Hour, 5*time.Minute)
		}, []string{"01 06:15", "01 06:20", "01 06:40", "01 07:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			months(t, schedule.Task{Cron: []string{c.cron}}, func(cal *calendar) {
				c.live(cal)
				cal.want(c.want...)
			})
		})
	}
}

func TestRunner_CatchesUpWithAnEarlierProcess(t *testing.T) {
	const nightly = "0 3 * * *"
	for _, c := range []struct {
		name string
		task schedule.Task
		last time.Duration // before now; zero: never
		want []string      // in two days
	}{
		{"a moment was missed", schedule.Task{Cron: []string{nightly}}, 22 * time.Hour, []string{"01 00:00", "01 03:00", "02 03:00"}},
		{"many were", schedule.Task{Cron: []string{nightly}}, 400 * day, []string{"01 00:00", "01 03:00", "02 03:00"}},
		{"none was", schedule.Task{Cron: []string{nightly}}, 20 * time.Hour, []string{"01 03:00", "02 03:00"}},
		{"it never ran", schedule.Task{Cron: []string{nightly}}, 0, []string{"01 03:00", "02 03:00"}},
		{"a period is over", schedule.Task{Every: day}, 30 * time.Hour, []string{"01 00:00", "02 00:00", "03 00:00"}},
		{"a period is nearly over", schedule.Task{Every: day}, 20 * time.Hour, []string{"01 04:00", "02 04:00"}},
		{"in times to come", schedule.Task{Every: day}, -30 * day, []string{"02 00:00", "03 00:00"}},
		{"both", schedule.Task{Every: 18 * time.Hour, Cron: []string{nightly}}, 20 * time.Hour, []string{"01 00:00", "01 03:00", "01 21:00", "02 03:00", "02 21:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.last != 0 {
				c.task.LastAt = first.Add(-c.last)
			}
			months(t, c.task, func(cal *calendar) {
				cal.clock.Through(2*day, 10*time.Minute)
				cal.want(c.want...)
			})
		})
	}
}

// What takes longer than the pause between two moments does not run without end, and
// a run that began before a moment does not stand for it.
func TestRunner_CronAndLongRuns(t *testing.T) {
	var clock *scheduletest.Clock
	takes := func(d time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			fired, stop := clock.Timer(d)
			defer stop()
			select {
			case <-fired:
			case <-ctx.Done():
			}
			return nil
		}
	}
	t.Run("every hour, for an hour and a half", func(t *testing.T) {
		months(t, schedule.Task{Cron: []string{"0 * * * *"}, Run: takes(90 * time.Minute)}, func(c *calendar) {
			clock = c.clock
			c.clock.Through(6*time.Hour, time.Minute)
			c.want("01 01:00", "01 03:00", "01 05:00")
		})
	})
	t.Run("asked for just before", func(t *testing.T) {
		months(t, schedule.Task{Cron: []string{"0 3 * * *"}, Run: takes(10 * time.Minute)}, func(c *calendar) {
			clock = c.clock
			c.clock.Through(3*time.Hour-5*time.Minute, time.Minute)
			if err := c.runner.Trigger("t"); err != nil {
				t.Fatal(err)
			}
			c.clock.Through(time.Hour, time.Minute)
			c.want("01 02:55", "01 03:05")
		})
	})
}

func TestRunner_AddRefusesMomentsThatNeverCome(t *testing.T) {
	r := schedule.New(schedule.Options{})
	run := func(context.Context) error { return nil }
	for _, task := range []schedule.Task{
		{Name: "no time", Run: run},
		{Name: "no moment", Cron: []string{"0 0 30 2 *"}, Run: run},
		{Name: "no expression", Every: time.Hour, Cron: []string{"at night"}, Run: run},
	} {
		if err := r.Add(task); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
}
