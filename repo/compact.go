package repo

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// CompactPlan is what Compact would do.
type CompactPlan struct {
	// Rewrites are the backups that take over what they need of hidden ones,
	// in this order.
	Rewrites []Rewrite
	// Frees are the hidden backups that can go then.
	Frees []Freed
	// Writes is about the number of bytes that are written.
	Writes int64
}

// FreedBytes sums the space of the hidden backups that can go.
func (p CompactPlan) FreedBytes() int64 { return Deletion{Freed: p.Frees}.FreedBytes() }

// Rewrite is a backup that Compact rewrites, or has rewritten.
type Rewrite struct {
	Backup holdfast.BackupName
	// From are the hidden backups that it refers to.
	From []holdfast.BackupName
	// Before and After are the bytes stored for it; After is about right in
	// a plan.
	Before, After int64
}

// Compaction is what Compact did.
type Compaction struct {
	Rewritten []Rewrite
	Freed     []Freed
}

// FreedBytes sums the space of the hidden backups that are gone.
func (c Compaction) FreedBytes() int64 { return Deletion{Freed: c.Freed}.FreedBytes() }

// CompactOptions are the optional parts of Compact.
type CompactOptions struct {
	// Progress is told the bytes of plaintext copied and checked for a
	// backup; it must be fast.
	Progress func(backup holdfast.BackupName, done, total int64)
}

// PlanCompact tells what Compact would do. It changes nothing.
func (r *Repository) PlanCompact(ctx context.Context) (CompactPlan, error) {
	c, err := r.compaction(ctx)
	if err != nil {
		return CompactPlan{}, err
	}
	var plan CompactPlan
	for _, name := range c.order {
		w, err := c.open(ctx, name)
		if err != nil {
			return plan, err
		}
		plan.Rewrites = append(plan.Rewrites, Rewrite{Backup: name, From: c.from(w.b.metadata), Before: w.b.metadata.StoredBytes, After: w.estimate()})
		plan.Writes += w.writes
		c.took(w)
		if err := w.b.Close(); err != nil {
			return plan, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.targets)) {
		plan.Frees = append(plan.Frees, Freed{name, c.targets[name]})
	}
	return plan, nil
}

// Compact makes the backups that refer to hidden ones take over what they need
// of them, and frees these. A backup stays readable all the while, and after a
// cut at any point; what was cut is finished or undone by the next writer. What
// was done until an error is told with it.
func (r *Repository) Compact(ctx context.Context, o CompactOptions) (Compaction, error) {
	var done Compaction
	c, err := r.compaction(ctx)
	if err != nil {
		return done, err
	}
	for _, name := range c.order {
		if err := c.writeOut(ctx, name); err != nil {
			return done, &holdfast.Error{Op: "compact", Object: string(name), Err: err}
		}
	}
	for _, name := range c.order {
		rewritten, err := c.rewrite(ctx, name, o)
		if err != nil {
			return done, &holdfast.Error{Op: "compact", Object: string(name), Err: err}
		}
		done.Rewritten = append(done.Rewritten, rewritten)
		freed, err := r.sweepNow(ctx)
		done.Freed = append(done.Freed, freed...)
		if err != nil {
			return done, err
		}
	}
	freed, err := r.sweepNow(ctx) // what nothing needed in the first place
	done.Freed = append(done.Freed, freed...)
	return done, err
}

func (r *Repository) sweepNow(ctx context.Context) ([]Freed, error) {
	n, err := r.needs(ctx)
	if err != nil {
		return nil, err
	}
	return r.sweep(ctx, n)
}

// A compaction is one run of Compact or PlanCompact.
type compaction struct {
	r       *Repository
	targets map[holdfast.BackupName]int64 // hidden backups that can be freed, and their bytes
	order   []holdfast.BackupName         // backups to rewrite
	moved   movedBlocks
}

