package s3_test

import (
	"errors"
	"io/fs"
	"net/http"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A cut between any two requests of a commit or a removal leaves the whole tree
// or nothing that a reader would see, and of that nothing after Clean.
func TestBucket_EveryCutLeavesAllOrNothing(t *testing.T) {
	server := s3test.Start(t)
	commit := func(t *testing.T, b *s3.Bucket) error {
		return commitTree(t, b, "tree", bucket.StageOptions{Marker: marker})
	}
	for _, tt := range []struct {
		name            string
		prepare, change func(t *testing.T, b *s3.Bucket) error
	}{
		{"commit", func(*testing.T, *s3.Bucket) error { return nil }, commit},
		{"removal", commit, func(t *testing.T, b *s3.Bucket) error { return b.RemoveTree(t.Context(), "tree", marker) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for n := 0; ; n++ {
				b, proxy, name := proxied(t, server)
				if err := tt.prepare(t, b); err != nil {
					t.Fatal(err)
				}
				cut := cutAfter(proxy, n)
				err := tt.change(t, b)
				next := open(t, server.URL(name, "repo"))
				shown := listed(t, next)
				_, oerr := next.Open(t.Context(), "tree/"+marker)
				if whole := oerr == nil; whole && shown != 3 || !whole && (shown != 0 || !errors.Is(oerr, fs.ErrNotExist)) {
					t.Errorf("cut after %d requests: %d objects are visible, the marker says %v", n, shown, oerr)
				}
				if _, err := next.Clean(t.Context()); err != nil {
					t.Fatal(err)
				}
				left := stored(t, server, name)
				if oerr == nil && left != 3 || oerr != nil && left != 0 {
					t.Errorf("cut after %d requests: Clean leaves %d objects", n, left)
				}
				if oerr == nil {
					checkTree(t, next, "tree")
				}
				if !cut() {
					if err != nil {
						t.Errorf("without a cut: %v", err)
					}
					return
				}
			}
		})
	}
}

// cutAfter lets n requests pass and no more; the result tells whether more came.
func cutAfter(proxy *s3test.Proxy, n int) func() bool {
	var mu sync.Mutex
	count := 0
	proxy.Inject(s3test.Rule{
		When: func(*http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			count++
			return count > n
		},
		Fault: s3test.Refuse(http.StatusForbidden), // which is final at once
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return count > n
	}
}

// listed counts what is visible.
func listed(t *testing.T, b *s3.Bucket) int {
	t.Helper()
	n := 0
	for _, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// stored counts what the service has, visible or not.
func stored(t *testing.T, server *s3test.Server, name string) int {
	t.Helper()
	n := 0
	for info := range server.Client(t).ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{Recursive: true}) {
		if info.Err != nil {
			t.Fatal(info.Err)
		}
		n++
	}
	return n
}
