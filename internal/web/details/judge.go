package details

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Judgement tells whether a backup can be relied on.
type Judgement string

// The judgements, the worst first.
const (
	Unreadable Judgement = "unreadable" // it does not even tell what is in it
	Disproven  Judgement = "disproven"  // the last time it was read, it was damaged
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
	latest, ok := latestProof(m.Show.Proofs)
	switch {
	case ok && !latest.OK:
		return Disproven
	case m.Show.Metadata.SourceDamaged():
		return Harmed
	case lacks(m.Show.Metadata.Problems):
		return Lacking
	case m.Show.Private && m.Show.Backup.Proven == nil:
		return Sealed
	}
	switch best(m.Show.Proofs) {
	case holdfast.ProofDrill:
		return Drilled
	case holdfast.ProofVerify:
		return Verified
	case holdfast.ProofStored:
		return Stored
	}
	return Unproven
}

// latestProof is the last time that somebody looked.
func latestProof(proofs []holdfast.Proof) (latest holdfast.Proof, ok bool) {
	for _, p := range proofs {
		if !ok || p.At.After(latest.At.Time) {
			latest, ok = p, true
		}
	}
	return latest, ok
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
