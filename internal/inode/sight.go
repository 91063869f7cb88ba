package inode

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// A Sight sums up the states of many files, seen without opening any, in the
// space of one. The order in which they are added does not count.
type Sight struct {
	now       time.Time
	sum       [sha256.Size]byte
	seen      bool
	unsettled bool
}

// NewSight begins to look: nothing may be looked at before.
func NewSight() *Sight { return &Sight{now: Clock()} }

const (
	// flight is how long a write may be under way: it takes its time when it
	// begins. It is also far longer than the steps in which files count time.
	flight = time.Second
	// coarse is flight where only whole or even seconds are counted.
	coarse = flight + 2*time.Second
)

// Add takes in the state of the file of this name, and more that is known of it.
// Each name is added once.
func (s *Sight) Add(name string, st State, more string) {
	sum := sha256.Sum256([]byte(name + "\x00" + st.String() + "\x00" + more))
	for i := range sum {
		s.sum[i] ^= sum[i]
	}
	s.seen = true
	age := flight
	if st.Changed().Nanosecond() == 0 {
		age = coarse
	}
	if !st.Rested(s.now, age) {
		s.unsettled = true
	}
}

// State names what was seen: the same files in the same states have the same
// name. It is empty if nothing was.
func (s *Sight) State() string {
	if !s.seen {
		return ""
	}
	return hex.EncodeToString(s.sum[:16])
}

// Settled tells whether every later change of what was seen would show in it.
func (s *Sight) Settled() bool { return !s.unsettled }
