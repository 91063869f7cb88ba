package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
)

// An apply is one restore under way.
type apply struct {
	t        Target
	copy     content.Content
	replaced content.Content // what the emergency backup holds; nil without one
	o        holdfast.PartOptions
	plan     *planned
	note     *note
	noted    bool // a note was left

	mu       sync.Mutex // for what is told from several goroutines
	problems []holdfast.Problem
	kept     []string
}

// Apply brings parts of a copy into the server, or leaves it as it was: an error with
// Undone in the result says that it did. What it does and in which order is told in the
// package's comment.
func Apply(ctx context.Context, t Target, c content.Content, parts []holdfast.Part, o holdfast.PartOptions) (_ holdfast.PartResult, err error) {
	const op = "restore into"
	a := &apply{t: t, copy: c, o: o}
	if o.Stamp == "" {
		return holdfast.PartResult{Undone: true}, failed(ctx, op, t, holdfast.Kindf(holdfast.ErrUsage, "the restore has no stamp"))
	}
	if o.Replaced != nil {
		a.replaced, err = content.Open(ctx, o.Replaced)
		if err != nil {
			return holdfast.PartResult{Undone: true}, failed(ctx, op, t, fmt.Errorf("the backup of what is replaced: %w", err))
		}
		defer func() { err = errors.Join(err, a.replaced.Close()) }()
	}
	if a.plan, err = plan(ctx, t, c, parts); err != nil {
		return holdfast.PartResult{Undone: true}, failed(ctx, op, t, err)
	}
	if len(a.plan.Losses) > 0 && !o.AcceptLosses {
		return holdfast.PartResult{Changes: a.plan.Changes, Problems: a.plan.Losses, Undone: true}, failed(ctx, op, t, lossy(a.plan.Losses))
	}
	a.problems = slices.Clone(a.plan.Losses)
	a.note = begin(a.plan, o)
	if err := a.run(ctx); err != nil {
		return a.giveUp(ctx, failed(ctx, op, t, err))
	}
	return a.finish(ctx)
}

// lossy refuses a restore that would lose something.
func lossy(losses []holdfast.Problem) error {
	return &holdfast.Error{
		Err: holdfast.Kindf(holdfast.ErrRefused, "the server cannot keep everything (%d losses): %s: %s",
			len(losses), losses[0].Object, losses[0].Message),
		Hint: losses[0].Hint, Cause: holdfast.CauseLosses,
	}
}

