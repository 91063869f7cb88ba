package telegramtest

import "time"

// What Telegram takes: about a message a second in a chat with some leeway,
// 20 a minute in a group, 30 a second in all.
const (
	burst        = 4
	perGroup     = 20
	perGroupTime = time.Minute
	perSecond    = 30
)

// A pace is what was sent of late.
type pace struct {
	all   window
	chats map[int64]*window
}

// A window is the times of what was sent, the oldest first.
type window []time.Time

// paced refuses what comes faster than Telegram takes it, if it is asked to.
func (s *Server) paced(r *room) error {
	if !s.o.Paced {
		return nil
	}
	now := s.o.Now()
	w := s.pace.chats[r.Ref.ID]
	if w == nil {
		w = &window{}
		s.pace.chats[r.Ref.ID] = w
	}
	n, span := burst, burst*time.Second
	if r.Ref.Type != Private {
		n, span = perGroup, perGroupTime
	}
	if wait := w.wait(now, n, span); wait > 0 {
		return tooMany(wait)
	}
	if wait := s.pace.all.wait(now, perSecond, time.Second); wait > 0 {
		return tooMany(wait)
	}
	*w = append(*w, now)
	s.pace.all = append(s.pace.all, now)
	return nil
}

// wait gives the seconds until another one fits; 0 for at once.
func (w *window) wait(now time.Time, n int, span time.Duration) int {
	for len(*w) > 0 && now.Sub((*w)[0]) >= span {
		*w = (*w)[1:]
	}
	if len(*w) < n {
		return 0
	}
	left := span - now.Sub((*w)[0])
	return int((left + time.Second - 1) / time.Second)
}
