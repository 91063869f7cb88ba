package engine

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A store that runs is changed by its own requests, while its clients go on: whole, or
// in parts. Nothing is staged beside a target and no file is moved, so such a restore
// has a ceremony of its own (partsrestore.go) and a journal of its own (partsjournal.go).
// It is of one store at a time, because requests to two of them cannot change together.

// methodRequests is the method of a store that is changed by requests.
const methodRequests = "requests"

// A partsWork is what is to be done with one store by requests.
type partsWork struct {
	store  holdfast.PartRestorer
	source string // what its data is called in the copy
	wanted []holdfast.Part
	copied fs.FS
	plan   holdfast.PartPlan
}

// whole tells whether everything that the copy holds is wanted.
func (w *partsWork) whole() bool {
	return slices.ContainsFunc(w.wanted, func(p holdfast.Part) bool { return p.Table == "" })
}

// replaced gives what the change touches in the store, by its full names: the parts alone
// do not tell it, since the copy may hold what the store does not look after otherwise.
func (w *partsWork) replaced() []holdfast.Part {
	touched := (&lastParts{Changes: w.plan.Changes, Rows: w.rows()}).undo()
	if w.whole() || len(touched) == 0 {
		return append(slices.Clone(w.wanted), touched...)
	}
	return touched
}

// rows gives those that the plan is about, by the table of the store.
func (w *partsWork) rows() map[string][]string {
	rows := map[string][]string{}
	for _, c := range w.plan.Changes {
		if len(c.Keys) > 0 {
			rows[c.Table] = c.Keys
		}
	}
	return rows
}

// brings tells whether all of some collections is wanted.
func (w *partsWork) brings(collections []holdfast.MemoryCollection) bool {
	if w.whole() {
		return true
	}
	for _, c := range collections {
		if !slices.ContainsFunc(w.plan.Changes, func(change holdfast.PartChange) bool {
			return len(change.Keys) == 0 && isCollection(cmp.Or(change.From, change.Table), c)
		}) {
			return false
		}
	}
	return len(collections) > 0
}

// isCollection tells whether a table of a copy is a collection of memory.
func isCollection(table string, c holdfast.MemoryCollection) bool {
	if c.Database == "" {
		return ShortName(table) == c.Name
	}
	return table == collectionName(holdfast.ChromaCollection{Tenant: c.Tenant, Database: c.Database, Name: c.Name})
}

// byParts gives what a plan does by requests; nil if it moves files.
func (p *plan) byParts() *partsWork {
	if len(p.parts) == 0 {
		return nil
	}
	return p.parts[0]
}

// parted gives the names and kinds of the sources that a request is about, by which
// the newest backup that has them is found.
func (q RestoreRequest) parted() []string {
	names := slices.Clone(q.Only)
	for _, name := range slices.Sorted(maps.Keys(q.Parts)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if q.Into != nil && len(names) == 0 {
		names = append(names, string(q.Into.Kind()))
	}
	return names
}

// plausible refuses what cannot be meant, without a look at a backup.
func (q RestoreRequest) plausible() error {
	usage := func(hint, format string, args ...any) error {
		return &holdfast.Error{Op: opRestore, Err: holdfast.Kindf(holdfast.ErrUsage, format, args...), Hint: hint}
	}
	switch {
	case q.Into == nil && len(q.Parts) == 0:
		return nil
	case q.To != "":
		return usage("leave out --to; `holdfast export` gives the files", "parts go into a store, not into a directory")
	case q.Online && q.Into != nil:
		return usage("leave out --online", "a running server is written to online anyway")
	}
	for _, source := range slices.Sorted(maps.Keys(q.Parts)) {
		for _, p := range q.Parts[source] {
			several := p.Table == "" || holdsSeveral(p.Table)
			switch {
			case several && len(p.Keys) > 0:
				return usage("name the collection or table they are in", "ids alone do not tell where they belong")
			case several && p.As != "":
				return usage("name the one that is to get it", "a new name is for one collection or table")
			case slices.Contains(p.Keys, ""):
				return usage("", "an id is empty")
			}
		}
	}
	return nil
}

// holdsSeveral tells whether a name stands for all of a database or tenant.
func holdsSeveral(table string) bool { return table == "*" || strings.HasSuffix(table, "/*") }

// resolved gives the request with the names of sources in place of their kinds, and the
// parts that Into alone means.
func (q RestoreRequest) resolved(b *repo.Backup) (RestoreRequest, error) {
	if q.Into == nil && len(q.Parts) == 0 {
		return q, nil
	}
	m := b.Metadata()
	parts := map[string][]holdfast.Part{}
	for _, key := range slices.Sorted(maps.Keys(q.Parts)) {
		name, err := sourceCalled(m, key)
		if err != nil {
			return q, err
		}
		parts[name] = append(parts[name], q.Parts[key]...)
	}
	if q.Into != nil && len(parts) == 0 {
		whole, err := q.intoParts(b)
		if err != nil {
			return q, err
		}
		parts = whole
	}
	for _, name := range q.Only {
		if _, ok := parts[name]; !ok && name != memoryPart {
			return q, &holdfast.Error{Op: opRestore, Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "parts are asked for of another source"), Hint: "restore it by itself"}
		}
	}
	q.Parts, q.Only = parts, slices.Sorted(maps.Keys(parts))
	return q, nil
}

