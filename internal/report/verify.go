package report

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// Verify is the outcome of verify.
type Verify struct {
	Type       string       `json:"type"` // verify
	Repository string       `json:"repository"`
	OK         bool         `json:"ok"`
	Results    []VerifyItem `json:"results"`
}

// NewVerify begins the outcome of a verification in the repository at a place.
func NewVerify(repository string) Verify {
	return Verify{Type: "verify", Repository: repository, OK: true, Results: []VerifyItem{}}
}

// Add adds what was found in one backup.
func (o *Verify) Add(item VerifyItem) {
	o.OK = o.OK && item.OK
	o.Results = append(o.Results, item)
}

// VerifyItem is the outcome for one backup.
type VerifyItem struct {
	Backup holdfast.BackupName `json:"backup"`
	From   string              `json:"from,omitempty"` // the replica whose copy it is
	OK     bool                `json:"ok"`
	// StoredOnly tells that the backup is encrypted and was not opened: no key
	// was given.
	StoredOnly     bool               `json:"stored_only,omitempty"`
	Proof          *holdfast.Proof    `json:"proof,omitempty"`
	Damage         []holdfast.Problem `json:"damage,omitempty"`
	SourceProblems []holdfast.Problem `json:"source_problems,omitempty"`
	Error          string             `json:"error,omitempty"`
}

// NewVerifyItem tells what became of the verification of a backup that was asked
// for by name; r is nil if it was not begun.
func NewVerifyItem(name string, r *engine.VerifyResult, err error) VerifyItem {
	item := VerifyItem{Backup: holdfast.BackupName(name), OK: err == nil}
	if r != nil {
		item.Backup, item.From, item.Proof, item.Damage, item.SourceProblems = r.Backup, r.From, &r.Proof, r.Damage, r.SourceProblems
		item.StoredOnly = r.StoredOnly
	}
	if err != nil {
		item.Error = err.Error()
	}
	return item
}

// Everything names all backups of a repository. Those that are of no use are among them:
// that they are is what a verification has to tell.
func Everything(ctx context.Context, r *repo.Repository) ([]string, error) {
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, &holdfast.Error{Op: "verify", Object: r.Location(), Err: holdfast.Kindf(holdfast.ErrNotFound, "there are no backups"), Hint: "`holdfast backup` makes the first"}
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name.String()
	}
	return names, nil
}

// Worse gives the error that somebody should hear of first: damage before anything else.
func Worse(a, b error) error {
	if a == nil || errors.Is(b, holdfast.ErrDamaged) && !errors.Is(a, holdfast.ErrDamaged) {
		return b
	}
	return a
}
