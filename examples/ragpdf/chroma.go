package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A chroma is a client of a Chroma server, as much of its API v2 as this assistant
// needs. A collection has a name, which stays, and an id, which another one gets
// when it is cleared or restored: names are looked up, and their ids remembered
// until forget.
type chroma struct {
	root string // http://host:port/api/v2
	base string // root, with tenant and database
	http *http.Client

	mu  sync.Mutex
	ids map[string]string // by name
}

// newChroma gives a client of a database at address.
func newChroma(address, tenant, database string) *chroma {
	root := strings.TrimSuffix(address, "/") + "/api/v2"
	return &chroma{
		root: root, base: root + "/tenants/" + url.PathEscape(tenant) + "/databases/" + url.PathEscape(database),
		http: &http.Client{Timeout: time.Minute}, ids: map[string]string{},
	}
}

// records are records as Chroma takes and gives them: the n-th of each list
// belongs to the n-th id.
type records struct {
	IDs        []string         `json:"ids"`
	Embeddings [][]float32      `json:"embeddings,omitempty"`
	Documents  []string         `json:"documents,omitempty"`
	Metadatas  []map[string]any `json:"metadatas,omitempty"`
}

// found is the answer to one question.
type found struct {
	IDs       [][]string         `json:"ids"`
	Documents [][]string         `json:"documents"`
	Metadatas [][]map[string]any `json:"metadatas"`
	Distances [][]float64        `json:"distances"`
}

// filter is a condition on metadata, such as {"page": 3}.
type filter map[string]any

// alive tells whether the server answers.
func (c *chroma) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return c.do(ctx, http.MethodGet, c.root+"/heartbeat", nil, nil)
}

// id looks a collection up by its name, and makes it if there is none.
func (c *chroma) id(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.ids[name]; id != "" {
		return id, nil
	}
	var made struct {
		ID string `json:"id"`
	}
	body := map[string]any{
		"name": name, "get_or_create": true,
		"configuration": map[string]any{"hnsw": map[string]any{"space": "cosine"}},
	}
	if err := c.do(ctx, http.MethodPost, c.base+"/collections", body, &made); err != nil {
		return "", err
	}
	c.ids[name] = made.ID
	return made.ID, nil
}

// forget lets every name be looked up again.
func (c *chroma) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.ids)
}

// drop deletes a collection; that there is none is fine.
func (c *chroma) drop(ctx context.Context, name string) error {
	defer c.forget()
	err := c.do(ctx, http.MethodDelete, c.base+"/collections/"+url.PathEscape(name), nil, nil)
	if isGone(err) {
		return nil
	}
	return err
}

// upsert adds records, or replaces those with the same ids.
func (c *chroma) upsert(ctx context.Context, name string, r records) error {
	return c.ask(ctx, name, http.MethodPost, "upsert", r, nil)
}

// remove deletes the records that a filter matches.
func (c *chroma) remove(ctx context.Context, name string, where filter) error {
	return c.ask(ctx, name, http.MethodPost, "delete", map[string]any{"where": where}, nil)
}

// get gives a page of the records that a filter matches, or of all if it is nil.
func (c *chroma) get(ctx context.Context, name string, where filter, limit, offset int) (records, error) {
	body := map[string]any{"limit": limit, "offset": offset, "include": []string{"documents", "metadatas"}}
	if where != nil {
		body["where"] = where
	}
	var out records
	return out, c.ask(ctx, name, http.MethodPost, "get", body, &out)
}

// query gives the n records that are nearest to a vector.
func (c *chroma) query(ctx context.Context, name string, vector []float32, n int) (found, error) {
	var out found
	err := c.ask(ctx, name, http.MethodPost, "query", map[string]any{
		"query_embeddings": [][]float32{vector}, "n_results": n, "include": []string{"documents", "metadatas", "distances"},
	}, &out)
	if err == nil && (len(out.IDs) != 1 || len(out.Documents) != 1 || len(out.Metadatas) != 1 || len(out.Distances) != 1) {
		err = fmt.Errorf("query %s: %d answers to one question", name, len(out.IDs))
	}
	return out, err
}

// count counts the records of a collection.
func (c *chroma) count(ctx context.Context, name string) (int, error) {
	var n int
	return n, c.ask(ctx, name, http.MethodGet, "count", nil, &n)
}

// ask makes a request of a collection. If its id is not known to the server any
// more, somebody has replaced the collection: it is looked up once more.
func (c *chroma) ask(ctx context.Context, name, method, verb string, body, out any) error {
	for again := false; ; again = true {
		id, err := c.id(ctx, name)
		if err != nil {
			return err
		}
		err = c.do(ctx, method, c.base+"/collections/"+id+"/"+verb, body, out)
		if again || !isGone(err) {
			return err
		}
		c.forget()
	}
}

// A statusError is an answer other than success.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("Chroma answers %d: %s", e.status, e.text) }

func isGone(err error) bool {
	status, is := errors.AsType[*statusError](err)
	return is && status.status == http.StatusNotFound
}

// mostAnswer bounds what is read of an answer.
const mostAnswer = 32 << 20

func (c *chroma) do(ctx context.Context, method, address string, body, out any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, in)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, mostAnswer)
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(answer, 500)) // what can be read of it
		return &statusError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	if out == nil {
		_, err := io.Copy(io.Discard, answer)
		return err
	}
	return json.NewDecoder(answer).Decode(out)
}
