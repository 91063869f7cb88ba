package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/server"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// at is a source of the server at an address that is asked as fast as it can.
func at(t *testing.T, address string, o server.Options) *server.Source {
	t.Helper()
	o.API.URL = address
	if o.API.Rate == 0 {
		o.API.Rate = 1e5
	}
	s, err := server.New("chromadb", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// capture captures a source that works.
func capture(t *testing.T, s *server.Source) (holdfast.Captured, *sourcetest.Sink) {
	t.Helper()
	sink := sourcetest.NewSink(t)
	got, err := s.Capture(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	if open := sink.Unfinished(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
	return got, sink
}

// digestOf gives the files of a sink with their content.
func digestOf(t *testing.T, sink *sourcetest.Sink) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(sink.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sink.FS(), name)
		out[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill makes several databases with collections of every kind and tells how many
// records each has, by tenant/database/name.
func fill(t *testing.T, c *api.Client, arrays bool) map[string]int64 {
	t.Helper()
	ctx := t.Context()
	must(t, c.CreateTenant(ctx, "acme"))
	must(t, c.CreateDatabase(ctx, "acme", "main"))
	must(t, c.CreateDatabase(ctx, api.DefaultTenant, "empty"))
	want := map[string]int64{}
	for _, place := range [][2]string{{api.DefaultTenant, api.DefaultDatabase}, {"acme", "main"}} {
		for n, name := range []string{"notes", "never-written", "Großes.Leer"} {
			if n == 2 {
				name = "many"
			}
			col, err := c.Create(ctx, place[0], place[1], api.Spec{Name: name, Metadata: holdfast.Values{"n": int64(n), "f": 2.0}})
			must(t, err)
			records := []int{7, 0, 700}[n]
			var all []disk.Record
			for i := range records {
				text := fmt.Sprintf("%s %d: สวัสดี %s", name, i, strings.Repeat("x", i%50))
				r := disk.Record{ID: fmt.Sprintf("id-%d", i), Embedding: []float32{float32(i) / 7, 1, -2}, Metadata: holdfast.Values{"two": 2.0, "three": int64(3)}}
				if i%3 != 0 {
					r.Document = &text
				}
				if i%5 == 0 {
					r.URI = &text
				}
				if arrays {
					r.Metadata["tags"] = []any{"a", "b"}
				}
				all = append(all, r)
			}
			if records > 0 {
				must(t, c.Add(ctx, col, all))
			}
			want[place[0]+"/"+place[1]+"/"+name] = int64(records)
		}
	}
	return want
}

// A server to which nothing is written is captured as of one instant, and the next
// capture has the same bytes.
func TestCapture_QuietServer(t *testing.T) {
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := chromatest.Start(t, v, t.TempDir())
			client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
			must(t, err)
			want := fill(t, client, v == chromatest.New)
			src := at(t, s.URL(), server.Options{Tenants: []string{api.DefaultTenant, "acme"}})
			got, sink := capture(t, src)
			told := got.Facts.Chroma.Server
			if told.Consistency != holdfast.Consistent || told.Passes != 2 || told.API != api.V2 || len(got.Problems) > 0 {
				t.Errorf("got %+v, problems %v", told, got.Problems)
			}
			copied, err := content.Open(t.Context(), sink.FS())
			must(t, err)
			defer copied.Close()
			found := map[string]int64{}
			for _, c := range copied.Collections() {
				live, err := client.Collection(t.Context(), c.Tenant, c.Database, c.Name)
				must(t, err)
				var ids []string
				var records []disk.Record
				for r, err := range copied.Records(t.Context(), c, disk.Everything) {
					must(t, err)
					ids, records = append(ids, r.ID), append(records, r)
				}
				found[c.Tenant+"/"+c.Database+"/"+c.Name] = int64(len(ids))
				if len(ids) == 0 {
					continue
				}
				served, _, err := client.Get(t.Context(), live, ids, disk.Everything)
				must(t, err)
				sameRecords(t, records, served)
			}
			if fmt.Sprint(found) != fmt.Sprint(want) {
				t.Errorf("captured %v, want %v", found, want)
			}
			_, again := capture(t, src)
			first, second := digestOf(t, sink), digestOf(t, again)
			for name := range first {
				if first[name] != second[name] {
					t.Errorf("%s differs from one capture to the next", name)
				}
			}
			if len(first) != len(second) {
				t.Errorf("%d files, then %d", len(first), len(second))
			}
			report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
			if err != nil || len(report.Problems) > 0 || report.Facts.Chroma.Records != 1414 {
				t.Errorf("check: %+v %v", report, err)
			}
			seen, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
			if err != nil || seen.Facts.Chroma == nil || seen.Facts.Chroma.Records != 1414 || seen.Bytes < 100_000 {
				t.Errorf("inspect: %+v %v", seen, err)
			}
		})
	}
}

func sameRecords(t *testing.T, got, want []disk.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
		return
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.ID != w.ID || fmt.Sprintf("%#v", g.Metadata) != fmt.Sprintf("%#v", w.Metadata) || !slices.Equal(g.Embedding, w.Embedding) ||
			!sameText(g.Document, w.Document) || !sameText(g.URI, w.URI) {
			t.Errorf("record %d: got %+v, want %+v", i, g, w)
			return
		}
	}
}

func sameText(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// heldIn reads a copy as the load compares it.
func heldIn(t *testing.T, copy fs.FS) map[string][]chromatest.Record {
	t.Helper()
	c, err := content.Open(t.Context(), copy)
	must(t, err)
	defer c.Close()
	held := map[string][]chromatest.Record{}
	for _, col := range c.Collections() {
		held[col.Name] = []chromatest.Record{}
		for r, err := range c.Records(t.Context(), col, disk.Everything) {
			must(t, err)
			record := chromatest.Record{ID: r.ID, Document: r.Document, Embedding: r.Embedding, Metadata: map[string]any{}}
			text, err := r.Metadata.MarshalJSON()
			must(t, err)
			d := json.NewDecoder(strings.NewReader(string(text)))
			d.UseNumber()
			must(t, d.Decode(&record.Metadata))
			held[col.Name] = append(held[col.Name], record)
		}
	}
	return held
}

// Under load a capture says whether it is of one instant, and if it says so, it is: held
// against the acknowledged history of every record.
func TestCapture_UnderLoad(t *testing.T) {
	s := chromatest.Start(t, chromatest.Old, t.TempDir())
	load := chromatest.StartLoad(t, s, chromatest.LoadOptions{Writers: 2, Records: 120, Preload: true, Churn: true})
	var peace atomic.Pointer[func()] // what is done at the next request for records
	proxy := stormy(t, s.URL(), func(_ int64, _ http.ResponseWriter, r *http.Request) bool {
		if f := peace.Load(); f != nil && strings.HasSuffix(r.URL.Path, "/get") {
			peace.Store(nil)
			(*f)()
		}
		return true
	})
	src := at(t, proxy.URL, server.Options{})
	said := map[holdfast.Consistency]int{}
	for n := range 4 {
		resume := func() {}
		if n%2 == 1 { // nothing is written from the middle of the first look on
			rest := func() { resume = load.Rest() }
			peace.Store(&rest)
		}
		after := load.Now()
		got, sink := capture(t, src)
		before := load.Now()
		resume()
		told := got.Facts.Chroma.Server
		said[told.Consistency]++
		switch told.Consistency {
		case holdfast.Consistent:
			if err := load.CheckRecords(heldIn(t, sink.FS()), after, before); err != nil {
				t.Errorf("capture %d says that it is of one instant: %v", n, err)
			}
		case holdfast.Fuzzy:
			if len(told.Moved) == 0 || told.Passes != 4 || !slices.ContainsFunc(got.Problems, func(p holdfast.Problem) bool { return p.Severity == holdfast.Warning }) {
				t.Errorf("capture %d is fuzzy and says %+v, %v", n, told, got.Problems)
			}
		}
		if report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{}); err != nil || len(report.Problems) > 0 {
			t.Errorf("capture %d: %v %v", n, report.Problems, err)
		}
	}
	load.Stop()
	if err := load.Failures(); err != nil {
		t.Errorf("requests of others failed: %v", err)
	}
	if said[holdfast.Fuzzy] == 0 || said[holdfast.Consistent] == 0 {
		t.Errorf("captures under load and in peace said %v", said)
	}
}

// stormy stands before a server and lets through what f says.
func stormy(t *testing.T, address string, f func(n int64, w http.ResponseWriter, r *http.Request) (through bool)) *httptest.Server {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) }
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f(n.Add(1), w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// A request that fails in passing is tried again where it was; a server that dies ends
// the capture with a clear error.
func TestCapture_StormsAndDeath(t *testing.T) {
	s := chromatest.Start(t, chromatest.New, t.TempDir())
	client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
	must(t, err)
	fill(t, client, true)
	nap := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }

	_, calm := capture(t, at(t, s.URL(), server.Options{}))
	var asked, failed atomic.Int64
	storm := stormy(t, s.URL(), func(n int64, w http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		if strings.Contains(r.URL.Path, "/collections") && n%3 == 0 {
			failed.Add(1)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[n%2])
			return false
		}
		return true
	})
	got, sink := capture(t, at(t, storm.URL, server.Options{API: api.Options{Sleep: nap}}))
	if got.Facts.Chroma.Server.Consistency != holdfast.Consistent || fmt.Sprint(digestOf(t, sink)) != fmt.Sprint(digestOf(t, calm)) {
		t.Errorf("a storm changed what was captured: %+v", got.Facts.Chroma.Server)
	}
	if failed.Load() == 0 || asked.Load() > 2*failed.Load()*3 {
		t.Errorf("%d requests, of which %d failed: it does not go on where it was", asked.Load(), failed.Load())
	}

	var dead atomic.Bool
	dying := stormy(t, s.URL(), func(n int64, w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/get") && n > 12 {
			dead.Store(true)
		}
		if dead.Load() {
			panic(http.ErrAbortHandler)
		}
		return true
	})
	none := sourcetest.NewSink(t)
	_, err = at(t, dying.URL, server.Options{API: api.Options{Patience: 50 * time.Millisecond}}).Capture(t.Context(), none)
	if err == nil || !strings.Contains(err.Error(), dying.URL) {
		t.Errorf("a server that dies: %v", err)
	}
	if open := none.Unfinished(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}

	ctx, cancel := context.WithCancel(t.Context())
	slow := stormy(t, s.URL(), func(n int64, w http.ResponseWriter, r *http.Request) bool {
		if n > 8 {
			cancel()
		}
		return true
	})
	if _, err = at(t, slow.URL, server.Options{}).Capture(ctx, sourcetest.NewSink(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("a capture that is cancelled: %v", err)
	}

	_, err = at(t, s.URL(), server.Options{Databases: []string{"nope"}}).Capture(t.Context(), sourcetest.NewSink(t))
	if !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a database that does not exist: %v", err)
	}
}

