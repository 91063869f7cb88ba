package buckettest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
)

// model runs random histories and compares the bucket with a map after each.
func model(t *testing.T, b bucket.Bucket) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	r := rand.New(rand.NewPCG(seed, 0))
	want := map[string]string{}
	trees := []string{"one", "two", "deep/three"}
	names := []string{"a", "b", "sub/c", "sub/deeper/d"}
	var history []string
	for range 60 {
		tree, name := trees[r.IntN(len(trees))], names[r.IntN(len(names))]
		key, data := tree+"/"+name, strings.Repeat("x", r.IntN(50))+fmt.Sprint(r.IntN(1000))
		step := ""
		switch r.IntN(5) {
		case 0:
			step = "put " + key
			put(t, b, key, data)
			want[key] = data
		case 1:
			step = "delete " + key
			must(t, b.Delete(t.Context(), key))
			delete(want, key)
		case 2:
			step = "remove tree " + tree
			must(t, b.RemoveTree(t.Context(), tree, marker))
			maps.DeleteFunc(want, func(k, _ string) bool { return strings.HasPrefix(k, tree+"/") })
		default:
			taken := slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k string) bool { return strings.HasPrefix(k, tree+"/") })
			step = fmt.Sprintf("commit %s (taken %v)", tree, taken)
			s := stage(t, b, tree, map[string]string{name: data})
			if err := s.Commit(t.Context(), []byte(data)); (err == nil) == taken {
				t.Errorf("%s: %v", step, err)
			} else if err == nil {
				want[key], want[tree+"/"+marker] = data, data
			}
			must(t, s.Abort(t.Context()))
		}
		history = append(history, step)
		compare(t, b, want)
		if t.Failed() {
			t.Fatalf("after %s", strings.Join(history, "; "))
		}
	}
}

func compare(t *testing.T, b bucket.Bucket, want map[string]string) {
	t.Helper()
	lists(t, b, "", slices.Sorted(maps.Keys(want))...)
	for key, data := range want {
		holds(t, b, key, data)
	}
}
