package panel

import "sync"

// mostSeen is how many presses are remembered.
const mostSeen = 256

// seen knows the presses that came last: Telegram may send one twice.
type seen struct {
	mu   sync.Mutex
	ids  map[string]bool
	ring []string
	at   int
}

// again tells whether a press has come before.
func (s *seen) again(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids, s.ring = map[string]bool{}, make([]string, mostSeen)
	}
	if s.ids[id] {
		return true
	}
	delete(s.ids, s.ring[s.at])
	s.ids[id], s.ring[s.at] = true, id
	s.at = (s.at + 1) % mostSeen
	return false
}
