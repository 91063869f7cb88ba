package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// An Around is told before and after each backup, restore and rollback: hooks,
// webhooks, a dead man's switch. The emergency backup of a restore, a restore
// into a directory of its own, and what Recover finishes or undoes, are no business
// of it.
type Around interface {
	// Before is called before anything is captured, stored or replaced. The verb
	// then has the repository to itself, and what was asked for is known to be
	// possible in general: whatever only waits for a lock, or is refused because
	// it cannot be meant, calls nobody. An error refuses the verb.
	Before(ctx context.Context, v Verb) error
	// After is called once after each Before, also one that refused: when the verb
	// has ended and has let go of the repository, whatever became of it. The context
	// outlives an interruption of the verb for a moment. What fails here changes
	// nothing of what was done: it is told as a warning. It may be called alone, of a
	// failure that kept the verb from being begun.
	After(ctx context.Context, v Verb) []holdfast.Problem
}

// A Verb is what is about to be done, or was.
type Verb struct {
	Op        string // backup, restore, rollback
	Operation string // its id in the log
	Trigger   holdfast.Trigger
	// Backup is what was made, or is restored; empty while that is not known.
	Backup  holdfast.BackupName
	Sources []string
	Begun   time.Time

	// After only:

	Duration  time.Duration
	Unchanged bool // nothing had changed, so that no backup was made
	Stored    int64
	// Err is why it failed; a verb that ended with problems did not.
	Err      error
	Problems []holdfast.Problem
}

// afterGrace is how long what is done after a verb may outlive its interruption.
const afterGrace = 15 * time.Second

// announce tells that a verb begins. An error says who does not want it.
type announce func(ctx context.Context, v Verb) error

// surrounded does a verb and tells whoever is to be told before and after it. The
// verb calls before once nothing cheap stands in its way any more, and says in after
// what became of it; if it never calls before, nobody is told anything. The problems
// are those of telling its end.
func (r *run) surrounded(ctx context.Context, verb func(ctx context.Context, before announce, after *Verb) error) (problems []holdfast.Problem, err error) {
	around := r.e.o.Around
	if around == nil {
		return nil, verb(ctx, func(context.Context, Verb) error { return nil }, &Verb{})
	}
	var begun *Verb
	before := func(ctx context.Context, v Verb) error {
		v.Op, v.Operation, v.Begun = r.op, r.id, r.begun
		begun = &v
		return r.before(ctx, around, v)
	}
	var after Verb
	err = errCutShort // of a verb that panics, which goes on after it was told
	defer func() {
		if begun == nil {
			return
		}
		v := *begun
		if after.Backup != "" {
			v.Backup = after.Backup
		}
		v.Unchanged, v.Stored, v.Problems, v.Err = after.Unchanged, after.Stored, after.Problems, err
		v.Duration = r.e.o.Now().Sub(r.begun)
		problems = r.after(ctx, around, v)
	}()
	return nil, verb(ctx, before, &after)
}

// errCutShort is why a verb ended that did not return.
var errCutShort = errors.New("it was cut short by a fault in the program")

// before asks whether a verb may begin.
func (r *run) before(ctx context.Context, around Around, v Verb) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(p)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		default:
			r.log.Warn("refused by what is to be done before", keyError, err)
			err = &holdfast.Error{
				Op: "before " + r.op, Err: &refusal{err},
				Hint: cmp.Or(holdfast.HintOf(err), "nothing was changed; what is configured to run before says why"),
			}
		}
	}()
	return around.Before(ctx, v)
}

// after tells that a verb has ended, and what went wrong with telling.
func (r *run) after(ctx context.Context, around Around, v Verb) (problems []holdfast.Problem) {
	ctx, cancel := outliving(ctx, afterGrace)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			problems = append(problems, holdfast.Problem{Object: "after " + r.op, Message: r.panicked(p).Error()})
		}
		for i := range problems {
			problems[i].Severity = holdfast.Warning
			r.problem(problems[i])
		}
	}()
	return slices.Clone(around.After(ctx, v))
}

// panicked makes an error of a panic, whose place only the log tells.
func (r *run) panicked(p any) error {
	r.log.Error("a panic outside of the verb", keyError, p, "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v", p)
}

// outliving gives a context that ends some time after ctx has.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() {
		cancel(nil)
		if !stop() {
			<-ended
		}
	}
}

// A refusal is somebody's word against a verb: it matches ErrRefused, whatever the
// reason was.
type refusal struct{ err error }

func (f *refusal) Error() string { return f.err.Error() }

// Is matches ErrRefused. The reason is not matched: it is that of another program.
func (f *refusal) Is(target error) bool { return target == holdfast.ErrRefused }

// namesOf gives the names of sources.
func namesOf(sources []holdfast.Source) []string {
	var names []string
	for _, s := range sources {
		names = append(names, s.Name())
	}
	return names
}

// workedOn gives the names of the sources that are replaced.
func workedOn(works []*work) []string {
	var names []string
	for _, w := range works {
		names = append(names, w.source.Name())
	}
	return names
}
