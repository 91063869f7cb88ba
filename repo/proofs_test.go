package repo

import (
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// proofsOf adds proofs to a new backup and gives what is known of it then.
func proofsOf(t *testing.T, proofs ...holdfast.Proof) Info {
	t.Helper()
	r, _ := newRepo(t)
	commit(t, create(t, r, "monday", CreateOptions{}))
	for i, p := range proofs {
		p.DurationMS = int64(i)
		if err := r.AddProof(t.Context(), "monday", p); err != nil {
			t.Fatal(err)
		}
	}
	info, err := r.Stat(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestInfo_DrilledOutlivesVerifications(t *testing.T) {
	proofs := []holdfast.Proof{{Kind: holdfast.ProofDrill, OK: true, RestoreMS: 7}}
	for range 3 * maxProofs {
		proofs = append(proofs, holdfast.Proof{Kind: holdfast.ProofVerify, OK: true})
	}
	info := proofsOf(t, proofs...)
	if len(info.Proofs) != maxProofs {
		t.Errorf("%d proofs are kept, want %d", len(info.Proofs), maxProofs)
	}
	if d, held := info.Drilled(); !held || d.RestoreMS != 7 {
		t.Errorf("the drill is lost: %+v, %v", d, held)
	}
	if p, ok := info.Proven(); !ok || p.Kind != holdfast.ProofVerify || p.DurationMS != int64(3*maxProofs) {
		t.Errorf("proven by %+v, %v, want the newest verification", p, ok)
	}
}

func TestInfo_OnlyADrillTakesBackWhatADrillTold(t *testing.T) {
	bad, good := holdfast.Proof{Kind: holdfast.ProofDrill}, holdfast.Proof{Kind: holdfast.ProofDrill, OK: true}
	verified, unverified := holdfast.Proof{Kind: holdfast.ProofVerify, OK: true}, holdfast.Proof{Kind: holdfast.ProofVerify}
	for name, c := range map[string]struct {
		proofs    []holdfast.Proof
		disproven bool
	}{
		"a verification after a bad drill":  {[]holdfast.Proof{verified, bad, verified}, true},
		"a good drill after a bad one":      {[]holdfast.Proof{bad, verified, good}, false},
		"a bad verification after a drill":  {[]holdfast.Proof{good, unverified}, true},
		"a good one after that":             {[]holdfast.Proof{good, unverified, verified}, false},
		"a bad drill after a verification":  {[]holdfast.Proof{verified, bad}, true},
		"a verification after a good drill": {[]holdfast.Proof{good, verified}, false},
	} {
		t.Run(name, func(t *testing.T) {
			info := proofsOf(t, c.proofs...)
			if _, proven := info.Proven(); info.Disproven() != c.disproven || proven == c.disproven {
				t.Errorf("disproven: %v, proven: %v, want disproven: %v", info.Disproven(), proven, c.disproven)
			}
		})
	}
}
