package daemon

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGlance_OneLooksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		g := &glance[int]{look: func(context.Context) (int, error) {
			looks++
			n := looks
			time.Sleep(300 * time.Millisecond)
			return n, nil
		}}
		ask := func(want int, patience time.Duration) {
			t.Helper()
			begun := time.Now()
			got, err := g.get(t.Context())
			if took := time.Since(begun); got != want || err != nil || took > patience {
				t.Errorf("%d, %v after %s; want %d within %s", got, err, took, want, patience)
			}
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { ask(1, 300*time.Millisecond) })
		}
		all.Wait()
		time.Sleep(glanceFresh / 2)
		ask(1, 0)
		// Old: one looks, the others do not wait for it.
		time.Sleep(glanceFresh)
		all.Go(func() { ask(2, 300*time.Millisecond) })
		time.Sleep(time.Millisecond)
		ask(1, 0)
		all.Wait()
		ask(2, 0)
		// Changed: what is known is no answer, and neither is a look that began before.
		g.changed()
		all.Go(func() { ask(3, 300*time.Millisecond) })
		time.Sleep(time.Millisecond)
		g.changed()
		ask(4, 600*time.Millisecond)
		all.Wait()
		time.Sleep(time.Hour)
		all.Go(func() { ask(5, 300*time.Millisecond) })
		time.Sleep(time.Millisecond)
		ask(5, 300*time.Millisecond) // too old for whoever asks meanwhile
		all.Wait()
	})
}

func TestGlance_WhoeverLeavesTellsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("it does not answer")
		g := &glance[int]{look: func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 0, broken
			}
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := g.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		if _, err := g.get(t.Context()); !errors.Is(err, broken) {
			t.Error(err)
		}
		first.Wait()
	})
}
