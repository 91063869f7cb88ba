// Package schedule runs named periodic tasks: each never beside itself, not all at
// the same moment, with its panics contained and its last run there to be looked
// at.
//
// Start from [New], [Runner.Add] and [Runner.Run]. When something is due is
// counted by a [Clock], which sees the time that passed while the machine was
// suspended: what became due meanwhile runs within seconds of its waking, once. A
// wall clock that is set back delays nothing.
//
// The package knows nothing of what the tasks do.
package schedule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Task is something that is done again and again.
type Task struct {
	Name string
	// Every is the period; zero leaves it to Cron.
	Every time.Duration
	// Cron are moments, in UTC, at which it runs beside or instead of Every, without
	// jitter (see NextCron).
	Cron []string
	// LastAt is when it began last in an earlier process: if a period is over since
	// then, or a moment of Cron has passed, it runs at once, once. Zero is never, or
	// unknown, which makes nothing due.
	LastAt time.Time
	// Jitter is the most by which a run comes later than Every says, so that tasks
	// of one period do not all run at once. Zero is a tenth of the period, at most
	// a minute; less than zero is none.
	Jitter time.Duration
	// Timeout ends the context of a run; zero never does.
	Timeout time.Duration
	// AtStart runs it at once, too. Otherwise the first run comes after one period.
	AtStart bool
	// Run does it. It should return soon after its context has ended.
	Run func(context.Context) error
}

// Options are what a runner works with; the zero value will do.
type Options struct {
	Logger *slog.Logger // nil discards
	// Changed is called after each change of what Standing tells.
	Changed func()
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Timer waits; nil is RealTime.
	Timer Timer
}

// lookEvery is the longest that nobody looks at the wall clock: a suspended machine
// has caught up so soon after it woke.
const lookEvery = 3 * time.Second

// A Runner runs tasks.
type Runner struct {
	o     Options
	clock *Clock
	wake  chan struct{} // something may be due earlier than was thought

	mu      sync.Mutex
	tasks   []*task
	started bool
}

// New makes a runner without tasks.
func New(o Options) *Runner {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Timer == nil {
		o.Timer = RealTime
	}
	return &Runner{o: o, clock: NewClock(o.Now), wake: make(chan struct{}, 1)}
}

// Add adds a task, also while the runner runs. A task that cannot be run, or whose
// name is taken, is refused and matches ErrUsage.
func (r *Runner) Add(t Task) error {
	refuse := func(why string) error {
		return &holdfast.Error{Op: "task", Object: t.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "%s", why)}
	}
	switch {
	case t.Name == "":
		return refuse("it has no name")
	case t.Every < 0, t.Every == 0 && len(t.Cron) == 0:
		return refuse("it has no period")
	case t.Run == nil:
		return refuse("it has nothing to run")
	}
	if err := CheckCron(t.Cron); err != nil {
		return &holdfast.Error{Op: "task", Object: t.Name, Err: err}
	}
	r.mu.Lock()
	if slices.ContainsFunc(r.tasks, func(other *task) bool { return other.Name == t.Name }) {
		r.mu.Unlock()
		return refuse("there is another task of this name")
	}
	added := &task{Task: t, triggered: t.AtStart}
	added.begin(r.clock)
	r.tasks = append(r.tasks, added)
	r.mu.Unlock()
	r.look()
	r.o.Changed()
	return nil
}

// look makes Run look at once at what is due.
func (r *Runner) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs the tasks until ctx ends. It then waits for those that run, whose
// context has ended with ctx, and returns nil. It can be called once.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.started {
		r.mu.Unlock()
		return &holdfast.Error{Op: "run tasks", Err: holdfast.Kindf(holdfast.ErrUsage, "they run already, or have been stopped")}
	}
	r.started = true
	for _, t := range r.tasks { // the first period begins here
		t.begin(r.clock)
	}
	r.mu.Unlock()
	r.o.Changed()

	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		due, wait := r.takeDue()
		for _, t := range due {
			running.Go(func() { r.run(ctx, t) })
		}
		fired, stop := r.o.Timer(wait)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-fired:
		}
		stop()
	}
	return nil
}

// takeDue marks the tasks that are due as running and gives them, with the time
// after which somebody should look again.
func (r *Runner) takeDue() (due []*task, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Passed()
	wait = lookEvery
	for _, t := range r.tasks {
		switch {
		case t.running: // its end makes us look again
		case t.triggered || now >= t.next():
			t.running, t.triggered, t.begun = true, false, now
			due = append(due, t)
		default:
			wait = min(wait, t.next()-now)
		}
	}
	return due, wait
}

// Trigger makes a task run soon: at once, or after the run that is going on. The
// period begins anew with it. An unknown name matches ErrNotFound.
func (r *Runner) Trigger(name string) error {
	r.mu.Lock()
	i := slices.IndexFunc(r.tasks, func(t *task) bool { return t.Name == name })
	if i >= 0 {
		r.tasks[i].triggered = true
	}
	r.mu.Unlock()
	if i < 0 {
		return &holdfast.Error{Op: "task", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such task")}
	}
	r.look()
	return nil
}

// Standing tells how each task stands, in the order in which they were added.
func (r *Runner) Standing() []holdfast.TaskStanding {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]holdfast.TaskStanding, 0, len(r.tasks))
	for _, t := range r.tasks {
		out = append(out, t.standing(r.clock))
	}
	return out
}