// A record whose embedding the server has lost is kept without, and named; its
// neighbours are whole.
func TestCapture_NamesALostEmbedding(t *testing.T) {
	s := chromatest.Start(t, chromatest.Old, t.TempDir())
	client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
	must(t, err)
	fill(t, client, false)
	broken := stormy(t, s.URL(), func(_ int64, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/get") {
			return true
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte(`"id-5"`)) && bytes.Contains(body, []byte(`"embeddings"`)) {
			http.Error(w, `{"error":"InternalError","message":"Error finding id"}`, http.StatusInternalServerError)
			return false
		}
		return true
	})
	src := at(t, broken.URL, server.Options{API: api.Options{Patience: 10 * time.Millisecond}})
	got, sink := capture(t, src)
	var named []string
	for _, p := range got.Problems {
		if p.Severity == holdfast.Incomplete {
			named = append(named, p.Object)
		}
	}
	if want := []string{`collection many, record "id-5"`, `collection notes, record "id-5"`}; !slices.Equal(named, want) {
		t.Errorf("named as incomplete: %q, want %q, of %v", named, want, got.Problems)
	}
	if got.Facts.Chroma.Server.Consistency != holdfast.Consistent || got.Facts.Chroma.Records != 707 {
		t.Errorf("got %+v with %d records", got.Facts.Chroma.Server, got.Facts.Chroma.Records)
	}
	copied, err := content.Open(t.Context(), sink.FS())
	must(t, err)
	defer copied.Close()
	many, err := copied.Collection("many")
	must(t, err)
	records, err := copied.Lookup(t.Context(), many, []string{"id-4", "id-5", "id-6"})
	must(t, err)
	if len(records) != 3 || records[0].Embedding == nil || records[1].Embedding != nil || records[1].Document == nil || records[2].Embedding == nil {
		t.Errorf("kept: %+v", records)
	}
}

