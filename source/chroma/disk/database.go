package disk

import (
	"context"
	"slices"
	"strings"
)

// A Database is a database of a tenant, perhaps without collections.
type Database struct{ Tenant, Name string }

// Databases lists the databases of all tenants, in their order. Directories that are
// older than databases have the default one.
func (d *Dir) Databases(ctx context.Context) ([]Database, error) {
	if !d.layout.tenants() {
		return []Database{{"default_tenant", "default_database"}}, nil
	}
	rows, err := d.db.QueryContext(ctx, `SELECT coalesce(tenant_id, ''), coalesce(name, '') FROM databases`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Database
	for rows.Next() {
		var one Database
		if err := rows.Scan(&one.Tenant, &one.Name); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Database) int {
		if c := strings.Compare(a.Tenant, b.Tenant); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, rows.Err()
}