// intoParts gives what goes into a store if nothing else is said: all of the source of
// its kind, or the memory of it.
func (q RestoreRequest) intoParts(b *repo.Backup) (map[string][]holdfast.Part, error) {
	m := b.Metadata()
	_, memory, err := selectSources(m, q.Only)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Clone(q.Only), func(name string) bool { return name == memoryPart })
	if memory && len(names) == 0 {
		info, err := memoryInfo(b)
		if err != nil {
			return nil, err
		}
		parts := map[string][]holdfast.Part{}
		for source, collections := range bySource(info, m) {
			parts[source] = tablesOf(collections)
		}
		return parts, nil
	}
	if len(names) == 0 {
		name, err := sourceCalled(m, string(q.Into.Kind()))
		if err != nil {
			return nil, err
		}
		names = []string{name}
	}
	parts := map[string][]holdfast.Part{}
	for _, name := range names {
		parts[name] = []holdfast.Part{{}}
	}
	return parts, nil
}

// tablesOf gives collections of memory as parts.
func tablesOf(collections []holdfast.MemoryCollection) (parts []holdfast.Part) {
	for _, c := range collections {
		parts = append(parts, holdfast.Part{Table: c.Name})
	}
	return parts
}

// sourceCalled finds a source of a backup by its name, or by its kind if there is one of
// it.
func sourceCalled(m *holdfast.Metadata, key string) (string, error) {
	var ofKind []string
	for _, s := range m.Sources {
		if s.Name == key {
			return key, nil
		}
		if string(s.Kind) == key {
			ofKind = append(ofKind, s.Name)
		}
	}
	switch len(ofKind) {
	case 1:
		return ofKind[0], nil
	case 0:
		if err := lacksKind(m, []string{key}); err != nil {
			return "", err
		}
		_, _, err := selectSources(m, []string{key})
		return "", err
	}
	return "", &holdfast.Error{Op: opRestore, Object: string(m.BackupName), Err: holdfast.Kindf(holdfast.ErrUsage, "it has several sources of kind %s", key), Hint: "choose one with --only: " + strings.Join(ofKind, ", ")}
}

// storeFor gives the store that a source goes into by requests, and what of it; nil if
// it goes in by its files.
func (r *run) storeFor(req RestoreRequest, md holdfast.SourceMetadata) (holdfast.PartRestorer, []holdfast.Part, error) {
	wanted := req.Parts[md.Name]
	if into := req.Into; into != nil {
		if into.Kind() != md.Kind {
			return nil, nil, &holdfast.Error{Op: opRestore, Object: md.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "it is a %s, and %s takes a %s", md.Kind, into.Target().Path, into.Kind()), Hint: "choose another source with --only"}
		}
		return into, wanted, nil
	}
	s := r.e.source(md.Name)
	if s == nil || s.Kind() != md.Kind {
		return nil, nil, nil // which is refused where its place is looked for
	}
	store, ok := s.(holdfast.PartRestorer)
	if !ok || !store.Running() && len(wanted) == 0 {
		return nil, nil, nil
	}
	if len(wanted) == 0 {
		wanted = []holdfast.Part{{}}
	}
	return store, wanted, nil
}

