package api_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A hostile server is a Chroma server but for one kind of request, which ends with a path.
type hostile struct {
	path   string
	answer http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (h hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // whatever was asked
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, h.path) && !strings.Contains(path, "00000000-0000"):
		h.answer(w, r)
	case strings.HasSuffix(path, "/heartbeat"):
		_, _ = io.WriteString(w, `{"nanosecond heartbeat":1}`)
	case strings.HasSuffix(path, "/version"):
		_, _ = io.WriteString(w, `"1.0.0"`)
	case strings.HasSuffix(path, "/pre-flight-checks"):
		_, _ = io.WriteString(w, `{"max_batch_size":5461}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"NotFoundError","message":"Collection [-] does not exist"}`)
	}
}

// says answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// endless answers with a beginning and then the same for ever, until nobody listens.
func endless(start, more string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { pour(w, start, more) }
}

func pour(w io.Writer, start, more string) {
	more = strings.Repeat(more, 1+64<<10/len(more))
	for _, err := io.WriteString(w, start); err == nil; _, err = io.WriteString(w, more) {
	}
}

// bomb is endless, and next to nothing on the wire.
func bomb(start, more string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one
		pour(z, start, more)
	}
}

// drips answers with one character after the other.
func drips(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for c := http.NewResponseController(w); r.Context().Err() == nil; time.Sleep(5 * time.Millisecond) {
			_, _ = io.WriteString(w, " ")
			_ = c.Flush()
		}
	}
}

// lies tells another length than its answer has.
func lies(length int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%s", length, text)
	}
}

