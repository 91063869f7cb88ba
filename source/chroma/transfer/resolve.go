package transfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// An item is what becomes of one collection of the server.
type item struct {
	place
	action string           // of holdfast.PartChange
	from   *disk.Collection // nil: nothing takes its place
	live   *api.Collection  // nil: there is none now
	keys   []string         // only these records; nil is all
	named  []string         // the records for which all of it is to go; nil is all
	exact  bool             // keys that the copy does not have are removed

	now, then *int64
	kept      digest // of the records that a merge replaces
}

// A resolver finds out what parts mean.
type resolver struct {
	live  *live
	copy  content.Content
	items []*item
	at    map[place]*item
	empty []base // databases that are wanted although they hold nothing
	stays []string
}

// resolve makes items of parts, in an order that does not depend on chance.
func resolve(ctx context.Context, l *live, c content.Content, parts []holdfast.Part) (*resolver, error) {
	r := &resolver{live: l, copy: c, at: map[place]*item{}}
	for _, p := range parts {
		if err := r.part(ctx, p); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(r.items, func(a, b *item) int { return strings.Compare(a.table(), b.table()) })
	slices.Sort(r.stays)
	taken := map[string]bool{}
	for _, it := range r.items {
		taken[it.table()] = true
	}
	r.stays = slices.DeleteFunc(slices.Compact(r.stays), func(table string) bool { return taken[table] })
	return r, nil
}

func usage(p holdfast.Part, format string, args ...any) error {
	return &holdfast.Error{Op: "restore", Object: "part " + p.Table, Err: holdfast.Kindf(holdfast.ErrUsage, format, args...)}
}

func (r *resolver) part(ctx context.Context, p holdfast.Part) error {
	under, whole := strings.CutSuffix(p.Table, "/*")
	if p.Table == "" || p.Table == "*" {
		under, whole = "", true
	}
	if whole {
		return r.everything(ctx, p, under)
	}
	return r.single(ctx, p)
}

// everything takes all of a tenant or database, or all there is.
func (r *resolver) everything(ctx context.Context, p holdfast.Part, under string) error {
	if p.Keys != nil {
		return usage(p, "records are named for one collection at a time")
	}
	var of, as []string
	if under != "" {
		of = elements(under)
	}
	as = of
	if p.As != "" {
		to, ok := strings.CutSuffix(p.As, "/*")
		if as = elements(to); !ok || len(as) != len(of) {
			return usage(p, "%q is no place for it: a database goes to TENANT/DATABASE/*, a tenant to TENANT/*", p.As)
		}
	}
	if len(of) > 2 {
		return usage(p, "TENANT/* and TENANT/DATABASE/* are the names of more than one collection")
	}
	found := false
	for _, c := range r.copy.Collections() {
		if !inside(of, c.Tenant, c.Database) {
			continue
		}
		found = true
		to := place{c.Tenant, c.Database, c.Name}
		if len(as) > 0 {
			to.Tenant = as[0]
		}
		if len(as) > 1 {
			to.Database = as[1]
		}
		if _, err := r.live.list(ctx, base{to.Tenant, to.Database}); err != nil {
			return err
		}
		if err := r.take(ctx, p, &c, to); err != nil {
			return err
		}
	}
	if len(of) == 0 {
		r.databases()
		if _, ok := r.copy.(*records.Tree); ok && !found && len(r.empty) == 0 && !p.Exact {
			return &holdfast.Error{Op: "restore", Object: "everything", Err: holdfast.Kindf(holdfast.ErrNotFound, "the copy has no database and no collection"), Hint: "choose a backup that has; of an import, name the databases in " + records.ServerFile}
		}
	}
	if !found && !p.Exact && len(of) > 0 {
		return &holdfast.Error{Op: "find", Object: p.Table, Err: holdfast.Kindf(holdfast.ErrNotFound, "the copy has no collections there")}
	}
	return r.others(ctx, p, as)
}

// databases wants the databases of a copy that knows them, also those without collections.
func (r *resolver) databases() {
	tree, ok := r.copy.(*records.Tree)
	if !ok {
		return
	}
	for _, d := range tree.Databases() {
		r.empty = append(r.empty, base{d.Tenant, d.Name})
	}
}

// inside tells whether a database is of a tenant, of a database, of all.
func inside(of []string, tenant, database string) bool {
	return (len(of) < 1 || of[0] == tenant) && (len(of) < 2 || of[1] == database)
}

// others are the collections of the server that are in the part and that the copy does
// not have.
func (r *resolver) others(ctx context.Context, p holdfast.Part, as []string) error {
	tenants := r.live.t.tenants()
	if len(as) > 0 {
		tenants = as[:1]
	}
	for _, tenant := range tenants {
		names := as[min(1, len(as)):]
		if len(names) == 0 {
			var err error
			if names, err = r.live.databases(ctx, tenant); err != nil {
				return err
			}
		}
		for _, database := range names {
			all, err := r.live.list(ctx, base{tenant, database})
			if err != nil {
				return err
			}
			for _, c := range all {
				at := placeOf(c)
				switch {
				case r.at[at] != nil:
				case p.Exact:
					r.add(&item{place: at, action: holdfast.PartRemove, live: &c})
				default:
					r.stays = append(r.stays, at.table())
				}
			}
		}
	}
	return nil
}

// single takes one collection.
func (r *resolver) single(ctx context.Context, p holdfast.Part) error {
	of := elements(p.Table)
	if len(of) != 1 && len(of) != 3 {
		return usage(p, "a collection is NAME or TENANT/DATABASE/NAME")
	}
	from, err := r.copied(of)
	if err != nil {
		return err
	}
	if from == nil && !p.Exact {
		_, err := r.copy.Collection(strings.Join(of, "/")) // tells what there is
		return err
	}
	to, err := r.destination(ctx, p, of, from)
	if err != nil || to == nil {
		return err
	}
	return r.take(ctx, p, from, *to)
}

// copied finds a collection of the copy; nil if there is none.
func (r *resolver) copied(of []string) (*disk.Collection, error) {
	var found []disk.Collection
	for _, c := range r.copy.Collections() {
		if of[len(of)-1] == c.Name && (len(of) == 1 || of[0] == c.Tenant && of[1] == c.Database) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	if len(found) > 1 {
		_, err := r.copy.Collection(of[0])
		return nil, err
	}
	return &found[0], nil
}

// destination is where a collection goes; nil if it is to be removed and is not there.
func (r *resolver) destination(ctx context.Context, p holdfast.Part, of []string, from *disk.Collection) (*place, error) {
	as := of
	if p.As != "" {
		if as = elements(p.As); len(as) != 1 && len(as) != 3 {
			return nil, usage(p, "%q is no name for it: NAME or TENANT/DATABASE/NAME", p.As)
		}
	}
	switch {
	case len(as) == 3:
		return &place{as[0], as[1], as[2]}, nil
	case from != nil:
		return &place{from.Tenant, from.Database, as[0]}, nil
	case len(of) == 3:
		return &place{of[0], of[1], as[0]}, nil
	}
	// Only a name, and the copy has none: it is to go from where the server has it.
	for _, tenant := range r.live.t.tenants() {
		names, err := r.live.databases(ctx, tenant)
		if err != nil {
			return nil, err
		}
		for _, database := range names {
			at := place{tenant, database, as[0]}
			if c, err := r.live.find(ctx, at); err != nil || c != nil {
				return &at, err
			}
		}
	}
	return nil, nil
}

// take decides what becomes of one place.
func (r *resolver) take(ctx context.Context, p holdfast.Part, from *disk.Collection, at place) error {
	there, err := r.live.find(ctx, at)
	if err != nil {
		return err
	}
	it := &item{place: at, from: from, live: there, keys: p.Keys, exact: p.Exact}
	switch {
	case from == nil && there == nil:
		return nil // what is to go is not there
	case from == nil && p.Keys == nil:
		it.action = holdfast.PartRemove
	case there == nil:
		it.action = holdfast.PartCreate
	case p.Keys != nil:
		it.action = holdfast.PartMerge
	default:
		it.action = holdfast.PartReplace
	}
	if from != nil {
		if err := checkName(at, r.live.server); err != nil {
			return err
		}
	}
	if it.action == holdfast.PartMerge && from != nil && from.Dimension != 0 && there.Dimension != 0 && from.Dimension != there.Dimension {
		return &holdfast.Error{
			Op: "restore records into", Object: "collection " + at.String(),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "its embeddings have %d dimensions and those of the copy %d", there.Dimension, from.Dimension),
			Hint: "restore the collection under another name",
		}
	}
	if other := r.at[at]; other != nil {
		if other.from == nil || from == nil || placeIn(other.from) != placeIn(from) || (other.keys == nil) != (p.Keys == nil) {
			return usage(p, "two parts go to collection %s", at)
		}
		if p.Keys != nil {
			other.keys = append(slices.Clone(other.keys), p.Keys...)
		}
		other.exact = other.exact || p.Exact
		return r.unique(other)
	}
	r.add(it)
	return r.unique(it)
}

// placeIn names a collection of a copy; its id may be missing there.
func placeIn(c *disk.Collection) place { return place{c.Tenant, c.Database, c.Name} }

func (r *resolver) add(it *item) {
	r.at[it.place] = it
	r.items = append(r.items, it)
}

// unique leaves each key once, in the order in which they were named.
func (r *resolver) unique(it *item) error {
	if it.keys == nil {
		return nil
	}
	seen := map[string]bool{}
	keys := []string{}
	for _, key := range it.keys {
		if key == "" {
			return &holdfast.Error{Op: "restore", Object: "collection " + it.String(), Err: fmt.Errorf("%w: no record has an empty id", holdfast.ErrUsage)}
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	it.keys = keys
	return nil
}
