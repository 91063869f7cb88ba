package report

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Contents is what a backup is made of.
type Contents struct {
	Type      string              `json:"type"` // contents
	Backup    holdfast.BackupName `json:"backup"`
	CreatedAt holdfast.Time       `json:"created_at"`
	From      string              `json:"from,omitempty"` // the replica whose copy it is
	Sources   []SourceContents    `json:"sources"`
}

// SourceContents is one source of a backup with its tables.
type SourceContents struct {
	Name string        `json:"name"`
	Kind holdfast.Kind `json:"kind"`
	Path string        `json:"path,omitempty"`
	// Closed says why it cannot be looked into.
	Closed string           `json:"closed,omitempty"`
	Tables []holdfast.Table `json:"tables"`
}

// NewContents lists the tables of what is looked into, or of one source of it.
func NewContents(ctx context.Context, l *engine.Look, source string) (Contents, error) {
	out := Contents{Type: "contents", Backup: l.Name, CreatedAt: l.At, From: l.From, Sources: []SourceContents{}}
	if source != "" {
		if _, err := l.Source(source); err != nil {
			return out, err
		}
	}
	for _, s := range l.Sources {
		if source != "" && s.Name != source {
			continue
		}
		one := SourceContents{Name: s.Name, Kind: s.Kind, Path: s.Path, Closed: s.Closed, Tables: []holdfast.Table{}}
		if s.Closed == "" {
			in, err := l.Inside(ctx, s.Name)
			if err != nil {
				return out, err
			}
			tables, err := in.Tables(ctx)
			if err != nil {
				return out, &holdfast.Error{Op: "look into", Object: l.Words() + ": " + s.Name, Err: err}
			}
			one.Tables = append(one.Tables, tables...)
		}
		out.Sources = append(out.Sources, one)
	}
	return out, nil
}

// Rows is a page of a table.
type Rows struct {
	Type   string              `json:"type"` // rows
	Backup holdfast.BackupName `json:"backup"`
	Source string              `json:"source"`
	Table  holdfast.Table      `json:"table"`
	Rows   []Row               `json:"rows"`
	Next   string              `json:"next,omitempty"` // the cursor of the next page
}

// Row is a row of a table.
type Row struct {
	Key    string  `json:"key"`
	Fields []Field `json:"fields"`
}

// OneRow is one row whole.
type OneRow struct {
	Type   string              `json:"type"` // row
	Backup holdfast.BackupName `json:"backup"`
	Source string              `json:"source"`
	Table  holdfast.Table      `json:"table"`
	Row    Row                 `json:"row"`
	// Restore is the command that brings back this row alone.
	Restore string `json:"restore,omitempty"`
}

// Hit is a row that has a text.
type Hit struct {
	Type string `json:"type"` // hit
	engine.SourceHit
}

// Found ends a search.
type Found struct {
	Type   string              `json:"type"` // search
	Backup holdfast.BackupName `json:"backup"`
	Text   string              `json:"text"`
	Hits   int                 `json:"hits"`
	// More tells that the search ended at its limit.
	More bool `json:"more"`
	// Problems tell what was not searched.
	Problems []holdfast.Problem `json:"problems,omitempty"`
}

// DiffTable is what became of a table.
type DiffTable struct {
	Type string `json:"type"` // diff_table
	engine.DiffTable
}

// DiffRow is a row that differs.
type DiffRow struct {
	Type   string        `json:"type"` // diff_row
	Source string        `json:"source"`
	Table  string        `json:"table"`
	Key    string        `json:"key"`
	Change engine.Change `json:"change"`
	Fields []DiffField   `json:"fields,omitempty"`
}

// DiffField is a field that differs.
type DiffField struct {
	Name   string `json:"name"`
	Before *Value `json:"before,omitempty"`
	After  *Value `json:"after,omitempty"`
}

// NewDiffRow tells of a row that differs.
func NewDiffRow(r engine.DiffRow) DiffRow {
	out := DiffRow{Type: "diff_row", Source: r.Source, Table: r.Table, Key: r.Key, Change: r.Change}
	for _, f := range r.Fields {
		one := DiffField{Name: f.Name}
		if f.Before != nil {
			one.Before = new(newValue(*f.Before))
		}
		if f.After != nil {
			one.After = new(newValue(*f.After))
		}
		out.Fields = append(out.Fields, one)
	}
	return out
}

// Diff ends a comparison.
type Diff struct {
	Type string   `json:"type"` // diff
	A    DiffSide `json:"a"`
	B    DiffSide `json:"b"`
	// Differs tells whether anything that could be read differs.
	Differs bool  `json:"differs"`
	Tables  int   `json:"tables"`
	Same    int   `json:"same"`
	Unread  int   `json:"unread"`
	Added   int64 `json:"added"`
	Changed int64 `json:"changed"`
	Removed int64 `json:"removed"`
	Rounded int64 `json:"rounded,omitempty"`
	// More tells that more rows differ than were told.
	More     bool               `json:"more,omitempty"`
	Problems []holdfast.Problem `json:"problems,omitempty"`
}

// DiffSide is one of the two states of a comparison.
type DiffSide struct {
	Backup    holdfast.BackupName `json:"backup,omitempty"`
	Live      bool                `json:"live,omitempty"`
	CreatedAt holdfast.Time       `json:"created_at"`
	From      string              `json:"from,omitempty"`
}

// NewDiff sums up a comparison.
func NewDiff(r *engine.DiffResult) Diff {
	side := func(s engine.DiffSide) DiffSide {
		return DiffSide{Backup: s.Name, Live: s.Name == "", CreatedAt: s.At, From: s.From}
	}
	return Diff{
		Type: "diff", A: side(r.A), B: side(r.B), Differs: r.Differs(), Tables: r.Tables, Same: r.Same, Unread: r.Unread,
		Added: r.Added, Changed: r.Changed, Removed: r.Removed, Rounded: r.Rounded, More: r.More, Problems: r.Problems,
	}
}
