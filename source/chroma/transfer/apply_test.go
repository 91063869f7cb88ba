package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	jsonl "github.com/holdfast-backup/holdfast/source/chroma/records"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// apply restores and wants no error.
func (w *world) apply(c *copied, o holdfast.PartOptions, parts ...holdfast.Part) holdfast.PartResult {
	w.t.Helper()
	result, err := transfer.Apply(w.t.Context(), w.target(), c, parts, o)
	w.must(err)
	return result
}

func TestApply_RecordsTakeThePlaceOfThoseThatAreThere(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		bare := disk.Record{ID: "bare", Embedding: []float32{1, 2, 3}}
		full := record("bare", 1)
		full.URI = new("u:1")
		w.make("notes", disk.SpaceL2, record("a", 1), full, record("b", 2), record("extra", 3), record("stays", 4))
		before := w.collection("notes")
		changed := record("a", 10)
		changed.Metadata = holdfast.Values{"n": 2.0, "other": "x"} // half, even and name are surplus
		c := w.copy().add("notes", disk.SpaceL2, changed, bare, record("fresh", 20), record("not wanted", 30))

		part := holdfast.Part{Table: "notes", Keys: []string{"a", "bare", "fresh", "a"}}
		var n notes
		o := n.options()
		o.Replaced = w.backup()
		result := w.apply(c, o, part)
		if len(result.Changes) != 1 || result.Changes[0].Action != holdfast.PartMerge || *result.Changes[0].Now != 2 || *result.Changes[0].Then != 3 || result.Reload != nil {
			t.Errorf("result %+v", result)
		}
		if w.collection("notes").ID != before.ID {
			t.Error("the collection has another id")
		}
		want := map[string][]disk.Record{"notes": {changed, record("b", 2), record("extra", 3), record("stays", 4), bare, record("fresh", 20)}}
		check(t, "merged", w.state(), want)
		if got := ids(w.state()["notes"]); got[0] != "a" {
			t.Errorf("a record that was there has lost its place: %v", got)
		}

		// Exact: what the copy does not have goes, and nothing else.
		part.Keys, part.Exact = []string{"a", "extra", "never there"}, true
		result = w.apply(c, n.options(), part)
		want["notes"] = slices.DeleteFunc(want["notes"], func(r disk.Record) bool { return r.ID == "extra" })
		got := w.state()
		if len(result.Kept) != 1 {
			t.Fatalf("without an emergency backup what was replaced is kept: %+v", result)
		}
		kept := strings.TrimPrefix(result.Kept[0], w.table(""))
		same(t, "kept", got[kept], []disk.Record{changed, record("extra", 3)}, disk.SpaceL2)
		delete(got, kept)
		check(t, "exact", got, want)

		_, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes", Keys: []string{"a", "nobody"}}}, n.options())
		if !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(err.Error(), "nobody") {
			t.Errorf("a key that the copy does not have: %v", err)
		}
		// Into a collection that is not there, they make one.
		w.apply(c, n.options(), holdfast.Part{Table: "notes", As: "some", Keys: []string{"fresh", "bare"}})
		if got := ids(w.state()["some"]); !slices.Equal(got, []string{"fresh", "bare"}) {
			t.Errorf("a collection of some records has %v", got)
		}
		c = w.copy().add("notes", disk.SpaceL2, disk.Record{ID: "flat", Embedding: []float32{1, 2}})
		_, err = transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes", Keys: []string{"flat"}}})
		if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "3 dimensions") {
			t.Errorf("another dimension: %v", err)
		}
	})
}

