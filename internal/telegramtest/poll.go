package telegramtest

import (
	"slices"
	"time"
)

// A poller is a getUpdates that waits.
type poller struct {
	ended   chan struct{} // closed when another request ends it
	because *refusal
}

// What a request for updates gets at most.
const (
	mostUpdates  = 100
	mostPollTime = 50 * time.Second
)

// getUpdates implements the method: it waits for updates, and ends whoever
// waits already.
func getUpdates(c *call) (any, error) {
	s := c.s
	p, limit, err := c.beginPoll()
	if err != nil {
		return nil, err
	}
	timeout := min(time.Duration(c.number("timeout", 0))*time.Second, mostPollTime)
	late := time.NewTimer(max(0, timeout))
	defer late.Stop()
	defer s.endPoll(p)
	for {
		changed := s.watch()
		if found := s.waiting(limit); len(found) > 0 {
			return found, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return []update{}, nil
		case <-p.ended:
			return nil, p.because
		case <-c.ctx.Done():
			return []update{}, nil
		}
	}
}

// beginPoll takes the place of the one reader, and forgets what it has read.
func (c *call) beginPoll() (*poller, int, error) {
	var allowed []string
	given, err := c.object("allowed_updates", &allowed)
	if err != nil {
		return nil, 0, err
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Hook != nil {
		return nil, 0, conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
	}
	s.endOther(conflict("terminated by other getUpdates request; make sure that only one bot instance is running"))
	s.poller = &poller{ended: make(chan struct{})}
	s.polls++
	if given {
		s.allow(allowed)
	}
	offset := c.number("offset", 0)
	if offset < 0 {
		offset = s.state.Updates.fromEnd(int(-offset))
	}
	s.forget(offset)
	s.touch()
	limit := int(c.number("limit", mostUpdates))
	if limit < 1 || limit > mostUpdates {
		limit = mostUpdates
	}
	return s.poller, limit, nil
}

// Polls tells how often the bot has asked for updates.
func (s *Server) Polls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls
}

// allow remembers which kinds of updates the bot wants; an empty list is the
// usual ones.
func (s *Server) allow(kinds []string) {
	s.state.Allowed = nil
	if len(kinds) > 0 {
		s.state.Allowed = slices.Clone(kinds)
	}
}

// endOther ends whoever waits for updates. The lock is held.
func (s *Server) endOther(because *refusal) {
	if s.poller != nil {
		s.poller.because = because
		close(s.poller.ended)
		s.poller = nil
	}
}

func (s *Server) endPoll(p *poller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poller == p {
		s.poller = nil
	}
}

func (s *Server) waiting(limit int) []update {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(0)
	return s.state.Updates.first(limit)
}
