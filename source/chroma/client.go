package chroma

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A client asks a Chroma server by HTTP, version 2 of its API.
type client struct {
	root string
	http *http.Client
}

// answerTime bounds one answer: a server may load a large index first.
const answerTime = 2 * time.Minute

func newClient(address string) *client {
	// No proxy of the environment stands between us and this machine.
	return &client{root: address + "/api/v2", http: &http.Client{Timeout: answerTime, Transport: &http.Transport{}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// A refusal is an answer that says that there is none.
type refusal struct {
	request string
	status  int
	body    string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s is answered with status %d: %.200s", r.request, r.status, strings.Join(strings.Fields(r.body), " "))
}

// maxAnswer bounds what is read of one answer.
const maxAnswer = 64 << 20

// do sends a request and reads its answer; request names it for people.
func (c *client) do(ctx context.Context, request, method, path string, body, out any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.root+path, in)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &refusal{request, resp.StatusCode, string(text)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: the answer %.200q: %w", request, text, err)
	}
	return nil
}

// heartbeat returns nil if the server answers.
func (c *client) heartbeat(ctx context.Context) error {
	return c.do(ctx, "heartbeat", http.MethodGet, "/heartbeat", nil, nil)
}

// collections is where the collections of a database are.
func (q question) collections() string {
	return "/tenants/" + url.PathEscape(q.Tenant) + "/databases/" + url.PathEscape(q.Database) + "/collections"
}

// collection gives the id of a collection by its name.
func (c *client) collection(ctx context.Context, q question) (string, error) {
	var out struct {
		ID string `json:"id"`
	}
	return out.ID, c.do(ctx, "the collection", http.MethodGet, q.collections()+"/"+url.PathEscape(q.Name), nil, &out)
}

func (c *client) count(ctx context.Context, q question) (int64, error) {
	var n int64
	return n, c.do(ctx, "count", http.MethodGet, q.collections()+"/"+q.ID+"/count", nil, &n)
}

// get reads records by id; ids that do not exist are left out.
func (c *client) get(ctx context.Context, q question, ids []string, include ...string) ([]answer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if include == nil {
		include = []string{}
	}
	var out struct {
		IDs        []string          `json:"ids"`
		Documents  []*string         `json:"documents"`
		Metadatas  []holdfast.Values `json:"metadatas"`
		Embeddings [][]float32       `json:"embeddings"`
	}
	body := map[string]any{"ids": ids, "include": include}
	if err := c.do(ctx, "get", http.MethodPost, q.collections()+"/"+q.ID+"/get", body, &out); err != nil {
		return nil, err
	}
	found := make([]answer, len(out.IDs))
	for i, id := range out.IDs {
		found[i] = answerOf(id, at(out.Documents, i), at(out.Metadatas, i), at(out.Embeddings, i))
	}
	return found, nil
}

// at gives an element of a list that may be shorter.
func at[T any](list []T, i int) (v T) {
	if i < len(list) {
		v = list[i]
	}
	return v
}

// query gives the ids of at most n records near a vector.
func (c *client) query(ctx context.Context, q question, v vector, n int) ([]string, error) {
	var out struct {
		IDs [][]string `json:"ids"`
	}
	// As a list of numbers: the text of a vector is for the file alone.
	body := map[string]any{"query_embeddings": [][]float32{v}, "n_results": n, "include": []string{}}
	err := c.do(ctx, "search", http.MethodPost, q.collections()+"/"+q.ID+"/query", body, &out)
	return at(out.IDs, 0), err
}
