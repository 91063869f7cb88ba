package details

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
	"github.com/holdfast-backup/holdfast/repo"
)

// A Judgement tells whether a backup can be relied on.
type Judgement string

// The judgements, the worst first.
const (
	Unreadable Judgement = "unreadable" // it does not even tell what is in it
	Disproven  Judgement = "disproven"  // the last proof that tells anything failed
	Harmed     Judgement = "harmed"     // the data was damaged already when it was captured
	Lacking    Judgement = "lacking"    // something could not be captured
	Sealed     Judgement = "sealed"     // encrypted, and there is no key
	Unproven   Judgement = "unproven"   // nobody has looked yet
	Stored     Judgement = "stored"     // its stored bytes are in order, nothing was opened
	Verified   Judgement = "verified"   // every byte is in order
	Drilled    Judgement = "drilled"    // it was restored for real
)

// Judge tells whether the backup can be relied on.
func Judge(m Model) Judgement {
	if !m.Readable() {
		return Unreadable
	}
	_, disproven := disproof(m.Show.Proofs)
	switch {
	case disproven:
		return Disproven
	case m.Show.Metadata.SourceDamaged():
		return Harmed
	case lacks(m.Show.Metadata.Problems):
		return Lacking
	case m.Show.Private && m.Show.Backup.Proven == nil:
		return Sealed
	}
	switch best(standing(m.Show.Proofs)) {
	case holdfast.ProofDrill:
		return Drilled
	case holdfast.ProofVerify:
		return Verified
	case holdfast.ProofStored:
		return Stored
	}
	return Unproven
}

// disproof is the proof that failed and that nothing has taken back since: a verification
// does not take back what a drill has found.
func disproof(proofs []holdfast.Proof) (failed holdfast.Proof, ok bool) {
	if !(repo.Info{Proofs: proofs}).Disproven() {
		return failed, false
	}
	return proofs[lastFailure(proofs)], true
}

// standing are the proofs since the last one that failed: what was proven before tells
// nothing any more.
func standing(proofs []holdfast.Proof) []holdfast.Proof {
	return proofs[lastFailure(proofs)+1:]
}

// lastFailure is where the newest proof that failed stands; -1 if none did.
func lastFailure(proofs []holdfast.Proof) int {
	for i, p := range slices.Backward(proofs) {
		if !p.OK {
			return i
		}
	}
	return -1
}

// best is the strongest proof that it passed; empty: none.
func best(proofs []holdfast.Proof) (kind holdfast.ProofKind) {
	rank := map[holdfast.ProofKind]int{holdfast.ProofStored: 1, holdfast.ProofVerify: 2, holdfast.ProofDrill: 3}
	for _, p := range proofs {
		if p.OK && rank[p.Kind] > rank[kind] {
			kind = p.Kind
		}
	}
	return kind
}

// when is the last proof of a kind that it passed.
func when(proofs []holdfast.Proof, kind holdfast.ProofKind) (at holdfast.Time) {
	for _, p := range proofs {
		if p.OK && p.Kind == kind && p.At.After(at.Time) {
			at = p.At
		}
	}
	return at
}

func lacks(problems []holdfast.Problem) bool {
	for _, p := range problems {
		if p.Severity == holdfast.Incomplete {
			return true
		}
	}
	return false
}

// tones are the colours of the judgements.
var tones = map[Judgement]ui.Tone{
	Unreadable: ui.Bad, Disproven: ui.Bad, Harmed: ui.Bad, Lacking: ui.Warn, Sealed: ui.Calm,
	Unproven: ui.Calm, Stored: ui.Good, Verified: ui.Good, Drilled: ui.Good,
}