func TestApply_LossesAreListedBeforeAnythingIsWritten(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		long := disk.Record{ID: "long", Embedding: []float32{3e38, 3e38, 3e38}}
		odd := disk.Record{ID: "odd", Embedding: []float32{1, 2, 3}, Metadata: holdfast.Values{
			"inf": math.Inf(1), "chroma:document": "poison", "tags": []any{"x"}, "none": []any{}, "": "nameless", "fine": int64(1),
		}}
		c := w.copy().add("notes", disk.SpaceCosine,
			record("good", 1), disk.Record{ID: "lost", Document: new("text")}, long,
			disk.Record{ID: "nan", Embedding: []float32{1, float32(math.NaN()), 1}}, disk.Record{ID: "flat", Embedding: []float32{1}}, odd)
		c.tables[0].Metadata = holdfast.Values{"list": []any{"a"}, "kept": "yes", "hnsw:search_ef": int64(33)}
		plan, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes"}})
		w.must(err)
		var told []string
		for _, p := range plan.Losses {
			told = append(told, p.Message)
			if p.Hint == "" || p.Severity != holdfast.Incomplete || !strings.Contains(p.Object, "notes") {
				t.Errorf("loss %+v", p)
			}
		}
		want := []string{`"list" of the collection`, `has no embedding`, `2 records have an embedding that is not finite`, "another dimension", "infinite", `"chroma:"`, "without a name"}
		if w.version == chromatest.Old {
			want = append(want, "arrays")
		} else {
			want = append(want, "empty arrays")
		}
		for _, text := range want {
			if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, text) }) {
				t.Errorf("%q is not told: %s", text, strings.Join(told, "\n"))
			}
		}
		var n notes
		result, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes"}}, n.options())
		if !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" || !result.Undone || len(n.all) != 0 || len(w.state()) != 0 {
			t.Errorf("not refused: %v %+v, %d notes", err, result, len(n.all))
		}
		o := n.options()
		o.AcceptLosses = true
		result = w.apply(c, o, holdfast.Part{Table: "notes"})
		if len(result.Problems) != len(plan.Losses) {
			t.Errorf("problems %+v", result.Problems)
		}
		odd.Metadata = holdfast.Values{"fine": int64(1)}
		if w.version == chromatest.New {
			odd.Metadata["tags"] = []any{"x"}
		}
		same(t, "what could be kept", w.state()["notes"], []disk.Record{record("good", 1), odd}, disk.SpaceCosine)
		made := w.collection("notes")
		if made.Metadata["kept"] != "yes" || !strings.Contains(string(made.Configuration), `"ef_search":33`) || made.Space != disk.SpaceCosine {
			t.Errorf("made %+v %s", made, made.Configuration)
		}
	})
}

func TestApply_AFailureLeavesTheServerAsItWas(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("notes", disk.SpaceL2, record("a", 1))
		w.make("more", disk.SpaceL2, record("b", 2))
		old := w.state()
		before := w.collection("notes").ID
		c := w.copy().add("notes", disk.SpaceL2, record("x", 9)).add("more", disk.SpaceL2, record("b", 7), record("y", 8))
		c.tables = append(c.tables, disk.Collection{ChromaCollection: holdfast.ChromaCollection{
			ID: "id-elsewhere", Name: "elsewhere", Tenant: tenant, Database: w.database + "-new", Space: disk.SpaceL2,
		}})
		parts := []holdfast.Part{{Table: "notes"}, {Table: "more", Keys: []string{"b", "y"}}, {Table: "elsewhere"}}
		for fails := 1; ; fails++ {
			var n notes
			o := n.options()
			note, calls := o.Note, 0
			o.Note = func(text json.RawMessage) error {
				if calls++; calls == fails {
					return errors.New("the disk is full")
				}
				return note(text)
			}
			o.Replaced = w.backup()
			result, err := transfer.Apply(t.Context(), w.target(), c, parts, o)
			if err == nil {
				if fails != 5 {
					t.Errorf("%d notes were written", fails-1)
				}
				break
			}
			if !result.Undone || !strings.Contains(err.Error(), "the disk is full") {
				t.Errorf("note %d fails: %+v %v", fails, result, err)
			}
			check(t, "undone", w.state(), old)
			if w.collection("notes").ID != before {
				t.Error("the collection has another id")
			}
			_, err = w.api.Database(t.Context(), tenant, w.database+"-new")
			if !errors.Is(err, holdfast.ErrNotFound) {
				t.Errorf("the new database is still there: %v", err)
			}
		}
		if _, err := w.api.Collection(t.Context(), tenant, w.database+"-new", "elsewhere"); err != nil {
			t.Error(err)
		}

		// Somebody gives up in the middle of the swap.
		old = w.state()
		ctx, cancel := context.WithCancel(t.Context())
		var n notes
		o := n.options()
		o.Step = func(s holdfast.Step, table string) {
			if s == holdfast.StepSwap && strings.HasSuffix(table, "notes") {
				cancel()
			}
		}
		result, err := transfer.Apply(ctx, w.target(), c, parts[:2], o)
		if !errors.Is(err, context.Canceled) || !result.Undone {
			t.Errorf("cancelled: %+v %v", result, err)
		}
		check(t, "cancelled", w.state(), old)
	})
}

