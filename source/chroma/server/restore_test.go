package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/server"
)

// partOptions make a restore that has a stamp of its own.
func partOptions(replaced fs.FS) (holdfast.PartOptions, *[]json.RawMessage) {
	notes := &[]json.RawMessage{}
	return holdfast.PartOptions{
		Stamp: fmt.Sprintf("20261122T%06d", stamps.Add(1)), Replaced: replaced,
		Note: func(note json.RawMessage) error { *notes = append(*notes, note); return nil },
	}, notes
}

var stamps atomic.Int64

// open opens a copy for the length of a test.
func open(t *testing.T, copy fs.FS) content.Content {
	t.Helper()
	c, err := content.Open(t.Context(), copy)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// heldRecords reads one collection of a copy, without when it was made.
func heldRecords(t *testing.T, c content.Content, name string) []disk.Record {
	t.Helper()
	of, err := c.Collection(name)
	must(t, err)
	var out []disk.Record
	for r, err := range c.Records(t.Context(), of, disk.Everything) {
		must(t, err)
		out = append(out, disk.Record{ID: r.ID, Document: r.Document, URI: r.URI, Metadata: r.Metadata, Embedding: r.Embedding})
	}
	return out
}

// collections are the names of all collections of a source.
func collections(t *testing.T, s *server.Source) string {
	t.Helper()
	_, sink := capture(t, s)
	var names []string
	for _, c := range open(t, sink.FS()).Collections() {
		names = append(names, fmt.Sprintf("%s/%s/%s=%d", c.Tenant, c.Database, c.Name, c.Records))
	}
	return strings.Join(names, " ")
}

// TestRestore_BetweenServersInPlaceAndBack captures the old server, restores it whole into
// the new one, there a part in place under queries, undoes that from its emergency
// backup, and at last makes the old server what the new one is.
func TestRestore_BetweenServersInPlaceAndBack(t *testing.T) {
	tenants := []string{api.DefaultTenant, "acme"}
	sources, clients := map[chromatest.Version]*server.Source{}, map[chromatest.Version]*api.Client{}
	for _, v := range chromatest.Versions() {
		s := chromatest.Start(t, v, t.TempDir())
		client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
		must(t, err)
		sources[v], clients[v] = at(t, s.URL(), server.Options{Tenants: tenants}), client
	}
	source, target, giver, taker := sources[chromatest.Old], sources[chromatest.New], clients[chromatest.Old], clients[chromatest.New]
	fill(t, giver, false)
	angles, err := giver.Create(t.Context(), "acme", "main", api.Spec{Name: "angles", Configuration: json.RawMessage(`{"hnsw":{"space":"cosine","ef_search":55}}`)})
	must(t, err)
	var turned []disk.Record
	for i := range 50 {
		turned = append(turned, disk.Record{ID: fmt.Sprint("t", i), Embedding: []float32{float32(i) + 0.3, 1.7, -float32(i) / 3}})
	}
	must(t, giver.Add(t.Context(), angles, turned))
	_, sink := capture(t, source)
	backup := open(t, sink.FS())

	everything := []holdfast.Part{{}}
	plan, err := target.PlanParts(t.Context(), sink.FS(), everything)
	must(t, err)
	if plan.Losses != nil || len(plan.Changes) != 7 {
		t.Fatalf("plan %+v", plan)
	}
	o, _ := partOptions(nil)
	result, err := target.RestoreParts(t.Context(), sink.FS(), everything, o)
	must(t, err)
	if result.Kept != nil || result.Reload != nil {
		t.Errorf("result %+v", result)
	}
	whole := collections(t, target)
	if want := collections(t, source); whole != want {
		t.Errorf("restored %s, want %s", whole, want)
	}
	many := api.DefaultTenant + "/" + api.DefaultDatabase + "/many"
	_, second := capture(t, target)
	sameRecords(t, heldRecords(t, open(t, second.FS()), many), heldRecords(t, backup, many))
	made, err := taker.Collection(t.Context(), "acme", "main", "angles")
	must(t, err)
	if made.Space != disk.SpaceCosine || !strings.Contains(string(made.Configuration), `"ef_search":55`) {
		t.Errorf("angles was made with %s", made.Configuration)
	}

	// The target goes on living, and one collection is brought back in place.
	must(t, taker.Delete(t.Context(), made, []string{"t0", "t1", "t2"}))
	changed := disk.Record{ID: "t3", Embedding: []float32{9, 9, 9}, Document: new("changed")}
	must(t, taker.Upsert(t.Context(), made, []disk.Record{changed}))
	parts := []holdfast.Part{{Table: "acme/main/angles"}}
	got, emergency := capture(t, target.Narrow(parts).(*server.Source))
	if !got.Facts.Chroma.Server.Partial || got.Facts.Chroma.Records != 47 || len(got.Facts.Chroma.Collections) != 1 {
		t.Errorf("the emergency backup is not narrow: %+v", got.Facts.Chroma)
	}
	o, _ = partOptions(emergency.FS())
	watch := watched(t, taker, turned[10].Embedding)
	result, err = target.RestoreParts(t.Context(), sink.FS(), parts, o)
	watch()
	must(t, err)
	if result.Kept != nil || len(result.Reload) != 1 || result.Problems != nil {
		t.Errorf("result %+v", result)
	}
	if now := collections(t, target); now != whole {
		t.Errorf("now %s, want %s", now, whole)
	}

	// Undone from the emergency backup, it is what it was before.
	parts[0].Exact = true
	_, again := capture(t, target.Narrow(parts).(*server.Source))
	o, notes := partOptions(again.FS())
	result, err = target.RestoreParts(t.Context(), emergency.FS(), parts, o)
	must(t, err)
	if result.Kept != nil || len(*notes) != 3 {
		t.Errorf("result %+v after %d notes", result, len(*notes))
	}
	whole = collections(t, target)
	if !strings.Contains(whole, "angles=47") {
		t.Errorf("rolled back to %s", whole)
	}
	settled, err := target.Settle(t.Context(), (*notes)[2])
	if err != nil || !settled.Finished {
		t.Errorf("settled %+v %v", settled, err)
	}

	// The old server becomes what the new one is, as far as it can.
	made, err = taker.Collection(t.Context(), "acme", "main", "angles")
	must(t, err)
	must(t, taker.Update(t.Context(), made, []disk.Record{{ID: "t7", Metadata: holdfast.Values{"tags": []any{"a", "b"}, "two": 2.0}}}))
	surplus, err := giver.Create(t.Context(), "acme", "main", api.Spec{Name: "surplus"})
	must(t, err)
	_, sink = capture(t, target)
	_, emergency = capture(t, source)
	everything[0].Exact = true
	o, _ = partOptions(emergency.FS())
	_, err = source.RestoreParts(t.Context(), sink.FS(), everything, o)
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "arrays") {
		t.Errorf("arrays for a server that has none: %v", err)
	}
	o.AcceptLosses = true
	result, err = source.RestoreParts(t.Context(), sink.FS(), everything, o)
	must(t, err)
	if result.Kept != nil || len(result.Problems) != 1 || len(result.Reload) != 7 { // and not the one that is gone
		t.Errorf("result %+v", result)
	}
	if now := collections(t, source); now != whole {
		t.Errorf("now %s, want %s", now, whole)
	}
	if _, err := giver.Count(t.Context(), surplus); err == nil {
		t.Error("what the copy does not have is still there")
	}
}

