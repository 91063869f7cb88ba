package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/holdfast-backup/holdfast"
)

// described is a collection in the words of a server.
type described struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Metadata      json.RawMessage `json:"metadata"`
	Configuration json.RawMessage `json:"configuration_json"`
	Schema        json.RawMessage `json:"schema"`
	Dimension     *int            `json:"dimension"`
}

func (d described) collection(tenant, database string) (Collection, error) {
	c := Collection{
		ID: d.ID, Tenant: tenant, Database: database, Name: d.Name,
		Configuration: present(d.Configuration), Schema: present(d.Schema),
	}
	if d.Dimension != nil {
		c.Dimension = *d.Dimension
	}
	switch {
	case d.ID == "" || d.Name == "":
		return c, errors.New("the answer describes no collection")
	case c.Dimension < 0 || c.Dimension > mostDimensions:
		return c, fmt.Errorf("the answer gives collection %.60q %d dimensions", d.Name, c.Dimension)
	}
	if m := present(d.Metadata); m != nil {
		if err := json.Unmarshal(m, &c.Metadata); err != nil {
			return c, fmt.Errorf("the metadata of collection %s: %w", d.Name, err)
		}
	}
	c.Space = spaceOf(c)
	return c, nil
}

// mostDimensions is more than any embedding has.
const mostDimensions = 1 << 20

// present is nil for a null.
func present(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

// defaultSpace is how distance is measured where nothing is said.
const defaultSpace = "l2"

// spaceOf finds how a collection measures distance. Each generation of servers says it
// elsewhere.
func spaceOf(c Collection) string {
	type index struct {
		Space string `json:"space"`
	}
	var schema struct {
		Keys map[string]struct {
			FloatList struct {
				VectorIndex struct {
					Config index `json:"config"`
				} `json:"vector_index"`
			} `json:"float_list"`
		} `json:"keys"`
	}
	var config struct {
		HNSW  index `json:"hnsw"`
		SPANN index `json:"spann"`
		Older index `json:"hnsw_configuration"` // 0.5 and 0.6
	}
	// What has another shape says nothing of the space.
	_ = json.Unmarshal(c.Schema, &schema)
	_ = json.Unmarshal(c.Configuration, &config)
	legacy, _ := c.Metadata["hnsw:space"].(string)
	for _, s := range []string{
		schema.Keys["#embedding"].FloatList.VectorIndex.Config.Space,
		config.HNSW.Space, config.SPANN.Space, config.Older.Space, legacy,
	} {
		if s != "" {
			return s
		}
	}
	return defaultSpace
}

// String names a collection for people, on one line.
func (c Collection) String() string {
	s := c.Tenant + "/" + c.Database + "/" + c.Name
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}

// Collections lists the collections of a database. What is created or deleted meanwhile
// may be in the list or not; all others are, once. The first error ends the list.
func (c *Client) Collections(ctx context.Context, tenant, database string) iter.Seq2[Collection, error] {
	return func(yield func(Collection, error) bool) {
		s, err := c.Hello(ctx)
		if err != nil {
			yield(Collection{}, err)
			return
		}
		base := s.collections(tenant, database, "")
		glue := "?"
		if s.API == V1 {
			glue = "&"
		}
		list := pages[Collection]{
			size: pageOfNames, window: everything, most: mostNames, key: func(c Collection) string { return c.ID },
			fetch: func(offset, limit int) ([]Collection, error) {
				return c.listCollections(ctx, fmt.Sprintf("%s%slimit=%d&offset=%d", base, glue, limit, offset), tenant, database)
			},
		}
		n := 0
		for collection, err := range list.all {
			if err != nil {
				yield(Collection{}, c.failed("list the collections of", tenant+"/"+database, err))
				return
			}
			n++
			if !yield(collection, nil) {
				return
			}
		}
		if n == 0 {
			// An unknown database has no collections, says the server.
			if _, err := c.Database(ctx, tenant, database); err != nil {
				yield(Collection{}, err)
			}
		}
	}
}

func (c *Client) listCollections(ctx context.Context, path, tenant, database string) ([]Collection, error) {
	var page []described
	if err := c.do(ctx, request{name: "list collections", path: path}, decodeInto(&page)); err != nil {
		return nil, err
	}
	all := make([]Collection, len(page))
	for i, d := range page {
		var err error
		if all[i], err = d.collection(tenant, database); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Collection finds a collection by its name; ErrNotFound if there is none.
func (c *Client) Collection(ctx context.Context, tenant, database, name string) (Collection, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return Collection{}, err
	}
	var d described
	q := request{name: "look for the collection", path: s.collections(tenant, database, "/"+url.PathEscape(name))}
	var found Collection
	if err = c.do(ctx, q, decodeInto(&d)); err == nil {
		found, err = d.collection(tenant, database)
	}
	err = missing(err, "the server has no such collection", "are the names of tenant, database and collection right?")
	return found, c.failed("look for collection", tenant+"/"+database+"/"+name, err)
}

// Create makes a collection. A name that is in use is ErrTaken.
func (c *Client) Create(ctx context.Context, tenant, database string, spec Spec) (Collection, error) {
	created, err := c.create(ctx, tenant, database, spec)
	return created, c.failed("create collection", tenant+"/"+database+"/"+spec.Name, err)
}

func (c *Client) create(ctx context.Context, tenant, database string, spec Spec) (Collection, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return Collection{}, err
	}
	if s.API == V1 && (spec.Configuration != nil || spec.Schema != nil) {
		return Collection{}, &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "a server with API v1 takes no configuration"),
			Hint: "it reads the parameters of the index from the metadata: hnsw:space and others",
		}
	}
	body, err := spec.body(s.numeral(false))
	if err != nil {
		return Collection{}, err
	}
	var d described
	q := request{name: "create the collection", method: http.MethodPost, path: s.collections(tenant, database, ""), body: body, unsafe: true}
	for try := 1; ; try++ {
		err = c.do(ctx, q, decodeInto(&d))
		if err == nil {
			return d.collection(tenant, database)
		}
		if !ambiguous(err) || ctx.Err() != nil {
			return Collection{}, err
		}
		found, looked := c.Collection(ctx, tenant, database, spec.Name)
		switch {
		case looked == nil:
			return c.mine(ctx, found, spec, err)
		case !errors.Is(looked, holdfast.ErrNotFound):
			return Collection{}, fmt.Errorf("%w; whether it was done is not known: %w", err, looked)
		case try >= fewTries || c.patience < 0:
			return Collection{}, err
		}
	}
}

