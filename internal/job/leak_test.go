package job

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever was begun, followed and waited for: nothing runs any more after Close. A
// goroutine that stays fails the test.
func TestClose_LeavesNothingRunning(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		r.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify"}, Most: 1}}})
		slow := func(ctx context.Context, _ *Handle) (any, error) {
			select {
			case <-time.After(time.Hour):
				return "done", nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		var ids []string
		var readers sync.WaitGroup
		for _, kind := range []string{"backup", "verify", "verify", "verify", "restore"} {
			j, _, err := r.Start(kind, "", "", nil, slow)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, j.ID)
			readers.Go(func() {
				for range r.Events(context.Background(), j.ID, 0) {
					time.Sleep(time.Second)
				}
			})
			readers.Go(func() { _, _ = r.Wait(context.Background(), j.ID) })
			readers.Go(func() { _, _ = r.WaitResult(context.Background(), j.ID) })
		}
		if _, err := r.Cancel(ids[4]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Minute)
		defer cancel()
		r.Close(ctx)
		readers.Wait() // every job has ended, so each of them comes to its end
		want := []State{Succeeded, Succeeded, Interrupted, Interrupted, Cancelled}
		for i, id := range ids {
			if j, err := r.Get(id); err != nil || j.State != want[i] {
				t.Errorf("job %d is %+v, %v", i, j, err)
			}
		}
	})
}
