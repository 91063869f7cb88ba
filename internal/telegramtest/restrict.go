package telegramtest

import (
	"fmt"
	"time"
)

// restricted is the standing of a member who may do less than the others.
const restricted = "restricted"

// For how long somebody can be restricted: outside of it is for ever.
const (
	shortestRestriction = 30 * time.Second
	longestRestriction  = 366 * 24 * time.Hour
)

// A restriction keeps a member from writing.
type restriction struct {
	Until int64 // 0: for ever
}

// silent is the restriction of a member that holds now; nil: there is none.
func (s *Server) silent(r *room, id int64) *restriction {
	x := r.Restricted[id]
	if x != nil && x.Until != 0 && x.Until <= s.now() {
		return nil
	}
	return x
}

// restrictChatMember implements the method, as far as it is about writing messages.
func restrictChatMember(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", writing)
	if err != nil {
		return nil, err
	}
	id := c.number("user_id", 0)
	var may struct {
		SendMessages bool `json:"can_send_messages"`
	}
	given, err := c.object("permissions", &may)
	switch {
	case err != nil:
		return nil, err
	case !given:
		return nil, badRequest("parameter \"permissions\" is required")
	case r.Ref.Type != Supergroup:
		return nil, badRequest("method is available only for supergroups")
	case id == c.s.state.Bot.ID:
		return nil, badRequest("can't restrict self")
	case c.s.state.Users[id] == nil:
		return nil, badRequest("invalid user_id specified")
	case r.Members[id] == creator:
		return nil, badRequest("can't remove chat owner")
	case r.Members[id] == administrator:
		return nil, badRequest("user is an administrator of the chat")
	case r.Standing != administrator || !r.Rights.CanRestrictMembers:
		return nil, badRequest("not enough rights to restrict/unrestrict chat member")
	}
	if may.SendMessages {
		delete(r.Restricted, id)
	} else {
		if r.Restricted == nil {
			r.Restricted = map[int64]*restriction{}
		}
		until := c.number("until_date", 0)
		if left := time.Duration(until-c.s.now()) * time.Second; left < shortestRestriction || left > longestRestriction {
			until = 0
		}
		r.Restricted[id] = &restriction{Until: until}
	}
	c.s.touch()
	return true, nil
}

// errSilent is why a person could not write.
func (s *Server) errSilent(p *person, r *room) error {
	if s.silent(r, p.ID) == nil {
		return nil
	}
	return fmt.Errorf("%s may not write into %s", p.FirstName, r.Ref.Title)
}

// Restricted tells whether a person may not write into the chat.
func (c Chat) Restricted(u *User) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r := c.s.state.Chats[c.ID]
	return r != nil && c.s.silent(r, u.ID) != nil
}
