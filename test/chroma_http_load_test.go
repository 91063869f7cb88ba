//go:build linux

package test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// Captures of a server that is written to say whether they are of one instant, and the
// history of what was acknowledged agrees.
func TestChromaHTTP_CapturesUnderLoadKeepTheirWord(t *testing.T) {
	t.Parallel()
	server := chromatest.Start(t, chromatest.New, t.TempDir())
	r := newRemote(t, server.URL())
	still := r.fill(api.DefaultTenant, "still", notes(50)...)
	load := chromatest.StartLoad(t, server, chromatest.LoadOptions{Writers: 2, Records: 60, Preload: true, Text: 40})
	load.Await(t, 20)
	m := newMachine(t).asks(server.URL(), api.DefaultTenant)
	words := map[holdfast.Consistency]int{}
	for _, quiet := range []bool{false, false, true} {
		after, resume := load.Now(), func() {}
		if quiet {
			resume = load.Rest()
			after = load.Now()
		}
		name := m.backup().Name
		resume()
		before := load.Now()
		stdout, _ := m.must(0, "--json", "show", name)
		var shown struct {
			Backup struct {
				Sources []struct{ Consistency holdfast.Consistency }
			}
		}
		if err := json.Unmarshal([]byte(stdout), &shown); err != nil || len(shown.Backup.Sources) != 1 {
			t.Fatalf("%v: %s", err, stdout)
		}
		word := shown.Backup.Sources[0].Consistency
		words[word]++
		if quiet && word != holdfast.Consistent {
			t.Errorf("nothing was written, and the capture is %s", word)
		}
		m.must(0, "verify", name)
		m.must(0, "export", name, name)
		held := heldIn(t, m.path(name, "chromadb"))
		if err := equalRecords(held["still"].full, r.records(still), still.Space, nil); err != nil {
			t.Errorf("%s: what stood still: %v", name, err)
		}
		if word == holdfast.Consistent {
			loaded := map[string][]chromatest.Record{}
			for collection, h := range held {
				if collection != "still" {
					loaded[collection] = h.plain
				}
			}
			if err := load.CheckRecords(loaded, after, before); err != nil {
				t.Errorf("%s says that it is of one instant: %v", name, err)
			}
		}
		load.Await(t, load.Requests()+4)
	}
	load.Stop()
	if words[holdfast.Consistent] == 0 || words[holdfast.Consistency("fuzzy")] == 0 {
		t.Errorf("captures say %v: each was to be seen", words)
	}
}

// Clients that look a collection up by its name each time see it whole, as it was or as it
// becomes, or for a moment not at all, while it is restored time and again.
func TestChromaHTTP_RestoreUnderQueriesIsNeverHalf(t *testing.T) {
	t.Parallel()
	r := newRemote(t, chromatest.Start(t, chromatest.Old, t.TempDir()).URL())
	r.fill(api.DefaultTenant, "asked", notes(300)...)
	m := newMachine(t).asks(r.url, api.DefaultTenant)
	m.must(0, "backup", "--name", "monday")
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		for ctx.Err() == nil {
			c, err := r.Collection(ctx, api.DefaultTenant, api.DefaultDatabase, "asked")
			var n int64
			var found []string
			if err == nil {
				n, err = r.Count(ctx, c)
			}
			if err == nil {
				found, err = r.Query(ctx, c, []float32{40.1, 0.02, -3}, 5)
			}
			switch {
			case ctx.Err() != nil:
			case errors.Is(err, holdfast.ErrNotFound): // between two names, or looked up before and dropped since
			case err != nil:
				t.Errorf("a client meets %v", err)
				return
			case n != 300 || len(found) != 5:
				t.Errorf("a client sees %d records and finds %q", n, strings.Join(found, " "))
				return
			default:
				asked++
			}
		}
	})
	for range 4 {
		m.must(0, "--yes", "restore", "monday")
	}
	stop()
	group.Wait()
	if asked == 0 {
		t.Error("nobody asked while it was restored")
	}
	noTraces(t, r, api.DefaultTenant)
}