func TestApply_WhatClientsWroteMeanwhileIsKept(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		live := w.make("notes", disk.SpaceL2, record("a", 1))
		c := w.copy().add("notes", disk.SpaceL2, record("x", 9))
		var n notes
		o := n.options()
		o.Replaced = w.backup()
		o.Step = func(s holdfast.Step, _ string) {
			if s == holdfast.StepSwap { // a client that remembers the id
				w.must(w.api.Upsert(t.Context(), live, []disk.Record{record("late", 3)}))
			}
		}
		result := w.apply(c, o, holdfast.Part{Table: "notes"})
		if len(result.Kept) != 1 || len(result.Problems) != 1 || !strings.Contains(result.Problems[0].Message, "clients wrote") {
			t.Fatalf("result %+v", result)
		}
		got := w.state()
		same(t, "kept", got[strings.TrimPrefix(result.Kept[0], w.table(""))], []disk.Record{record("a", 1), record("late", 3)}, disk.SpaceL2)
		same(t, "restored", got["notes"], []disk.Record{record("x", 9)}, disk.SpaceL2)

		// What they wrote to the restored records is kept when these go again.
		o = n.options()
		o.Replaced = w.backup()
		note, calls := o.Note, 0
		o.Note = func(text json.RawMessage) error {
			if calls++; calls == 3 {
				w.must(w.api.Upsert(t.Context(), w.collection("notes"), []disk.Record{record("later", 4)}))
				return errors.New("the disk is full")
			}
			return note(text)
		}
		result, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes"}}, o)
		if err == nil || !result.Undone || len(result.Kept) != 1 || !strings.Contains(result.Kept[0], "-restore-") {
			t.Errorf("result %+v, %v", result, err)
		}
		got = w.state()
		same(t, "kept", got[strings.TrimPrefix(result.Kept[0], w.table(""))], []disk.Record{record("x", 9), record("later", 4)}, disk.SpaceL2)

		// Asked for, it is kept in any case and is no problem.
		o = n.options()
		o.Replaced, o.KeepReplaced = w.backup(), true
		if result = w.apply(c, o, holdfast.Part{Table: "notes"}); len(result.Kept) != 1 || result.Problems != nil {
			t.Errorf("result %+v", result)
		}
	})
}

func TestApply_DatabasesNamesAndWhatGoes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("one", disk.SpaceL2, record("a", 1))
		w.make("surplus", disk.SpaceL2, record("s", 1))
		c := w.copy().add("one", disk.SpaceL2, record("a", 2)).add("two", disk.SpaceIP, record("b", 3))
		base := tenant + "/" + w.database
		var n notes

		o := n.options()
		o.Replaced = w.backup()
		w.apply(c, o, holdfast.Part{Table: "one", As: "copy-of-one"}, holdfast.Part{Table: "two", As: tenant + "/" + w.database + "-b/three"})
		o = n.options()
		o.Replaced = w.backup()
		w.apply(c, o, holdfast.Part{Table: base + "/*", As: tenant + "/" + w.database + "-c/*"})
		check(t, "under other names", w.state(), map[string][]disk.Record{
			"one": {record("a", 1)}, "surplus": {record("s", 1)}, "copy-of-one": {record("a", 2)},
		})
		for _, at := range [][2]string{{"-b", "three"}, {"-c", "one"}, {"-c", "two"}} {
			if made, err := w.api.Collection(t.Context(), tenant, w.database+at[0], at[1]); err != nil || made.Dimension != 3 {
				t.Errorf("%v: %+v %v", at, made, err)
			}
		}

		o = n.options()
		o.Replaced = w.backup()
		result := w.apply(c, o, holdfast.Part{Table: base + "/*", Exact: true})
		check(t, "exact", w.state(), map[string][]disk.Record{"one": {record("a", 2)}, "two": {record("b", 3)}})
		if len(result.Changes) != 4 || result.Kept != nil {
			t.Errorf("result %+v", result)
		}
		// What a restore made is undone by parts that the copy does not have.
		w.apply(w.copy(), n.options(), holdfast.Part{Table: w.table("two"), Keys: []string{"b"}, Exact: true})
		if result := w.apply(w.copy(), n.options(), holdfast.Part{Table: "gone long ago", Exact: true}); len(result.Changes) != 0 {
			t.Errorf("nothing is there to remove: %+v", result)
		}
		for name, p := range map[string]struct {
			part holdfast.Part
			want error
		}{
			"no such collection": {holdfast.Part{Table: "nowhere"}, holdfast.ErrNotFound},
			"no such database":   {holdfast.Part{Table: tenant + "/nowhere/*"}, holdfast.ErrNotFound},
			"a bad name":         {holdfast.Part{Table: "one", As: "x y"}, holdfast.ErrUsage},
			"a short name":       {holdfast.Part{Table: "one", As: "x"}, holdfast.ErrUsage},
			"keys of everything": {holdfast.Part{Keys: []string{"a"}}, holdfast.ErrUsage},
			"half a path":        {holdfast.Part{Table: w.database + "/one"}, holdfast.ErrUsage},
			"a tenant as a name": {holdfast.Part{Table: base + "/*", As: "there"}, holdfast.ErrUsage},
		} {
			if _, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{p.part}); !errors.Is(err, p.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{Table: "one"}, {Table: "two", As: "one"}})
		if !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("two parts at one place: %v", err)
		}
	})
}

