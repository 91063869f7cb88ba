package job

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Options are what a runner works with.
type Options struct {
	// Dir holds the records; it is made when it is needed.
	Dir string
	// Keep is how long an ended job is kept, KeepMost how many of them are: 30 days
	// and 1,000 if zero.
	Keep     time.Duration
	KeepMost int
	FS       durable.FS       // nil is the real file system
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil discards
}

const (
	defaultKeep     = 30 * 24 * time.Hour
	defaultKeepMost = 1000
	defaultActive   = 500
)

// ErrClosed tells that no job is begun any more. It matches context.Canceled, as an
// interruption does.
var ErrClosed = holdfast.Kindf(context.Canceled, "the daemon is shutting down")

// The causes for which the context of a job ends.
var (
	errCancelled = holdfast.Kindf(context.Canceled, "cancelled on request")
	errShutdown  = holdfast.Kindf(context.Canceled, "the daemon was shut down")
)

// A Runner runs jobs and remembers them. Its methods may be called side by side.
type Runner struct {
	o     Options
	log   *slog.Logger
	store store
	// mostActive bounds the jobs that wait or run.
	mostActive int

	starting sync.Mutex // one job is begun at a time: its record comes first
	sweeping sync.Mutex // one sweep at a time

	mu    sync.Mutex
	jobs  map[string]*entry
	keys  map[string]*entry
	rules Rules
	queue []*entry // waiting for a place, in order
	// beginning is the kind of a job that has its place, and is being recorded.
	beginning string
	lastID    time.Time // the moment in it
	closed    bool
	work      sync.WaitGroup // of everything that runs
}

// Open reads the records of a directory. That they cannot be read is a warning in
// the log: a backup must be possible without them.
func Open(o Options) (*Runner, error) {
	if o.Dir == "" {
		return nil, &holdfast.Error{Op: "jobs", Err: holdfast.Kindf(holdfast.ErrUsage, "no directory for the records of jobs")}
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.KeepMost <= 0 {
		o.KeepMost = defaultKeepMost
	}
	if o.FS == nil {
		o.FS = durable.OS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		o: o, log: o.Logger, store: store{dir: o.Dir, fs: o.FS}, mostActive: defaultActive,
		jobs: map[string]*entry{}, keys: map[string]*entry{},
	}
	r.load()
	r.sweep()
	return r, nil
}

// load takes in what is on the disk.
func (r *Runner) load() {
	records, unreadable, err := r.store.all()
	if err != nil {
		r.log.Warn("the records of earlier jobs cannot be read", keyError, err)
	}
	now := r.o.Now()
	for _, u := range unreadable {
		if now.Sub(u.modified) > r.o.Keep {
			u.err = errors.Join(u.err, r.store.remove(u.id))
		}
		r.log.Warn("the record of a job cannot be read and is passed over", keyOperation, u.id, keyError, u.err)
	}
	for _, rec := range records {
		e := r.known(rec)
		r.jobs[rec.ID] = e
		if rec.Key != "" {
			r.keys[keyOf(rec.By, rec.Key)] = e
		}
	}
}

// find gives the entry of a job.
func (r *Runner) find(id string) (*entry, error) {
	if !idPattern.MatchString(id) {
		return nil, errUnknown(id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.jobs[id]
	if e == nil {
		return nil, errUnknown(id)
	}
	return e, nil
}

// Get tells how a job stands, with its request and its result. ErrNotFound if there
// is none, or no longer.
func (r *Runner) Get(id string) (Job, error) {
	e, err := r.find(id)
	if err != nil {
		return Job{}, err
	}
	return r.whole(e), nil
}

// whole is a job with all that the record has of it.
func (r *Runner) whole(e *entry) Job {
	j, lean := e.snapshot()
	if !lean {
		return j
	}
	rec, err := r.store.read(j.ID)
	if err != nil {
		j.Problems = append(j.Problems, holdfast.Problem{Severity: holdfast.Warning, Object: j.ID, Message: "the record of the job cannot be read: " + err.Error(), Hint: "its result is lost; what it did is not"})
		return j
	}
	return rec.Job
}

// Wait waits until a job has ended. If ctx ends before, the job comes as it stands
// then, beside the reason why it was not waited for.
func (r *Runner) Wait(ctx context.Context, id string) (Job, error) {
	return r.wait(ctx, id, func(e *entry) <-chan struct{} { return e.done })
}

// WaitResult waits until a job has a result, which it may have before it has ended,
// or has ended without.
func (r *Runner) WaitResult(ctx context.Context, id string) (Job, error) {
	return r.wait(ctx, id, func(e *entry) <-chan struct{} { return e.early })
}

func (r *Runner) wait(ctx context.Context, id string, what func(*entry) <-chan struct{}) (Job, error) {
	e, err := r.find(id)
	if err != nil {
		return Job{}, err
	}
	select {
	case <-what(e):
		return r.whole(e), nil
	case <-ctx.Done():
		return r.whole(e), context.Cause(ctx)
	}
}

// Cancel asks a job to end, and tells how it stands. One that has ended stays as it
// is; one that ends by itself before it takes notice has not been cancelled.
func (r *Runner) Cancel(id string) (Job, error) {
	e, err := r.find(id)
	if err != nil {
		return Job{}, err
	}
	if r.unqueue(e) {
		r.end(e, func(j *Job) {
			j.State, j.Outcome = Cancelled, "cancelled before it had begun; nothing was done"
		})
		e.cancel(nil)
	} else if e.cancel != nil {
		e.cancel(errCancelled)
	}
	return r.whole(e), nil
}
