package job

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// change is one change of a step, which is never thinned out.
func change(i int) holdfast.Event {
	state := holdfast.Started
	if i%2 == 1 {
		state = holdfast.Finished
	}
	at := time.Date(2024, 10, 30, 14, 30, 1, 0, time.UTC)
	return holdfast.Event{Time: at, Op: "backup", Step: holdfast.StepCapture, State: state, Done: int64(i)}
}

// chatty tells so many changes.
func chatty(n int) Work {
	return func(ctx context.Context, _ *Handle) (any, error) {
		for i := range n {
			holdfast.ObserverOf(ctx).Send(change(i))
		}
		return nil, nil
	}
}

// numbers gives the numbers of events, which must rise.
func numbers(t *testing.T, events []Event) (seqs []int64) {
	t.Helper()
	for _, ev := range events {
		if len(seqs) > 0 && ev.Seq <= seqs[len(seqs)-1] {
			t.Fatalf("event %d comes after %d", ev.Seq, seqs[len(seqs)-1])
		}
		seqs = append(seqs, ev.Seq)
	}
	return seqs
}

func TestEvents_EverySeqOnceFromAnyPoint(t *testing.T) {
	const changes = 5 * mostRecent
	w := newWorld(t)
	letGo := make(chan struct{})
	j := w.begin("backup", func(ctx context.Context, h *Handle) (any, error) {
		result, err := chatty(changes)(ctx, h)
		<-letGo
		return result, err
	})
	// A reader who takes one event and leaves the work alone never holds it up.
	slow := make(chan []Event)
	go func() {
		var events []Event
		for ev, err := range w.Events(t.Context(), j.ID, 0) {
			if err != nil {
				break
			}
			if len(events) == 1 {
				close(letGo)
			}
			events = append(events, ev)
		}
		slow <- events
	}()
	if got := numbers(t, <-slow); len(got) != changes+2 || got[0] != 1 {
		t.Errorf("the slow reader got %d events", len(got))
	}
	w.end(j.ID)
	for _, where := range []string{"the same process", "the next process"} {
		for _, after := range []int64{-5, 0, 1, mostRecent, changes, changes + 1, changes + 2, changes + 100} {
			got := numbers(t, w.all(j.ID, after))
			want := max(0, changes+2-max(after, 0))
			if int64(len(got)) != want || want > 0 && got[0] != max(after, 0)+1 {
				t.Errorf("%s: after %d came %d events, want %d", where, after, len(got), want)
			}
		}
		w.leave()
	}
}

func TestEvents_FollowsUntilItsContextEnds(t *testing.T) {
	w := newWorld(t)
	j := w.begin("backup", until)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	why := errors.New("none")
	for ev, err := range w.Events(ctx, j.ID, 0) {
		if err != nil {
			why = err
			break
		}
		if ev.State == Running {
			stop()
		}
	}
	if why.Error() != "none" { // the range may end silently or with the reason
		mustBe(t, why, context.Canceled)
	}
	if got, err := w.Get(j.ID); err != nil || got.State != Running {
		t.Errorf("a reader that left changed the job: %+v, %v", got, err)
	}
}

// Whatever becomes of the file, the end is told and nothing crashes.
func TestEvents_OfADamagedFile(t *testing.T) {
	for name, harm := range map[string]func(b []byte) []byte{
		"gone":        func([]byte) []byte { return nil },
		"empty":       func([]byte) []byte { return []byte{} },
		"torn":        func(b []byte) []byte { return b[:len(b)-7] },
		"hole":        func(b []byte) []byte { return slices.Replace(b, 40, 200, make([]byte, 160)...) },
		"long line":   func(b []byte) []byte { return append(bytes.Repeat([]byte("x"), 3*mostLine), b...) },
		"no end":      func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] },
		"other words": func([]byte) []byte { return []byte("{\"seq\":-4}\nnull\n[]\n{\"seq\":\"x\"}\n") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			j := w.do("backup", chatty(30))
			path := w.store.eventsPath(j.ID)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if harmed := harm(b); harmed == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, harmed, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			events := w.all(j.ID, 0)
			numbers(t, events)
			if len(events) == 0 || events[len(events)-1].State != Succeeded || events[len(events)-1].Seq != 32 {
				t.Errorf("the events are %+v", events)
			}
		})
	}
}

// A disk that is full for a while leaves a gap, and nothing torn.
func TestEvents_OverAFullDisk(t *testing.T) {
	var disk *crashfs.Disk
	w := newWorld(t, func(o *Options) { disk = newDisk(t, o) })
	full := errors.New("no space left on device")
	j := w.do("backup", func(ctx context.Context, _ *Handle) (any, error) {
		for i := range 3 * mostRecent {
			switch i {
			case 10:
				disk.Inject(func(op, _ string) error {
					if op == "write" {
						return full
					}
					return nil
				})
			case 2*mostRecent + 100:
				disk.Inject(nil)
			}
			holdfast.ObserverOf(ctx).Send(change(i))
		}
		return nil, nil
	})
	if j.State != Succeeded {
		t.Fatalf("the job is %+v", j)
	}
	for _, least := range []int{mostRecent, 100} { // memory has more of them than the file
		got := numbers(t, w.all(j.ID, 0))
		if len(got) < least || got[0] != 1 || got[len(got)-1] != 3*mostRecent+2 {
			t.Errorf("%d events, from %d to %d", len(got), got[0], got[len(got)-1])
		}
		w.leave()
	}
}

func TestThin_BoundsProgressAndKeepsChanges(t *testing.T) {
	var thin thinner
	now := time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)
	told := 0
	for i := range 4_000_000 { // 46 days of one step
		now = now.Add(time.Second)
		if thin.passes(progress(int64(i)), now) {
			told++
		}
	}
	if told > mostProgress || told < mostProgress/2 {
		t.Errorf("%d pieces of progress", told)
	}
	for i := range 10 {
		if !thin.passes(change(i), now) {
			t.Fatal("a change was held back")
		}
	}
	thin, told = thinner{}, 0
	for range 1000 { // one second of a fast step
		now = now.Add(time.Millisecond)
		if thin.passes(progress(1), now) {
			told++
		}
	}
	if told < 3 || told > 5 {
		t.Errorf("%d pieces of progress in a second", told)
	}
	if now = now.Add(-time.Hour); !thin.passes(progress(1), now) {
		t.Error("a clock that was put back silences the progress")
	}
	for i := range 10 * mostSteps { // as many steps as a backup has backups
		e := progress(1)
		e.Source = string(rune('a'+i%26)) + time.Duration(i).String()
		thin.passes(e, now)
	}
	if len(thin.last) > mostSteps {
		t.Errorf("%d steps are remembered", len(thin.last))
	}
}
