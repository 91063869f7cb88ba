package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// A finisher brings the collections of a note to one of its two ends, by what the server
// has: whatever was done before is seen by the names that ids have, so every step may be
// taken again.
type finisher struct {
	t        Target
	note     *note
	kept     []string
	problems []holdfast.Problem
	// ids are the collections of the databases of the note by their ids, as they were
	// when the finisher began, and with what it did since.
	ids map[base]map[string]api.Collection

	later       bool // the restore was begun in another life, perhaps long ago
	longest     int  // a name may be
	databasesGo bool // the server can delete databases
}

// survey looks at the server.
func survey(ctx context.Context, t Target, n *note) (*finisher, error) {
	server, err := t.API.Hello(ctx)
	if err != nil {
		return nil, err
	}
	f := &finisher{
		t: t, note: n, longest: longestName(server), databasesGo: server.API != api.V1,
		ids: map[base]map[string]api.Collection{},
	}
	for _, b := range n.bases() {
		byID, err := t.identities(ctx, b)
		if err != nil {
			return nil, err
		}
		f.ids[b] = byID
	}
	return f, nil
}

// named gives the collection of an id as it is called now; false if it is gone.
func (f *finisher) named(e *entry, id string) (api.Collection, bool) {
	c, ok := f.ids[base{e.Tenant, e.Database}][id]
	return c, ok && id != ""
}

// swapped tells whether any collection has taken another's name.
func (f *finisher) swapped() bool {
	for i := range f.note.Entries {
		e := &f.note.Entries[i]
		if !e.swaps() {
			continue
		}
		if c, ok := f.named(e, e.New); ok && c.Name == e.Name {
			return true
		}
		if c, ok := f.named(e, e.Live); ok && c.Name == e.Aside {
			return true
		}
	}
	return false
}

// mostHasty bounds how often a name is taken again that has just been freed.
const mostHasty = 9

// rename gives a collection a name. A stranger that has it by now (a client that made
// the collection anew in the moment in which nobody had its name) is put aside, and kept.
// Clients that do so with every request may do it several times.
func (f *finisher) rename(ctx context.Context, e *entry, c api.Collection, to string) error {
	err := f.t.API.Rename(ctx, c, to)
	for range mostHasty {
		if !errors.Is(err, api.ErrTaken) {
			break
		}
		if err = f.displace(ctx, e, to, c.ID); err == nil {
			err = f.t.API.Rename(ctx, c, to)
		}
	}
	if err != nil {
		there, lookErr := f.t.find(ctx, place{e.Tenant, e.Database, to})
		if lookErr != nil || there == nil || there.ID != c.ID {
			return fmt.Errorf("rename %s to %s: %w", c.Name, to, err)
		}
	}
	c.Name = to
	f.ids[base{e.Tenant, e.Database}][c.ID] = c
	return nil
}

// displace puts a collection aside that has the name of an entry, under the first name
// that is free: what was put aside before stays.
func (f *finisher) displace(ctx context.Context, e *entry, name, by string) error {
	there, err := f.t.find(ctx, place{e.Tenant, e.Database, name})
	if err != nil || there == nil || there.ID == by {
		return err
	}
	for n := range mostHasty {
		to := place{e.Tenant, e.Database, f.hasty(e, n)}
		if err = f.t.API.Rename(ctx, *there, to.Name); err == nil {
			f.keepHasty(e, to)
			return nil
		}
		if !errors.Is(err, api.ErrTaken) {
			return err
		}
	}
	return err
}

// hasty is a name of what a client made anew in the moment between two renames.
func (f *finisher) hasty(e *entry, n int) string {
	return beside(e.Name, midOld, fmt.Sprintf("%s-%d", f.note.Stamp, n+2), f.longest)
}

func (f *finisher) keepHasty(e *entry, at place) {
	f.keep(at, fmt.Sprintf("a client made collection %s anew while its name was nobody's: what it made is now %s", e.Name, at.Name))
}

// displacedBefore tells what an earlier life put aside.
func (f *finisher) displacedBefore() {
	for i := range f.note.Entries {
		e := &f.note.Entries[i]
		for n := range mostHasty {
			name := f.hasty(e, n)
			for _, c := range f.ids[base{e.Tenant, e.Database}] {
				if c.Name == name {
					f.keepHasty(e, placeOf(c))
				}
			}
		}
	}
}

