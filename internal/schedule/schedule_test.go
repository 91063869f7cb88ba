package schedule

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A wall is a wall clock that can be set, beside package time.
type wall struct{ off atomic.Int64 }

func (w *wall) now() time.Time        { return time.Now().Add(time.Duration(w.off.Load())) }
func (w *wall) jump(by time.Duration) { w.off.Add(int64(by)) }

// start runs a runner in a bubble; stop ends it and tells that it has ended.
func start(t *testing.T, r *Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// counted is a task that counts its runs.
func counted(name string, every time.Duration) (Task, *atomic.Int64) {
	runs := new(atomic.Int64)
	return Task{Name: name, Every: every, Jitter: -1, Run: func(context.Context) error { runs.Add(1); return nil }}, runs
}

func add(t *testing.T, r *Runner, task Task) {
	t.Helper()
	if err := r.Add(task); err != nil {
		t.Fatal(err)
	}
}

func TestRunner_RunsEachTaskAtItsPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		minute, minutes := counted("auto_unblock_task", time.Minute)
		hour, hours := counted("cleanup_tracking_task", time.Hour)
		hour.AtStart = true
		add(t, r, minute)
		add(t, r, hour)
		time.Sleep(time.Hour) // before Run nothing is due
		stop := start(t, r)
		if minutes.Load() != 0 || hours.Load() != 1 {
			t.Errorf("at the start: %d and %d runs, want 0 and 1", minutes.Load(), hours.Load())
		}
		time.Sleep(24*time.Hour + time.Second)
		stop()
		if minutes.Load() != 24*60 || hours.Load() != 25 {
			t.Errorf("in a day: %d and %d runs, want 1440 and 25", minutes.Load(), hours.Load())
		}
	})
}

func TestRunner_JitterIsBounded(t *testing.T) {
	for _, c := range []struct {
		every, jitter time.Duration
		least, most   int64
	}{
		{time.Minute, 0, 24 * 60 * 10 / 11, 24 * 60},
		{time.Hour, 0, 23, 24}, // at most a minute each
		{time.Hour, time.Hour, 12, 24},
		{time.Hour, -1, 24, 24},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := New(Options{})
			task, runs := counted("t", c.every)
			task.Jitter = c.jitter
			add(t, r, task)
			stop := start(t, r)
			time.Sleep(24*time.Hour + time.Second)
			stop()
			if got := runs.Load(); got < c.least || got > c.most {
				t.Errorf("every %s with jitter %s: %d runs in a day, want %d to %d", c.every, c.jitter, got, c.least, c.most)
			}
		})
	}
}

func TestRunner_NeverRunsATaskBesideItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		var at, most, runs atomic.Int64
		add(t, r, Task{Name: "slow", Every: time.Minute, Jitter: -1, Run: func(ctx context.Context) error {
			most.Store(max(most.Load(), at.Add(1)))
			defer at.Add(-1)
			runs.Add(1)
			time.Sleep(10 * time.Minute)
			return nil
		}})
		other, others := counted("other", time.Minute)
		add(t, r, other)
		stop := start(t, r)
		for range 59 { // asked for all the time, until just before a fourth run may begin
			if err := r.Trigger("slow"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
		}
		stop()
		if most.Load() != 1 || runs.Load() != 3 {
			t.Errorf("%d at once, %d runs; want 1 and 3", most.Load(), runs.Load())
		}
		if others.Load() < 29 {
			t.Errorf("the other task ran %d times beside it", others.Load())
		}
	})
}

// A task that takes longer than its period must not be all that the program does.
func TestRunner_ATaskLongerThanItsPeriodRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		var runs atomic.Int64
		add(t, r, Task{Name: "slow", Every: time.Minute, Jitter: -1, Run: func(context.Context) error { runs.Add(1); time.Sleep(9 * time.Minute); return nil }})
		stop := start(t, r)
		time.Sleep(100*time.Minute - time.Second)
		if got := runs.Load(); got != 10 {
			t.Errorf("%d runs of 9 minutes in 100 minutes, want 10", got)
		}
		stop()
	})
}

func TestRunner_TriggerRunsSoonAndBeginsThePeriodAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		task, runs := counted("t", time.Hour)
		add(t, r, task)
		stop := start(t, r)
		time.Sleep(30 * time.Minute)
		if err := r.Trigger("t"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if runs.Load() != 1 {
			t.Errorf("triggered: %d runs", runs.Load())
		}
		time.Sleep(59 * time.Minute)
		if runs.Load() != 1 {
			t.Errorf("59 minutes later: %d runs", runs.Load())
		}
		time.Sleep(2 * time.Minute)
		if runs.Load() != 2 {
			t.Errorf("61 minutes later: %d runs", runs.Load())
		}
		if err := r.Trigger("other"); !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("an unknown task: %v", err)
		}
		stop()
	})
}

