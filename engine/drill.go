package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// DrillRequest asks for a drill.
type DrillRequest struct {
	Name string // name or latest
	// Commands start the owner of a source of a kind on a restored copy. Of a kind
	// without a command no owner is started.
	Commands map[holdfast.Kind]string
	// Dir is where the scratch copy is made; empty is the state directory.
	Dir string
	// Timeout bounds the whole drill; zero does not.
	Timeout time.Duration
}

// DrillResult tells what a drill found.
type DrillResult struct {
	Backup holdfast.BackupName
	From   string // the replica whose copy was restored; empty: that of the repository
	// Proof is what is kept with the backup.
	Proof holdfast.Proof
	// Compared is everything that was compared, of which the proof has a summary.
	Compared []holdfast.Comparison
	// Asked names the sources whose owner was started on the copy and asked.
	Asked []string
	// Damage is what is wrong with stored bytes, SourceProblems what each source's
	// own check found in the restored files.
	Damage, SourceProblems []holdfast.Problem
	// Problems tell of the drill, and not of the data: what could not be compared
	// or asked, why nearer copies were passed over.
	Problems []holdfast.Problem
}

// OK tells whether the restored data stood the drill.
func (d *DrillResult) OK() bool { return d.err() == nil }

// Differences are the comparisons that are not as they should be.
func (d *DrillResult) Differences() []holdfast.Comparison {
	return slices.DeleteFunc(slices.Clone(d.Compared), func(c holdfast.Comparison) bool { return c.OK })
}

// err is the outcome as an error. Data that is not what was captured is damaged,
// whatever its checksums say.
func (d *DrillResult) err() error {
	if problems := slices.Concat(d.Damage, differences(d.Differences())); len(problems) > 0 {
		return &holdfast.Error{
			Op: "drill", Object: string(d.Backup), Err: &holdfast.DamagedError{Backup: d.Backup, Problems: problems},
			Hint: "restore another backup; `holdfast list` shows which are proven",
		}
	}
	for _, p := range d.SourceProblems {
		if p.Severity != holdfast.Warning {
			return &holdfast.Error{
				Op: "drill", Object: string(d.Backup), Hint: p.Hint,
				Err: holdfast.Kindf(holdfast.ErrIncomplete, "it was restored as it was captured, but %s", describe(p)),
			}
		}
	}
	return nil
}

// differences tells of comparisons as problems.
func differences(compared []holdfast.Comparison) []holdfast.Problem {
	var problems []holdfast.Problem
	for _, c := range compared {
		problems = append(problems, holdfast.Problem{
			Source: c.Source, Object: c.What, Severity: holdfast.Damaged,
			Message: fmt.Sprintf("the restored data says %s where %s was captured", c.Got, c.Want),
			Hint:    "what was stored is not what was captured; restore another backup",
		})
	}
	return problems
}

// Drill restores the nearest copy of a backup into a scratch directory, as for real,
// holds it to what was recorded when it was captured, and keeps the outcome with the
// backup. What does not stand the drill is an error beside the result. A drill that
// could not be held is an error alone, and tells nothing of the backup.
func (e *Engine) Drill(ctx context.Context, req DrillRequest) (*DrillResult, error) {
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.Timeout, errDrillTimeout)
		defer cancel()
	}
	f, err := e.findBy(ctx, req.Name, nil, told)
	if err != nil {
		return nil, err
	}
	at := e
	if f.from != "" && f.from != e.standsIn {
		at = e.over(f.at, f.replica)
	}
	r := at.start(ctx, opDrill)
	result, err := r.drill(ctx, f, req)
	if err != nil {
		err = r.notHeld(ctx, err)
		r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Failed, Message: err.Error()})
		return nil, err
	}
	err = r.recordProof(ctx, result.Backup, result.Proof, result.err())
	if err == nil {
		err = result.err()
	}
	if err != nil {
		r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Failed, Message: err.Error()})
		return result, err
	}
	r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Finished, Message: string(result.Backup) + " was restored and stood the drill"})
	return result, nil
}

// opDrill is the name of the verb.
const opDrill = "drill"

// errDrillTimeout ends a drill that takes too long.
var errDrillTimeout = errors.New("it was not done in time")

// notHeld says why a drill could not be held.
func (r *run) notHeld(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errDrillTimeout):
		return &holdfast.Error{Op: opDrill, Object: string(r.backup), Err: errDrillTimeout, Hint: "allow more time with --timeout or drill.timeout"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, repo.ErrNoKey):
		return &holdfast.Error{
			Op: opDrill, Object: string(r.backup), Err: holdfast.Kindf(holdfast.ErrRefused, "it is encrypted and no key was given, so that it cannot be restored here"),
			Hint: "give a key: identity_file, or a passphrase; `holdfast verify` compares the stored bytes without one",
		}
	}
	return spaceError(err)
}
