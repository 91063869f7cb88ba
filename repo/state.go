package repo

import (
	"context"
	"errors"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// maxProofs bounds the proofs kept for one backup: the newest, and the newest of
// each kind.
const maxProofs = 20

// stateDir holds what is known about backups but is not part of them.
const stateDir = ".holdfast/state/"

// state is what may change about an immutable backup.
type state struct {
	Format   int                 `json:"format"`
	Backup   holdfast.BackupName `json:"backup"`
	Pinned   bool                `json:"pinned"`
	Proofs   []holdfast.Proof    `json:"proofs"`
	Checksum string              `json:"checksum"`
}

func stateKey(name holdfast.BackupName) string { return stateDir + string(name) + ".json" }

// readState reads the state of a backup; absent means not pinned, no proofs.
func (r *Repository) readState(ctx context.Context, name holdfast.BackupName) (*state, error) {
	s := &state{Format: holdfast.FormatVersion, Backup: name}
	data, err := readSmall(ctx, r.b, stateKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = unseal(data, s)
	}
	if err == nil && s.Backup != name {
		err = &damage{"", errors.New("it belongs to another backup")}
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: stateKey(name), Err: err,
			Hint: "pins and proofs are lost, the backup is not; verify it and pin or unpin it again",
		}
	}
	return s, nil
}

// changeState changes the state of a backup that exists. A damaged state
// begins again as pinned and unproven.
func (r *Repository) changeState(ctx context.Context, name holdfast.BackupName, change func(*state)) error {
	info, err := r.info(ctx, name)
	if err != nil {
		return err
	}
	s, err := r.readState(ctx, name)
	if errors.Is(err, holdfast.ErrDamaged) {
		s, err = &state{Format: holdfast.FormatVersion, Backup: name, Pinned: true}, nil
	}
	if err != nil {
		return err
	}
	change(s)
	if info.Metadata != nil && info.Metadata.Encrypted {
		for i, p := range s.Proofs { // the state lies in the open
			s.Proofs[i].Problems = clearProblems(p.Problems)
			s.Proofs[i].Compared = clearCompared(p.Compared)
		}
	}
	s.Checksum = ""
	data, err := seal(s)
	if err == nil {
		err = r.b.Put(ctx, stateKey(name), data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: stateKey(name), Err: err}
	}
	return nil
}

// SetPinned keeps a backup from pruning, or no longer.
func (r *Repository) SetPinned(ctx context.Context, name holdfast.BackupName, pinned bool) error {
	return r.changeState(ctx, name, func(s *state) { s.Pinned = pinned })
}

// AddProof records a proof beside the backup.
func (r *Repository) AddProof(ctx context.Context, name holdfast.BackupName, p holdfast.Proof) error {
	return r.changeState(ctx, name, func(s *state) {
		if n := len(s.Proofs); n > 0 && p.OK && p.Kind == holdfast.ProofStored && s.Proofs[n-1].OK && s.Proofs[n-1].Kind == p.Kind {
			s.Proofs = s.Proofs[:n-1] // the same again must not push real proofs out
		}
		s.Proofs = append(s.Proofs, p)
		s.Proofs = bounded(s.Proofs)
	})
}

// bounded leaves out the oldest proofs that are too many, but never the newest of
// a kind: a drill must not be forgotten for the verifications that followed it.
func bounded(proofs []holdfast.Proof) []holdfast.Proof {
	excess := len(proofs) - maxProofs
	if excess <= 0 {
		return proofs
	}
	newest := map[holdfast.ProofKind]int{}
	for i, p := range proofs {
		newest[p.Kind] = i
	}
	kept := make([]holdfast.Proof, 0, maxProofs)
	for i, p := range proofs {
		if excess > 0 && newest[p.Kind] != i {
			excess--
			continue
		}
		kept = append(kept, p)
	}
	return kept
}
