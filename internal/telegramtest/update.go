package telegramtest

import (
	"slices"
	"strings"
	"time"
)

// An update is one thing that happened, until the bot has read it.
type update struct {
	ID                int64     `json:"update_id"`
	Message           *Message  `json:"message,omitempty"`
	EditedMessage     *Message  `json:"edited_message,omitempty"`
	ChannelPost       *Message  `json:"channel_post,omitempty"`
	EditedChannelPost *Message  `json:"edited_channel_post,omitempty"`
	CallbackQuery     *callback `json:"callback_query,omitempty"`
	MyChatMember      *change   `json:"my_chat_member,omitempty"`
}

// push queues an update, if the bot asked for its kind.
func (s *Server) push(kind string, u update) {
	if s.state.Allowed != nil && !slices.Contains(s.state.Allowed, kind) {
		return
	}
	s.state.LastUpdate++
	u.ID = s.state.LastUpdate
	s.state.Updates = append(s.state.Updates, queued{Update: u, At: s.now()})
}

// forget drops the updates before the id, and those that are too old.
func (s *Server) forget(before int64) {
	oldest := s.now() - int64(updateLife/time.Second)
	s.state.Updates = slices.DeleteFunc(s.state.Updates, func(q queued) bool { return q.Update.ID < before || q.At < oldest })
}

// deliver tells the bot of a message that is not its own.
func (s *Server) deliver(r *room, k *kept) {
	if !s.hears(r, k) {
		return
	}
	m := k.Message
	if r.Ref.Type == Channel {
		s.push("channel_post", update{ChannelPost: &m})
		return
	}
	s.push("message", update{Message: &m})
}

// deliverEdit tells the bot of an edit that is not its own.
func (s *Server) deliverEdit(r *room, k *kept) {
	if !s.hears(r, k) {
		return
	}
	m := k.Message
	if r.Ref.Type == Channel {
		s.push("edited_channel_post", update{EditedChannelPost: &m})
		return
	}
	s.push("edited_message", update{EditedMessage: &m})
}

// hears tells whether the bot gets to know of a message: in groups, bots that
// are not administrators hear commands, replies to them and what nobody wrote.
func (s *Server) hears(r *room, k *kept) bool {
	m := &k.Message
	switch r.Ref.Type {
	case Private:
		return true
	case Channel:
		return r.Standing == administrator
	}
	switch {
	case r.Standing == kicked, r.Standing == left:
		return false
	case r.Standing == administrator, m.service(), strings.HasPrefix(m.Text, "/"):
		return true
	case m.ReplyTo != nil && m.ReplyTo.FromBot():
		return true
	}
	return strings.Contains(m.Text, "@"+s.state.Bot.Username)
}