// watched keeps asking for the collection by its name until stop is called: it is always
// whole, or for a moment not to be found.
func watched(t *testing.T, c *api.Client, question []float32) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		for ctx.Err() == nil {
			at, err := c.Collection(ctx, "acme", "main", "angles")
			if errors.Is(err, holdfast.ErrNotFound) {
				continue // the moment between the two renames
			}
			var n int64
			var found []string
			if err == nil {
				n, err = c.Count(ctx, at)
			}
			if err == nil {
				found, err = c.Query(ctx, at, question, 5)
			}
			switch {
			case ctx.Err() != nil, errors.Is(err, holdfast.ErrNotFound):
				// The old one was dropped after it was looked up: such a client has to
				// look again.
			case err != nil:
				t.Errorf("a client meets %v", err)
				return
			case n != 47 && n != 50 || len(found) != 5:
				t.Errorf("a client sees %d records, and finds %d", n, len(found))
				return
			default:
				asked++
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
		if asked == 0 {
			t.Error("nobody asked anything")
		}
	}
}

func TestNarrow_ReadsWhatThePartsName(t *testing.T) {
	s := chromatest.Start(t, chromatest.New, t.TempDir())
	client, err := api.New(api.Options{URL: s.URL(), Rate: 1e5})
	must(t, err)
	fill(t, client, false)
	src := at(t, s.URL(), server.Options{})
	d := api.DefaultTenant + "/" + api.DefaultDatabase + "/"
	for name, c := range map[string]struct {
		parts []holdfast.Part
		want  string
	}{
		"by its name alone":        {[]holdfast.Part{{Table: "notes"}}, d + "notes=7"},
		"where it goes":            {[]holdfast.Part{{Table: d + "gone", As: "many"}}, d + "many=700"},
		"a database":               {[]holdfast.Part{{Table: "acme/main/*"}}, "acme/main/many=700 acme/main/never-written=0 acme/main/notes=7"},
		"a tenant":                 {[]holdfast.Part{{Table: "acme/*"}}, "acme/main/many=700 acme/main/never-written=0 acme/main/notes=7"},
		"a database elsewhere":     {[]holdfast.Part{{Table: "x/y/*", As: api.DefaultTenant + "/empty/*"}}, ""},
		"records":                  {[]holdfast.Part{{Table: d + "many", Keys: []string{"id-3", "nobody", "id-5"}}}, d + "many=2"},
		"records and all":          {[]holdfast.Part{{Table: d + "many", Keys: []string{"id-3"}}, {Table: d + "many"}}, d + "many=700"},
		"what is not there":        {[]holdfast.Part{{Table: "no/where/here"}}, ""},
		"another tenant by a path": {[]holdfast.Part{{Table: "acme/main/notes"}}, "acme/main/notes=7"},
	} {
		if got := collections(t, src.Narrow(c.parts).(*server.Source)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got, _ := capture(t, src.Narrow([]holdfast.Part{{}}).(*server.Source)); got.Facts.Chroma.Server.Partial {
		t.Error("everything is a part")
	}
	// A server that was lost has none of what is configured: it is to come into being.
	lost := at(t, s.URL(), server.Options{Tenants: []string{"acme", "gone"}, Databases: []string{"main", "gone"}})
	if _, err := lost.Inspect(t.Context(), holdfast.InspectOptions{}); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a database that is configured and not there: %v", err)
	}
	for _, parts := range [][]holdfast.Part{{{}}, {{}, {Table: "acme/main/notes", Exact: true}}} {
		there := lost.Narrow(parts).(*server.Source)
		if now, err := there.Inspect(t.Context(), holdfast.InspectOptions{}); err != nil || !now.Exists {
			t.Errorf("%+v, %v", now, err)
		}
		if got := collections(t, there); got != "acme/main/many=700 acme/main/never-written=0 acme/main/notes=7" {
			t.Errorf("what is there of it: %s", got)
		}
	}
}
