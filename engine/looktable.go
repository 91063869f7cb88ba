package engine

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/nearest"
)

// Source finds a source by its name.
func (l *Look) Source(name string) (*LookSource, error) {
	names := make([]string, len(l.Sources))
	for i := range l.Sources {
		if names[i] = l.Sources[i].Name; names[i] == name {
			return &l.Sources[i], nil
		}
	}
	return nil, l.fail(name, holdfast.Kindf(holdfast.ErrNotFound, "there is no such source in it"), meant(name, names))
}

// Table finds a table by its name, or by its title or the last part of its name where one
// alone has it.
func (l *Look) Table(ctx context.Context, source, name string) (holdfast.Table, holdfast.Inside, error) {
	in, err := l.Inside(ctx, source)
	if err != nil {
		return holdfast.Table{}, nil, err
	}
	tables, err := in.Tables(ctx)
	if err != nil {
		return holdfast.Table{}, nil, l.fail(source, err, "")
	}
	t, err := l.pick(source, name, tables)
	return t, in, err
}

func (l *Look) pick(source, name string, tables []holdfast.Table) (holdfast.Table, error) {
	var names []string
	var alike []holdfast.Table
	for _, t := range tables {
		if t.Name == name {
			return t, nil
		}
		if t.Title == name || ShortName(t.Name) == name {
			alike = append(alike, t)
		}
		names = append(names, t.Name)
		if t.Title != "" {
			names = append(names, t.Title)
		}
	}
	switch len(alike) {
	case 1:
		return alike[0], nil
	case 0:
		return holdfast.Table{}, l.fail(source, holdfast.Kindf(holdfast.ErrNotFound, "there is no table or collection %q in it", name), meant(name, names))
	}
	names = names[:0]
	for _, t := range alike {
		names = append(names, t.Name)
	}
	return holdfast.Table{}, l.fail(source, holdfast.Kindf(holdfast.ErrUsage, "%q is the name of several tables", name), "name one of them: "+list(names))
}

// ShortName is the name of a table or collection as people say it: without those of its
// tenant and database.
func ShortName(name string) string {
	last := name[strings.LastIndexByte(name, '/')+1:]
	if plain, err := url.PathUnescape(last); err == nil {
		return plain
	}
	return last
}

// meant hints at the name that was meant.
func meant(name string, names []string) string {
	if near := nearest.To(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	if len(names) == 0 {
		return "there is none"
	}
	return "there are: " + list(names)
}

// list names some, and how many more there are.
func list(names []string) string {
	const most = 12
	if rest := len(names) - most; rest > 0 {
		return strings.Join(names[:most], ", ") + " and " + count(rest, "more", "more")
	}
	return strings.Join(names, ", ")
}

// counted is an Inside that knows numbers of rows from the facts of its source, and is
// closed by its Look.
type counted struct {
	holdfast.Inside
	source *LookSource
}

// Close implements holdfast.Inside: the Look closes.
func (c *counted) Close() error { return nil }

// Tables implements holdfast.Inside.
func (c *counted) Tables(ctx context.Context) ([]holdfast.Table, error) {
	tables, err := c.Inside.Tables(ctx)
	if err != nil {
		return nil, err
	}
	tables = slices.Clone(tables)
	for i := range tables {
		if t := &tables[i]; t.Rows == nil {
			t.Rows = recorded(c.source.Facts, t.Name)
		}
	}
	return tables, nil
}

// recorded is the number of rows of a table as it was counted at the capture.
func recorded(f holdfast.Facts, table string) *int64 {
	switch {
	case f.SQLite != nil:
		if n, known := f.SQLite.Tables[table]; known {
			return &n
		}
	case f.Chroma != nil:
		for _, c := range f.Chroma.Collections {
			if collectionName(c) == table {
				return &c.Records
			}
		}
	case f.Files != nil:
		return new(f.Files.Files + f.Files.Dirs + f.Files.Symlinks)
	}
	return nil
}

// What Chroma takes where nobody names a tenant and a database.
const (
	defaultTenant   = "default_tenant"
	defaultDatabase = "default_database"
)

// collectionName is the name of a collection as that of a table.
func collectionName(c holdfast.ChromaCollection) string {
	parts := []string{cmp.Or(c.Tenant, defaultTenant), cmp.Or(c.Database, defaultDatabase), c.Name}
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
