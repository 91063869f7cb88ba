package transfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// servers are the two real servers that all tests share: each test has a database of
// its own.
var (
	servers = map[chromatest.Version]*chromatest.Server{}
	dirs    = map[chromatest.Version]string{}
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, v := range chromatest.Versions() {
			dir, err := os.MkdirTemp("", "transfer-*")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer os.RemoveAll(dir)
			s, err := chromatest.Launch(context.Background(), v, dir)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer s.Kill()
			servers[v], dirs[v] = s, dir
		}
		return m.Run()
	}())
}

// both runs a test against both servers, side by side: they share nothing.
func both(t *testing.T, f func(t *testing.T, w *world)) {
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, v))
		})
	}
}

// A world is one database of a server.
type world struct {
	t        *testing.T
	version  chromatest.Version
	api      *api.Client
	database string
}

var worlds atomic.Int64

const tenant = api.DefaultTenant

func newWorld(t *testing.T, v chromatest.Version) *world {
	t.Helper()
	w := &world{t: t, version: v, api: clientOf(t, servers[v].URL()), database: fmt.Sprintf("world-%d", worlds.Add(1))}
	w.must(w.api.CreateDatabase(t.Context(), tenant, w.database))
	return w
}

// clientOf is a client that does not wait and does not try again.
func clientOf(t *testing.T, url string) *api.Client {
	t.Helper()
	c, err := api.New(api.Options{URL: url, Rate: 1e6, Parallel: 8, Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) target() transfer.Target {
	return transfer.Target{API: w.api, Databases: []string{w.database}}
}

// table is what a collection of the world is called in a part.
func (w *world) table(name string) string { return tenant + "/" + w.database + "/" + name }

// make makes a collection with records by plain requests.
func (w *world) make(name, space string, records ...disk.Record) api.Collection {
	w.t.Helper()
	c, err := w.api.Create(w.t.Context(), tenant, w.database, api.Spec{
		Name: name, Configuration: json.RawMessage(`{"hnsw":{"space":"` + space + `"}}`),
	})
	w.must(err)
	w.must(w.api.Add(w.t.Context(), c, records))
	return c
}

// state is everything that the database holds, with ids of collections left out.
type state map[string][]disk.Record

func (w *world) state() state {
	w.t.Helper()
	out := state{}
	for c, err := range w.api.Collections(w.t.Context(), tenant, w.database) {
		w.must(err)
		out[c.Name] = w.records(c)
	}
	return out
}

func (w *world) records(c api.Collection) []disk.Record {
	w.t.Helper()
	var ids []string
	for id, err := range w.api.IDs(w.t.Context(), c) {
		w.must(err)
		ids = append(ids, id)
	}
	records, bad, err := w.api.Get(w.t.Context(), c, ids, disk.Everything)
	w.must(err)
	if len(bad) > 0 {
		w.t.Fatalf("%s: bad records %v", c.Name, bad)
	}
	return records
}

func (w *world) collection(name string) api.Collection {
	w.t.Helper()
	c, err := w.api.Collection(w.t.Context(), tenant, w.database, name)
	w.must(err)
	return c
}

// same compares records one by one, in their order.
func same(t *testing.T, what string, got, want []disk.Record, space string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d records %v, want %d %v", what, len(got), ids(got), len(want), ids(want))
		return
	}
	for i := range want {
		g, x := got[i], want[i]
		near := slices.EqualFunc(g.Embedding, x.Embedding, func(a, b float32) bool {
			return a == b || space == disk.SpaceCosine && max(a-b, b-a) <= 1e-4
		})
		if g.ID != x.ID || text(g.Document) != text(x.Document) || text(g.URI) != text(x.URI) || !near ||
			fmt.Sprintf("%#v", sorted(g.Metadata)) != fmt.Sprintf("%#v", sorted(x.Metadata)) {
			t.Errorf("%s: record %d is %s, want %s", what, i, show(g), show(x))
		}
	}
}

func show(r disk.Record) string {
	return fmt.Sprintf("%q %s %s %#v %v", r.ID, text(r.Document), text(r.URI), sorted(r.Metadata), r.Embedding)
}

func sorted(v holdfast.Values) []any {
	var out []any
	for _, key := range slices.Sorted(maps.Keys(v)) {
		out = append(out, key, v[key])
	}
	return out
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *s)
}