// keep tells that something of the replaced state stays, and why.
func (f *finisher) keep(p place, why string) {
	f.kept = append(f.kept, p.table())
	if why != "" {
		f.problems = append(f.problems, holdfast.Problem{
			Object: "collection " + p.String(), Severity: holdfast.Warning, Message: why,
			Hint: "look what is in it, and delete it when it is not needed",
		})
	}
}

// errGone tells that somebody deleted what was made for a restore.
var errGone = errors.New("what was to take its place is gone")

// swap gives an entry's collections their new names, the two requests one after the
// other.
func (f *finisher) swap(ctx context.Context, e *entry) error {
	if !e.swaps() {
		return nil
	}
	made, ok := f.named(e, e.New)
	if e.New != "" && !ok {
		return errGone
	}
	if old, ok := f.named(e, e.Live); ok && old.Name == e.Name {
		if err := f.rename(ctx, e, old, e.Aside); err != nil {
			return err
		}
	}
	if e.New == "" || made.Name == e.Name {
		return nil
	}
	return f.rename(ctx, e, made, e.Name)
}

// unswap gives an entry's collections their former names back.
func (f *finisher) unswap(ctx context.Context, e *entry) error {
	if !e.swaps() {
		return nil
	}
	if made, ok := f.named(e, e.New); ok && made.Name == e.Name {
		if err := f.rename(ctx, e, made, e.Temp); err != nil {
			return err
		}
	}
	if old, ok := f.named(e, e.Live); ok && old.Name == e.Aside {
		return f.rename(ctx, e, old, e.Name)
	}
	return nil
}

// finish changes the names that have not changed yet. What was replaced by something
// that is gone by now gets its name back.
func (f *finisher) finish(ctx context.Context) error {
	for i := range f.note.Entries {
		e := &f.note.Entries[i]
		err := f.swap(ctx, e)
		if errors.Is(err, errGone) {
			f.problems = append(f.problems, holdfast.Problem{
				Object: "collection " + e.String(), Severity: holdfast.Warning,
				Message: "what was restored was deleted meanwhile; what was there before has its name",
			})
			err = f.unswap(ctx, e)
		}
		if err != nil {
			return fmt.Errorf("collection %s: %w", e.place, err)
		}
	}
	return nil
}

// tidy drops what was replaced, unless it is to stay.
func (f *finisher) tidy(ctx context.Context) error {
	for i := range f.note.Entries {
		e := &f.note.Entries[i]
		var err error
		if e.swaps() {
			err = f.dropReplaced(ctx, e)
		} else {
			err = f.dropKept(ctx, e)
		}
		if err != nil {
			return fmt.Errorf("collection %s: %w", e.place, err)
		}
	}
	return nil
}

func (f *finisher) dropReplaced(ctx context.Context, e *entry) error {
	old, ok := f.named(e, e.Live)
	if !ok || old.Name != e.Aside {
		return nil
	}
	at := place{e.Tenant, e.Database, e.Aside}
	if f.note.Keep {
		f.keep(at, "")
		return nil
	}
	if e.Was == nil {
		f.keep(at, "what was replaced is kept: no emergency backup holds it")
		return nil
	}
	unwritten, err := f.t.holds(ctx, old, *e.Was)
	if err != nil {
		return err
	}
	if !unwritten {
		f.keep(at, "what was replaced is kept: it is not what the emergency backup holds, so clients wrote to it since")
		return nil
	}
	return f.drop(ctx, e, old)
}

// dropKept drops the records that a merge replaced.
func (f *finisher) dropKept(ctx context.Context, e *entry) error {
	beside, ok := f.named(e, e.Kept)
	if !ok {
		return nil
	}
	if !f.note.Keep && e.Was != nil {
		return f.drop(ctx, e, beside)
	}
	n, err := f.t.unmark(ctx, beside)
	if err != nil {
		return err
	}
	if n == 0 { // nothing was replaced
		return f.drop(ctx, e, beside)
	}
	why := ""
	if !f.note.Keep {
		why = "the records that were replaced are kept: the emergency backup does not hold them as they were"
	}
	f.keep(place{e.Tenant, e.Database, e.Aside}, why)
	return nil
}

// stays tells whether what an entry put aside is still there, as far as is known.
func (f *finisher) stays(e *entry) bool {
	id := e.Live
	if !e.swaps() {
		id = e.Kept
	}
	c, ok := f.named(e, id)
	return ok && c.Name == e.Aside
}

