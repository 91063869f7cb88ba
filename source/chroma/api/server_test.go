package api_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// servers are started once and serve all tests of the package, each in a database of
// its own.
var servers struct {
	mu      sync.Mutex
	running map[chromatest.Version]*chromatest.Server
	folder  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range servers.running {
		_ = s.Kill() // at the end nothing is left to be told
	}
	if servers.folder != "" {
		os.RemoveAll(servers.folder)
	}
	os.Exit(code)
}

// serverOf gives the address of a server.
func serverOf(t *testing.T, v chromatest.Version) string {
	t.Helper()
	return started(t, v).URL()
}

func started(t *testing.T, v chromatest.Version) *chromatest.Server {
	t.Helper()
	servers.mu.Lock()
	defer servers.mu.Unlock()
	if s := servers.running[v]; s != nil {
		return s
	}
	var err error
	if servers.folder == "" {
		if servers.folder, err = os.MkdirTemp("", "holdfast-api-"); err != nil {
			t.Fatal(err)
		}
		servers.running = map[chromatest.Version]*chromatest.Server{}
	}
	s, err := chromatest.Launch(t.Context(), v, servers.folder+"/"+string(v))
	if err != nil {
		t.Fatal(err)
	}
	servers.running[v] = s
	return s
}

// patient makes a client whose pauses pass in no time.
func patient(t *testing.T, address string) *api.Client {
	t.Helper()
	return clientOf(t, api.Options{URL: address, Rate: 1e6, Sleep: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }})
}

func clientOf(t *testing.T, o api.Options) *api.Client {
	t.Helper()
	c, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// base makes a database for the test.
func base(t *testing.T, c *api.Client) string {
	t.Helper()
	name := "db-" + strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
	if err := c.CreateDatabase(t.Context(), api.DefaultTenant, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func create(t *testing.T, c *api.Client, database string, spec api.Spec) api.Collection {
	t.Helper()
	made, err := c.Create(t.Context(), api.DefaultTenant, database, spec)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// newest is what newer servers tell of themselves.
var newest = api.Server{API: api.V2, Version: "1.0.0"}

// some makes records that differ in all that can differ.
func some(n, dimension int, arrays bool) []disk.Record {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	all := make([]disk.Record, n)
	for i := range all {
		r := disk.Record{ID: fmt.Sprintf("id %04d/%%\"ก\\\u2028<>", i), Embedding: make([]float32, dimension)}
		for k := range r.Embedding {
			// Any 32 bits, as long as their square is a number.
			f := math.Float32frombits(rng.Uint32())
			for math.IsNaN(float64(f)) || math.Abs(float64(f)) > 1e15 {
				f = math.Float32frombits(rng.Uint32())
			}
			r.Embedding[k] = f
		}
		if i%3 != 0 {
			r.Document = new(fmt.Sprintf("document %d\nفارسی \u0001 </script> %s", i, strings.Repeat("long ", i%7)))
		}
		if i%4 == 0 {
			r.URI = new(fmt.Sprintf("https://example.org/%d?a=b&c", i))
		}
		if i%5 != 0 {
			r.Metadata = holdfast.Values{
				"whole": int64(i), "float": float64(i), "text": "2.0", "yes": i%2 == 0, "least": int64(math.MinInt64), "most": int64(math.MaxInt64),
				"third": newest.Kept(float64(i) / 3), "tiny": math.SmallestNonzeroFloat64, "ключ <&>": "значение",
			}
			if arrays && i%2 == 0 {
				r.Metadata["list"] = []any{int64(3), int64(1), int64(2)}
				r.Metadata["floats"] = []any{1.0, 2.5}
			}
		}
		all[i] = r
	}
	return all
}

func idsOf(records []disk.Record) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// same compares records in all that is theirs, embeddings bit by bit.
func same(t *testing.T, got, want []disk.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		for k := range w.Embedding {
			if k < len(g.Embedding) && math.Float32bits(g.Embedding[k]) != math.Float32bits(w.Embedding[k]) {
				t.Fatalf("record %q: number %d is %v, want %v", w.ID, k, g.Embedding[k], w.Embedding[k])
			}
		}
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("record %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
}

func TestClient_EveryRecordComesBackAsItWent(t *testing.T) {
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			ctx := t.Context()
			c := patient(t, serverOf(t, v))
			hello, err := c.Hello(ctx)
			want := api.Server{API: api.V2, Version: "1.0.0", MaxBatch: 5461, Lists: true, Arrays: v == chromatest.New, ByID: v == chromatest.New}
			if err != nil || hello != want {
				t.Fatalf("hello: %+v, %v, want %+v", hello, err, want)
			}
			made := create(t, c, base(t, c), api.Spec{Name: "notes", Metadata: holdfast.Values{"n": int64(2), "f": 2.0}})
			want0 := some(700, 5, hello.Arrays)
			if err := c.Add(ctx, made, want0); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Count(ctx, made); err != nil || n != 700 {
				t.Fatalf("count: %d, %v", n, err)
			}
			var ids []string
			for id, err := range c.IDs(ctx, made) {
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			if !slices.Equal(ids, idsOf(want0)) {
				t.Fatalf("the ids are others, or in another order: %.100q", ids)
			}
			slices.Reverse(ids)
			slices.Reverse(want0)
			got, bad, err := c.Get(ctx, made, append(ids, "nobody", ids[0]), disk.Everything)
			if err != nil || bad != nil {
				t.Fatal(bad, err)
			}
			same(t, got, want0)
			found, err := c.Query(ctx, made, want0[5].Embedding, 3)
			if err != nil || len(found) != 3 {
				t.Fatalf("query: %q, %v", found, err)
			}
			if err := c.Delete(ctx, made, ids[:650]); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Count(ctx, made); err != nil || n != 50 {
				t.Fatalf("count after the deletion: %d, %v", n, err)
			}
		})
	}
}
