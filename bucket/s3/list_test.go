package s3_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// More than the service gives at once, objects and folders mixed.
func TestBucket_ListsBeyondOnePage(t *testing.T) {
	server := s3test.Start(t)
	b := open(t, server.URL(server.NewBucket(t), "repo"))
	var keys, folders []string
	for i := range 700 {
		keys = append(keys, fmt.Sprintf("%04d-object", i), fmt.Sprintf("%04d/a", i))
		folders = append(folders, fmt.Sprintf("%04d", i))
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, key := range keys {
		g.Go(func() error { return b.Put(t.Context(), key, nil, bucket.Replace) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
	}
	if slices.Sort(keys); !slices.Equal(got, keys) {
		t.Errorf("List gave %d keys, want %d, in order", len(got), len(keys))
	}
	got = nil
	for name, err := range b.Folders(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if !slices.Equal(got, folders) {
		t.Errorf("Folders gave %d names, want %d, in order", len(got), len(folders))
	}
}

// An entry that nobody can read hides nothing and stops nobody from reading;
// Clean tells of it.
func TestBucket_ADamagedEntryIsTold(t *testing.T) {
	server := s3test.Start(t)
	name := server.NewBucket(t)
	b := open(t, server.URL(name, "repo"))
	if err := commitTree(t, b, "tree", bucket.StageOptions{Marker: marker}); err != nil {
		t.Fatal(err)
	}
	putObject(t, server.Client(t), name, "repo/.holdfast/stages/tree.0123.json", "{torn")
	if n := listed(t, b); n != 3 {
		t.Errorf("%d objects are visible, want 3", n)
	}
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Clean(t.Context()); !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "tree.0123.json") {
		t.Errorf("Clean gave %v, want the damaged entry", err)
	}
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
}
