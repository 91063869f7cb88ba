package transfer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// A wire lies between a client and a server. At its n-th request that changes something it
// is cut: before the server has it, or after it did what was asked but before
// it said so. Nothing comes through after.
type wire struct {
	*httptest.Server
	left  atomic.Int64 // changes until it is cut; negative: it was
	after bool
	cut   atomic.Bool
	// before is told of every request before the server; nil is nobody.
	before func(path string, body []byte)
}

func newWire(t *testing.T, to string, n int64, after bool) *wire {
	t.Helper()
	address, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{after: after}
	w.left.Store(n)
	proxy := httputil.NewSingleHostReverseProxy(address)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // requests that are given up are what this is for
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if w.before != nil {
			body, _ := io.ReadAll(r.Body) // a body that is cut is the server's to refuse
			w.before(r.URL.Path, body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		here := !w.cut.Load() && changes(r) && w.left.Add(-1) == 0
		if here {
			w.cut.Store(true)
		}
		if here && w.after {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		if w.cut.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // what comes of it does not matter
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// changes tells whether a request changes something.
func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet:
		return false
	case http.MethodPost:
		return !strings.HasSuffix(r.URL.Path, "/get") && !strings.HasSuffix(r.URL.Path, "/query") &&
			!strings.Contains(r.URL.Path, "00000000-0000-0000-0000-000000000000") // is asked what the server can
	}
	return true
}

// TestSettle_AfterEveryCutTheServerIsOldOrNew takes the line away at each request that
// changes something, as if the program had died there, and has it settled by
// whoever comes next.
func TestSettle_AfterEveryCutTheServerIsOldOrNew(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("replaced", disk.SpaceL2, record("a", 1), record("b", 2))
		w.make("removed", disk.SpaceL2, record("gone", 3))
		bare := record("bare", 5)
		bare.Document = nil
		w.make("merged", disk.SpaceL2, record("first", 4), record("bare", 5), record("stays", 6), record("goes", 7))
		old := w.state()
		backup := w.backup()
		c := w.copy().
			add("replaced", disk.SpaceL2, record("b", 20), record("c", 30)).
			add("created", disk.SpaceL2, record("new", 40)).
			add("merged", disk.SpaceL2, record("first", 50), bare, record("added", 60))
		parts := []holdfast.Part{
			{Table: w.table("replaced")},
			{Table: w.table("created")},
			{Table: w.table("removed"), Exact: true},
			{Table: w.table("merged"), Keys: []string{"first", "bare", "added", "goes", "never"}, Exact: true},
		}
		want := map[string][]disk.Record{
			"replaced": {record("b", 20), record("c", 30)}, "created": {record("new", 40)},
			"merged": {record("first", 50), record("stays", 6), bare, record("added", 60)},
		}
		// Which server it is makes no difference to where the line is cut.
		for _, after := range []bool{w.version == chromatest.New} {
			ends := map[int]int{} // how often it was cut after so many notes
			for n := int64(1); ; n++ {
				line := newWire(t, servers[w.version].URL(), n, after)
				target := w.target()
				target.API = clientOf(t, line.URL)
				var kept notes
				o := kept.options()
				o.Replaced = backup
				write := o.Note
				o.Note = func(note json.RawMessage) error {
					if line.cut.Load() {
						return errors.New("a program that died writes no notes")
					}
					return write(note)
				}
				result, err := transfer.Apply(t.Context(), target, c, parts, o)
				if !line.cut.Load() {
					w.must(err)
					check(t, "uncut", w.state(), want)
					if len(ends) != len(kept.all) {
						t.Errorf("cut in the stages %v of %d", ends, len(kept.all))
					}
					break
				}
				what := fmt.Sprintf("cut at change %d, after=%v", n, after)
				if inPlace := len(kept.all) == 4; inPlace != (err == nil) || inPlace && (result.Kept == nil || result.Problems == nil) {
					t.Errorf("%s: %+v %v", what, result, err)
				}
				ends[len(kept.all)]++
				if len(kept.all) == 0 {
					t.Fatalf("%s: no note", what)
				}
				settled, err := transfer.Settle(t.Context(), w.target(), kept.all[len(kept.all)-1])
				if err != nil {
					t.Fatalf("%s: settle: %v", what, err)
				}
				if settled.Finished {
					check(t, what, w.state(), want)
				} else {
					check(t, what, w.state(), old)
				}
				// A second settling finds nothing to do.
				again, err := transfer.Settle(t.Context(), w.target(), kept.all[len(kept.all)-1])
				if err != nil || again.Finished != settled.Finished {
					t.Errorf("%s: settled again: %+v %v", what, again, err)
				}
				if settled.Finished {
					back(t, w, old)
				}
				if t.Failed() {
					return
				}
			}
		}
	})
}

