package alarm

import (
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Proofs tells which backups did not stand their last proof, with why, and when a drill
// was last held.
func Proofs(infos []repo.Info) (disproven map[holdfast.BackupName]string, drilled time.Time) {
	disproven = map[holdfast.BackupName]string{}
	for _, i := range infos {
		if i.Disproven() {
			disproven[i.Name] = why(i)
		}
		for _, p := range i.Proofs {
			if p.Kind == holdfast.ProofDrill && p.At.After(drilled) {
				drilled = p.At.Time
			}
		}
	}
	return disproven, drilled
}

// why says what the newest proof found that failed.
func why(i repo.Info) string {
	for n := len(i.Proofs) - 1; n >= 0; n-- {
		p := i.Proofs[n]
		if p.OK || len(p.Problems) == 0 {
			continue
		}
		words := p.Problems[0].Message
		if p.Problems[0].Object != "" {
			words = p.Problems[0].Object + ": " + words
		}
		if more := len(p.Problems) - 1; more > 0 {
			words += fmt.Sprintf(" (and %d more)", more)
		}
		return words
	}
	return "it failed its last check"
}