// planParts plans one source that goes into a store by requests.
func (r *run) planParts(ctx context.Context, p *plan, w *partsWork, md holdfast.SourceMetadata) error {
	var err error
	if w.plan, err = w.store.PlanParts(ctx, w.copied, w.wanted); err != nil {
		return err
	}
	t := TargetPlan{
		Source: md.Name, Kind: w.store.Kind(), Path: w.store.Target().Path, Method: methodRequests, Exists: true,
		Backup: md.Facts, Bytes: w.plan.Bytes, Parts: &w.plan,
	}
	if !w.whole() {
		t.Wanted = w.wanted
	}
	now, err := w.store.Narrow([]holdfast.Part{{}}).Inspect(ctx, holdfast.InspectOptions{Counts: true}) // also if nothing is there yet
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		p.Warnings = append(p.Warnings, holdfast.Problem{Source: md.Name, Severity: holdfast.Warning, Message: fmt.Sprintf("the present state cannot be read: %v", err)})
	default:
		t.Now, t.Exists = now.Facts, now.Exists
	}
	if p.acceptLosses {
		p.Warnings = append(p.Warnings, asWarnings(named(md.Name, w.plan.Losses))...)
	}
	p.parts = append(p.parts, w)
	p.Targets = append(p.Targets, t)
	p.Bytes += t.Bytes
	return nil
}

// asWarnings gives problems as what somebody has accepted.
func asWarnings(problems []holdfast.Problem) []holdfast.Problem {
	for i := range problems {
		problems[i].Severity = holdfast.Warning
	}
	return problems
}

// refuseParts refuses stores that would have to change together with something else,
// and losses that nobody has accepted.
func (p *plan) refuseParts() error {
	if len(p.parts) == 0 {
		return nil
	}
	if len(p.parts)+len(p.works) > 1 {
		var names []string
		for _, t := range p.Targets {
			names = append(names, t.Source)
		}
		return &holdfast.Error{
			Op: opRestore, Object: p.parts[0].source,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "%s is changed by requests, which cannot be undone together with another source", p.parts[0].store.Target().Path),
			Hint: "restore one after the other with --only: " + strings.Join(names, ", "),
		}
	}
	return nil
}

// refuseLosses refuses what a store cannot keep, unless that was accepted.
func (p *plan) refuseLosses() error {
	for _, w := range p.parts {
		if losses := w.plan.Losses; len(losses) > 0 && !p.acceptLosses {
			return lossy(w.source, losses, "--dry-run lists what would be lost; --accept-losses goes on without it")
		}
	}
	return nil
}

// lossy refuses what a store cannot keep.
func lossy(source string, losses []holdfast.Problem, hint string) error {
	words := "the store cannot keep all of it: " + describe(losses[0])
	if more := len(losses) - 1; more > 0 {
		words += " and " + count(more, "more thing", "more things")
	}
	return &holdfast.Error{Op: opRestore, Object: source, Err: holdfast.Kindf(holdfast.ErrRefused, "%s", words), Hint: hint, Cause: holdfast.CauseLosses}
}

// planMemoryParts plans to change nothing but the memory of a store.
func (r *run) planMemoryParts(ctx context.Context, p *plan, b *repo.Backup, store holdfast.PartRestorer, source string, collections []holdfast.MemoryCollection) error {
	copied, err := fs.Sub(b, source)
	if err != nil {
		return err
	}
	w := &partsWork{store: store, source: source, wanted: tablesOf(collections), copied: copied}
	return r.planParts(ctx, p, w, sourceMetadata(b, source))
}