// mine decides about a collection that is there after its creation was not answered: it
// was made just now if it is as it was asked for, and still empty.
func (c *Client) mine(ctx context.Context, found Collection, spec Spec, cause error) (Collection, error) {
	want := spaceOf(Collection{Metadata: spec.Metadata, Configuration: spec.Configuration, Schema: spec.Schema})
	n, err := c.Count(ctx, found)
	switch {
	case err != nil:
		return Collection{}, errors.Join(cause, err)
	case n != 0, found.Space != want, len(found.Metadata)+len(spec.Metadata) > 0 && !reflect.DeepEqual(found.Metadata, spec.Metadata):
		return Collection{}, kinded{ErrTaken, errors.New("there is another collection of this name")}
	}
	return found, nil
}

// body is the request for a collection.
func (s Spec) body(number numeral) ([]byte, error) {
	body := map[string]any{"name": s.Name, "get_or_create": false}
	if len(s.Metadata) > 0 {
		text, err := appendValues(nil, s.Metadata, number)
		if err != nil {
			return nil, err
		}
		body["metadata"] = json.RawMessage(text)
	}
	if s.Configuration != nil {
		body["configuration"] = s.Configuration
	}
	if s.Schema != nil {
		body["schema"] = s.Schema
	}
	return marshal(body)
}

// marshal is json.Marshal without its escapes for web pages.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// Rename gives a collection another name. One that is in use is ErrTaken, and nothing
// has changed.
func (c *Client) Rename(ctx context.Context, collection Collection, to string) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	body, err := marshal(map[string]string{"new_name": to})
	if err != nil {
		return err
	}
	q := request{
		name: "rename the collection", method: http.MethodPut, body: body, unsafe: true,
		path: s.collections(collection.Tenant, collection.Database, "/"+url.PathEscape(collection.ID)),
	}
	err = c.change(ctx, q, func(ctx context.Context) (bool, error) {
		found, err := c.Collection(ctx, collection.Tenant, collection.Database, to)
		is, err := there(err)
		return is && found.ID == collection.ID, err
	})
	if err != nil {
		return c.failed("rename collection", collection.String()+" to "+to, err)
	}
	return nil
}

// Drop deletes a collection. Servers do that by name: if the name belongs to another
// one by now, Drop refuses, and if nothing has it, that is ErrNotFound.
func (c *Client) Drop(ctx context.Context, collection Collection) error {
	s, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	holder := func(ctx context.Context) (string, error) {
		found, err := c.Collection(ctx, collection.Tenant, collection.Database, collection.Name)
		return found.ID, err
	}
	switch id, err := holder(ctx); {
	case err != nil:
		return err
	case id != collection.ID:
		return c.failed("delete collection", collection.String(), holdfast.Kindf(holdfast.ErrRefused, "another collection has its name now"))
	}
	q := request{
		name: "delete the collection", method: http.MethodDelete, unsafe: true,
		path: s.collections(collection.Tenant, collection.Database, "/"+url.PathEscape(collection.Name)),
	}
	err = c.change(ctx, q, func(ctx context.Context) (bool, error) {
		id, err := holder(ctx)
		is, err := there(err)
		return !is || id != collection.ID, err
	})
	return c.failed("delete collection", collection.String(), err)
}

// Count counts the records of a collection.
func (c *Client) Count(ctx context.Context, collection Collection) (int64, error) {
	s, err := c.Hello(ctx)
	if err != nil {
		return 0, err
	}
	var n int64
	err = c.do(ctx, request{name: "count", path: s.records(collection, "count")}, decodeInto(&n))
	if err == nil && n < 0 {
		err = fmt.Errorf("the server counts %d of them", n)
	}
	return n, c.failed("count the records of collection", collection.String(), err)
}

// records is the path of a request about the records of a collection.
func (s Server) records(c Collection, verb string) string {
	if s.API == V1 {
		return "/api/v1/collections/" + url.PathEscape(c.ID) + "/" + verb
	}
	return s.collections(c.Tenant, c.Database, "/"+url.PathEscape(c.ID)+"/"+verb)
}
