//go:build linux

package test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// awkward are numbers that a server that reads them carelessly keeps as others.
var awkward = []float64{0.1, 1.0 / 3, 1e300, 5e-324, 2, -0.7, 123456789.123456789, 1.7976931348623157e308, 0.30000000000000004}

// awkwardly are records with such numbers, in their metadata and embeddings.
func awkwardly() []disk.Record {
	out := notes(len(awkward))
	for i := range out {
		out[i].Metadata["awkward"] = awkward[i]
		out[i].Embedding = []float32{float32(math.Mod(awkward[i], 1e6)) / 3, 1e-38, 16777217}
		if i == 2 {
			out[i].Embedding[0] = -3.4028235e38
		}
	}
	return out
}

// filled lets the real JavaScript client write to a server, and adds awkward numbers. It
// returns the tenant, and another one that the client wrote to.
func filled(t *testing.T, s *chromatest.Server, r *remote, seed uint64) (tenants []string) {
	t.Helper()
	wrote := chromatest.Fill(t, s, seed)
	tenants = append([]string{api.DefaultTenant}, wrote.Tenants...)
	r.fill(wrote.Tenants[0], "awkward", awkwardly()...)
	state := r.state(tenants...)
	for _, c := range wrote.Collections {
		got, ok := state[c.Tenant+"/"+c.Database+"/"+c.Name]
		if !ok || got.Space != c.Space {
			t.Fatalf("%s is %q, want %q", c.Name, got.Space, c.Space)
		}
		var want []disk.Record
		for _, record := range c.Records {
			want = append(want, disk.Record{ID: record.ID, Document: record.Document, URI: record.URI, Metadata: record.Metadata, Embedding: record.Embedding})
		}
		byID := func(a, b disk.Record) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(got.records, byID)
		slices.SortFunc(want, byID)
		if err := equalRecords(got.records, want, c.Space, nil); err != nil {
			t.Fatalf("%s is not what the client wrote: %v", c.Name, err)
		}
	}
	return tenants
}

// What the real client wrote into either server is backed up by requests, proven, and
// restored into an empty server and into one that is as new or newer; what comes out
// there is compared record by record.
func roundTrips(t *testing.T, f fleet) {
	empty := newRemote(t, chromatest.Start(t, chromatest.New, t.TempDir()).URL())
	for i, v := range chromatest.Versions() {
		giver := chromatest.Start(t, v, t.TempDir())
		from := newRemote(t, giver.URL())
		tenants := filled(t, giver, from, uint64(31+i))
		m := newMachine(t).asks(giver.URL(), tenants...)
		if v == chromatest.Old { // once without a configuration
			m.must(0, "--chroma-url", giver.URL(), "--repo", "elsewhere", "backup", "--name", "bare")
			m.must(0, "--chroma-url", giver.URL(), "--repo", "elsewhere", "verify", "bare")
		}
		m.must(0, "backup", "--name", "monday")
		stdout, _ := m.must(0, "verify", "monday")
		contains(t, "verify", stdout, "proven monday")
		stdout, _ = m.must(0, "show", "monday")
		contains(t, "show", stdout, "consistent")
		if made := m.backup("--trigger", "scheduled"); made.Form != "delta" || made.Stored != 0 {
			t.Errorf("nothing has changed, and %s is a %s of %d bytes", made.Name, made.Form, made.Stored)
		}

		want := from.state(tenants...)
		m.must(0, "restore", "monday", "--into", empty.url)
		hello, err := empty.Hello(t.Context())
		empty.must(err)
		same(t, string(v)+" into an empty server", only(empty.state(tenants...), tenants[1:]...), only(want, tenants[1:]...), hello.Kept)

		// The server that gave it has gone on, and becomes what it was.
		for name, s := range want {
			if s.ID != "" && len(s.records) > 3 {
				from.must(from.Delete(t.Context(), s.Collection, []string{s.records[0].ID, s.records[2].ID}))
				from.must(from.Upsert(t.Context(), s.Collection, []disk.Record{{ID: s.records[1].ID, Document: new("changed"), Metadata: holdfast.Values{"surplus": name}, Embedding: s.records[3].Embedding}}))
			}
		}
		changed := from.state(tenants...)
		m.must(0, "--yes", "restore", "monday")
		hello, err = from.Hello(t.Context())
		from.must(err)
		same(t, string(v)+" in place", from.state(tenants...), want, hello.Kept)
		m.must(0, "--yes", "rollback")
		same(t, string(v)+" rolled back", from.state(tenants...), changed, hello.Kept)
		noTraces(t, from, tenants...)
	}
	noTraces(t, empty, api.DefaultTenant, "tenant-31", "tenant-32")
}