// A server of version 1 knows no configuration, no lists, and no ids of collections in
// paths; settings stand in the metadata.
func TestApply_IntoAServerOfVersion1(t *testing.T) {
	w := newWorld(t, chromatest.Old)
	target := w.target()
	target.API = clientOf(t, chromatest.NewV1(t, servers[w.version].URL()).URL)
	target.Databases = nil
	w.make("notes", disk.SpaceL2, record("a", 1), record("b", 2))
	tagged := record("tagged", 3)
	tagged.Metadata["tags"] = []any{"x"}
	c := w.copy().add("notes", disk.SpaceCosine, record("c", 3), tagged).add("fresh", disk.SpaceIP, record("d", 4), record("e", 5))
	c.tables[0].ConfigJSON = `{"hnsw":{"space":"cosine","ef_search":41}}`
	parts := []holdfast.Part{{Table: w.table("*")}, {Table: w.table("fresh"), As: "merged", Keys: []string{"e"}}}
	w.make("merged", disk.SpaceL2, record("d", 1), record("e", 2))
	var n notes
	o := n.options()
	if _, err := transfer.Apply(t.Context(), target, c, parts, o); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "arrays") {
		t.Errorf("arrays: %v", err)
	}
	o.AcceptLosses, o.Replaced = true, w.backup()
	result, err := transfer.Apply(t.Context(), target, c, parts, o)
	w.must(err)
	if len(result.Problems) != 1 || result.Kept != nil || len(result.Reload) != 1 {
		t.Errorf("result %+v", result)
	}
	delete(tagged.Metadata, "tags")
	got := w.state()
	same(t, "notes", got["notes"], []disk.Record{record("c", 3), tagged}, disk.SpaceCosine)
	same(t, "fresh", got["fresh"], []disk.Record{record("d", 4), record("e", 5)}, disk.SpaceIP)
	same(t, "merged", got["merged"], []disk.Record{record("d", 1), record("e", 5)}, disk.SpaceL2)
	made := w.collection("notes")
	if made.Space != disk.SpaceCosine || !strings.Contains(string(made.Configuration), `"ef_search":41`) || leftovers(got) != nil {
		t.Errorf("made %s, left over %v", made.Configuration, leftovers(got))
	}
}

