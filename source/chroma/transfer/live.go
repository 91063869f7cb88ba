package transfer

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// A base is a database of a tenant.
type base struct {
	Tenant   string `json:"tenant"`
	Database string `json:"database"`
}

// live is what the server has, asked for once: databases of which everything is
// wanted are listed, single collections are looked up.
type live struct {
	t      Target
	server api.Server
	listed map[base]map[string]api.Collection
	bases  map[string][]string // the databases of a tenant
}

func look(ctx context.Context, t Target) (*live, error) {
	server, err := t.API.Hello(ctx)
	if err != nil {
		return nil, err
	}
	return &live{t: t, server: server, listed: map[base]map[string]api.Collection{}, bases: map[string][]string{}}, nil
}

// databases are those of a tenant that the target looks after.
func (l *live) databases(ctx context.Context, tenant string) ([]string, error) {
	if names, ok := l.bases[tenant]; ok {
		return names, nil
	}
	var names []string
	if len(l.t.Databases) > 0 {
		for _, name := range l.t.Databases {
			is, err := l.t.has(ctx, base{tenant, name})
			if err != nil {
				return nil, err
			}
			if is {
				names = append(names, name)
			}
		}
	} else {
		list, err := l.t.API.Databases(ctx, tenant)
		if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
			return nil, err
		}
		for _, d := range list {
			names = append(names, d.Name)
		}
	}
	l.bases[tenant] = names
	return names, nil
}

// list gives the collections of a database by their names; one that does not exist has
// none.
func (l *live) list(ctx context.Context, b base) (map[string]api.Collection, error) {
	if all, ok := l.listed[b]; ok {
		return all, nil
	}
	all := map[string]api.Collection{}
	for c, err := range l.t.API.Collections(ctx, b.Tenant, b.Database) {
		if errors.Is(err, holdfast.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		all[c.Name] = c
	}
	l.listed[b] = all
	return all, nil
}

// find gives a collection; nil if there is none.
func (l *live) find(ctx context.Context, p place) (*api.Collection, error) {
	if all, ok := l.listed[base{p.Tenant, p.Database}]; ok {
		if c, ok := all[p.Name]; ok {
			return &c, nil
		}
		return nil, nil
	}
	return l.t.find(ctx, p)
}

// find asks the server for a collection; nil if there is none.
func (t Target) find(ctx context.Context, p place) (*api.Collection, error) {
	c, err := t.API.Collection(ctx, p.Tenant, p.Database, p.Name)
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// identities maps the ids of the collections of a database to the names that they have
// now.
func (t Target) identities(ctx context.Context, b base) (map[string]api.Collection, error) {
	byID := map[string]api.Collection{}
	for c, err := range t.API.Collections(ctx, b.Tenant, b.Database) {
		if errors.Is(err, holdfast.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		byID[c.ID] = c
	}
	return byID, nil
}

// has tells whether the server has a database.
func (t Target) has(ctx context.Context, b base) (bool, error) {
	_, err := t.API.Database(ctx, b.Tenant, b.Database)
	if errors.Is(err, holdfast.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// makeBase makes a database, and its tenant if there is none.
func (t Target) makeBase(ctx context.Context, b base) error {
	if err := t.API.CreateTenant(ctx, b.Tenant); err != nil && !errors.Is(err, api.ErrTaken) {
		return err
	}
	if err := t.API.CreateDatabase(ctx, b.Tenant, b.Database); err != nil && !errors.Is(err, api.ErrTaken) {
		return err
	}
	return nil
}
