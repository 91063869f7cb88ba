package transfer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// A collection that somebody else made under a name that the restore gives is not the
// restore's to drop: neither where it was there before, nor where it comes in between.
func TestApply_ANameThatIsSomebodyElses(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.make("notes", disk.SpaceL2, record("a", 1))
		w.make("merged", disk.SpaceL2, record("b", 2))
		old := w.state()
		c := w.copy().add("notes", disk.SpaceL2, record("x", 9)).add("merged", disk.SpaceL2, record("b", 7))
		parts := []holdfast.Part{{Table: "notes"}, {Table: "merged", Keys: []string{"b"}}}
		for _, name := range []string{"notes-restore-", "notes-old-", "merged-old-"} {
			for _, early := range []bool{true, false} {
				if name == "notes-old-" && !early {
					continue // it is put aside, as whatever takes a name in between
				}
				var n notes
				o := n.options()
				theirs := func() { w.make(name+o.Stamp, disk.SpaceL2, record("theirs", 3)) }
				if early {
					theirs()
				} else {
					note := o.Note
					o.Note = func(text json.RawMessage) error {
						if len(n.all) == 0 {
							theirs()
						}
						return note(text)
					}
				}
				result, err := transfer.Apply(t.Context(), w.target(), c, parts, o)
				if !errors.Is(err, holdfast.ErrRefused) || !result.Undone || !strings.Contains(err.Error(), name) || early && len(n.all) > 0 {
					t.Errorf("%s: %+v %v, %d notes", name, result, err, len(n.all))
				}
				if len(n.all) > 0 {
					if _, err := transfer.Settle(t.Context(), w.target(), n.all[len(n.all)-1]); err != nil {
						t.Error(err)
					}
				}
				got := w.state()
				same(t, name, got[name+o.Stamp], []disk.Record{record("theirs", 3)}, disk.SpaceL2)
				delete(got, name+o.Stamp)
				check(t, name, got, old)
				w.must(w.api.Drop(t.Context(), w.collection(name+o.Stamp)))
			}
		}
	})
}

// Two restores into one server at once: each collection is what it was or what one of them
// wanted, and nothing is lost of which nobody was told.
func TestApply_TwoAtOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		want := map[string][]disk.Record{"left": records(20), "right": {record("r", 5)}, "old": {record("a", 1)}}
		for round := range 4 {
			live := w.make("notes", disk.SpaceL2, want["old"]...)
			backup := w.backup()
			results := map[string]holdfast.PartResult{}
			var mu sync.Mutex
			var group sync.WaitGroup
			for _, who := range []string{"left", "right"} {
				var n notes
				o := n.options()
				o.Replaced = backup
				c := w.copy().add("notes", disk.SpaceL2, want[who]...)
				group.Go(func() {
					result, err := transfer.Apply(t.Context(), w.target(), c, []holdfast.Part{{Table: "notes"}}, o)
					mu.Lock()
					defer mu.Unlock()
					t.Logf("round %d, %s: %v, undone %v, kept %v", round, who, err, result.Undone, result.Kept)
					if err == nil || !result.Undone {
						results[who] = result
					}
				})
			}
			group.Wait()
			got := w.state()
			named, held := got["notes"], ""
			for who, records := range want {
				if len(named) == len(records) && named[0].ID == records[0].ID {
					held = who
				}
			}
			if held == "" {
				t.Fatalf("round %d: the name has %v", round, ids(named))
			}
			same(t, held, named, want[held], disk.SpaceL2)
			told := ""
			for _, r := range results {
				told += strings.Join(r.Kept, " ") + " "
			}
			for name := range got {
				if name != "notes" && !strings.Contains(told, name) {
					t.Errorf("round %d: %s is left, and nobody was told: %s", round, name, told)
				}
			}
			if held == "old" && w.collection("notes").ID != live.ID {
				t.Errorf("round %d: the old records have another id", round)
			}
			for c, err := range w.api.Collections(t.Context(), tenant, w.database) {
				w.must(err)
				w.must(w.api.Drop(t.Context(), c))
			}
		}
	})
}

// What a client writes to a record after it was kept for an undo, and before it is replaced,
// is not replaced.
func TestApply_ARecordThatIsWrittenBeforeItIsReplaced(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		merged := w.make("merged", disk.SpaceL2, record("a", 1), record("b", 2))
		w.make("other", disk.SpaceL2, record("o", 3))
		c := w.copy().add("merged", disk.SpaceL2, record("a", 7)).add("other", disk.SpaceL2, record("o", 8))
		var n notes
		o := n.options()
		o.Replaced = w.backup()
		line := newWire(t, servers[w.version].URL(), -1, false)
		var written atomic.Bool
		line.before = func(path string, _ []byte) {
			// The first records that are put anywhere are those that are kept.
			if strings.HasSuffix(path, "/upsert") && !written.Swap(true) {
				w.must(w.api.Upsert(t.Context(), merged, []disk.Record{record("a", 5)}))
			}
		}
		target := w.target()
		target.API = clientOf(t, line.URL)
		result, err := transfer.Apply(t.Context(), target, c, []holdfast.Part{{Table: "merged", Keys: []string{"a"}}, {Table: "other"}}, o)
		if !written.Load() || !errors.Is(err, holdfast.ErrRefused) || !result.Undone {
			t.Errorf("%v, %+v", err, result)
		}
		check(t, "refused", w.state(), map[string][]disk.Record{"merged": {record("a", 5), record("b", 2)}, "other": {record("o", 3)}})
	})
}
