package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// While the program opens its data no backup of the loop begins, and none is
// forgotten for it; one that somebody asks for is made.
func TestRun_LeavesAProgramAloneThatOpensItsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		opened := time.Now().Add(3 * time.Second)
		o := Options{Config: scheduleOf(6*time.Hour, time.Minute), Sources: []holdfast.Source{s}}
		o.Opening = func() time.Duration { return max(0, time.Until(opened)) }
		k, f := newFake(t, o)
		stop := run(t, k)
		time.Sleep(3*time.Second - time.Millisecond)
		if b := f.all(); len(b) != 0 {
			t.Fatalf("before the program has opened its data: %+v", b)
		}
		if at := k.Standing().NextAt; at == nil || !at.Equal(opened.UTC().Truncate(time.Millisecond)) {
			t.Errorf("the next backup is told for %v, want %v", at, opened)
		}
		time.Sleep(2 * time.Millisecond)
		if b := f.all(); len(b) != 1 || b[0].request.Trigger != holdfast.TriggerStartup {
			t.Fatalf("at once afterwards: %+v", b)
		}

		// It is started again, as after a restore, and writes.
		opened = time.Now().Add(time.Minute)
		s.write()
		time.Sleep(50 * time.Second)
		if b := f.all(); len(b) != 1 {
			t.Errorf("after another start: %+v", b)
		}
		if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerManual}); err != nil {
			t.Error(err)
		}
		if b := f.all(); len(b) != 2 {
			t.Errorf("a backup that was asked for: %+v", b)
		}
		s.write()
		time.Sleep(time.Minute)
		if b := f.all(); len(b) != 3 || b[2].version != s.version() {
			t.Errorf("the change after it: %+v", b)
		}
		stop()
	})
}
