package chroma

import "time"

// KeepWritersOut makes every capture take its last resort at once.
func (s *Source) KeepWritersOut() { s.pace.rounds = 0 }

// Impatient makes a capture give up on a restless directory soon.
func (s *Source) Impatient() {
	s.pace.rounds, s.pace.patience, s.pace.exclusive = 2, 50*time.Millisecond, 100*time.Millisecond
}
