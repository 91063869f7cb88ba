package transfer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// What servers do behind one's back, shown by plain requests: the reasons for what this
// package does. If one of these fails, a server has changed for the better, and
// something here may be simpler than it is.
func TestTraps(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := w.make("traps", disk.SpaceL2, disk.Record{
			ID: "a", Document: new("text"), URI: new("u:"), Metadata: holdfast.Values{"old": "x", "n": int64(1)}, Embedding: []float32{1, 2, 3},
		})
		get := func(id string) disk.Record {
			t.Helper()
			got, _, err := w.api.Get(t.Context(), c, []string{id}, disk.Everything)
			w.must(err)
			if len(got) != 1 {
				t.Fatalf("no record %s", id)
			}
			return got[0]
		}

		w.must(w.api.Upsert(t.Context(), c, []disk.Record{{ID: "a", Metadata: holdfast.Values{"n": 2.0}, Embedding: []float32{4, 5, 6}}}))
		if r := get("a"); r.Document == nil || r.URI == nil || r.Metadata["old"] != "x" || r.Metadata["n"] != 2.0 || r.Embedding[0] != 4 {
			t.Errorf("an upsert does not merge: %s", show(r))
		}
		w.must(w.api.Update(t.Context(), c, []disk.Record{{ID: "a", Metadata: holdfast.Values{"old": nil}}}))
		if r := get("a"); len(r.Metadata) != 1 {
			t.Errorf("a null does not remove a key: %s", show(r))
		}
		w.must(w.api.Add(t.Context(), c, []disk.Record{{ID: "a", Embedding: []float32{7, 7, 7}, Document: new("other")}}))
		if r := get("a"); r.Embedding[0] != 4 || *r.Document != "text" {
			t.Errorf("adding an id that exists does something: %s", show(r))
		}

		other := w.make("taken", disk.SpaceL2)
		if _, err := w.api.Create(t.Context(), tenant, w.database, api.Spec{Name: "taken"}); !errors.Is(err, api.ErrTaken) {
			t.Errorf("a taken name: %v", err)
		}
		if err := w.api.Rename(t.Context(), c, "taken"); !errors.Is(err, api.ErrTaken) {
			t.Errorf("a rename to a taken name: %v", err)
		}
		w.must(w.api.Rename(t.Context(), c, "aside"))
		w.must(w.api.Rename(t.Context(), other, "traps"))
		w.must(w.api.Upsert(t.Context(), c, []disk.Record{record("late", 1)}))
		if n, err := w.api.Count(t.Context(), c); err != nil || n != 2 {
			t.Errorf("a client that remembers the id does not reach the old collection: %d %v", n, err)
		}
		if w.version == chromatest.New {
			w.inheritedArrays()
		}
	})
}

// inheritedArrays shows that the new server gives arrays of deleted records to new ones.
func (w *world) inheritedArrays() {
	w.t.Helper()
	r := disk.Record{ID: "a", Metadata: holdfast.Values{"tags": []any{"x", "y"}, "other": []any{int64(1)}}, Embedding: []float32{1, 2, 3}}
	dropped := w.make("dropped", disk.SpaceL2, r)
	w.must(w.api.Drop(w.t.Context(), dropped))
	heir := w.make("heir", disk.SpaceL2, disk.Record{ID: "b", Metadata: holdfast.Values{"own": "y"}, Embedding: []float32{1, 2, 3}})
	if got := w.records(heir); len(got[0].Metadata) != 3 {
		w.t.Errorf("no arrays were inherited: %s", show(got[0]))
	}
}

func TestApply_WhatWasInheritedIsRemoved(t *testing.T) {
	w := newWorld(t, chromatest.New)
	var tagged, plain []disk.Record
	for i := range 20 {
		r := record(string(rune('a'+i)), i)
		plain = append(plain, r)
		r.Metadata = holdfast.Values{"tags": []any{"x", "y"}, "n": []any{int64(i), int64(i)}}
		tagged = append(tagged, r)
	}
	for range 2 { // into a new collection, then into one that is there
		dropped := w.make("dropped", disk.SpaceL2, tagged...)
		w.must(w.api.Drop(t.Context(), dropped))
		var n notes
		o := n.options()
		o.Replaced = w.backup()
		w.apply(w.copy().add("notes", disk.SpaceL2, plain...), o, holdfast.Part{Table: "notes"})
		same(t, "restored", w.state()["notes"], plain, disk.SpaceL2)
	}
	dropped := w.make("dropped", disk.SpaceL2, tagged...)
	w.must(w.api.Drop(t.Context(), dropped))
	var n notes
	added := record("merged", 50)
	o := n.options()
	o.Replaced = w.backup()
	w.apply(w.copy().add("notes", disk.SpaceL2, added), o, holdfast.Part{Table: "notes", Keys: []string{"merged"}})
	same(t, "merged", w.state()["notes"], append(plain, added), disk.SpaceL2)
}

