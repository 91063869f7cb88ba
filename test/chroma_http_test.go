//go:build linux

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A fleet is one running server of each release; each test works in tenants of its own.
type fleet map[chromatest.Version]*remote

// Everything that is said of Chroma servers over HTTP, against the real thing. The two
// servers are shared; who kills a server, or fills its default tenant, has
// one of their own.
func TestChromaHTTP(t *testing.T) {
	t.Parallel()
	f := fleet{}
	for _, v := range chromatest.Versions() {
		dir := t.TempDir()
		f[v] = newRemote(t, chromatest.Start(t, v, dir).URL())
		f[v].dir = dir
	}
	for name, test := range map[string]func(*testing.T, fleet){
		"round trips":     roundTrips,
		"records in JSON": recordsInJSON,
		"version 1":       versionOne,
		"inside":          insideOfABucket,
		"trouble":         trouble,
		"directories":     directories,
		"from the chat":   fromTheChat,
		"stopped":         stoppedDirectory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

// A remote is a Chroma server as its clients see it.
type remote struct {
	t   *testing.T
	url string
	dir string // of the server, where a test needs it
	*api.Client
}

func newRemote(t *testing.T, url string, headers ...string) *remote {
	t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	c, err := api.New(api.Options{URL: url, Headers: h, Rate: 1e5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &remote{t: t, url: url, Client: c}
}

// of gives the remote to another test.
func (r *remote) of(t *testing.T) *remote { return &remote{t, r.url, r.dir, r.Client} }

// tenants counts the tenants of this process.
var tenants atomic.Int64

// newTenant makes a tenant with a default database.
func (r *remote) newTenant() string {
	r.t.Helper()
	name := fmt.Sprintf("acme-%d", tenants.Add(1))
	r.must(r.CreateTenant(r.t.Context(), name))
	r.must(r.CreateDatabase(r.t.Context(), name, api.DefaultDatabase))
	return name
}

func (r *remote) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// fill makes a collection with records.
func (r *remote) fill(tenant, name string, records ...disk.Record) api.Collection {
	r.t.Helper()
	c, err := r.Create(r.t.Context(), tenant, api.DefaultDatabase, api.Spec{Name: name})
	r.must(err)
	r.must(r.Add(r.t.Context(), c, records))
	return c
}

// notes are n records.
func notes(n int) []disk.Record {
	var out []disk.Record
	for i := range n {
		out = append(out, disk.Record{
			ID: fmt.Sprintf("note-%d", i), Document: new(fmt.Sprintf("note number %d of some", i)),
			Metadata:  holdfast.Values{"n": int64(i), "share": float64(i) + 0.5, "two": 2.0},
			Embedding: []float32{float32(i) + 0.1, 1 / float32(i+1), -3},
		})
	}
	return out
}

// A shelf is a collection with what is in it.
type shelf struct {
	api.Collection
	records []disk.Record
}

// state reads all of some tenants, by TENANT/DATABASE/COLLECTION; databases without
// collections are there, too.
func (r *remote) state(tenants ...string) map[string]shelf {
	r.t.Helper()
	ctx, out := r.t.Context(), map[string]shelf{}
	for _, tenant := range tenants {
		databases, err := r.Databases(ctx, tenant)
		r.must(err)
		for _, db := range databases {
			out[tenant+"/"+db.Name+"/"] = shelf{}
			for c, err := range r.Collections(ctx, tenant, db.Name) {
				r.must(err)
				out[tenant+"/"+db.Name+"/"+c.Name] = shelf{c, r.records(c)}
			}
		}
	}
	return out
}

// records reads a collection in the server's order.
func (r *remote) records(c api.Collection) []disk.Record {
	r.t.Helper()
	out, err := readAll(r.t.Context(), r.Client, c)
	r.must(err)
	return out
}

func readAll(ctx context.Context, client *api.Client, c api.Collection) ([]disk.Record, error) {
	var ids []string
	for id, err := range client.IDs(ctx, c) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	var out []disk.Record
	for page := range slices.Chunk(ids, 200) {
		records, bad, err := client.Get(ctx, c, page, disk.Everything)
		if err != nil || len(bad) != 0 {
			return nil, errors.Join(err, fmt.Errorf("%d of %d records are bad", len(bad), len(page)))
		}
		out = append(out, records...)
	}
	return out, nil
}

// only keeps what lies in some tenants.
func only(state map[string]shelf, tenants ...string) map[string]shelf {
	out := map[string]shelf{}
	for name, s := range state {
		if tenant, _, _ := strings.Cut(name, "/"); slices.Contains(tenants, tenant) {
			out[name] = s
		}
	}
	return out
}

// same compares what two servers hold; kept tells what becomes of a number on the way.
func same(t *testing.T, what string, got, want map[string]shelf, kept func(float64) float64) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is too much", what, name)
		}
	}
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			t.Errorf("%s: %s is missing", what, name)
			continue
		}
		if g.Space != w.Space || g.Dimension != w.Dimension || !reflect.DeepEqual(g.Metadata, w.Metadata) {
			t.Errorf("%s: %s is %s of %d dimensions with %v, want %s, %d, %v", what, name, g.Space, g.Dimension, g.Metadata, w.Space, w.Dimension, w.Metadata)
		}
		if err := equalRecords(g.records, w.records, w.Space, kept); err != nil {
			t.Errorf("%s: %s: %v", what, name, err)
		}
	}
}

