package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A Candidate is a backup that data could be restored from, as far as a list tells.
type Candidate struct {
	Name      holdfast.BackupName
	CreatedAt holdfast.Time
	Trigger   holdfast.Trigger
	// From is the replica that has it; empty is the repository itself.
	From    string
	Sources []holdfast.SourceMetadata
	// Proven is the newest proof that tells anything, perhaps that it failed;
	// nil if there is none.
	Proven *holdfast.Proof
}

// Disproven tells whether the last proof failed.
func (c Candidate) Disproven() bool { return c.Proven != nil && !c.Proven.OK }

// Candidates lists what data could be restored from: the newest first, each once,
// from the nearest place that has it. Emergency backups come after all others, since
// they hold what somebody replaced; those whose last proof failed come last. All
// places are asked at once and for a bounded time. What could not be asked, or not
// read, is told as problems: the list may then lack something. An error is for a
// context that ended.
//
// Nothing is opened: who wants to hurry tries the first with Open or Restore, and
// goes on to the next.
func (e *Engine) Candidates(ctx context.Context) ([]Candidate, []holdfast.Problem, error) {
	places := e.places()
	found := make([][]repo.Info, len(places))
	errs := make([]error, len(places))
	var wg sync.WaitGroup
	for i, p := range places {
		wg.Go(func() {
			found[i], errs[i] = bounded(ctx, surveyWait, func(ctx context.Context) ([]repo.Info, error) {
				r, err := p.open(ctx)
				if err != nil {
					return nil, err
				}
				return r.List(ctx)
			})
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	var all []Candidate
	problems := slices.Clone(e.passed)
	known := map[holdfast.BackupName]int{}
	for i, p := range places {
		if errs[i] != nil && !errors.Is(errs[i], holdfast.ErrNotFound) {
			problems = append(problems, holdfast.Problem{Severity: holdfast.Warning, Object: p.words(), Message: "its backups could not be listed: " + errs[i].Error(), Hint: holdfast.HintOf(errs[i])})
		}
		for _, info := range found[i] {
			if info.Err != nil {
				problems = append(problems, holdfast.Problem{Severity: holdfast.Warning, Object: string(info.Name), Message: "passed over in " + p.words() + ": " + info.Err.Error(), Hint: holdfast.HintOf(info.Err)})
				continue
			}
			c := candidateOf(info, p.name)
			at, twice := known[info.Name]
			switch {
			case !twice:
				known[info.Name] = len(all)
				all = append(all, c)
			case all[at].Disproven() && !c.Disproven() && all[at].CreatedAt.Equal(c.CreatedAt.Time):
				all[at] = c // a further copy may be better than one that failed
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		return cmp.Or(a.rank()-b.rank(), b.CreatedAt.Compare(a.CreatedAt.Time))
	})
	return all, problems, nil
}

// rank orders candidates before their age does.
func (c Candidate) rank() int {
	return 2*btoi(c.Disproven()) + btoi(c.Trigger == holdfast.TriggerEmergency)
}

func candidateOf(i repo.Info, from string) Candidate {
	c := Candidate{Name: i.Name, CreatedAt: i.Metadata.CreatedAt, Trigger: i.Metadata.Trigger, From: from, Sources: i.Metadata.Sources}
	for _, p := range slices.Backward(i.Proofs) {
		if p.Kind != holdfast.ProofStored || !p.OK {
			c.Proven = &p
			break
		}
	}
	return c
}