// run does everything up to the last change of a name.
func (a *apply) run(ctx context.Context) error {
	if err := a.bases(ctx); err != nil {
		return err
	}
	err := a.prepareAll(ctx, func(ctx context.Context, it *item, e *entry) error {
		a.step(holdfast.StepStage, it)
		if err := a.fill(ctx, it, e); err != nil {
			return err
		}
		if err := a.keep(ctx, it, e); err != nil || !e.swaps() || a.o.KeepReplaced {
			return err
		}
		var err error
		e.Was, err = a.backedUp(ctx, it)
		return err
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(a.note.Entries, func(e entry) bool { return !e.swaps() }) {
		if err := a.prepareAll(ctx, a.unchanged); err != nil {
			return err
		}
		if err := a.write(stageMerge); err != nil {
			return err
		}
		if err := a.prepareAll(ctx, a.merge); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(a.note.Entries, func(e entry) bool { return e.swaps() }) {
		return nil
	}
	return a.swap(ctx)
}

// bases makes the databases that are missing. The first note comes before the first
// request that changes anything.
func (a *apply) bases(ctx context.Context) error {
	wanted := slices.Clone(a.plan.empty)
	for _, it := range a.plan.items {
		if it.from != nil && it.live == nil {
			wanted = append(wanted, base{it.Tenant, it.Database})
		}
	}
	var missing []base
	asked := map[base]bool{}
	for _, b := range wanted {
		if asked[b] {
			continue
		}
		asked[b] = true
		is, err := a.t.has(ctx, b)
		if err != nil {
			return err
		}
		if !is {
			missing = append(missing, b)
		}
	}
	a.note.Bases = missing
	if err := a.free(ctx); err != nil {
		return err
	}
	if err := a.write(stageFill); err != nil {
		return err
	}
	a.noted = true
	for _, b := range missing {
		if err := a.t.makeBase(ctx, b); err != nil {
			return fmt.Errorf("make database %s/%s: %w", b.Tenant, b.Database, err)
		}
	}
	return nil
}

// free looks that nobody has the names that the restore gives: what has them later is taken
// for its own, and goes with it.
func (a *apply) free(ctx context.Context) error {
	for _, b := range a.note.bases() {
		there, err := a.t.identities(ctx, b)
		if err != nil {
			return err
		}
		names := map[string]bool{}
		for _, c := range there {
			names[c.Name] = true
		}
		for i := range a.note.Entries {
			e := &a.note.Entries[i]
			for _, name := range []string{e.Temp, e.Aside} {
				if name != "" && names[name] && (base{e.Tenant, e.Database}) == b {
					return inUse(place{e.Tenant, e.Database, name})
				}
			}
		}
	}
	return nil
}

// inUse refuses a restore over a collection that has the name of what it makes.
func inUse(p place) error {
	return &holdfast.Error{
		Op: "make", Object: "collection " + p.String(), Err: holdfast.Kindf(holdfast.ErrRefused, "somebody else's collection is called so"),
		Hint: "is another restore into this server at work? When it is over, restore again",
	}
}

// swap changes the names of all collections, one after the other.
func (a *apply) swap(ctx context.Context) error {
	if err := a.write(stageSwap); err != nil {
		return err
	}
	f, err := survey(ctx, a.t, a.note)
	if err != nil {
		return err
	}
	defer a.adopt(f)
	for i := range a.note.Entries {
		e := &a.note.Entries[i]
		if !e.swaps() {
			continue
		}
		a.step(holdfast.StepSwap, a.plan.items[i])
		if err := a.unmoved(ctx, e); err != nil {
			return fmt.Errorf("collection %s: %w", e.place, err)
		}
		if err := f.swap(ctx, e); err != nil {
			return fmt.Errorf("collection %s: %w", e.place, err)
		}
	}
	return a.look(ctx)
}

// unmoved looks whether the name of an entry still belongs to whom it belonged when the
// restore was planned.
func (a *apply) unmoved(ctx context.Context, e *entry) error {
	there, err := a.t.find(ctx, e.place)
	switch {
	case err != nil:
		return err
	case there == nil && e.Live == "", there != nil && there.ID == e.Live:
		return nil
	}
	return &holdfast.Error{
		Err:  holdfast.Kindf(holdfast.ErrRefused, "somebody made or removed it while the restore was at work"),
		Hint: "restore again",
	}
}

// look sees that every name now belongs to what was made for it.
func (a *apply) look(ctx context.Context) error {
	for i := range a.note.Entries {
		e := &a.note.Entries[i]
		if e.New == "" {
			continue
		}
		there, err := a.t.find(ctx, e.place)
		if err != nil {
			return err
		}
		if there == nil || there.ID != e.New {
			return fmt.Errorf("collection %s is not what was restored", e.place)
		}
	}
	return nil
}

// finish writes that everything is in place and drops what was replaced. From here on
// nothing is undone, and nothing is a failure: what cannot be dropped stays, and is told.
func (a *apply) finish(ctx context.Context) (holdfast.PartResult, error) {
	if err := a.write(stageDrop); err != nil {
		// The last note says swap, or merge: a settling might undo what stands.
		return a.giveUp(ctx, failed(ctx, "restore into", a.t, err))
	}
	f, err := survey(ctx, a.t, a.note)
	if err == nil {
		err = f.tidy(ctx)
		a.adopt(f)
	}
	if err != nil {
		for i := range a.note.Entries {
			if e := &a.note.Entries[i]; e.Aside != "" && (f == nil || f.stays(e)) {
				a.kept = append(a.kept, place{e.Tenant, e.Database, e.Aside}.table())
			}
		}
		a.tell(holdfast.Problem{
			Object: a.t.API.Location(), Severity: holdfast.Warning,
			Message: fmt.Sprintf("everything is in place, but what was replaced could not be removed: %v", err),
			Hint:    "delete the collections that are named as kept when the server answers again",
		})
	}
	slices.Sort(a.kept)
	return holdfast.PartResult{
		Changes: a.plan.Changes, Reload: a.note.reload(), Kept: slices.Compact(a.kept), Problems: a.problems,
	}, nil
}

// giveUp brings everything back.
func (a *apply) giveUp(ctx context.Context, cause error) (holdfast.PartResult, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	result := holdfast.PartResult{Changes: a.plan.Changes}
	switch {
	case !a.noted: // nothing was changed, and nothing there is the restore's
		result.Problems, result.Undone = a.problems, true
		return result, cause
	case a.note.Stage != stageFill:
		// Whoever finds the note later must not go on with what is undone here. If it
		// cannot be written, that is no reason to leave things as they are.
		cause = errors.Join(cause, a.write(stageUndo))
	default:
		// It knows by now what is the restore's own, and what only has its name.
		cause = errors.Join(cause, a.write(stageFill))
	}
	f, err := survey(ctx, a.t, a.note)
	if err == nil {
		err = f.undo(ctx)
	}
	if err == nil {
		err = f.dropBases(ctx)
	}
	if f != nil {
		a.adopt(f)
	}
	result.Kept = a.kept
	result.Problems = a.problems
	result.Undone = err == nil
	if err != nil {
		cause = fmt.Errorf("%w; to undo it failed as well: %w", cause, err)
	}
	return result, cause
}

// adopt takes over what a finisher has to tell.
func (a *apply) adopt(f *finisher) {
	for _, p := range f.problems {
		a.tell(p)
	}
	a.kept = append(a.kept, f.kept...)
}

// write notes durably that a stage begins.
func (a *apply) write(s stage) error {
	before := a.note.Stage
	a.note.Stage = s
	text, err := json.Marshal(a.note)
	if err == nil && a.o.Note != nil {
		err = a.o.Note(text)
	}
	if err != nil {
		a.note.Stage = before
		return fmt.Errorf("note how far the restore is: %w", err)
	}
	a.t.logger().Debug("restore by requests", "server", a.t.API.Location(), "stage", string(s), "collections", len(a.note.Entries))
	return nil
}

func (a *apply) tell(p holdfast.Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problems = append(a.problems, p)
}

func (a *apply) step(s holdfast.Step, it *item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.o.Step != nil {
		a.o.Step(s, it.table())
	}
}

func (a *apply) progress(s holdfast.Step, it *item, done int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.o.Progress != nil {
		total := done
		if it.then != nil {
			total = *it.then
		}
		a.o.Progress(s, it.table(), done, total)
	}
}