// TestApply_AClientMakesTheNameAnewInTheMomentBetween is what an assistant does that
// gets or creates its collection when it starts.
func TestApply_AClientMakesTheNameAnewInTheMomentBetween(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("notes", disk.SpaceL2, record("a", 1))
		old := w.backup()
		line := newWire(t, servers[w.version].URL(), -1, false)
		var made bool
		line.before = func(path string, body []byte) {
			var rename struct {
				To string `json:"new_name"`
			}
			if json.Unmarshal(body, &rename) == nil && rename.To == "notes" && !made {
				made = true
				w.make("notes", disk.SpaceL2, record("hasty", 2))
			}
		}
		target := w.target()
		target.API = clientOf(t, line.URL)
		var n notes
		o := n.options()
		o.Replaced = old
		result, err := transfer.Apply(t.Context(), target, w.copy().add("notes", disk.SpaceL2, record("x", 9)), []holdfast.Part{{Table: "notes"}}, o)
		w.must(err)
		got := w.state()
		if !made || len(result.Kept) != 1 || len(result.Problems) != 1 || len(got) != 2 {
			t.Fatalf("result %+v, state %v", result, got)
		}
		same(t, "restored", got["notes"], []disk.Record{record("x", 9)}, disk.SpaceL2)
		settled, err := transfer.Settle(t.Context(), w.target(), n.all[len(n.all)-1])
		if err != nil || !settled.Finished || !slices.Equal(settled.Result.Kept, result.Kept) {
			t.Errorf("settled %+v %v", settled, err)
		}
		delete(got, "notes")
		for _, records := range got {
			if len(records) != 1 || records[0].ID != "hasty" {
				t.Errorf("what the client made is %v", ids(records))
			}
		}
	})
}

// TestApply_ClientsMakeTheNameAnewAgainAndAgain is what many assistants do that get or
// create their collection with each request.
func TestApply_ClientsMakeTheNameAnewAgainAndAgain(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("notes", disk.SpaceL2, record("a", 1))
		old := w.backup()
		line := newWire(t, servers[w.version].URL(), -1, false)
		const times = 3
		made := 0
		line.before = func(_ string, body []byte) {
			var rename struct {
				To string `json:"new_name"`
			}
			if json.Unmarshal(body, &rename) == nil && rename.To == "notes" && made < times {
				made++
				w.make("notes", disk.SpaceL2, record(fmt.Sprint("hasty", made), made))
			}
		}
		target := w.target()
		target.API = clientOf(t, line.URL)
		var n notes
		o := n.options()
		o.Replaced = old
		result, err := transfer.Apply(t.Context(), target, w.copy().add("notes", disk.SpaceL2, record("x", 9)), []holdfast.Part{{Table: "notes"}}, o)
		w.must(err)
		got := w.state()
		if made != times || len(result.Kept) != times || len(got) != 1+times {
			t.Fatalf("made %d, result %+v, state %v", made, result, got)
		}
		same(t, "restored", got["notes"], []disk.Record{record("x", 9)}, disk.SpaceL2)
		settled, err := transfer.Settle(t.Context(), w.target(), n.all[len(n.all)-1])
		if err != nil || !settled.Finished || !slices.Equal(settled.Result.Kept, result.Kept) {
			t.Errorf("settled %+v %v", settled, err)
		}
	})
}

// TestApply_KeepsWhatAClientAddsWhileTheReplacedIsRead is a client that remembers the id of
// the collection and goes on.
func TestApply_KeepsWhatAClientAddsWhileTheReplacedIsRead(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		live := w.make("notes", disk.SpaceL2, record("a", 1))
		old := w.backup()
		line := newWire(t, servers[w.version].URL(), -1, false)
		var swapped, added bool
		line.before = func(path string, body []byte) {
			swapped = swapped || strings.Contains(string(body), `"new_name":"notes"`)
			if swapped && !added && strings.HasSuffix(path, live.ID+"/get") && strings.Contains(string(body), `"ids"`) {
				added = true
				w.must(w.api.Add(t.Context(), live, []disk.Record{record("late", 2)}))
			}
		}
		target := w.target()
		target.API = clientOf(t, line.URL)
		var n notes
		o := n.options()
		o.Replaced = old
		result, err := transfer.Apply(t.Context(), target, w.copy().add("notes", disk.SpaceL2, record("x", 9)), []holdfast.Part{{Table: "notes"}}, o)
		w.must(err)
		got := w.state()
		if !added || len(result.Kept) != 1 || len(result.Problems) != 1 || len(got) != 2 {
			t.Fatalf("result %+v, state %v", result, got)
		}
		if kept := ids(got["notes-old-"+o.Stamp]); !slices.Equal(kept, []string{"a", "late"}) {
			t.Errorf("kept %v", kept)
		}
	})
}

// TestApply_ReadsTheMetadataOfTheCollectionBack is a server that keeps another.
func TestApply_ReadsTheMetadataOfTheCollectionBack(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		line := newWire(t, servers[w.version].URL(), -1, false)
		line.before = func(path string, _ []byte) {
			made, ok := strings.CutSuffix(path, "/add")
			if !ok {
				return
			}
			change, err := http.NewRequestWithContext(t.Context(), http.MethodPut, servers[w.version].URL()+made, strings.NewReader(`{"new_metadata":{"team":"support","n":2}}`))
			w.must(err)
			change.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(change)
			w.must(err)
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Error(answer.Status)
			}
		}
		target := w.target()
		target.API = clientOf(t, line.URL)
		c := w.copy().add("notes", disk.SpaceL2, record("a", 1))
		for want, metadata := range map[string]holdfast.Values{"": {"team": "support", "n": int64(2)}, `"n" of its own metadata`: {"team": "support", "n": 2.0}} {
			c.tables[0].Metadata = metadata
			var n notes
			result, err := transfer.Apply(t.Context(), target, c, []holdfast.Part{{Table: "notes", As: fmt.Sprint("notes", len(want))}}, n.options())
			if failed := err != nil; failed != (want != "") || failed && (!strings.Contains(err.Error(), want) || !result.Undone) {
				t.Errorf("%v: %+v %v", metadata, result, err)
			}
		}
		if got := w.state(); len(got) != 1 {
			t.Errorf("left: %v", got)
		}
	})
}
