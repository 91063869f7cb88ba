package job

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/logtest"
)

// A clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.at = c.at.Add(d)
	c.mu.Unlock()
}

// A world is a directory, and the runners that use it one after the other.
type world struct {
	t     *testing.T
	dir   string
	clock *clock
	log   *logtest.Log
	o     Options
	*Runner
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	root := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: filepath.Join(root, "state", "jobs"), clock: newClock(), log: &logtest.Log{}}
	w.o = Options{Dir: w.dir, Now: w.clock.now, Logger: slog.New(slog.NewTextHandler(w.log, nil)), FS: durable.OS}
	for _, c := range change {
		c(&w.o)
	}
	w.dir = w.o.Dir
	w.open()
	return w
}

// open opens the directory, as the next process does.
func (w *world) open() {
	w.t.Helper()
	r, err := Open(w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Runner = r
	w.t.Cleanup(func() { closeNow(r) })
}

// closeNow ends all that a runner does.
func closeNow(r *Runner) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Close(ctx)
}

// begin starts a job.
func (w *world) begin(kind string, work Work) Job {
	w.t.Helper()
	j, _, err := w.Start(kind, "tester", "", map[string]any{"kind": kind}, work)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// end waits until a job has ended.
func (w *world) end(id string) Job {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	j, err := w.Wait(ctx, id)
	if err != nil {
		w.t.Fatalf("job %s does not end: %v", id, err)
	}
	return j
}

// do starts a job and waits for its end.
func (w *world) do(kind string, work Work) Job {
	w.t.Helper()
	return w.end(w.begin(kind, work).ID)
}

// all gives the events of a job up to its end.
func (w *world) all(id string, after int64) []Event {
	w.t.Helper()
	var events []Event
	for ev, err := range w.Events(w.t.Context(), id, after) {
		if err != nil {
			w.t.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

func quick(context.Context, *Handle) (any, error) { return map[string]string{"type": "done"}, nil }

// until works until its context ends.
func until(ctx context.Context, _ *Handle) (any, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// held works until it is let go or its context ends.
func held(letGo <-chan struct{}) Work {
	return func(ctx context.Context, _ *Handle) (any, error) {
		select {
		case <-letGo:
			return "let go", nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// leave drops the runner as a killed process does: nothing of it comes to the disk any
// more. What runs is ended when the test is.
func (w *world) leave() (old *Runner) {
	old = w.Runner
	w.open()
	return old
}

// progress is one piece of progress.
func progress(done int64) holdfast.Event {
	return holdfast.Event{Op: "backup", Step: holdfast.StepCapture, State: holdfast.Progress, Source: "bot", Done: done}
}

func mustBe(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}
