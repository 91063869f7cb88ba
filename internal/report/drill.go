package report

import "github.com/holdfast-backup/holdfast"

// Drill is the outcome of drill: a backup was restored for real into scratch
// space, checked, and asked what was asked when it was captured.
type Drill struct {
	Type       string              `json:"type"` // drill
	Repository string              `json:"repository"`
	Backup     holdfast.BackupName `json:"backup"`
	From       string              `json:"from,omitempty"` // the replica whose copy it is
	OK         bool                `json:"ok"`
	// Proof is what is kept with the backup: what was compared, how long the
	// restore took, and what was wrong.
	Proof    *holdfast.Proof    `json:"proof,omitempty"`
	Problems []holdfast.Problem `json:"problems,omitempty"` // of the drill itself, not of the data
	Error    string             `json:"error,omitempty"`
}

// NewDrill tells what became of a drill; proof is nil if it was not begun.
func NewDrill(repository string, backup holdfast.BackupName, from string, proof *holdfast.Proof, problems []holdfast.Problem, err error) Drill {
	o := Drill{Type: "drill", Repository: repository, Backup: backup, From: from, Proof: proof, Problems: problems, OK: err == nil}
	if err != nil {
		o.Error = Text(err)
	}
	return o
}
