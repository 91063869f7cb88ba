package telegramtest

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Most UTF-16 units after the entities were parsed.
const (
	mostText    = 4096
	mostCaption = 1024
)

// getMe implements the method.
func getMe(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return struct {
		Account
		CanJoinGroups   bool `json:"can_join_groups"`
		ReadsAll        bool `json:"can_read_all_group_messages"`
		SupportsInline  bool `json:"supports_inline_queries"`
		CanConnect      bool `json:"can_connect_to_business"`
		HasMainWebApp   bool `json:"has_main_web_app"`
		HasTopicsOn     bool `json:"has_topics_enabled"`
		AllowsNewTopics bool `json:"allows_users_to_create_topics"`
	}{Account: c.s.state.Bot, CanJoinGroups: true}, nil
}

// formatted gives a text parameter with its entities.
func (c *call) formatted(name, entities string) (string, []Entity, error) {
	text := c.text(name)
	if !utf8.ValidString(text) {
		return "", nil, badRequest("strings must be encoded in UTF-8")
	}
	switch mode := c.text("parse_mode"); strings.ToLower(mode) {
	case "html":
		text, parsed, err := Parse(text)
		if err != nil {
			return "", nil, badRequest("can't parse entities: %v", err)
		}
		text, parsed = trim(text, parsed)
		return text, detect(text, parsed), nil
	case "":
	case "markdown", "markdownv2":
		return "", nil, badRequest("the double has no parse mode %s: it knows HTML", mode)
	default:
		return "", nil, badRequest("unsupported parse_mode")
	}
	var given []Entity
	if _, err := c.object(entities, &given); err != nil {
		return "", nil, err
	}
	text, given = trim(text, given)
	return text, detect(text, given), nil
}

// sendMessage implements the method.
func sendMessage(c *call) (any, error) {
	text, entities, err := c.formatted("text", "entities")
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return nil, badRequest("message text is empty")
	case units(text) > mostText:
		return nil, badRequest("message is too long")
	}
	return c.sent(Message{Text: text, Entities: entities})
}

// sent sends a message, as the result of a method.
func (c *call) sent(m Message) (any, error) {
	out, err := c.send(m)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// send puts a message of the bot into a chat.
func (c *call) send(m Message) (*Message, error) {
	markup, err := c.markup()
	if err != nil {
		return nil, err
	}
	var preview *Preview
	if _, err := c.object("link_preview_options", &preview); err != nil {
		return nil, err
	}
	var to struct {
		MessageID int             `json:"message_id"`
		ChatID    json.RawMessage `json:"chat_id"`
		Anyway    bool            `json:"allow_sending_without_reply"`
	}
	replies, err := c.object("reply_parameters", &to)
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", writing)
	if err != nil {
		return nil, err
	}
	if err := c.s.paced(r); err != nil {
		return nil, err
	}
	if replies && to.MessageID != 0 {
		k := r.find(to.MessageID)
		switch {
		case k != nil:
			m.ReplyTo = k.quoted()
		case !to.Anyway:
			return nil, badRequest("message to be replied not found")
		}
	}
	m.LinkPreview = preview
	m.Protected = c.flag("protect_content")
	if markup.inline != nil {
		m.Keyboard = markup.inline
	}
	k := c.s.addOwn(r, m)
	k.ForceReply, k.Hint = markup.forceReply, markup.hint
	k.Silent = c.flag("disable_notification")
	c.s.touch()
	return new(k.Message), nil
}

// addOwn puts a message of the bot into a chat.
func (s *Server) addOwn(r *room, m Message) *kept {
	if r.Ref.Type == Channel {
		ref := r.Ref
		m.SenderChat = &ref
	} else {
		m.From = new(s.state.Bot)
	}
	k := s.add(r, m)
	k.ByBot = true
	return k
}

// actions are what sendChatAction can show.
var actions = []string{"typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"}

// sendChatAction implements the method.
func sendChatAction(c *call) (any, error) {
	if !slices.Contains(actions, strings.ToLower(c.text("action"))) {
		return nil, badRequest("wrong parameter action in request")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_, err := c.room("chat_id", writing)
	return err == nil, err
}
