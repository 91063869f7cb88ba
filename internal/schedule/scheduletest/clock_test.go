package scheduletest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)

// every lets a loop note the times at which it was woken, until the test ends.
func every(t *testing.T, c *Clock, d time.Duration) (times func() []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var at []time.Duration
	end := make(chan struct{})
	var loop sync.WaitGroup
	loop.Go(func() {
		for {
			fired, stop := c.Timer(d)
			select {
			case now := <-fired:
				mu.Lock()
				at = append(at, now.Sub(start))
				mu.Unlock()
			case <-end:
				stop()
				return
			}
		}
	})
	t.Cleanup(func() { close(end); loop.Wait() })
	return func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(at)
	}
}

func TestClock_AdvanceWakesEachAtItsMoment(t *testing.T) {
	c := New(start, Options{})
	quick, slow := every(t, c, time.Minute), every(t, c, 25*time.Minute)
	c.Advance(time.Hour)
	if got := quick(); len(got) != 60 || got[0] != time.Minute || got[59] != time.Hour {
		t.Errorf("every minute: %v", got)
	}
	if got := slow(); !slices.Equal(got, []time.Duration{25 * time.Minute, 50 * time.Minute}) {
		t.Errorf("every 25 minutes: %v", got)
	}
	if now := c.Now(); now != start.Add(time.Hour) {
		t.Errorf("the clock shows %s", now)
	}
}

func TestClock_LeapWakesEachOnce(t *testing.T) {
	c := New(start, Options{})
	woken := every(t, c, time.Second)
	c.Through(time.Hour, 25*time.Minute)
	if got := woken(); !slices.Equal(got, []time.Duration{25 * time.Minute, 50 * time.Minute, time.Hour}) {
		t.Errorf("woken at %v", got)
	}
}

func TestClock_WaitsForWhatIsBusy(t *testing.T) {
	var worked atomic.Bool
	var c *Clock
	c = New(start, Options{Busy: func() bool { return c.Now().After(start) && !worked.Load() }})
	fired, stop := c.Timer(time.Minute)
	defer stop()
	go func() {
		<-fired
		time.Sleep(20 * time.Millisecond)
		worked.Store(true)
	}()
	c.Advance(time.Minute)
	if !worked.Load() {
		t.Error("it did not wait")
	}
}

func TestClock_SettingItLetsNoTimePass(t *testing.T) {
	c := New(start, Options{})
	woken := every(t, c, time.Hour)
	c.Advance(30 * time.Minute)
	c.Set(start.AddDate(0, 0, -1))
	c.Advance(29 * time.Minute)
	if got := woken(); len(got) != 0 {
		t.Errorf("woken at %v", got)
	}
	c.Advance(time.Minute)
	if got := woken(); len(got) != 1 {
		t.Errorf("woken at %v", got)
	}
}

func TestClock_ATimerThatWasStoppedNeverFires(t *testing.T) {
	c := New(start, Options{})
	fired, stop := c.Timer(time.Minute)
	stop()
	c.Advance(time.Hour)
	select {
	case <-fired:
		t.Error("it fired")
	default:
	}
	if fired, _ = c.Timer(0); len(fired) != 1 {
		t.Error("no time is a long time")
	}
}
