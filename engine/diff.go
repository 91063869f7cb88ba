package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// A DiffRequest asks what differs between two backups, or a backup and the present state.
type DiffRequest struct {
	// A is the older state and B the newer, by name or "latest"; B may be [Live].
	A, B string
	// Sources and Tables bound what is compared; none is all.
	Sources, Tables []string
	// Details asks for the rows that differ, too, and Values for what they held.
	Details, Values bool
	// Vectors asks for the numbers of embeddings among the values.
	Vectors bool
	// Limit is how many rows are told of each table; zero is no limit.
	Limit int
	// MaxValue cuts the values that are told after so many bytes; zero does not.
	MaxValue int
	// Progress is told how many rows of a table were compared; nil is allowed.
	Progress func(source, table string, rows int64)
}

// A Change tells what became of something from the older state to the newer.
type Change string

// The changes.
const (
	ChangeSame    Change = "same"
	ChangeAdded   Change = "added"
	ChangeRemoved Change = "removed"
	ChangeChanged Change = "changed"
	// ChangeUnknown is that of a table that cannot be read here.
	ChangeUnknown Change = "unknown"
)

// A DiffItem is one thing that a comparison tells: a table with its counts, or a row that
// differs. All tables come before the first row.
type DiffItem struct {
	Table *DiffTable
	Row   *DiffRow
}

// A DiffTable tells what became of a table.
type DiffTable struct {
	Source string             `json:"source"`
	Table  string             `json:"table"`
	Title  string             `json:"title,omitempty"`
	Kind   holdfast.TableKind `json:"kind"`
	Change Change             `json:"change"`
	// The numbers of rows. Same is nil where nobody had to count, since the table is
	// the same byte for byte.
	Added   int64  `json:"added"`
	Changed int64  `json:"changed"`
	Removed int64  `json:"removed"`
	Same    *int64 `json:"same,omitempty"`
	// Rounded are those among Same whose embeddings differ by no more than what
	// rounding does.
	Rounded int64 `json:"rounded,omitempty"`
	// Before and After are the numbers of rows in the two states, if they are known.
	Before *int64 `json:"before,omitempty"`
	After  *int64 `json:"after,omitempty"`
	// Schema tells of columns, keys, dimension, space and metadata that differ.
	Schema []SchemaChange `json:"schema,omitempty"`
	// Unread says why its rows could not be compared.
	Unread string `json:"unread,omitempty"`
}

// A SchemaChange is a difference of the shape of a table.
type SchemaChange struct {
	What   string `json:"what"` // "column NAME", "dimension", "space", "metadata NAME"
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// A DiffRow is a row that differs.
type DiffRow struct {
	Source string      `json:"source"`
	Table  string      `json:"table"`
	Key    string      `json:"key"`
	Change Change      `json:"change"`
	Fields []DiffField `json:"fields,omitempty"`
}

// A DiffField is a field that differs; nil where there is none.
type DiffField struct {
	Name   string          `json:"name"`
	Before *holdfast.Field `json:"before,omitempty"`
	After  *holdfast.Field `json:"after,omitempty"`
}

// A DiffResult sums up a comparison.
type DiffResult struct {
	A, B DiffSide
	// Tables is how many tables were compared, Same how many of them do not differ and
	// Unread how many could not be read.
	Tables, Same, Unread int
	// Added, Changed and Removed are rows of all tables.
	Added, Changed, Removed, Rounded int64
	// More tells that there are more rows that differ than the limit allowed to tell.
	More     bool
	Problems []holdfast.Problem
}

// Differs tells whether anything that could be read differs.
func (r *DiffResult) Differs() bool { return r.Same+r.Unread < r.Tables }

// A DiffSide is one of the two states.
type DiffSide struct {
	Name holdfast.BackupName // empty: the present state
	At   holdfast.Time
	From string // the replica
}

// Diff compares two states of the sources table by table and row by row. It tells emit
// of each table as soon as its counts are known, and then, with Details, of the rows; an
// error of emit ends it. Sources belong together by their names, tables by theirs.
func (e *Engine) Diff(ctx context.Context, req DiffRequest, emit func(DiffItem) error) (_ *DiffResult, err error) {
	a, err := e.Look(ctx, req.A)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := e.Against(ctx, a, req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return a.Diff(ctx, b, req, emit)
}

// Against opens what is compared with a: another backup, or of the present state what the
// comparison is about.
func (e *Engine) Against(ctx context.Context, a *Look, req DiffRequest) (*Look, error) {
	if req.B != Live {
		return e.Look(ctx, req.B)
	}
	if len(req.Sources) > 0 {
		return e.LookLive(ctx, req.Sources...)
	}
	var names []string
	for _, s := range e.o.Sources {
		if slices.ContainsFunc(a.Sources, func(x LookSource) bool { return x.Name == s.Name() }) {
			names = append(names, s.Name())
		}
	}
	l, err := e.LookLive(ctx, names...)
	if err == nil {
		l.Problems = append(l.Problems, e.notIn(a)...)
	}
	return l, err
}

// notIn tells which sources of now a backup knows nothing of: they are not captured to say
// that all of them is new.
func (e *Engine) notIn(a *Look) []holdfast.Problem {
	var problems []holdfast.Problem
	for _, s := range e.o.Sources {
		if !slices.ContainsFunc(a.Sources, func(x LookSource) bool { return x.Name == s.Name() }) {
			problems = append(problems, holdfast.Problem{Source: s.Name(), Severity: holdfast.Warning, Message: "it is not in " + a.Words() + "; it was not compared"})
		}
	}
	return problems
}
