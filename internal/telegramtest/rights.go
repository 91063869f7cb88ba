package telegramtest

import (
	"strings"
)

// Standings of the bot in a chat, in the words of the Bot API.
const (
	member        = "member"
	administrator = "administrator"
	creator       = "creator"
	left          = "left"
	kicked        = "kicked"
)

// An access is what the bot wants to do in a chat.
type access int

const (
	reading access = iota
	editing
	writing
)

// Rights are those of an administrator that matter for messages.
type Rights struct {
	CanPostMessages    bool `json:"can_post_messages,omitempty"`    // channels
	CanEditMessages    bool `json:"can_edit_messages,omitempty"`    // channels
	CanDeleteMessages  bool `json:"can_delete_messages,omitempty"`  // groups and channels
	CanPinMessages     bool `json:"can_pin_messages,omitempty"`     // groups
	CanRestrictMembers bool `json:"can_restrict_members,omitempty"` // supergroups
}

// room finds the chat of a parameter and checks that the bot may do there what
// it wants.
func (c *call) room(name string, want access) (*room, error) {
	text := strings.TrimSpace(c.text(name))
	if text == "" {
		return nil, badRequest("%s is empty", name)
	}
	r := c.lookup(name, text)
	if r == nil {
		return nil, errChatNotFound
	}
	if err := c.s.admits(r, want); err != nil {
		return nil, err
	}
	return r, nil
}

// admits tells what keeps the bot from doing what it wants.
func (s *Server) admits(r *room, want access) error {
	private := r.Ref.Type == Private
	basic := private || r.Ref.Type == Group // can be read by whoever was there once
	switch {
	case private && want != reading && s.state.Users[r.Ref.ID] != nil && s.state.Users[r.Ref.ID].Blocked:
		return forbidden("bot was blocked by the user")
	case r.MigratedTo != 0 && want == writing:
		err := badRequest("group chat was upgraded to a supergroup chat")
		err.MigrateTo = r.MigratedTo
		return err
	case r.Standing == kicked && (want != reading || !basic):
		return forbidden("bot was kicked from the %s chat", r.Ref.Type)
	case r.Standing == left && (want != reading || !basic && r.Ref.Username == ""):
		return forbidden("bot is not a member of the %s chat", r.Ref.Type)
	case r.Ref.Type == Channel && want == writing && (r.Standing != administrator || !r.Rights.CanPostMessages):
		return badRequest("need administrator rights in the channel chat")
	}
	return nil
}

func (c *call) lookup(name, text string) *room {
	if username, ok := strings.CutPrefix(text, "@"); ok {
		for _, r := range c.s.state.Chats {
			if r.Ref.Type != Private && strings.EqualFold(r.Ref.Username, username) {
				return r
			}
		}
		return nil
	}
	return c.s.state.Chats[c.number(name, 0)]
}

// mine tells whether the bot wrote a message.
func (s *Server) mine(k *kept) bool {
	return k.Message.From != nil && k.Message.From.ID == s.state.Bot.ID || k.ByBot
}

// mayPin tells whether the bot may pin in a chat.
func (r *room) mayPin() bool {
	switch r.Ref.Type {
	case Private:
		return true
	case Channel:
		return r.Standing == administrator && r.Rights.CanEditMessages
	}
	return r.Standing == administrator && r.Rights.CanPinMessages
}