// noTraces asks for a server without what only a restore under way has.
func noTraces(t *testing.T, r *remote, tenants ...string) {
	t.Helper()
	for name := range r.state(tenants...) {
		if strings.Contains(name, "-restore-") || strings.Contains(name, "-old-") {
			t.Errorf("%s was left behind", name)
		}
	}
}

// What is exported as JSON Lines comes out of another server as it was, also out
// of a directory; what is torn or hostile is refused before anything is written.
func recordsInJSON(t *testing.T, f fleet) {
	from, into := f[chromatest.Old].of(t), f[chromatest.New].of(t)
	tenant := from.newTenant()
	from.fill(tenant, "awkward", awkwardly()...)
	from.fill(tenant, "notes_b.c", notes(120)...)
	from.fill(tenant, "empty")
	m := newMachine(t).asks(from.url, tenant)
	m.must(0, "backup", "--name", "monday")
	m.must(0, "export", "monday", "out", "--format", "jsonl")
	m.must(0, "import", "out/chromadb", "--into", into.url)
	hello, err := into.Hello(t.Context())
	into.must(err)
	want := from.state(tenant)
	same(t, "imported", into.state(tenant), want, hello.Kept)

	lines := func(dir string) string {
		t.Helper()
		var found string
		into.must(filepath.WalkDir(m.path(dir), func(path string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".jsonl") && strings.Contains(filepath.Base(path), "notes") {
				found = path
			}
			return err
		}))
		if found == "" {
			t.Fatal("the export has no records of notes")
		}
		return found
	}
	before := into.state(tenant)
	for name, spoil := range map[string]func(content string) string{
		"torn":                  func(s string) string { return s[:len(s)/2] },
		"no JSON":               func(s string) string { return "<html>" + s },
		"an id twice":           func(s string) string { first, _, _ := strings.Cut(s, "\n"); return first + "\n" + s },
		"another dimension":     func(s string) string { return strings.Replace(s, `"embedding":[`, `"embedding":[1,2,3,4,`, 1) },
		"no number":             func(s string) string { return strings.Replace(s, `"embedding":[`, `"embedding":[1e999,`, 1) },
		"an object":             func(s string) string { return strings.Replace(s, `"metadata":{`, `"metadata":{"deep":{"er":1},`, 1) },
		"a line without an end": func(s string) string { return s + `{"id":"` + strings.Repeat("x", 1<<20) },
	} {
		dir := filepath.Join("spoilt", name)
		into.must(os.CopyFS(m.path(dir), os.DirFS(m.path("out/chromadb"))))
		path := lines(dir)
		content, err := os.ReadFile(path)
		into.must(err)
		into.must(os.WriteFile(path, []byte(spoil(string(content))), 0o600))
		code, stdout, stderr := m.run("--yes", "import", dir, "--into", into.url)
		if code != holdfast.ExitDamaged && code != holdfast.ExitRefused && code != holdfast.ExitUsage {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
		refusal(t, stderr, "notes")
	}
	// A directory that is none.
	m.must(holdfast.ExitNotFound, "import", "backups", "--into", into.url)
	same(t, "after what was refused", into.state(tenant), before, nil)
}

// A server of version 1 of the API is backed up and restored like any other.
func versionOne(t *testing.T, f fleet) {
	from, into := f[chromatest.Old].of(t), f[chromatest.New].of(t)
	tenant := from.newTenant()
	from.fill(tenant, "awkward", awkwardly()...)
	from.fill(tenant, "notes", notes(120)...)
	want := from.state(tenant)
	for name, s := range want { // where a collection made by version 1 has its space
		if s.ID != "" {
			s.Metadata = holdfast.Values{"hnsw:space": s.Space}
			want[name] = s
		}
	}
	m := newMachine(t).asks(chromatest.NewV1(t, from.url).URL, tenant)
	m.must(0, "backup", "--name", "monday")
	m.must(0, "verify", "monday")
	stdout, _ := m.must(0, "--json", "show", "monday")
	contains(t, "show", stdout, `"api":"v1"`, `"consistency":"consistent"`)
	c, err := from.Collection(t.Context(), tenant, api.DefaultDatabase, "notes")
	from.must(err)
	from.must(from.Delete(t.Context(), c, []string{"note-3", "note-4"}))
	m.must(0, "--yes", "restore", "monday")
	same(t, "in place", from.state(tenant), want, nil)
	noTraces(t, from, tenant)

	facade := chromatest.NewV1(t, into.url)
	m.must(0, "restore", "monday", "--into", facade.URL)
	hello, err := into.Hello(t.Context())
	into.must(err)
	same(t, "into another server of version 1", into.state(tenant), want, hello.Kept)
}
