package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/holdfast-backup/holdfast"
)

// A Database of a tenant.
type Database struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Tenant string `json:"tenant"`
}

// A Collection as a server describes it.
type Collection struct {
	ID       string
	Tenant   string
	Database string
	Name     string
	Metadata holdfast.Values
	// Configuration and Schema are the server's words; nil where it has none.
	Configuration json.RawMessage
	Schema        json.RawMessage
	Dimension     int // 0 until the first record
	Space         string
}

// A Spec says what a new collection is to be.
type Spec struct {
	Name     string
	Metadata holdfast.Values
	// Configuration and Schema are as a server gave them with another collection; a
	// server takes one of them. Nil leaves it to the server. API v1 takes neither: there the
	// parameters of the index are in Metadata ("hnsw:space").
	Configuration json.RawMessage
	Schema        json.RawMessage
}

// pageOfNames is how many collections or databases are asked for at once.
const pageOfNames = 100

// v2Base is where a database is in version 2.
func v2Base(tenant, database string) string {
	return "/api/v2/tenants/" + url.PathEscape(tenant) + "/databases/" + url.PathEscape(database)
}

// v1Within names a database in version 1.
func v1Within(tenant, database string) string {
	return url.Values{"tenant": {tenant}, "database": {database}}.Encode()
}

// collections is the path of the collections of a database and of what is below.
func (s Server) collections(tenant, database, below string) string {
	if s.API == V1 {
		return "/api/v1/collections" + below + "?" + v1Within(tenant, database)
	}
	return v2Base(tenant, database) + "/collections" + below
}

// Databases gives the databases of a tenant: those that are named, or all of them. Where
// the server has no list (see Server.Lists) all are the one that every server is born
// with. A database or tenant that does not exist is ErrNotFound.
func (c *Client) Databases(ctx context.Context, tenant string, names ...string) ([]Database, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 && !s.Lists {
		names = []string{DefaultDatabase}
	}
	var all []Database
	for _, name := range names {
		d, err := c.Database(ctx, tenant, name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	if len(names) > 0 {
		return all, nil
	}
	list := pages[Database]{
		size: pageOfNames, window: everything, most: mostNames, key: func(d Database) string { return d.Name },
		fetch: func(offset, limit int) ([]Database, error) {
			var page []Database
			q := request{name: "list databases", path: fmt.Sprintf("/api/v2/tenants/%s/databases?limit=%d&offset=%d", url.PathEscape(tenant), limit, offset)}
			return page, c.do(ctx, q, decodeInto(&page))
		},
	}
	for d, err := range list.all {
		if err != nil {
			return nil, c.failed("list the databases of tenant", tenant, err)
		}
		d.Tenant = tenant
		all = append(all, d)
	}
	if len(all) == 0 {
		// An unknown tenant has no databases, says the server.
		if err := c.tenant(ctx, tenant); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tenant looks for a tenant; ErrNotFound if there is none.
func (c *Client) tenant(ctx context.Context, name string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	err = c.do(ctx, request{name: "look for the tenant", path: "/api/" + s.API + "/tenants/" + url.PathEscape(name)}, nil)
	return c.failed("look for tenant", name, missing(err, "the server has no such tenant", "is its name right? It can be made by a restore, not by a backup"))
}

// Database looks for a database; ErrNotFound if there is none.
func (c *Client) Database(ctx context.Context, tenant, name string) (Database, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return Database{}, err
	}
	path := v2Base(tenant, name)
	if s.API == V1 {
		path = "/api/v1/databases/" + url.PathEscape(name) + "?" + url.Values{"tenant": {tenant}}.Encode()
	}
	var d Database
	err = c.do(ctx, request{name: "look for the database", path: path}, decodeInto(&d))
	if errors.Is(err, holdfast.ErrNotFound) && s.API == V1 && tenant == DefaultTenant && name == DefaultDatabase {
		// Before 0.4.15 there was nothing else.
		return Database{Name: name, Tenant: tenant}, nil
	}
	d.Name, d.Tenant = name, tenant
	return d, c.failed("look for database", tenant+"/"+name, missing(err, "the server has no such database", "are the names of tenant and database right?"))
}

// CreateTenant makes a tenant. One that exists is ErrTaken.
func (c *Client) CreateTenant(ctx context.Context, name string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return err
	}
	q := request{name: "create the tenant", method: http.MethodPost, path: "/api/" + s.API + "/tenants", body: body, unsafe: true}
	err = c.change(ctx, q, func(ctx context.Context) (bool, error) { return there(c.tenant(ctx, name)) })
	return c.failed("create tenant", name, err)
}

// CreateDatabase makes a database. One that exists is ErrTaken.
func (c *Client) CreateDatabase(ctx context.Context, tenant, name string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return err
	}
	path := "/api/v2/tenants/" + url.PathEscape(tenant) + "/databases"
	if s.API == V1 {
		path = "/api/v1/databases?" + url.Values{"tenant": {tenant}}.Encode()
	}
	q := request{name: "create the database", method: http.MethodPost, path: path, body: body, unsafe: true}
	err = c.change(ctx, q, func(ctx context.Context) (bool, error) {
		_, err := c.Database(ctx, tenant, name)
		return there(err)
	})
	return c.failed("create database", tenant+"/"+name, err)
}

// DropDatabase deletes a database with all that is in it. Version 1 cannot.
func (c *Client) DropDatabase(ctx context.Context, tenant, name string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	if s.API == V1 {
		return c.failed("delete database", tenant+"/"+name, holdfast.Kindf(holdfast.ErrRefused, "this server cannot delete databases"))
	}
	q := request{name: "delete the database", method: http.MethodDelete, path: v2Base(tenant, name), unsafe: true}
	err = c.change(ctx, q, func(ctx context.Context) (bool, error) {
		_, err := c.Database(ctx, tenant, name)
		is, err := there(err)
		return !is, err
	})
	return c.failed("delete database", tenant+"/"+name, err)
}

// change sends a request that must not be repeated blindly. Where the server may have
// done it although it did not say so, done looks; if it was not done, it is sent again.
func (c *Client) change(ctx context.Context, q request, done func(context.Context) (bool, error)) error {
	for try := 1; ; try++ {
		err := c.do(ctx, q, nil)
		if err == nil || !ambiguous(err) || ctx.Err() != nil {
			return err
		}
		is, looked := done(ctx)
		if looked != nil {
			return fmt.Errorf("%w; whether it was done is not known: %w", err, looked)
		}
		if is {
			return nil
		}
		if try >= fewTries || c.patience < 0 {
			return err
		}
	}
}

// there tells whether what was looked for exists.
func there(err error) (bool, error) {
	if errors.Is(err, holdfast.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// missing words the error of something that does not exist.
func missing(err error, text, hint string) error {
	if errors.Is(err, holdfast.ErrNotFound) {
		return &holdfast.Error{Err: kinded{kind: err, err: errors.New(text)}, Hint: hint}
	}
	return err
}

// failed adds operation and object to an error, with the server that it is about.
func (c *Client) failed(op, object string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Canceled; errors.Is(err, cause) {
		return err
	}
	return &holdfast.Error{Op: op, Object: object + " of " + c.root, Err: err}
}
