package transfer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// A stage is how far a restore has come. A note is written before a stage begins.
type stage string

// The stages. Up to the swap a restore that was cut is undone; from the first
// collection that was swapped on it is finished, because clients may have written to
// what took its place.
const (
	stageFill  stage = "fill"  // collections are made beside those that are there
	stageMerge stage = "merge" // records are put into collections that stay
	stageSwap  stage = "swap"  // everything is verified; names change
	stageDrop  stage = "drop"  // everything is in place; what was replaced goes
	stageUndo  stage = "undo"  // it was given up
)

// A note is all that is needed to finish or undo a restore. It names collections, and
// holds nothing of what is in them.
type note struct {
	Format  int     `json:"format"`
	Stamp   string  `json:"stamp"`
	Stage   stage   `json:"stage"`
	Keep    bool    `json:"keep,omitempty"`  // what was replaced stays
	Bases   []base  `json:"bases,omitempty"` // that were made for the restore
	Entries []entry `json:"collections"`
}

const noteFormat = 1

// An entry is one collection of a restore.
type entry struct {
	place
	From   string `json:"from,omitempty"` // the table of the copy, if it is called otherwise
	Action string `json:"action"`
	Live   string `json:"live,omitempty"` // id of what was there
	Now    *int64 `json:"now,omitempty"`
	Then   *int64 `json:"then,omitempty"`

	// Temp is the name under which what takes its place is made, New its id, known
	// from the merge stage on; Made are its records as they were read back.
	Temp string  `json:"temp,omitempty"`
	New  string  `json:"new,omitempty"`
	Made *digest `json:"made,omitempty"`

	// Aside is the name that what was there gets; of a merge, of the collection with
	// the records that were there, whose id is Kept.
	Aside string `json:"aside,omitempty"`
	Kept  string `json:"kept,omitempty"`
	// Was is what the emergency backup holds of what was there. Only what still is
	// that may be dropped.
	Was *digest `json:"was,omitempty"`
	// Put tells what a merge puts in, by marks of its records: whoever undoes it in another
	// life knows by them what clients wrote since.
	Put map[string]string `json:"put,omitzero"`
	// Lost are records that had no embedding before: nothing brings that back.
	Lost []string `json:"lost,omitempty"`
}

// swaps tells whether names change.
func (e *entry) swaps() bool { return e.Action != holdfast.PartMerge }

// begin makes the note of a planned restore.
func begin(p *planned, o holdfast.PartOptions) *note {
	n := &note{Format: noteFormat, Stamp: o.Stamp, Stage: stageFill, Keep: o.KeepReplaced}
	longest := longestName(p.server)
	for _, it := range p.items {
		change := it.change()
		e := entry{place: it.place, From: change.From, Action: it.action, Now: it.now, Then: it.then}
		if it.live != nil {
			e.Live = it.live.ID
			e.Aside = beside(it.Name, midOld, o.Stamp, longest)
		}
		if it.from != nil && it.action != holdfast.PartMerge {
			e.Temp = beside(it.Name, midRestore, o.Stamp, longest)
		}
		n.Entries = append(n.Entries, e)
	}
	return n
}

// readNote reads a note.
func readNote(text json.RawMessage) (*note, error) {
	n := &note{}
	if err := json.Unmarshal(text, n); err != nil {
		return nil, holdfast.Kindf(holdfast.ErrDamaged, "the note of the restore cannot be read: %v", err)
	}
	if n.Format != noteFormat || n.Stamp == "" ||
		!slices.Contains([]stage{stageFill, stageMerge, stageSwap, stageDrop, stageUndo}, n.Stage) {
		return nil, &holdfast.Error{
			Op:   "read the note of the restore",
			Err:  fmt.Errorf("its format %d and stage %q are not known here", n.Format, n.Stage),
			Hint: "settle it with the release of holdfast that began it",
		}
	}
	return n, nil
}

// changes tells what the note does as the plan did.
func (n *note) changes() []holdfast.PartChange {
	var out []holdfast.PartChange
	for _, e := range n.Entries {
		out = append(out, holdfast.PartChange{Table: e.table(), From: e.From, Action: e.Action, Now: e.Now, Then: e.Then})
	}
	return out
}

// reload are the tables whose collections have another id than before. What was removed
// is not to be looked up again.
func (n *note) reload() []string {
	var out []string
	for _, e := range n.Entries {
		if e.Action == holdfast.PartReplace && e.Live != "" {
			out = append(out, e.table())
		}
	}
	return out
}

// bases are the databases that the note touches, each once.
func (n *note) bases() []base {
	var out []base
	for _, e := range n.Entries {
		if b := (base{e.Tenant, e.Database}); !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	return out
}
