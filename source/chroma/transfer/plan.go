package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
)

// Plan compares what is wanted with what the server has and changes nothing. Everything
// that the server could not keep of the copy is among the losses, each kind once for a
// collection: the records are read for it.
func Plan(ctx context.Context, t Target, c content.Content, parts []holdfast.Part) (holdfast.PartPlan, error) {
	p, err := plan(ctx, t, c, parts)
	if err != nil {
		return holdfast.PartPlan{}, failed(ctx, "plan the restore into", t, err)
	}
	return p.PartPlan, nil
}

// failed says what failed on which server, unless the error says so itself.
func failed(ctx context.Context, op string, t Target, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return &holdfast.Error{Op: op, Object: t.API.Location(), Err: err}
}

// A planned restore is a plan and what it was made from.
type planned struct {
	holdfast.PartPlan
	items  []*item
	empty  []base // databases of the copy that come along without a collection
	server api.Server
}

func plan(ctx context.Context, t Target, c content.Content, parts []holdfast.Part) (*planned, error) {
	l, err := look(ctx, t)
	if err != nil {
		return nil, err
	}
	r, err := resolve(ctx, l, c, parts)
	if err != nil {
		return nil, err
	}
	p := &planned{items: r.items, empty: r.empty, server: l.server}
	p.Stays = r.stays
	for _, it := range p.items {
		if err := p.examine(ctx, t, c, it); err != nil {
			return nil, fmt.Errorf("collection %s: %w", it, err)
		}
		p.Changes = append(p.Changes, it.change())
	}
	return p, nil
}

func (it *item) change() holdfast.PartChange {
	change := holdfast.PartChange{Table: it.table(), Action: it.action, Now: it.now, Then: it.then, Keys: it.keys}
	if it.named != nil {
		change.Keys = it.named // if a client adds another until then, it is those
	}
	if it.from != nil {
		if from := (place{it.from.Tenant, it.from.Database, it.from.Name}).table(); from != change.Table {
			change.From = from
		}
	}
	return change
}

// examine counts what is there and what will be, and what is lost on the way.
func (p *planned) examine(ctx context.Context, t Target, c content.Content, it *item) error {
	if it.live != nil {
		now, err := t.API.Count(ctx, *it.live)
		if err != nil {
			return err
		}
		it.now = &now
	}
	if err := p.examineKeys(ctx, t, c, it); err != nil {
		return err
	}
	var then int64
	if it.from != nil {
		if it.action != holdfast.PartMerge {
			_, losses := spec(*it.from, it.place, p.server)
			p.Losses = append(p.Losses, losses...)
		}
		var err error
		if then, err = p.weigh(ctx, c, it); err != nil {
			return err
		}
	}
	it.then = &then
	return nil
}

// examineKeys refuses keys that the copy does not have, unless they are to go, and
// counts those that the server has.
func (p *planned) examineKeys(ctx context.Context, t Target, c content.Content, it *item) error {
	if it.keys == nil {
		return nil
	}
	if it.from != nil && !it.exact {
		missing, err := missingKeys(ctx, c, it)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return &holdfast.Error{
				Op: "find", Object: fmt.Sprintf("record %.60q", missing[0]),
				Err:  holdfast.Kindf(holdfast.ErrNotFound, "the copy has no such record (%d of %d are missing)", len(missing), len(it.keys)),
				Hint: "search the backup for it",
			}
		}
	}
	if it.live == nil {
		return nil
	}
	var now int64
	for keys := range slices.Chunk(it.keys, batchRecords) {
		found, _, err := t.API.Get(ctx, *it.live, keys, 0)
		if err != nil {
			return err
		}
		now += int64(len(found))
	}
	if it.from == nil && now == *it.now {
		// The copy never had the collection, and nothing else is in it.
		it.action, it.named, it.keys = holdfast.PartRemove, it.keys, nil
	}
	it.now = &now
	return nil
}

// missingKeys are the keys of an item that the copy does not have.
func missingKeys(ctx context.Context, c content.Content, it *item) ([]string, error) {
	missing := make(map[string]bool, len(it.keys))
	for _, key := range it.keys {
		missing[key] = true
	}
	for r, err := range copied(ctx, c, it) {
		if err != nil {
			return nil, err
		}
		delete(missing, r.ID)
	}
	return slices.DeleteFunc(slices.Clone(it.keys), func(key string) bool { return !missing[key] }), nil
}

// weigh reads the records of an item: how many there will be, how much is to be sent,
// and what the server cannot keep.
func (p *planned) weigh(ctx context.Context, c content.Content, it *item) (int64, error) {
	f := newFitter(it, p.server)
	var lost tally
	var then int64
	for r, err := range copied(ctx, c, it) {
		if err != nil {
			return 0, err
		}
		kept, losses, ok := f.fit(r)
		lost.add(r.ID, losses)
		if ok {
			then++
			p.Bytes += int64(weight(kept))
		}
	}
	p.Losses = append(p.Losses, lost.problems(it.place)...)
	return then, nil
}
