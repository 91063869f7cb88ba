package api_test

import (
	"errors"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func TestClient_SpeaksVersion1(t *testing.T) {
	facade := chromatest.NewV1(t, serverOf(t, chromatest.Old))
	c, ctx := patient(t, facade.URL), t.Context()
	hello, err := c.Hello(ctx)
	if want := (api.Server{API: api.V1, Version: chromatest.V1Version, MaxBatch: 41666}); err != nil || hello != want {
		t.Fatalf("hello: %+v, %v, want %+v", hello, err, want)
	}
	if err := c.CreateTenant(ctx, "tenant-of-v1"); err != nil {
		t.Fatal(err)
	}
	for _, database := range []string{api.DefaultDatabase, "more"} {
		if err := c.CreateDatabase(ctx, "tenant-of-v1", database); err != nil {
			t.Fatal(err)
		}
	}
	all, err := c.Databases(ctx, "tenant-of-v1")
	if err != nil || len(all) != 1 || all[0].Name != api.DefaultDatabase {
		t.Fatalf("databases: %+v, %v", all, err)
	}
	if all, err = c.Databases(ctx, "tenant-of-v1", "more"); err != nil || len(all) != 1 || all[0].Name != "more" {
		t.Fatalf("databases: %+v, %v", all, err)
	}
	for _, err := range []error{
		errOf(c.Databases(ctx, "tenant-of-v1", "nothing")), errOf(c.Databases(ctx, "nobody")), errOf(c.Collection(ctx, "tenant-of-v1", "more", "nothing")),
	} {
		if !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("what does not exist: %v", err)
		}
	}
	spec := api.Spec{Name: "notes", Metadata: holdfast.Values{"hnsw:space": "cosine", "n": int64(2), "f": 2.0}}
	made, err := c.Create(ctx, "tenant-of-v1", "more", spec)
	if err != nil || made.Space != disk.SpaceCosine || made.Metadata["f"] != 2.0 || made.Metadata["n"] != int64(2) {
		t.Fatalf("created: %+v, %v", made, err)
	}
	if _, err := c.Create(ctx, "tenant-of-v1", "more", spec); !errors.Is(err, api.ErrTaken) {
		t.Errorf("creating it again: %v", err)
	}
	spec.Name, spec.Configuration = "other", []byte(`{"hnsw":{"space":"ip"}}`)
	if _, err := c.Create(ctx, "tenant-of-v1", "more", spec); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("creating with a configuration: %v", err)
	}
	spec.Configuration = nil
	other, err := c.Create(ctx, "tenant-of-v1", "more", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Rename(ctx, made, "other"); !errors.Is(err, api.ErrTaken) {
		t.Errorf("renaming to a name that is taken: %v", err)
	}
	if err := c.Drop(ctx, other); err != nil {
		t.Fatal(err)
	}
	if err := c.Rename(ctx, made, "other"); err != nil {
		t.Fatal(err)
	}
	var names []string
	for found, err := range c.Collections(ctx, "tenant-of-v1", "more") {
		if err != nil || found.ID != made.ID {
			t.Fatalf("listed: %+v, %v", found, err)
		}
		names = append(names, found.Name)
	}
	if len(names) != 1 || names[0] != "other" {
		t.Fatalf("listed: %q", names)
	}
	plain, err := c.Create(ctx, "tenant-of-v1", "more", api.Spec{Name: "plain"})
	if err != nil {
		t.Fatal(err)
	}
	work(t, c, plain, some(310, 3, false))
	lists := disk.Record{ID: "a", Embedding: []float32{1, 2, 3}, Metadata: holdfast.Values{"list": []any{int64(1)}}}
	if err := c.Add(ctx, plain, []disk.Record{lists}); err == nil {
		t.Error("a list in metadata is taken")
	}
	if err := c.DropDatabase(ctx, "tenant-of-v1", "more"); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("deleting a database: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }
