package holdfast

import (
	"context"
	"encoding/json"
	"io/fs"
)

// A PartRestorer can bring parts of a copy, or all of it, into the live store through
// the store's own requests, while its clients go on: single collections and records
// of a running Chroma server, tables and rows of a SQLite database.
type PartRestorer interface {
	Source

	// Running tells whether this is the only way into the store: it is reached by
	// requests and not by files.
	Running() bool

	// Narrow gives the source reduced to what the parts name in the live store, for
	// the backup of what a restore replaces; what does not exist there yet is nothing
	// to read, and no error. A source that cannot be reduced gives itself.
	Narrow(parts []Part) Source

	// PlanParts compares what is wanted with the live store and changes nothing.
	// What would be lost is listed in the plan; what cannot be done is an error.
	PlanParts(ctx context.Context, copy fs.FS, parts []Part) (PartPlan, error)

	// RestoreParts brings the parts into the live store, reads them back, and undoes
	// everything if anything fails. Before each step that a crash could leave half
	// done it calls o.Note with all that Settle needs.
	RestoreParts(ctx context.Context, copy fs.FS, parts []Part, o PartOptions) (PartResult, error)

	// Settle finishes or undoes what a RestoreParts left that was cut, by its last
	// note. It may be called again after it failed.
	Settle(ctx context.Context, note json.RawMessage) (Settled, error)
}

// A Part is what is wanted of a copy.
type Part struct {
	// Table names a table or collection, as Table.Name does; of a collection
	// its own name alone will do where there is one of that name. A name that ends with
	// "/*" is all of a database or tenant; empty is everything.
	Table string `json:"table,omitempty"`
	// Keys are rows of it; none is all.
	Keys []string `json:"keys,omitempty"`
	// As is the name that the table gets in the live store; empty is its own.
	As string `json:"as,omitempty"`
	// Exact removes from the live store what the copy does not have within the part:
	// with Keys those rows, with a whole database its other collections, and a named
	// table itself. A rollback wants it. Without Exact a table or row that the copy
	// does not have is an error that matches ErrNotFound.
	Exact bool `json:"exact,omitempty"`
}

// A PartPlan tells what RestoreParts would do.
type PartPlan struct {
	Changes []PartChange `json:"changes"`
	// Losses are what the live store cannot keep of the copy, such as arrays in the
	// metadata of records for a server that has none.
	Losses []Problem `json:"losses,omitempty"`
	// Stays are tables of the live store that the copy does not have and that are
	// left alone.
	Stays []string `json:"stays,omitempty"`
	Bytes int64    `json:"bytes"` // about how much is to be sent
}

// A PartChange is what would become of one table of the live store.
type PartChange struct {
	Table string `json:"table"` // in the live store
	From  string `json:"from,omitempty"`
	// Action: create, replace (whole), merge (rows in it), remove.
	Action string `json:"action"`
	// Now and Then are numbers of rows; nil if they are not known. With keys they
	// count those.
	Now  *int64 `json:"now,omitempty"`
	Then *int64 `json:"then,omitempty"`
	// Keys are the rows that a plan is about; none is all. By them a restore of rows is
	// undone, whatever way the table was named in.
	Keys []string `json:"-"`
}

// The actions of a PartChange.
const (
	PartCreate  = "create"
	PartReplace = "replace"
	PartMerge   = "merge"
	PartRemove  = "remove"
)

// PartOptions are what RestoreParts works with.
type PartOptions struct {
	// Stamp is of names that are made for the restore ("20241030T150000"): the same
	// throughout one restore and different in each.
	Stamp string
	// Note keeps a note durably, in place of the one before, and returns when it is
	// safe; an error ends the restore before the step. It holds no secret.
	Note func(note json.RawMessage) error
	// AcceptLosses goes on although the plan lists losses.
	AcceptLosses bool
	// KeepReplaced keeps what was replaced in the live store, under another name.
	KeepReplaced bool
	// Replaced is the verified backup of what the restore replaces, as Narrow
	// captured it; nil if none was made: then what was replaced is kept. What has
	// changed in the live store since is kept as well, and told.
	Replaced fs.FS
	// Step is told which step begins; nil is allowed.
	Step func(step Step, table string)
	// Progress is told how far a step is, in rows; nil is allowed.
	Progress func(step Step, table string, done, total int64)
}

// A PartResult tells what was restored.
type PartResult struct {
	Changes []PartChange `json:"changes"`
	// Reload are tables that clients have to look up again, since what they
	// remember of them (an id) is no longer good.
	Reload []string `json:"reload,omitempty"`
	// Kept are what is left of the replaced state in the live store.
	Kept []string `json:"kept,omitempty"`
	// Undone tells, beside an error, that the live store is as it was.
	Undone   bool      `json:"undone,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// Settled tells what became of a restore of parts that was cut.
type Settled struct {
	Finished bool // the new state stands; otherwise the former one does
	Result   PartResult
}

// A Builder is a source that makes what a restore puts in place out of copies of
// another form: a directory out of the records of a server.
type Builder interface {
	Source
	// MustBuild tells whether a copy of these facts cannot be put in place as it is.
	MustBuild(f Facts) bool
	// Build fills the empty directory dir with what the copy holds. Command starts
	// the owner of such a directory, which is asked to take it in and stopped again;
	// it is run as Rehearse does. What that owner cannot keep of the copy is told as
	// incomplete.
	Build(ctx context.Context, copy fs.FS, dir, command string, progress func(done, total int64)) ([]Problem, error)
}