// Numbers of older servers that a newer one reads as their neighbours are a loss, told
// before anything is written, and no failure of what comes back.
func TestApply_TellsNumbersThatTheServerRounds(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		server, err := w.api.Hello(t.Context())
		w.must(err)
		rng := rand.New(rand.NewPCG(5, 6))
		var want []disk.Record
		rounds := map[bool]int{}
		metadata := holdfast.Values{}
		for i := range 200 {
			exact, odd := 1.7e9+1e8*rng.Float64(), rng.Float64()
			r := record(fmt.Sprint("r", i), i)
			r.Metadata = holdfast.Values{"time": exact, "score": odd}
			rounds[server.Kept(exact) != exact || server.Kept(odd) != odd]++
			if server.Arrays {
				r.Metadata["scores"] = []any{odd, exact}
			}
			want = append(want, r)
			metadata[fmt.Sprint("m", i)] = odd
		}
		c := w.copy().add("notes", disk.SpaceL2, want...)
		c.tables[0].Metadata = metadata
		if rounds[true] == 0 || rounds[false] == 0 {
			t.Fatalf("of the numbers %v are rounded", rounds)
		}
		part := holdfast.Part{Table: "notes"}
		var n notes
		if _, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{part}, n.options()); !errors.Is(err, holdfast.ErrRefused) || len(n.all) > 0 {
			t.Fatalf("%v, %d notes", err, len(n.all))
		}
		o := n.options()
		o.AcceptLosses = true
		result := w.apply(c, o, part)
		if len(result.Problems) == 0 || !strings.Contains(fmt.Sprint(result.Problems), fmt.Sprintf("%d records have numbers in their metadata that this server rounds", rounds[true])) {
			t.Errorf("problems %+v", result.Problems)
		}
		got := w.state()["notes"]
		for i, r := range got {
			for key, v := range r.Metadata {
				f, is := v.(float64)
				if before, _ := want[i].Metadata[key].(float64); is && (f != server.Kept(before) || math.Abs(f-before) > 1e-15*before) {
					t.Errorf("%s of %s is %v, was %v", key, r.ID, f, before)
				}
			}
		}
		for key, v := range w.collection("notes").Metadata {
			if f := v.(float64); f != server.KeptOfCollection(metadata[key].(float64)) {
				t.Errorf("%s of the collection is %v, was %v", key, f, metadata[key])
			}
		}
		// What a server has given it also keeps.
		plan, err := transfer.Plan(t.Context(), w.target(), w.copy().add("notes", disk.SpaceL2, got...), []holdfast.Part{part})
		w.must(err)
		if plan.Losses != nil {
			t.Errorf("losses %+v", plan.Losses)
		}
	})
}

// What comes from files that do not tell ids is told apart all the same, and a copy that
// holds nothing is no restore.
func TestPlan_CopiesWithoutIDsAndWithoutAnything(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := w.copy().add("one", disk.SpaceL2).add("two", disk.SpaceL2)
		for i := range c.tables {
			c.tables[i].ID = ""
		}
		_, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{Table: "one", As: "three"}, {Table: "two", As: "three"}})
		if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(err.Error(), "two parts go to collection") {
			t.Error(err)
		}
		empty, err := jsonl.Open(t.Context(), fstest.MapFS{jsonl.ServerFile: {Data: []byte(`{"databases":[]}`)}})
		w.must(err)
		if _, err := transfer.Plan(t.Context(), w.target(), empty, []holdfast.Part{{}}); !errors.Is(err, holdfast.ErrNotFound) {
			t.Error(err)
		}
	})
}

// An embedding that the server would make zero in the cosine space is a loss that is told.
func TestApply_TellsEmbeddingsThatTheServerForgets(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		short, nothing, small := record("short", 1), record("nothing", 2), record("small", 3)
		short.Embedding = []float32{1e-30, 2e-30, 3e-30}
		nothing.Embedding = []float32{0, 0, 0}
		small.Embedding = []float32{1e-17, -2e-17, 0}
		c := w.copy().add("angles", disk.SpaceCosine, short, nothing, small).add("places", disk.SpaceL2, short, nothing, small)
		plan, err := transfer.Plan(t.Context(), w.target(), c, []holdfast.Part{{}})
		w.must(err)
		if len(plan.Losses) != 1 || !strings.Contains(plan.Losses[0].Message, `"short" has an embedding so short`) {
			t.Errorf("losses %+v", plan.Losses)
		}
		var n notes
		o := n.options()
		o.AcceptLosses = true
		w.apply(c, o, holdfast.Part{})
		got := w.state()
		if !slices.Equal(ids(got["angles"]), []string{"nothing", "small"}) {
			t.Errorf("kept %v", ids(got["angles"]))
		}
		same(t, "places", got["places"], []disk.Record{short, nothing, small}, disk.SpaceL2)
	})
}
