package engine

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// What took hours is not thrown away because somebody writes for minutes.
func TestProofWait(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: leastProofWait, time.Second: leastProofWait, 20 * time.Minute: 20 * time.Minute, 9 * time.Hour: mostProofWait,
		-time.Hour: leastProofWait, // the clock was set back
	} {
		if got := proofWait(holdfast.Proof{DurationMS: took.Milliseconds()}); got != want {
			t.Errorf("a proof that took %s waits %s, want %s", took, got, want)
		}
	}
}
