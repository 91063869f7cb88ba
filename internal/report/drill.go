package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Drill is the outcome of drill: a backup was restored for real into scratch
// space, checked, and asked what was asked when it was captured.
type Drill struct {
	Type       string              `json:"type"` // drill
	Repository string              `json:"repository"`
	Backup     holdfast.BackupName `json:"backup"`
	From       string              `json:"from,omitempty"` // the replica whose copy it is
	OK         bool                `json:"ok"`
	// Asked are the sources whose server was started on the copy and asked.
	Asked []string `json:"asked,omitempty"`
	// Proof is what is kept with the backup: what was compared, how long the
	// restore took, and what was wrong.
	Proof    *holdfast.Proof    `json:"proof,omitempty"`
	Problems []holdfast.Problem `json:"problems,omitempty"` // of the drill itself, not of the data
	Error    string             `json:"error,omitempty"`
}

// NewDrill tells what became of the drill of a backup that was asked for by name, in
// the repository at a place; r is nil if it was not held.
func NewDrill(repository, name string, r *engine.DrillResult, err error) Drill {
	o := Drill{Type: "drill", Repository: repository, Backup: holdfast.BackupName(name), OK: err == nil}
	if r != nil {
		o.Backup, o.From, o.Asked, o.Proof, o.Problems = r.Backup, r.From, r.Asked, &r.Proof, r.Problems
	}
	if err != nil {
		o.Error = Text(err)
	}
	return o
}
