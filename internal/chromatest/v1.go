package chromatest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// V1Version is what the facade of version 1 calls itself.
const V1Version = "0.5.5"

// NewV1 starts a facade before a server: it speaks version 1 of the API and nothing
// else, as servers from 0.4.15 to 0.5 did: tenant and database in the query, errors as
// the text of a Python exception, embeddings with all digits of 64 bits, no lists in
// metadata, null where a column was not asked for. Data and their order are the server's.
func NewV1(t testing.TB, upstream string) *httptest.Server {
	t.Helper()
	f := &v1{upstream: upstream + "/api/v2", client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/heartbeat", f.pass("/heartbeat"))
	mux.HandleFunc("GET /api/v1/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, strconv.Quote(V1Version))
	})
	mux.HandleFunc("GET /api/v1/pre-flight-checks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"max_batch_size":41666}`)
	})
	mux.HandleFunc("POST /api/v1/tenants", f.pass("/tenants"))
	mux.HandleFunc("GET /api/v1/tenants/{tenant}", func(w http.ResponseWriter, r *http.Request) {
		f.send(w, r, "/tenants/"+url.PathEscape(r.PathValue("tenant")))
	})
	mux.HandleFunc("POST /api/v1/databases", func(w http.ResponseWriter, r *http.Request) {
		f.send(w, r, "/tenants/"+url.PathEscape(named(r, "tenant", "default_tenant"))+"/databases")
	})
	mux.HandleFunc("GET /api/v1/databases/{database}", func(w http.ResponseWriter, r *http.Request) {
		f.send(w, r, "/tenants/"+url.PathEscape(named(r, "tenant", "default_tenant"))+"/databases/"+url.PathEscape(r.PathValue("database")))
	})
	mux.HandleFunc("GET /api/v1/collections", f.collections(""))
	mux.HandleFunc("POST /api/v1/collections", f.collections(""))
	mux.HandleFunc("GET /api/v1/count_collections", func(w http.ResponseWriter, r *http.Request) { f.send(w, r, base(r)+"/collections_count") })
	mux.HandleFunc("GET /api/v1/collections/{name}", f.collections("name"))
	mux.HandleFunc("DELETE /api/v1/collections/{name}", f.collections("name"))
	mux.HandleFunc("PUT /api/v1/collections/{id}", f.byID(""))
	mux.HandleFunc("GET /api/v1/collections/{id}/count", f.byID("count"))
	for _, verb := range []string{"add", "upsert", "update", "get", "delete", "query"} {
		mux.HandleFunc("POST /api/v1/collections/{id}/"+verb, f.byID(verb))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, `{"detail":"Not Found"}`) })
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		f.client.CloseIdleConnections()
	})
	return s
}

// v1 is the facade. The server finds a collection by its id whatever database its path
// names, so requests by id, which name none, go to the default one.
type v1 struct {
	upstream string
	client   *http.Client
}

// named gives a parameter of the query, or what it is if it is left out.
func named(r *http.Request, name, other string) string {
	if v := r.URL.Query().Get(name); v != "" {
		return v
	}
	return other
}

// base is the path of the database that a request names.
func base(r *http.Request) string {
	return "/tenants/" + url.PathEscape(named(r, "tenant", "default_tenant")) + "/databases/" + url.PathEscape(named(r, "database", "default_database"))
}

func (f *v1) pass(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { f.send(w, r, path) }
}

func (f *v1) collections(element string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := base(r) + "/collections"
		if element != "" {
			path += "/" + url.PathEscape(r.PathValue(element))
		}
		page := url.Values{}
		for _, name := range []string{"limit", "offset"} {
			if v := r.URL.Query().Get(name); v != "" {
				page.Set(name, v)
			}
		}
		if len(page) > 0 {
			path += "?" + page.Encode()
		}
		f.send(w, r, path)
	}
}

func (f *v1) byID(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := "/tenants/default_tenant/databases/default_database/collections/" + url.PathEscape(r.PathValue("id"))
		if verb != "" {
			path += "/" + verb
		}
		f.send(w, r, path)
	}
}

