package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// workers is how many collections are filled side by side.
const workers = 3

// prepareAll does do for every item, some side by side. The first error ends it.
func (a *apply) prepareAll(ctx context.Context, do func(ctx context.Context, it *item, e *entry) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	idle := make(chan struct{}, workers)
	var group sync.WaitGroup
	for i, it := range a.plan.items {
		select {
		case idle <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-idle }()
			if err := do(ctx, it, &a.note.Entries[i]); err != nil {
				stop(fmt.Errorf("collection %s: %w", it, err))
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// fill makes the collection that takes the item's place.
func (a *apply) fill(ctx context.Context, it *item, e *entry) error {
	if e.Temp == "" {
		return nil
	}
	want, _ := spec(*it.from, place{it.Tenant, it.Database, e.Temp}, a.plan.server)
	made, err := a.t.API.Create(ctx, it.Tenant, it.Database, want)
	if errors.Is(err, api.ErrTaken) {
		e.Temp = "" // it is not ours, and must not go when the restore is undone
		return inUse(place{it.Tenant, it.Database, want.Name})
	}
	if err != nil {
		return err
	}
	e.New = made.ID
	if made.Space != it.from.Space && it.from.Space != "" {
		return fmt.Errorf("the server made it with the space %s in place of %s", made.Space, it.from.Space)
	}
	var done int64
	for batch, err := range fitted(ctx, a.copy, it, a.plan.server) {
		if err != nil {
			return err
		}
		if err := a.t.API.Add(ctx, made, batch); err != nil {
			return err
		}
		done += int64(len(batch))
		a.progress(holdfast.StepStage, it, done)
	}
	a.step(holdfast.StepCheck, it)
	sum, err := a.verify(ctx, it, made)
	if err != nil {
		return err
	}
	e.Made = &sum
	return a.described(ctx, made, want)
}

// described looks whether a collection has the metadata of its own that it was made with. What
// a server adds of itself does no harm.
func (a *apply) described(ctx context.Context, made api.Collection, want api.Spec) error {
	if len(want.Metadata) == 0 {
		return nil
	}
	there, err := a.t.find(ctx, placeOf(made))
	if err != nil {
		return err
	}
	if there == nil || there.ID != made.ID {
		return errGone
	}
	for _, key := range slices.Sorted(maps.Keys(want.Metadata)) {
		if v, ok := there.Metadata[key]; !ok || !sameValue(v, want.Metadata[key]) {
			return fmt.Errorf("it was read back, and %.60q of its own metadata is not what was sent", key)
		}
	}
	return nil
}

// verify reads a collection back that was filled from an item: the ids and their order,
// and every record. Metadata that records inherited from deleted ones are removed.
func (a *apply) verify(ctx context.Context, it *item, made api.Collection) (digest, error) {
	next, stop := iter.Pull2(a.t.API.IDs(ctx, made))
	defer stop()
	var sum digester
	sample := questions{most: mostQuestions}
	if len(a.plan.items) > manyCollections {
		sample.most = 1
	}
	ordered := true
	for batch, err := range fitted(ctx, a.copy, it, a.plan.server) {
		if err != nil {
			return digest{}, err
		}
		for _, r := range batch {
			id, err, ok := next()
			if err != nil {
				return digest{}, err
			}
			if !ok {
				return digest{}, fmt.Errorf("the server does not list record %.60q, which was sent to it", r.ID)
			}
			ordered = ordered && id == r.ID
		}
		got, err := a.t.confirm(ctx, made, batch)
		if err != nil {
			return digest{}, err
		}
		for _, r := range got {
			if err := sum.add(r); err != nil {
				return digest{}, err
			}
			sample.offer(r)
		}
		a.progress(holdfast.StepCheck, it, sum.n)
	}
	switch id, err, more := next(); {
	case err != nil:
		return digest{}, err
	case more:
		return digest{}, fmt.Errorf("the server lists record %.60q, which was not sent to it", id)
	}
	if !ordered {
		a.tell(holdfast.Problem{
			Object: "collection " + it.String(), Severity: holdfast.Warning,
			Message: "the server lists its records in another order than the copy",
		})
	}
	return sum.digest(), a.ask(ctx, it, made, sample)
}

// confirm reads records back and compares them with what was sent. Surplus or wrong
// metadata are put right once.
func (t Target) confirm(ctx context.Context, c api.Collection, want []record) ([]record, error) {
	for again := false; ; again = true {
		got, bad, err := t.API.Get(ctx, c, idsOf(want), disk.Everything)
		if err != nil {
			return nil, err
		}
		if len(bad) > 0 {
			return nil, fmt.Errorf("the server cannot read record %.60q back: %w", bad[0].ID, bad[0].Err)
		}
		var repairs []record
		at := 0
		for _, w := range want {
			if at == len(got) || got[at].ID != w.ID {
				return nil, fmt.Errorf("the server does not have record %.60q, which was sent to it", w.ID)
			}
			if what := differs(got[at], w, c.Space); what != "" {
				if _, same := sameValues(got[at].Metadata, w.Metadata); same || again {
					return nil, fmt.Errorf("record %.60q was read back, and %s is not what was sent", w.ID, what)
				}
				repairs = append(repairs, record{ID: w.ID, Metadata: changed(got[at].Metadata, w.Metadata)})
			}
			at++
		}
		if len(repairs) == 0 {
			return got, nil
		}
		if err := t.API.Update(ctx, c, repairs); err != nil {
			return nil, err
		}
	}
}

// changed gives the metadata that make want of got by a request that merges: what is
// surplus is null.
func changed(got, want holdfast.Values) holdfast.Values {
	out := holdfast.Values{}
	for key, v := range want {
		if there, ok := got[key]; !ok || !sameValue(there, v) {
			out[key] = v
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			out[key] = nil
		}
	}
	return out
}

// questions are a few records that are searched for by their own embeddings.
type questions struct {
	most    int
	n       int64
	records []record
}

const (
	mostQuestions   = 3
	manyCollections = 100 // from which on each is asked one question
)

// offer keeps the first records, and later ones as the number doubles.
func (q *questions) offer(r record) {
	q.n++
	if len(q.records) < q.most {
		q.records = append(q.records, r)
	} else if q.n&(q.n-1) == 0 {
		q.records = append(q.records[1:], r)
	}
}

// ask searches for records by their own embeddings: what is found must exist. That a
// record is not found where it ought to be is told.
func (a *apply) ask(ctx context.Context, it *item, made api.Collection, q questions) error {
	const nearest = 10
	for _, r := range q.records {
		found, err := a.t.API.Query(ctx, made, r.Embedding, int(min(nearest, q.n)))
		if err != nil {
			return err
		}
		there, _, err := a.t.API.Get(ctx, made, found, 0)
		if err != nil {
			return err
		}
		if len(found) == 0 || len(there) != len(found) {
			return fmt.Errorf("a search for the embedding of record %.60q finds %d records of which %d exist", r.ID, len(found), len(there))
		}
		if made.Space == disk.SpaceL2 && !slices.Contains(found, r.ID) && q.n <= nearest {
			a.tell(holdfast.Problem{
				Object: "collection " + it.String(), Severity: holdfast.Warning,
				Message: fmt.Sprintf("a search for the embedding of record %.60q does not find it", r.ID),
			})
		}
	}
	return nil
}
