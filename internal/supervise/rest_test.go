package supervise

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRest_MemoryIsGivenBackOnceNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times atomic.Int64 // the timer calls from a goroutine of its own
		r := newRestWith(func() { times.Add(1) })
		expect := func(want int64, when string) {
			t.Helper()
			synctest.Wait()
			if got := times.Load(); got != want {
				t.Errorf("%s: memory was given back %d times, want %d", when, got, want)
			}
		}
		time.Sleep(time.Hour)
		expect(0, "nothing has happened")
		for range 5 { // a backup and what follows it
			r.disturb()
			time.Sleep(restAfter - time.Nanosecond)
		}
		expect(0, "something happens all the time")
		time.Sleep(time.Nanosecond)
		expect(1, "at rest")
		time.Sleep(time.Hour)
		expect(1, "still at rest")
		r.disturb()
		r.end()
		time.Sleep(time.Hour)
		expect(1, "after the end")
	})
}
