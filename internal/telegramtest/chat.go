package telegramtest

import (
	"cmp"
	"slices"
)

// The kinds of chats.
const (
	Private    = "private"
	Group      = "group"
	Supergroup = "supergroup"
	Channel    = "channel"
)

// A ChatRef is how a message tells its chat.
type ChatRef struct {
	ID        int64  `json:"id"`
	Type      string `json:"type"`
	Title     string `json:"title,omitempty"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty"`
}

// A room is a chat with everything in it.
type room struct {
	Ref        ChatRef
	Messages   []*kept                // in the order of their ids
	Gone       map[int]bool           // ids that were deleted
	Last       int                    // the last id, where a chat counts by itself
	Standing   string                 // of the bot; empty in private chats
	Rights     Rights                 // of the bot
	Members    map[int64]string       // what people are, where it is known
	Restricted map[int64]*restriction // who may not write
	MigratedTo int64                  // the supergroup that this group became
}

// find gives a message that is not deleted.
func (r *room) find(id int) *kept {
	if i, ok := r.index(id); ok {
		return r.Messages[i]
	}
	return nil
}

func (r *room) index(id int) (int, bool) {
	return slices.BinarySearchFunc(r.Messages, id, func(k *kept, id int) int { return cmp.Compare(k.Message.ID, id) })
}

func (r *room) remove(id int) {
	if i, ok := r.index(id); ok {
		r.Messages = slices.Delete(r.Messages, i, i+1)
		if r.Gone == nil {
			r.Gone = map[int]bool{}
		}
		r.Gone[id] = true
	}
}

// pinned gives the pinned message that was sent last: that is the one that
// getChat shows, whenever it was pinned.
func (r *room) pinned() *kept {
	for _, k := range slices.Backward(r.Messages) {
		if k.PinnedAt != 0 {
			return k
		}
	}
	return nil
}

// A Chat looks into a chat.
type Chat struct {
	ID int64
	s  *Server
}

// Chat gives a view of the chat.
func (s *Server) Chat(id int64) Chat { return Chat{ID: id, s: s} }

// Chats are all chats, by id.
func (s *Server) Chats() []Chat {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Chat
	for id := range s.state.Chats {
		all = append(all, Chat{ID: id, s: s})
	}
	slices.SortFunc(all, func(a, b Chat) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Messages are the messages of the chat, the oldest first.
func (c Chat) Messages() []Message {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r := c.s.state.Chats[c.ID]
	if r == nil {
		return nil
	}
	all := make([]Message, 0, len(r.Messages))
	for _, k := range r.Messages {
		all = append(all, k.view())
	}
	return all
}

// Message gives one message, unless it is deleted.
func (c Chat) Message(id int) (Message, bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if r := c.s.state.Chats[c.ID]; r != nil {
		if k := r.find(id); k != nil {
			return k.view(), true
		}
	}
	return Message{}, false
}

// Last is the newest message; none gives the zero Message.
func (c Chat) Last() Message {
	if all := c.Messages(); len(all) > 0 {
		return all[len(all)-1]
	}
	return Message{}
}

// Pinned is the message that getChat tells as pinned.
func (c Chat) Pinned() (Message, bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if r := c.s.state.Chats[c.ID]; r != nil {
		if k := r.pinned(); k != nil {
			return k.view(), true
		}
	}
	return Message{}, false
}

// Group makes a basic group with the bot as a member. Ids of groups are
// negative.
func (s *Server) Group(id int64, title string) Chat { return s.make(Group, id, title, "", member) }

// Supergroup makes a supergroup with the bot as a member; ids begin with -100.
func (s *Server) Supergroup(id int64, title string) Chat {
	return s.make(Supergroup, id, title, "", member)
}

// Channel makes a channel with the bot as an administrator who may post, edit
// and delete; ids begin with -100.
func (s *Server) Channel(id int64, title, username string) Chat {
	c := s.make(Channel, id, title, username, administrator)
	c.Promote(Rights{CanPostMessages: true, CanEditMessages: true, CanDeleteMessages: true})
	return c
}

func (s *Server) make(kind string, id int64, title, username, standing string) Chat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Chats[id] == nil {
		s.state.Chats[id] = &room{Ref: ChatRef{ID: id, Type: kind, Title: title, Username: username}, Standing: standing}
		s.touch()
	}
	return Chat{ID: id, s: s}
}

// Promote makes the bot an administrator with the rights.
func (c Chat) Promote(r Rights) { c.stand(administrator, r) }

// Demote makes the bot a member without rights.
func (c Chat) Demote() { c.stand(member, Rights{}) }

// Kick removes the bot for good.
func (c Chat) Kick() { c.stand(kicked, Rights{}) }

// Leave makes the bot nobody in the chat.
func (c Chat) Leave() { c.stand(left, Rights{}) }

// Member says what a person is in the chat: creator, administrator, member,
// left, kicked.
func (c Chat) Member(u *User, status string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if r := c.s.state.Chats[c.ID]; r != nil {
		if r.Members == nil {
			r.Members = map[int64]string{}
		}
		r.Members[u.ID] = status
		c.s.touch()
	}
}

func (c Chat) stand(standing string, rights Rights) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if r := c.s.state.Chats[c.ID]; r != nil {
		r.Standing, r.Rights = standing, rights
		c.s.touch()
	}
}

// Migrate turns a basic group into a supergroup with a new id. Sending to the
// old one is refused with the new id from then on.
func (c Chat) Migrate(to int64) Chat {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state.Chats[c.ID]
	if old == nil {
		return Chat{ID: to, s: s}
	}
	next := &room{Ref: old.Ref, Standing: old.Standing, Rights: old.Rights}
	next.Ref.ID, next.Ref.Type = to, Supergroup
	s.state.Chats[to] = next
	old.MigratedTo = to
	s.deliver(old, s.add(old, Message{MigrateTo: to}))
	s.deliver(next, s.add(next, Message{MigrateFrom: c.ID}))
	s.touch()
	return Chat{ID: to, s: s}
}
