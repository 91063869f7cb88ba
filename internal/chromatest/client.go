package chromatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// A Client speaks HTTP v2 with a Chroma server, as much of it as tests need.
type Client struct {
	root, base string
	http       *http.Client
}

// NewClient gives a client of the default database of the server at address.
func NewClient(address string) *Client {
	c := &Client{
		root: address + "/api/v2",
		http: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	}
	return c.Database("default_tenant", "default_database")
}

// A StatusError is an answer other than success.
type StatusError struct {
	Request string
	Status  int
	Body    string
}

// Error tells request, status and the server's words.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.Request, e.Status, e.Body)
}

// A Collection as the server describes it.
type Collection struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Metadata      map[string]any  `json:"metadata"`
	Dimension     *int            `json:"dimension"`
	Configuration json.RawMessage `json:"configuration_json"`
}

// A CollectionSpec asks for a collection.
type CollectionSpec struct {
	Name          string
	Space         string         // l2, cosine or ip; empty leaves it to the server
	SyncThreshold int            // log records between two persists; 0 leaves it to the server
	Metadata      map[string]any // optional
}

// A Record is one record of a collection.
type Record struct {
	ID        string
	Document  *string
	Metadata  map[string]any
	Embedding []float32
}

// Heartbeat returns nil if the server answers.
func (c *Client) Heartbeat(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, c.root+"/heartbeat", nil, nil)
}

// Create makes a collection.
func (c *Client) Create(ctx context.Context, spec CollectionSpec) (Collection, error) {
	hnsw := map[string]any{}
	if spec.Space != "" {
		hnsw["space"] = spec.Space
	}
	if spec.SyncThreshold > 0 {
		hnsw["sync_threshold"] = spec.SyncThreshold
	}
	body := map[string]any{"name": spec.Name, "configuration": map[string]any{"hnsw": hnsw}}
	if spec.Metadata != nil {
		body["metadata"] = spec.Metadata
	}
	var out Collection
	return out, c.do(ctx, http.MethodPost, c.base+"/collections", body, &out)
}

// Collections lists all collections of the database.
func (c *Client) Collections(ctx context.Context) ([]Collection, error) {
	var all []Collection
	for {
		var page []Collection
		u := fmt.Sprintf("%s/collections?limit=100&offset=%d", c.base, len(all))
		if err := c.do(ctx, http.MethodGet, u, nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < 100 {
			return all, nil
		}
	}
}

// Collection finds a collection by name.
func (c *Client) Collection(ctx context.Context, name string) (Collection, error) {
	var out Collection
	return out, c.do(ctx, http.MethodGet, c.base+"/collections/"+url.PathEscape(name), nil, &out)
}

// Drop deletes a collection by name.
func (c *Client) Drop(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, c.base+"/collections/"+url.PathEscape(name), nil, nil)
}

// Configure changes the search width of a collection, a request that reads
// before it writes.
func (c *Client) Configure(ctx context.Context, id string, efSearch int) error {
	body := map[string]any{"new_configuration": map[string]any{"hnsw": map[string]any{"ef_search": efSearch}}}
	return c.do(ctx, http.MethodPut, c.base+"/collections/"+id, body, nil)
}

// Add adds records; those that exist are silently left alone by the server.
func (c *Client) Add(ctx context.Context, id string, r []Record) error {
	return c.write(ctx, id, "add", r)
}

// Upsert adds or changes records.
func (c *Client) Upsert(ctx context.Context, id string, r []Record) error {
	return c.write(ctx, id, "upsert", r)
}

// Update changes records that exist. Documents and embeddings that are nil stay
// as they are.
func (c *Client) Update(ctx context.Context, id string, r []Record) error {
	return c.write(ctx, id, "update", r)
}

// columns is how the server takes and gives records.
type columns struct {
	IDs        []string         `json:"ids"`
	Embeddings [][]float32      `json:"embeddings,omitempty"`
	Documents  []*string        `json:"documents,omitempty"`
	Metadatas  []map[string]any `json:"metadatas,omitempty"`
}

func (c *Client) write(ctx context.Context, id, verb string, records []Record) error {
	var body columns
	for _, r := range records {
		body.IDs = append(body.IDs, r.ID)
		body.Embeddings = append(body.Embeddings, r.Embedding)
		body.Documents = append(body.Documents, r.Document)
		body.Metadatas = append(body.Metadatas, r.Metadata)
	}
	return c.do(ctx, http.MethodPost, c.base+"/collections/"+id+"/"+verb, body, nil)
}

// Delete deletes records.
func (c *Client) Delete(ctx context.Context, id string, ids []string) error {
	return c.do(ctx, http.MethodPost, c.base+"/collections/"+id+"/delete", map[string]any{"ids": ids}, nil)
}

// Count counts the records of a collection.
func (c *Client) Count(ctx context.Context, id string) (int, error) {
	var n int
	return n, c.do(ctx, http.MethodGet, c.base+"/collections/"+id+"/count", nil, &n)
}

// Get gives records by id, all of them if ids is nil. One record without a
// vector fails the whole page, which is what tests look for.
func (c *Client) Get(ctx context.Context, id string, ids []string) ([]Record, error) {
	const page = 2000
	var all []Record
	for {
		body := map[string]any{"include": []string{"embeddings", "documents", "metadatas"}}
		if ids != nil {
			body["ids"] = ids
		} else {
			body["limit"], body["offset"] = page, len(all)
		}
		var got columns
		if err := c.do(ctx, http.MethodPost, c.base+"/collections/"+id+"/get", body, &got); err != nil {
			return nil, err
		}
		for i, rid := range got.IDs {
			all = append(all, Record{ID: rid, Document: got.Documents[i], Metadata: got.Metadatas[i], Embedding: got.Embeddings[i]})
		}
		if ids != nil || len(got.IDs) < page {
			return all, nil
		}
	}
}

// Query gives the ids of the n records nearest to the embedding.
func (c *Client) Query(ctx context.Context, id string, embedding []float32, n int) ([]string, error) {
	body := map[string]any{"query_embeddings": [][]float32{embedding}, "n_results": n, "include": []string{"distances"}}
	var out struct {
		IDs [][]string `json:"ids"`
	}
	if err := c.do(ctx, http.MethodPost, c.base+"/collections/"+id+"/query", body, &out); err != nil {
		return nil, err
	}
	if len(out.IDs) != 1 {
		return nil, fmt.Errorf("query: %d answers to one question", len(out.IDs))
	}
	return out.IDs[0], nil
}

// Database gives a client of another database of the same server.
func (c *Client) Database(tenant, database string) *Client {
	other := *c
	other.base = c.root + "/tenants/" + tenant + "/databases/" + database
	return &other
}

// Call sends a request of the test's own words to a path below the database;
// an answer that is no success is a *StatusError.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	return c.do(ctx, method, c.base+path, body, out)
}

func (c *Client) do(ctx context.Context, method, address string, body, out any) error {
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
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &StatusError{Request: method + " " + req.URL.Path, Status: resp.StatusCode, Body: string(answer)}
	}
	if out == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("%s %s: answer %q: %w", method, req.URL.Path, answer, err)
	}
	return nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