// compaction finds what is to be done. While the metadata of a backup cannot be
// read nothing could be freed, so nothing is begun.
func (r *Repository) compaction(ctx context.Context) (*compaction, error) {
	c := &compaction{r: r, targets: map[holdfast.BackupName]int64{}, moved: movedBlocks{}}
	hidden, err := r.Hidden(ctx)
	if err != nil || len(hidden) == 0 {
		return c, err
	}
	if bad := hidden[0].Unreadable; len(bad) > 0 {
		return nil, &holdfast.Error{
			Op: "compact", Object: string(bad[0]),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "its metadata cannot be read, so nobody knows what it needs, and nothing can be freed"),
			Hint: "`holdfast verify " + string(bad[0]) + "` tells more; delete it if it is lost",
		}
	}
	unusable := map[holdfast.BackupName]bool{} // hidden, but perhaps to come back
	for _, h := range hidden {
		unusable[h.Name] = h.Err != nil
	}
	wanted := map[holdfast.BackupName]bool{}
	for _, h := range hidden {
		if h.Err != nil || slices.ContainsFunc(h.NeededBy, func(by holdfast.BackupName) bool { return unusable[by] }) {
			continue
		}
		c.targets[h.Name] = h.Bytes
		for _, by := range h.NeededBy {
			wanted[by] = true
		}
	}
	return c, c.sort(ctx, wanted)
}

// sort puts the backups to rewrite in order: each after those it needs, the
// older first. The first takes blocks over, and those after it refer to it: so
// nothing is stored twice, and no two backups come to need each other.
func (c *compaction) sort(ctx context.Context, wanted map[holdfast.BackupName]bool) error {
	list, err := c.r.List(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(list) // oldest first
	needs := map[holdfast.BackupName][]holdfast.BackupName{}
	for _, i := range list {
		if i.Metadata != nil {
			needs[i.Name] = i.Metadata.Needs
		}
	}
	seen := map[holdfast.BackupName]bool{}
	var visit func(name holdfast.BackupName)
	visit = func(name holdfast.BackupName) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, on := range needs[name] {
			visit(on)
		}
		if wanted[name] {
			c.order = append(c.order, name)
		}
	}
	for _, i := range list {
		visit(i.Name)
	}
	return nil
}

// from tells which of the hidden backups m needs.
func (c *compaction) from(m *holdfast.Metadata) []holdfast.BackupName {
	var list []holdfast.BackupName
	for _, on := range m.Needs {
		if _, ok := c.targets[on]; ok {
			list = append(list, on)
		}
	}
	return list
}

// rewrite rewrites one backup.
func (c *compaction) rewrite(ctx context.Context, name holdfast.BackupName, o CompactOptions) (Rewrite, error) {
	w, err := c.open(ctx, name)
	if err != nil {
		return Rewrite{}, err
	}
	defer w.b.Close()
	done := Rewrite{Backup: name, From: c.from(w.b.metadata), Before: w.b.metadata.StoredBytes}
	if err := c.room(ctx, w); err != nil {
		return done, err
	}
	if o.Progress != nil {
		w.progress = func(n, total int64) { o.Progress(name, n, total) }
	}
	if done.After, err = w.run(ctx); err != nil {
		return done, err
	}
	c.took(w)
	return done, nil
}

// room refuses what would fill the disk: what is superseded goes only after the
// new is there.
func (c *compaction) room(ctx context.Context, w *rewriting) error {
	free, known, err := c.r.Free(ctx)
	if err != nil {
		return err
	}
	if known && free < w.writes {
		return &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "it writes about %d MiB before it frees anything, and %d MiB are free", w.writes>>20+1, free>>20),
			Hint: "make room, or delete the backups that refer to hidden ones: " + strings.Join(nameStrings(c.order), ", "),
		}
	}
	return nil
}

func nameStrings(names []holdfast.BackupName) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return list
}

// damagedRun says that a hidden backup does not have what is to be taken over.
func damagedRun(p *payload, e *entry, run blockRun) error {
	return p.damaged("holds %d bytes, but %s needs the block %d of it", p.plain, e.Path, run.at+run.count-1)
}

// superseded tells that the backup was compacted since it was opened.
func (b *Backup) superseded() bool {
	m, err := readMarker(b.ctx, b.r.b, b.name)
	return err == nil && m.ManifestSHA256 != b.mark.ManifestSHA256
}

// errCompacted tells a reader that what it reads by was superseded.
var errCompacted = errors.New("the backup was compacted while it was read")
