package server

import (
	"context"
	"errors"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// databases lists what is captured, ordered by tenant and name. A database that is
// configured and does not exist is an error, and so is a tenant.
func (s *Source) databases(ctx context.Context) ([]api.Database, error) {
	var all []api.Database
	for _, tenant := range s.o.Tenants {
		listed, err := s.listed(ctx, tenant)
		if err != nil {
			return nil, err
		}
		for _, d := range listed {
			if s.only.database(d.Tenant, d.Name) {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b api.Database) int {
		return compareAddresses(address{a.Tenant, a.Name, ""}, address{b.Tenant, b.Name, ""})
	})
	return slices.CompactFunc(all, sameDatabase), nil
}

// listed gives the databases of a tenant that are captured. What a narrow source does not
// find is to come into being by a restore: there is nothing to keep of it.
func (s *Source) listed(ctx context.Context, tenant string) ([]api.Database, error) {
	if !s.lenient {
		return s.api.Databases(ctx, tenant, s.o.Databases...)
	}
	if len(s.o.Databases) == 0 {
		all, err := s.api.Databases(ctx, tenant)
		if errors.Is(err, holdfast.ErrNotFound) && ctx.Err() == nil {
			return nil, nil
		}
		return all, err
	}
	var all []api.Database
	for _, name := range s.o.Databases {
		d, err := s.api.Database(ctx, tenant, name)
		if errors.Is(err, holdfast.ErrNotFound) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// An Answer is what a server tells of itself to somebody who wants to know whether it
// can be backed up.
type Answer struct {
	API, Version string
	// Databases are those that a capture reads, as tenant/name.
	Databases []string
}

// Ask asks the server who it is, with the headers that a capture sends, and for the
// tenants and databases that are configured.
func (s *Source) Ask(ctx context.Context) (Answer, error) {
	hello, err := s.api.Hello(ctx)
	if err != nil {
		return Answer{}, s.failed(ctx, err)
	}
	a := Answer{API: hello.API, Version: hello.Version}
	bases, err := s.databases(ctx)
	if err != nil {
		return a, s.failed(ctx, err)
	}
	for _, d := range bases {
		a.Databases = append(a.Databases, d.Tenant+"/"+d.Name)
	}
	return a, nil
}
