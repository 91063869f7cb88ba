package api_test

import (
	"cmp"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func TestClient_ReadsWhatTheJavaScriptClientWrote(t *testing.T) {
	for seed, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := started(t, v)
			wrote := chromatest.Fill(t, s, uint64(seed)+40)
			c, ctx := patient(t, s.URL()), t.Context()
			for _, tenant := range append(wrote.Tenants, api.DefaultTenant) {
				found, err := c.Databases(ctx, tenant)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range wrote.Databases {
					if d.Tenant == tenant && !slices.ContainsFunc(found, func(f api.Database) bool { return f.Name == d.Name && f.Tenant == tenant }) {
						t.Errorf("database %s/%s is not in %+v", d.Tenant, d.Name, found)
					}
				}
			}
			for _, want := range wrote.Collections {
				found, err := c.Collection(ctx, want.Tenant, want.Database, want.Name)
				if err != nil {
					t.Fatal(err)
				}
				if found.Space != want.Space || !reflect.DeepEqual(found.Metadata, want.Metadata) {
					t.Errorf("collection %+v, want %s and %v", found, want.Space, want.Metadata)
				}
				var ids []string
				for id, err := range c.IDs(ctx, found) {
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, id)
				}
				got, bad, err := c.Get(ctx, found, ids, disk.Everything)
				if err != nil || bad != nil {
					t.Fatal(bad, err)
				}
				compareFilled(t, want, got)
			}
			for found, err := range c.Collections(ctx, wrote.Tenants[0], "empty") {
				t.Fatalf("a collection in the empty database: %+v, %v", found, err)
			}
			for _, err := range c.Collections(ctx, wrote.Tenants[0], "second-40") {
				if !errors.Is(err, holdfast.ErrNotFound) {
					t.Fatalf("the collections of a database of another tenant: %v", err)
				}
			}
		})
	}
}

func compareFilled(t *testing.T, want chromatest.FilledCollection, got []disk.Record) {
	t.Helper()
	if len(got) != len(want.Records) {
		t.Fatalf("collection %s: %d records, want %d", want.Name, len(got), len(want.Records))
	}
	slices.SortFunc(got, func(a, b disk.Record) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(want.Records, func(a, b chromatest.FilledRecord) int { return cmp.Compare(a.ID, b.ID) })
	for i, w := range want.Records {
		g := got[i]
		for k, f := range w.Embedding {
			near := math.Abs(float64(g.Embedding[k]-f)) <= 1e-5*math.Abs(float64(f))
			if g.Embedding[k] != f && (want.Space != disk.SpaceCosine || !near) {
				t.Fatalf("collection %s, record %q: number %d is %v, want %v", want.Name, w.ID, k, g.Embedding[k], f)
			}
		}
		g.Embedding = w.Embedding
		if !reflect.DeepEqual(g, disk.Record{ID: w.ID, Document: w.Document, URI: w.URI, Metadata: w.Metadata, Embedding: w.Embedding}) {
			t.Fatalf("collection %s:\n got %+v\nwant %+v", want.Name, g, w)
		}
	}
}