// Metadata that has no place in a backup is not called an embedding that was lost.
func TestCapture_NamesMetadataThatCannotBeKept(t *testing.T) {
	s := chromatest.Start(t, chromatest.Old, t.TempDir())
	client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
	must(t, err)
	fill(t, client, false)
	odd := stormy(t, s.URL(), func(_ int64, w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.HasSuffix(r.URL.Path, "/get") || !bytes.Contains(body, []byte(`"embeddings"`)) {
			return true
		}
		var asked struct{ IDs []string }
		if json.Unmarshal(body, &asked) != nil || !slices.Contains(asked.IDs, "id-5") || len(asked.IDs) > 1 {
			if slices.Contains(asked.IDs, "id-5") {
				http.Error(w, `{"error":"InternalError","message":"Error finding id"}`, http.StatusInternalServerError)
				return false
			}
			return true
		}
		_, _ = io.WriteString(w, `{"ids":["id-5"],"documents":["d"],"uris":[null],"metadatas":[{"a":1,"sparse":{"indices":[1]},"other":{"b":{}}}],"embeddings":[[1,2,3]]}`)
		return false
	})
	got, sink := capture(t, at(t, odd.URL, server.Options{API: api.Options{Patience: 10 * time.Millisecond}}))
	n := 0
	for _, p := range got.Problems {
		if p.Severity != holdfast.Incomplete {
			continue
		}
		n++
		if !strings.HasSuffix(p.Object, `record "id-5"`) || !strings.Contains(p.Message, "some of its metadata") || !strings.Contains(p.Message, `"sparse"`) ||
			!strings.Contains(p.Message, `"other"`) || strings.Contains(p.Message+p.Hint, "its embedding") || strings.Contains(p.Message, "\n") {
			t.Errorf("%+v", p)
		}
	}
	if n == 0 {
		t.Errorf("problems %+v", got.Problems)
	}
	copied, err := content.Open(t.Context(), sink.FS())
	must(t, err)
	defer copied.Close()
	notes, err := copied.Collection("notes")
	must(t, err)
	records, err := copied.Lookup(t.Context(), notes, []string{"id-5"})
	must(t, err)
	if len(records) != 1 || records[0].Embedding == nil || records[0].Metadata["a"] != int64(1) || len(records[0].Metadata) != 1 {
		t.Errorf("kept: %+v", records)
	}
}

// Temporary files do not outlive a capture.
func TestCapture_LeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := at(t, gone.URL, server.Options{}).Capture(t.Context(), sourcetest.NewSink(t)); err == nil {
		t.Error("nobody listens, and there is no error")
	}
	left, err := filepath.Glob(filepath.Join(dir, "holdfast-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