// send passes a request on and words the answer as the older servers did.
func (f *v1) send(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if why := tooNew(body); why != "" {
		answer(w, http.StatusBadRequest, exception("ValueError", why))
		return
	}
	resp, err := forward(f.client, r, f.upstream+path, body)
	if err != nil {
		answer(w, http.StatusBadGateway, "the server does not answer")
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if resp.StatusCode/100 != 2 {
		status, words := older(r, resp.StatusCode, text)
		answer(w, status, words)
		return
	}
	text, err = olderAnswer(r, body, text)
	if err != nil {
		answer(w, http.StatusInternalServerError, exception("Exception", err.Error()))
		return
	}
	status := resp.StatusCode
	if strings.HasSuffix(path, "/add") {
		status = http.StatusCreated
	}
	answer(w, status, string(text))
}

// exception is the text of a Python exception as those servers sent it.
func exception(name, words string) string {
	text, _ := json.Marshal(map[string]string{"error": name + "('" + words + "')"}) // of two strings: it cannot fail
	return string(text)
}

// tooNew tells what of a request the older servers did not know: lists in metadata,
// and the schema and configuration of a collection.
func tooNew(body []byte) string {
	var shape struct {
		Schema        json.RawMessage              `json:"schema"`
		Configuration json.RawMessage              `json:"configuration"`
		Metadatas     []map[string]json.RawMessage `json:"metadatas"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	if shape.Schema != nil {
		return "Extra inputs are not permitted: schema"
	}
	if shape.Configuration != nil {
		return "unknown parameter in configuration"
	}
	for _, m := range shape.Metadatas {
		for key, v := range m {
			if v[0] == '[' {
				return fmt.Sprintf("Expected metadata value to be a str, int, float or bool, got %s which is a list in key %s", v, key)
			}
		}
	}
	return ""
}

// older gives status and words of an error.
func older(r *http.Request, status int, text []byte) (int, string) {
	var shape struct{ Error, Message string }
	_ = json.Unmarshal(text, &shape) // what has no such shape has no message
	name := r.PathValue("name")
	switch {
	case status == http.StatusNotFound && (name != "" || r.PathValue("id") != ""):
		if name == "" {
			name = r.PathValue("id")
		}
		return http.StatusInternalServerError, exception("ValueError", "Collection "+name+" does not exist.")
	case status == http.StatusConflict:
		return status, `{"error":"UniqueConstraintError","message":"it already exists"}`
	case strings.Contains(shape.Message, "UNIQUE constraint"):
		return http.StatusInternalServerError, exception("IntegrityError", "UNIQUE constraint failed: collections.name, collections.database_id")
	case status == http.StatusNotFound, status == http.StatusTooManyRequests:
		return status, string(text)
	}
	return http.StatusInternalServerError, exception("Exception", shape.Message)
}

// olderAnswer gives an answer of success its older shape.
func olderAnswer(r *http.Request, body, text []byte) ([]byte, error) {
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/get"):
		return olderRecords(text)
	case strings.HasSuffix(path, "/delete"):
		var asked struct {
			IDs []string `json:"ids"`
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			return nil, err
		}
		return json.Marshal(asked.IDs)
	case strings.HasSuffix(path, "/add"), strings.HasSuffix(path, "/upsert"):
		return []byte("true"), nil
	case r.Method == http.MethodPut, r.Method == http.MethodDelete, strings.HasSuffix(path, "/update"):
		return []byte("null"), nil
	case path == "/api/v1/collections" && r.Method == http.MethodGet:
		var all []map[string]json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil {
			return nil, err
		}
		for _, c := range all {
			olderCollection(c)
		}
		return json.Marshal(all)
	case strings.HasPrefix(path, "/api/v1/collections") && !strings.HasSuffix(path, "/count") && !strings.HasSuffix(path, "/query"):
		var c map[string]json.RawMessage
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, err
		}
		olderCollection(c)
		return json.Marshal(c)
	}
	return text, nil
}

// olderCollection leaves out what those servers did not tell: how distance is
// measured stood in the metadata.
func olderCollection(c map[string]json.RawMessage) {
	delete(c, "schema")
	c["configuration_json"] = json.RawMessage(`{}`)
}

// olderRecords writes embeddings as Python does a float that was one of 32 bits.
func olderRecords(text []byte) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	all["included"] = all["include"]
	delete(all, "include")
	all["data"] = json.RawMessage("null")
	var embeddings [][]float32
	if err := json.Unmarshal(all["embeddings"], &embeddings); err != nil {
		return nil, err
	}
	if embeddings == nil {
		return json.Marshal(all)
	}
	wide := make([][]float64, len(embeddings))
	for i, e := range embeddings {
		wide[i] = make([]float64, len(e))
		for k, f := range e {
			wide[i][k] = float64(f)
		}
	}
	var err error
	if all["embeddings"], err = json.Marshal(wide); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}