func ids(records []disk.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

// record makes a record whose content depends on n.
func record(id string, n int) disk.Record {
	return disk.Record{
		ID: id, Document: new(fmt.Sprintf("document %d ข้อความ", n)),
		Metadata:  holdfast.Values{"n": int64(n), "half": float64(n) / 2, "even": n%2 == 0, "name": fmt.Sprint("n", n)},
		Embedding: []float32{float32(n) + 0.1, float32(n%7) / 3, 1},
	}
}

func records(n int) []disk.Record {
	var out []disk.Record
	for i := range n {
		out = append(out, record(fmt.Sprintf("r%03d", (i*37)%n), i))
	}
	return out
}

// A copy is a copy in memory.
type copied struct {
	database string
	tables   []disk.Collection
	records  map[string][]disk.Record
}

func (w *world) copy() *copied {
	return &copied{database: w.database, records: map[string][]disk.Record{}}
}

func (c *copied) add(name, space string, records ...disk.Record) *copied {
	dimension := 0
	if len(records) > 0 {
		dimension = len(records[0].Embedding)
	}
	c.tables = append(c.tables, disk.Collection{ChromaCollection: holdfast.ChromaCollection{
		ID: "id-of-" + name, Name: name, Tenant: tenant, Database: c.database, Records: int64(len(records)), Dimension: dimension, Space: space,
	}})
	c.records["id-of-"+name] = records
	return c
}

func (c *copied) Collections() []disk.Collection { return slices.Clone(c.tables) }

func (c *copied) Collection(name string) (disk.Collection, error) {
	for _, t := range c.tables {
		if name == t.Name || name == t.Tenant+"/"+t.Database+"/"+t.Name {
			return t, nil
		}
	}
	return disk.Collection{}, holdfast.Kindf(holdfast.ErrNotFound, "there is no collection %s", name)
}

func (c *copied) Records(ctx context.Context, of disk.Collection, _ disk.Part) iter.Seq2[disk.Record, error] {
	return func(yield func(disk.Record, error) bool) {
		for _, r := range c.records[of.ID] {
			if !yield(r, ctx.Err()) {
				return
			}
		}
	}
}

func (c *copied) Lookup(_ context.Context, of disk.Collection, ids []string) ([]disk.Record, error) {
	var out []disk.Record
	for _, id := range ids {
		for _, r := range c.records[of.ID] {
			if r.ID == id {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

func (c *copied) Close() error { return nil }

// backup is what an emergency backup holds: the directory of the server, which rests.
func (w *world) backup() fs.FS {
	w.t.Helper()
	dir := w.t.TempDir()
	w.must(os.CopyFS(dir, os.DirFS(dirs[w.version])))
	return os.DirFS(dir)
}

// notes keeps the notes of a restore.
type notes struct{ all []json.RawMessage }

func (n *notes) options() holdfast.PartOptions {
	return holdfast.PartOptions{
		Stamp: fmt.Sprintf("20261122T%06d", worlds.Add(1)),
		Note: func(note json.RawMessage) error {
			n.all = append(n.all, slices.Clone(note))
			return nil
		},
	}
}

// leftovers are collections that a restore made beside others.
func leftovers(s state) []string {
	var out []string
	for name := range s {
		if strings.Contains(name, "-restore-") || strings.Contains(name, "-old-") {
			out = append(out, name)
		}
	}
	return out
}

func TestApply_ReplacesWholeCollectionsExactly(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		rich := disk.Record{
			ID: "rich ก/ص?", URI: new("file:///a b"), Document: new(strings.Repeat("long ", 9000)), Embedding: []float32{0.1, -3e-30, 7},
			Metadata: holdfast.Values{"two": int64(2), "twof": 2.0, "big": int64(9007199254740993), "no": false, "s": ""},
		}
		if w.version == chromatest.New {
			rich.Metadata["tags"] = []any{"x", "y", "x"}
			rich.Metadata["floats"] = []any{1.0, 2.5}
		}
		bare := disk.Record{ID: "bare", Embedding: []float32{5, 5, 5}}
		want := append(records(40), rich, bare)
		c := w.copy()
		for _, space := range []string{disk.SpaceL2, disk.SpaceIP, disk.SpaceCosine} {
			w.make("notes-"+space, disk.SpaceL2, record("old", 1), record("older", 2))
			c.add("notes-"+space, space, want...)
		}
		w.make("other", disk.SpaceL2, record("mine", 9))
		c.add("fresh", disk.SpaceCosine)
		before := w.collection("notes-ip")

		plan, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{}})
		w.must(err)
		if len(plan.Changes) != 4 || plan.Losses != nil || !slices.Equal(plan.Stays, []string{w.table("other")}) ||
			*plan.Changes[1].Now != 2 || *plan.Changes[1].Then != 42 || plan.Changes[0].Action != holdfast.PartCreate {
			t.Errorf("plan %+v", plan)
		}
		var n notes
		o := n.options()
		o.Replaced = w.backup()
		steps := map[holdfast.Step]int{}
		o.Step = func(s holdfast.Step, _ string) { steps[s]++ }
		result, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{{}}, o)
		w.must(err)
		if len(result.Reload) != 3 || result.Problems != nil || steps[holdfast.StepSwap] != 4 {
			t.Errorf("result %+v, steps %v", result, steps)
		}
		got := w.state()
		if l := leftovers(got); !slices.Equal(l, nil) || result.Kept != nil {
			t.Errorf("left over: %v, kept %v", l, result.Kept)
		}
		for _, space := range []string{disk.SpaceL2, disk.SpaceIP, disk.SpaceCosine} {
			same(t, space, got["notes-"+space], want, space)
			if made := w.collection("notes-" + space); made.Space != space || made.ID == before.ID {
				t.Errorf("%s: space %s, id %s", space, made.Space, made.ID)
			}
		}
		same(t, "untouched", got["other"], []disk.Record{record("mine", 9)}, disk.SpaceL2)
		if _, ok := got["fresh"]; !ok {
			t.Error("the empty collection was not made")
		}
	})
}