// equalRecords compares records and their order, each value with its type, and every bit
// of an embedding unless the server computes it out of two.
func equalRecords(got, want []disk.Record, space string, kept func(float64) float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if kept != nil {
			w.Metadata = mapped(w.Metadata, kept)
		}
		switch {
		case g.ID != w.ID:
			return fmt.Errorf("record %d is %q, want %q", i, g.ID, w.ID)
		case !reflect.DeepEqual(g.Document, w.Document) || !reflect.DeepEqual(g.URI, w.URI):
			return fmt.Errorf("record %q has another document or URI", g.ID)
		case len(g.Metadata) != len(w.Metadata) || len(w.Metadata) > 0 && !reflect.DeepEqual(g.Metadata, w.Metadata):
			return fmt.Errorf("record %q has the metadata %#v, want %#v", g.ID, g.Metadata, w.Metadata)
		case !slices.EqualFunc(g.Embedding, w.Embedding, func(a, b float32) bool {
			return math.Float32bits(a) == math.Float32bits(b) || space == disk.SpaceCosine && math.Abs(float64(a-b)) <= 1e-5*math.Max(math.Abs(float64(b)), 1e-3)
		}):
			return fmt.Errorf("record %q has the embedding %v, want %v", g.ID, g.Embedding, w.Embedding)
		}
	}
	return nil
}

// mapped gives metadata with every float replaced by what is kept of it.
func mapped(values holdfast.Values, kept func(float64) float64) holdfast.Values {
	var each func(any) any
	each = func(v any) any {
		switch v := v.(type) {
		case float64:
			return kept(v)
		case []any:
			var out []any
			for _, e := range v {
				out = append(out, each(e))
			}
			return out
		}
		return v
	}
	if values == nil {
		return nil
	}
	out := holdfast.Values{}
	for k, v := range values {
		out[k] = each(v)
	}
	return out
}

// asks configures a machine for a server, by requests.
func (m *machine) asks(url string, tenants ...string) *machine {
	m.t.Helper()
	m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources:\n  chromadb: {type: chroma, url: %q, tenant: [%s], rate: 100000}\n", url, strings.Join(tenants, ", ")))
	return m
}

// What a copy holds of a collection: all of it, and as the load compares it.
type holding struct {
	full  []disk.Record
	plain []chromatest.Record
}

// heldIn reads a copy in a directory, by the names of its collections.
func heldIn(t *testing.T, dir string) map[string]holding {
	t.Helper()
	c, err := content.Open(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := map[string]holding{}
	for _, of := range c.Collections() {
		var h holding
		for r, err := range c.Records(t.Context(), of, disk.Everything) {
			if err != nil {
				t.Fatal(err)
			}
			plain := chromatest.Record{ID: r.ID, Document: r.Document, Embedding: r.Embedding}
			text, err := json.Marshal(r.Metadata)
			if err == nil {
				d := json.NewDecoder(bytes.NewReader(text))
				d.UseNumber() // as the client of the load reads them
				err = d.Decode(&plain.Metadata)
			}
			if err != nil {
				t.Fatal(err)
			}
			h.full, h.plain = append(h.full, r), append(h.plain, plain)
		}
		out[of.Name] = h
	}
	return out
}
