package telegramtest

import (
	"fmt"
	"strings"
	"time"
)

// Until waits until cond is true; it is asked again after each change. A test
// that waits in vain ends with what, so Until belongs into its goroutine.
func (s *Server) Until(what string, cond func() bool) bool {
	if s.t != nil {
		s.t.Helper()
	}
	late := time.NewTimer(s.o.Patience)
	defer late.Stop()
	for {
		changed := s.watch()
		if cond() {
			return true
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return false
		case <-late.C:
			s.wrong(fmt.Errorf("waited in vain for %s\n%s", what, s.transcript()))
			if s.t != nil {
				s.t.FailNow()
			}
			return false
		}
	}
}

// Await waits until a message of the chat matches, and gives the newest that
// does. A test that waits in vain ends with what and all that is in the chats.
func (s *Server) Await(chat int64, what string, match func(Message) bool) Message {
	if s.t != nil {
		s.t.Helper()
	}
	var found Message
	s.Until(what, func() bool {
		all := s.Chat(chat).Messages()
		for i := len(all) - 1; i >= 0; i-- {
			if match(all[i]) {
				found = all[i]
				return true
			}
		}
		return false
	})
	return found
}

// AwaitText waits for a message of the bot whose text or caption has the part.
func (s *Server) AwaitText(chat int64, part string) Message {
	if s.t != nil {
		s.t.Helper()
	}
	return s.Await(chat, fmt.Sprintf("a message of the bot with %q", part), func(m Message) bool {
		return m.FromBot() && strings.Contains(m.Text+m.Caption, part)
	})
}

// watch gives a channel that is closed at the next change.
func (s *Server) watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// transcript is the end of every chat, for the message of a failed wait.
func (s *Server) transcript() string {
	const most = 12 // messages of each chat
	var b strings.Builder
	for _, c := range s.Chats() {
		fmt.Fprintf(&b, "chat %d:\n", c.ID)
		all := c.Messages()
		for _, m := range all[max(0, len(all)-most):] {
			fmt.Fprintf(&b, "  %s\n", m)
		}
	}
	return b.String()
}
