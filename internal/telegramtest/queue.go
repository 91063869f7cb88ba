package telegramtest

import "time"

// updateLife is how long an update waits for a reader.
const updateLife = 24 * time.Hour

// queued is an update with the time at which it came.
type queued struct {
	Update update
	At     int64
}

// A queue is the updates that wait, the oldest first.
type queue []queued

// first gives up to n updates.
func (q queue) first(n int) []update {
	n = min(n, len(q))
	out := make([]update, 0, n)
	for _, u := range q[:n] {
		out = append(out, u.Update)
	}
	return out
}

// fromEnd gives the id with which the last n begin.
func (q queue) fromEnd(n int) int64 {
	if len(q) == 0 {
		return 0
	}
	return q[max(0, len(q)-n)].Update.ID
}