// Whatever a server answers, the client ends with one line of plain text, and takes no more
// memory than an answer may have.
func TestClient_AHostileServerGetsNowhere(t *testing.T) {
	var (
		hello  = func(ctx context.Context, c *api.Client) error { _, err := c.Hello(ctx); return err }
		in     = api.Collection{ID: "11111111-0000-4000-8000-000000000000", Tenant: "t", Database: "d", Name: "notes"}
		listed = func(ctx context.Context, c *api.Client) error {
			for _, err := range c.IDs(ctx, in) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		read = func(ctx context.Context, c *api.Client) error {
			_, _, err := c.Get(ctx, in, []string{"a", "b"}, disk.Documents)
			return err
		}
		counted = func(ctx context.Context, c *api.Client) error { _, err := c.Count(ctx, in); return err }
		shown   = func(ctx context.Context, c *api.Client) error {
			for made, err := range c.Collections(ctx, "t", "d") {
				if err != nil {
					return err
				}
				if _, err = c.Count(ctx, made); err != nil {
					return err
				}
			}
			return nil
		}
		added = func(ctx context.Context, c *api.Client) error {
			return c.Add(ctx, in, []disk.Record{{ID: "a", Embedding: []float32{1}}})
		}
	)
	deep := strings.Repeat("[", 200_000)
	for name, test := range map[string]struct {
		path   string
		answer http.HandlerFunc
		do     func(context.Context, *api.Client) error
		says   string // empty: it does no harm
	}{
		"a heartbeat without end":       {"/heartbeat", endless(`{"nanosecond heartbeat":1`, `,"x":1`), hello, "does not answer as a Chroma server"},
		"a heartbeat that is a bomb":    {"/heartbeat", bomb("", "\x00"), hello, "does not answer as a Chroma server"},
		"a version without end":         {"/version", bomb(`"`, "1"), hello, "32 MiB"},
		"ids without end":               {"/get", endless(`{"ids":["x"`, `,"x"`), listed, "more than the 1000"},
		"a bomb":                        {"/get", bomb(`{"ids":["`, "0"), listed, "96 MiB"},
		"collections without end":       {"/collections", endless(`[{"id":"x","name":"x"}`, `,{"id":"x","name":"x"}`), shown, "32 MiB"},
		"an answer to a write, a flood": {"/add", bomb("", "\x00"), added, ""},
		"a drip":                        {"/get", drips(http.StatusOK), listed, "next to nothing"},
		"a drip of words":               {"/get", drips(http.StatusBadRequest), listed, "cut off"},
		"a drip after a write":          {"/add", drips(http.StatusOK), added, "next to nothing"},
		"ids that are none":             {"/get", says(`{"ids":{"a":1}}`), listed, "cannot be read"},
		"an id that is a number":        {"/get", says(`{"ids":[1]}`), listed, "cannot be read"},
		"documents that are none":       {"/get", says(`{"ids":["a"],"documents":"b"}`), read, "cannot be read"},
		"fewer documents":               {"/get", says(`{"ids":["a","b"],"documents":["x"]}`), read, "2 ids and 1 of documents"},
		"no number":                     {"/get", says(`{"ids":["a"],"embeddings":[[NaN]]}`), read, "cannot be read"},
		"a deep well":                   {"/get", says(`{"x":` + deep), read, "depth"},
		"a deep well of metadata":       {"/get", says(`{"ids":["a"],"metadatas":[{"x":` + deep), read, "depth"},
		"the ids twice":                 {"/get", says(`{"ids":["a"],"ids":["b"],"documents":["x"]}`), read, "twice"},
		"half a character":              {"/get", says("{\"ids\":[\"a\xe0\xb8\"]}"), listed, "UTF-8"},
		"too short for its length":      {"/get", lies(1000, `{"ids":["a"]`), listed, "cut off"},
		"too long for its length":       {"/get", lies(9, `{"ids":["a"]}`), listed, "cut off"},
		"more than was asked for":       {"/get", says(`{"ids":["a","b","c"],"documents":[null,null,null]}`), read, "more than the 2"},
		"others than were asked for":    {"/get", says(`{"ids":["a","c"],"documents":[null,null]}`), read, `"c", which was not asked for`},
		"one twice":                     {"/get", says(`{"ids":["a","a"],"documents":[null,null]}`), read, "or twice"},
		"a negative count":              {"/count", says(`-7`), counted, "counts -7"},
		"a count beyond all numbers":    {"/count", says(`1e300`), counted, "cannot be read"},
		"a count in words":              {"/count", says(`"many"`), counted, "cannot be read"},
		"a page for people":             {"/get", says(`<!doctype html><title>Welcome</title>`), listed, "invalid character '<'"},
		"a redirect to itself": {"/get", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, listed, "status 307"},
		"dimensions beyond all":            {"/collections", says(`[{"id":"x","name":"x","dimension":2000000000}]`), shown, "2000000000 dimensions"},
		"fewer dimensions than none":       {"/collections", says(`[{"id":"x","name":"x","dimension":-1}]`), shown, "-1 dimensions"},
		"a collection without a name":      {"/collections", says(`[{"id":"x"}]`), shown, "describes no collection"},
		"a name that writes on the screen": {"/collections", says(`[{"id":"x","name":"a\u001b[2J\nerror: b"}]`), shown, `a\x1b[2J\nerror: b`},
		"words that write on the screen": {"/get", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"a\u001b[2J\nerror: b\u0007"}`)
		}, listed, "a [2J error: b"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(hostile{test.path, test.answer})
			defer server.Close()
			o := api.Options{URL: server.URL, Rate: 1e6, Patience: time.Millisecond}
			if strings.HasPrefix(name, "a drip") {
				o.Stall = 50 * time.Millisecond
			}
			c := clientOf(t, o)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := test.do(t.Context(), c)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<30 {
				t.Errorf("it took %d MiB of memory", took>>20)
			}
			switch {
			case test.says == "" && err != nil:
				t.Error(err)
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
				t.Errorf("it says %v, want %q", err, test.says)
			case err != nil && (strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 1000):
				t.Errorf("this is no line: %q", err)
			case err != nil && holdfast.ExitCode(err) == 0:
				t.Errorf("exit code 0: %v", err)
			}
		})
	}
}