func TestRunner_ContainsWhatTasksDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		r := New(Options{Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
		boom := func(context.Context) error { panic("boom at midnight") }
		fails := errors.New("no such table")
		for name, run := range map[string]func(context.Context) error{
			"panics": boom,
			"fails":  func(context.Context) error { return fails },
			"quits":  func(context.Context) error { runtime.Goexit(); return nil },
		} {
			add(t, r, Task{Name: name, Every: time.Minute, Jitter: -1, Run: run})
		}
		stop := start(t, r)
		time.Sleep(3*time.Minute + time.Second)
		want := map[string]string{"panics": "panic: boom at midnight", "fails": "no such table", "quits": "it ended its goroutine"}
		for _, s := range r.Standing() {
			if s.Runs != 3 || s.Failures != 3 || s.Error != want[s.Name] {
				t.Errorf("%s: %d runs, %d failures, error %q", s.Name, s.Runs, s.Failures, s.Error)
			}
		}
		stop()
		mu.Lock()
		defer mu.Unlock()
		if s := log.String(); !strings.Contains(s, "TestRunner_ContainsWhatTasksDo") || !strings.Contains(s, "boom at midnight") {
			t.Errorf("the log lacks the stack of the panic:\n%s", s)
		}
		if n := strings.Count(log.String(), "\n"); n != 3 { // each once: the standing tells how often
			t.Errorf("%d lines for three tasks that fail in the same way:\n%s", n, &log)
		}
	})
}

// A log says what changes: that a task fails, why it fails now, and that it works
// again.
func TestRunner_LogsWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mu sync.Mutex
		r := New(Options{Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
		runs := 0
		add(t, r, Task{Name: "unsteady", Every: time.Minute, Jitter: -1, Run: func(context.Context) error {
			runs++
			return map[int]error{2: errors.New("one"), 3: errors.New("one"), 4: errors.New("other"), 7: errors.New("one")}[runs]
		}})
		stop := start(t, r)
		time.Sleep(8*time.Minute + time.Second)
		stop()
		mu.Lock()
		defer mu.Unlock()
		var told []string
		for line := range strings.Lines(log.String()) {
			told = append(told, regexp.MustCompile(`msg="([^"]*)"`).FindStringSubmatch(line)[1])
		}
		want := []string{"task failed", "task failed", "task works again", "task failed", "task works again"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q\n%s", told, want, &log)
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

func TestRunner_StandingTellsHowTasksAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int64
		r := New(Options{Changed: func() { changes.Add(1) }})
		fail := true
		add(t, r, Task{Name: "t", Every: time.Hour, Jitter: -1, Run: func(context.Context) error {
			time.Sleep(3 * time.Second)
			if fail {
				fail = false
				return errors.New("once")
			}
			return nil
		}})
		begun := time.Now()
		stop := start(t, r)
		one := func() holdfast.TaskStanding { return r.Standing()[0] }
		if s := one(); s.EveryMS != 3600_000 || s.Runs != 0 || s.LastAt != nil || s.NextAt == nil || !s.NextAt.Equal(begun.Add(time.Hour)) {
			t.Errorf("before: %+v", s)
		}
		time.Sleep(time.Hour + time.Second)
		if s := one(); !s.Running || s.NextAt != nil {
			t.Errorf("while it runs: %+v", s)
		}
		before := changes.Load()
		time.Sleep(time.Minute)
		if s := one(); s.Running || s.Runs != 1 || s.Failures != 1 || s.Error != "once" || s.LastMS != 3000 || !s.LastAt.Equal(begun.Add(time.Hour)) || !s.NextAt.Equal(begun.Add(2*time.Hour)) {
			t.Errorf("after one failure: %+v", s)
		}
		if changes.Load() == before {
			t.Error("the end of a run was not told")
		}
		time.Sleep(time.Hour)
		if s := one(); s.Runs != 2 || s.Failures != 1 || s.Error != "" {
			t.Errorf("after a success: %+v", s)
		}
		stop()
	})
}

func TestRunner_TakesTasksWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		stop := start(t, r)
		time.Sleep(time.Hour)
		soon, runs := counted("soon", time.Second)
		add(t, r, soon)
		time.Sleep(10*time.Second + time.Millisecond)
		if runs.Load() != 10 {
			t.Errorf("%d runs in ten seconds", runs.Load())
		}
		stop()
		if err := r.Run(t.Context()); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("Run again: %v", err)
		}
	})
}

