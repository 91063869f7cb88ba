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
	disks     map[uint64]bool // looked at, whether they show every write
	seen      bool
	unsettled bool
}

// NewSight begins to look: nothing may be looked at before.
func NewSight() *Sight { return &Sight{now: Clock(), disks: map[uint64]bool{}} }

const (
	// flight is how long a write may be under way: it takes its time when it
	// begins. It is also far longer than the steps in which files count time.
	flight = time.Second
	// coarse is flight where only whole or even seconds are counted.
	coarse = flight + 2*time.Second
)

// On tells where what has this state lies. On a file system that does not show
// every write call at once (of another machine, FUSE) nothing ever settles.
func (s *Sight) On(path string, st State) {
	shows, known := s.disks[st.Dev]
	if !known {
		shows = showsCalls(path)
		s.disks[st.Dev] = shows
	}
	if !shows {
		s.Doubt()
	}
}

// Doubt tells that not everything was looked at: nothing is settled.
func (s *Sight) Doubt() { s.unsettled = true }

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
		s.Doubt()
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