// TestSettle_LeavesWhatClientsWroteSince cuts the line within a merge, lets a client write to
// its records, and has it settled.
func TestSettle_LeavesWhatClientsWroteSince(t *testing.T) {
	for _, space := range []string{disk.SpaceL2, disk.SpaceCosine} {
		both(t, func(t *testing.T, w *world) {
			line := newWire(t, servers[w.version].URL(), -1, false)
			live := w.make("notes", space, record("a", 1), record("b", 2), record("c", 3))
			line.before = func(_ string, body []byte) {
				if strings.Contains(string(body), "document 60") && strings.Contains(string(body), `"embeddings"`) {
					line.after = true // the server gets the records that are merged, and nobody hears of it
					line.left.Store(1)
				}
			}
			target := w.target()
			target.API = clientOf(t, line.URL)
			var n notes
			o := n.options()
			write := o.Note
			o.Note = func(note json.RawMessage) error {
				if line.cut.Load() {
					return errors.New("a program that died writes no notes")
				}
				return write(note)
			}
			c := w.copy().add("notes", space, record("a", 40), record("b", 50), record("new", 60), record("other", 70))
			_, err := transfer.Apply(t.Context(), target, c, []holdfast.Part{{Table: "notes", Keys: []string{"a", "b", "new", "other"}}}, o)
			if err == nil || !line.cut.Load() {
				t.Fatalf("it was not cut: %v", err)
			}
			if got := w.state()["notes"]; len(got) != 5 {
				t.Fatalf("the merge was not at work: %v", ids(got))
			}
			w.must(w.api.Update(t.Context(), live, []disk.Record{record("b", 500), record("new", 600)}))
			written := map[string]disk.Record{}
			for _, r := range w.records(live) {
				written[r.ID] = r
			}
			for _, tell := range []string{`2, such as "b"`, `1, such as "b"`} { // a second settling changes nothing
				settled, err := transfer.Settle(t.Context(), w.target(), n.all[len(n.all)-1])
				w.must(err)
				if settled.Finished || len(settled.Result.Kept) != 1 || len(settled.Result.Problems) != 1 || !strings.Contains(settled.Result.Problems[0].Message, tell) {
					t.Errorf("settled %+v", settled)
				}
				got := w.state()
				same(t, "settled", got["notes"], []disk.Record{record("a", 1), written["b"], record("c", 3), written["new"]}, space)
				beside := got["notes-old-"+o.Stamp]
				if len(got) != 2 || !slices.Equal(ids(beside), []string{"a", "b"}) {
					t.Fatalf("beside: %v of %d", ids(beside), len(got))
				}
				same(t, "before", beside, []disk.Record{record("a", 1), record("b", 2)}, space)
			}
		})
	}
}

// check compares a state with what is wanted of it. In which order a server lists the
// records of a collection that were deleted and put back is not part of the state.
func check(t *testing.T, what string, got state, want map[string][]disk.Record) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: there is a collection %s", what, name)
		}
	}
	byID := func(records []disk.Record) []disk.Record {
		return slices.SortedFunc(slices.Values(records), func(a, b disk.Record) int { return strings.Compare(a.ID, b.ID) })
	}
	for name, records := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: there is no collection %s", what, name)
			continue
		}
		same(t, what+": "+name, byID(got[name]), byID(records), disk.SpaceL2)
	}
}

// back makes the database what it was, by means that the test does not depend on.
func back(t *testing.T, w *world, old state) {
	t.Helper()
	for c, err := range w.api.Collections(t.Context(), tenant, w.database) {
		w.must(err)
		w.must(w.api.Drop(t.Context(), c))
	}
	for name, records := range old {
		w.make(name, disk.SpaceL2, records...)
	}
}
