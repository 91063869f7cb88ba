package server

import (
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// A scope is what a source was narrowed to: some collections, some records.
type scope []area

// An area is one part of a scope. What is empty is anything.
type area struct {
	tenant, database, name string
	keys                   []string // nil is all records
}

// Narrow implements holdfast.PartRestorer: the source reads only what the parts name
// where they go, also in tenants and databases that it does not capture otherwise. What does
// not exist there is to come into being by a restore.
func (s *Source) Narrow(parts []holdfast.Part) holdfast.Source {
	narrow := *s
	narrow.only, narrow.lenient = nil, true
	whole, beyond := false, false
	for _, p := range parts {
		a := areaOf(p)
		narrow.only = append(narrow.only, a)
		whole = whole || a.tenant == "" && a.database == "" && a.name == ""
		if a.tenant != "" && !slices.Contains(narrow.o.Tenants, a.tenant) {
			narrow.o.Tenants = append(slices.Clip(narrow.o.Tenants), a.tenant)
			beyond = true
		}
		if a.database != "" && len(narrow.o.Databases) > 0 && !slices.Contains(narrow.o.Databases, a.database) {
			narrow.o.Databases = append(slices.Clip(narrow.o.Databases), a.database)
			beyond = true
		}
	}
	if whole && !beyond {
		narrow.only = nil
	}
	return &narrow
}

// areaOf is where a part goes.
func areaOf(p holdfast.Part) area {
	of := elements(p.Table)
	if p.As != "" {
		as := elements(p.As)
		if len(as) == 1 && len(of) == 3 && as[0] != "*" {
			as = []string{of[0], of[1], as[0]}
		}
		of = as
	}
	a := area{keys: p.Keys}
	if len(of) > 1 || of[0] == "*" {
		of = append(of, "", "")
		a.tenant, a.database, a.name = of[0], of[1], of[2]
	} else {
		a.name = of[0]
	}
	for _, field := range []*string{&a.tenant, &a.database, &a.name} {
		if *field == "*" {
			*field = ""
		}
	}
	return a
}

// elements takes the name of a table apart.
func elements(table string) []string {
	parts := strings.Split(table, "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// database tells whether anything of a database is wanted.
func (s scope) database(tenant, name string) bool {
	return s == nil || slices.ContainsFunc(s, func(a area) bool {
		return (a.tenant == "" || a.tenant == tenant) && (a.database == "" || a.database == name)
	})
}

// collection tells whether a collection is wanted, and which records of it; nil is all.
func (s scope) collection(c api.Collection) (keys []string, wanted bool) {
	if s == nil {
		return nil, true
	}
	for _, a := range s {
		if !(scope{a}).database(c.Tenant, c.Database) || a.name != "" && a.name != c.Name {
			continue
		}
		if a.keys == nil {
			return nil, true
		}
		keys, wanted = append(keys, a.keys...), true
	}
	if keys != nil {
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	return keys, wanted
}
