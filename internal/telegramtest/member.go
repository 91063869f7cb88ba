package telegramtest

// A standing is what a user is in a chat, as the Bot API tells it.
type standing struct {
	User   Account `json:"user"`
	Status string  `json:"status"`
	Rights
}

// A change tells the bot that it is something else in a chat.
type change struct {
	Chat ChatRef  `json:"chat"`
	From Account  `json:"from"`
	Date int64    `json:"date"`
	Old  standing `json:"old_chat_member"`
	New  standing `json:"new_chat_member"`
}

// block blocks the bot or lets it in again, and tells it so.
func (s *Server) block(p *person, blocked bool) {
	if p.Blocked == blocked {
		return
	}
	p.Blocked = blocked
	was, is := member, kicked
	if !blocked {
		was, is = kicked, member
	}
	r := s.state.Chats[p.ID]
	if r == nil {
		return
	}
	s.push("my_chat_member", update{MyChatMember: &change{
		Chat: r.Ref, From: p.Account, Date: s.now(),
		Old: standing{User: s.state.Bot, Status: was}, New: standing{User: s.state.Bot, Status: is},
	}})
}

// getChatMember implements the method.
func getChatMember(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", reading)
	if err != nil {
		return nil, err
	}
	id := c.number("user_id", 0)
	if id == c.s.state.Bot.ID {
		return c.s.own(r), nil
	}
	p := c.s.state.Users[id]
	if p == nil {
		return nil, badRequest("invalid user_id specified")
	}
	if x := c.s.silent(r, id); x != nil {
		return struct {
			standing
			IsMember bool  `json:"is_member"`
			Until    int64 `json:"until_date"`
		}{standing{User: p.Account, Status: restricted}, true, x.Until}, nil
	}
	status := r.Members[id]
	switch {
	case status != "":
	case r.Ref.Type == Private && r.Ref.ID == id:
		status = member
	default:
		status = left
	}
	return standing{User: p.Account, Status: status}, nil
}

// own is the standing of the bot.
func (s *Server) own(r *room) standing {
	out := standing{User: s.state.Bot, Status: r.Standing, Rights: r.Rights}
	if out.Status == "" {
		out.Status = member
	}
	return out
}

// getChatAdministrators implements the method.
func getChatAdministrators(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", reading)
	if err != nil {
		return nil, err
	}
	if r.Ref.Type == Private {
		return nil, badRequest("there are no administrators in the private chat")
	}
	all := []standing{}
	for id, status := range r.Members {
		if p := c.s.state.Users[id]; p != nil && (status == creator || status == administrator) {
			all = append(all, standing{User: p.Account, Status: status})
		}
	}
	if r.Standing == administrator {
		all = append(all, c.s.own(r))
	}
	return all, nil
}