func TestRunner_StopWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		var told, ended atomic.Bool
		add(t, r, Task{Name: "t", Every: time.Hour, AtStart: true, Run: func(ctx context.Context) error {
			<-ctx.Done()
			told.Store(true)
			time.Sleep(5 * time.Second) // it has to put something away
			ended.Store(true)
			return ctx.Err()
		}})
		stop := start(t, r)
		time.Sleep(time.Second)
		stop()
		if !told.Load() || !ended.Load() {
			t.Errorf("told %t, ended %t", told.Load(), ended.Load())
		}
		if s := r.Standing()[0]; s.Failures != 0 {
			t.Errorf("a task that was stopped has failed: %+v", s)
		}
	})
}

func TestRunner_TimeoutEndsARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		add(t, r, Task{Name: "t", Every: time.Hour, AtStart: true, Timeout: time.Minute, Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		stop := start(t, r)
		time.Sleep(time.Minute + time.Second)
		if s := r.Standing()[0]; s.Runs != 1 || s.Failures != 1 || !strings.Contains(s.Error, "longer than 1m0s") {
			t.Errorf("%+v", s)
		}
		stop()
	})
}

func TestAdd_RefusesWhatCannotBeRun(t *testing.T) {
	r := New(Options{})
	good, _ := counted("t", time.Second)
	add(t, r, good)
	for what, bad := range map[string]Task{
		"no name":   {Every: time.Second, Run: good.Run},
		"taken":     good,
		"no period": {Name: "a", Run: good.Run},
		"negative":  {Name: "b", Every: -time.Second, Run: good.Run},
		"no run":    {Name: "c", Every: time.Second},
	} {
		if err := r.Add(bad); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(r.Standing()); n != 1 {
		t.Errorf("%d tasks", n)
	}
}

// While a machine is suspended timers stand still and the wall clock goes on.
func TestRunner_CatchesUpWithinSecondsOfWaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		r := New(Options{Now: w.now})
		task, runs := counted("t", 6*time.Hour)
		add(t, r, task)
		stop := start(t, r)
		time.Sleep(time.Hour)
		w.jump(8 * time.Hour)
		time.Sleep(5 * time.Second)
		if runs.Load() != 1 {
			t.Errorf("five seconds after a sleep of 8 hours: %d runs, want 1", runs.Load())
		}
		stop()
	})
}

func TestRunner_AClockThatJumpsForwardRunsATaskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		r := New(Options{Now: w.now})
		task, runs := counted("t", time.Minute)
		add(t, r, task)
		stop := start(t, r)
		w.jump(50 * 365 * 24 * time.Hour)
		time.Sleep(30 * time.Second)
		if runs.Load() != 1 {
			t.Errorf("after fifty years: %d runs, want 1", runs.Load())
		}
		stop()
	})
}

func TestRunner_AClockThatJumpsBackStopsNoTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		r := New(Options{Now: w.now})
		task, runs := counted("t", time.Minute)
		add(t, r, task)
		stop := start(t, r)
		for range 10 {
			w.jump(-5 * time.Hour)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if runs.Load() != 10 {
			t.Errorf("in ten minutes of a clock that is set back: %d runs, want 10", runs.Load())
		}
		if next := r.Standing()[0].NextAt; !next.Equal(holdfast.At(w.now().Add(time.Minute)).Time) {
			t.Errorf("the next is told for %s, it is %s now", next, w.now())
		}
		stop()
	})
}

func TestClock_TakesWhatWentFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		c := NewClock(w.now)
		var want time.Duration
		for _, step := range []struct{ sleep, jump, want time.Duration }{
			{time.Minute, 0, time.Minute},
			{0, time.Hour, time.Hour},
			{time.Minute, -3 * time.Hour, time.Minute},
			{time.Second, time.Second, 2 * time.Second},
			{0, 0, 0},
		} {
			time.Sleep(step.sleep)
			w.jump(step.jump)
			want += step.want
			if got := c.Passed(); got != want {
				t.Errorf("after %s and a jump by %s: %s have passed, want %s", step.sleep, step.jump, got, want)
			}
			if got := c.Wall(c.Passed()); !got.Equal(w.now()) {
				t.Errorf("now is %s, the clock says %s", w.now(), got)
			}
			if got := c.At(w.now().Add(time.Hour)); got != want+time.Hour {
				t.Errorf("in an hour it shows %s, want %s", got, want+time.Hour)
			}
		}
	})
}