// drop deletes a collection that is known by its id.
func (f *finisher) drop(ctx context.Context, e *entry, c api.Collection) error {
	if err := f.t.API.Drop(ctx, c); err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		return fmt.Errorf("drop %s: %w", c.Name, err)
	}
	delete(f.ids[base{e.Tenant, e.Database}], c.ID)
	return nil
}

// undo brings everything back: names first, which is what clients see, then records,
// then what was made for the restore goes.
func (f *finisher) undo(ctx context.Context) error {
	var problems []error
	each := func(do func(context.Context, *entry) error) {
		for i := range f.note.Entries {
			if err := do(ctx, &f.note.Entries[i]); err != nil {
				problems = append(problems, fmt.Errorf("collection %s: %w", f.note.Entries[i].place, err))
			}
		}
	}
	each(f.unswap)
	each(f.unmerge)
	if len(problems) > 0 {
		return errors.Join(problems...) // nothing is dropped of which something is needed
	}
	each(f.dropMade)
	return errors.Join(problems...)
}

func (f *finisher) unmerge(ctx context.Context, e *entry) error {
	beside, ok := f.named(e, e.Kept)
	if e.swaps() || !ok || f.note.Stage == stageFill {
		return nil
	}
	into, ok := f.named(e, e.Live)
	if !ok {
		f.keep(place{e.Tenant, e.Database, beside.Name}, "the collection of these records is gone")
		e.Kept, e.Aside = "", ""
		return nil
	}
	for _, id := range e.Lost {
		f.problems = append(f.problems, holdfast.Problem{
			Object: "collection " + e.String(), Severity: holdfast.Warning,
			Message: fmt.Sprintf("record %.60q had lost its embedding before and keeps what was restored", id),
		})
	}
	if !f.later || e.Put == nil {
		return f.t.unmerge(ctx, beside, into)
	}
	written, first, err := f.t.unmergeLater(ctx, beside, into, e.Put)
	if err != nil || written == 0 {
		return err
	}
	why := fmt.Sprintf("records to which clients wrote since the restore was cut stay as they are now: %d, such as %.60q", written, first)
	n, err := f.t.unmark(ctx, beside)
	if err != nil {
		return err
	}
	if n == 0 { // nothing was there before
		f.problems = append(f.problems, holdfast.Problem{Object: "collection " + e.String(), Severity: holdfast.Warning, Message: why})
		return nil
	}
	f.keep(placeOf(beside), why+fmt.Sprintf("; what was in collection %s before is kept here", e.Name))
	e.Kept, e.Aside = "", ""
	return nil
}

// dropMade drops what was made for the restore. Before the ids were noted it is known by
// its name: nobody had it before, and the stamp is of this restore alone.
func (f *finisher) dropMade(ctx context.Context, e *entry) error {
	id, name := e.New, e.Temp
	if !e.swaps() {
		id, name = e.Kept, e.Aside
	}
	if name == "" {
		return nil
	}
	for _, c := range f.ids[base{e.Tenant, e.Database}] {
		if c.Name != name || id != "" && c.ID != id {
			continue
		}
		if written, err := f.written(ctx, e, c); err != nil {
			return err
		} else if written {
			f.keep(placeOf(c), fmt.Sprintf("clients wrote to collection %s while the restored records were in it: they are kept here", e.Name))
			return nil
		}
		return f.drop(ctx, e, c)
	}
	return nil
}

// written tells whether a collection that was made for the restore has something else in
// it by now: clients may have found it under the name that it had for a while.
func (f *finisher) written(ctx context.Context, e *entry, c api.Collection) (bool, error) {
	if e.Made == nil || f.note.Stage == stageFill || f.note.Stage == stageMerge {
		return false, nil // it never had the name
	}
	unwritten, err := f.t.holds(ctx, c, *e.Made)
	return !unwritten, err
}

// holds tells whether a collection holds what it held, and nothing else. To read it takes a
// while: what was added meanwhile is seen by its number, directly before it would be gone.
func (t Target) holds(ctx context.Context, c api.Collection, was digest) (bool, error) {
	is, err := digestOf(t.all(ctx, c))
	if err != nil || is != was {
		return false, err
	}
	n, err := t.API.Count(ctx, c)
	return n == is.Records, err
}
