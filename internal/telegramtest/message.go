package telegramtest

import (
	"fmt"
	"strings"
)

// A Message is a message as the Bot API tells it, and in the fields that are
// not told, as people see it.
type Message struct {
	ID              int       `json:"message_id"`
	From            *Account  `json:"from,omitempty"`
	SenderChat      *ChatRef  `json:"sender_chat,omitempty"`
	Date            int64     `json:"date"`
	Chat            ChatRef   `json:"chat"`
	ForwardOrigin   *Origin   `json:"forward_origin,omitempty"`
	ReplyTo         *Message  `json:"reply_to_message,omitempty"`
	EditDate        int64     `json:"edit_date,omitempty"`
	Text            string    `json:"text,omitempty"`
	Entities        []Entity  `json:"entities,omitempty"`
	LinkPreview     *Preview  `json:"link_preview_options,omitempty"`
	Document        *Document `json:"document,omitempty"`
	Caption         string    `json:"caption,omitempty"`
	CaptionEntities []Entity  `json:"caption_entities,omitempty"`
	PinnedMessage   *Message  `json:"pinned_message,omitempty"`
	MigrateTo       int64     `json:"migrate_to_chat_id,omitempty"`
	MigrateFrom     int64     `json:"migrate_from_chat_id,omitempty"`
	Protected       bool      `json:"has_protected_content,omitempty"`
	Keyboard        *Keyboard `json:"reply_markup,omitempty"`

	Edits      int    `json:"-"` // how often it was edited
	ForceReply bool   `json:"-"` // asks the person to reply
	Hint       string `json:"-"` // in the field of the reply asked for
	Silent     bool   `json:"-"` // came without a sound
	Pinned     bool   `json:"-"`
}

// An Origin tells where a forwarded message is from.
type Origin struct {
	Type       string   `json:"type"`
	Date       int64    `json:"date"`
	SenderUser *Account `json:"sender_user,omitempty"`
	SenderChat *ChatRef `json:"sender_chat,omitempty"`
	Chat       *ChatRef `json:"chat,omitempty"`
	MessageID  int      `json:"message_id,omitempty"`
}

// A Preview is how links of a message are shown.
type Preview struct {
	IsDisabled bool `json:"is_disabled,omitempty"`
}

// kept is a message in a chat, with what only the Server knows of it.
type kept struct {
	Message    Message
	Edits      int
	ForceReply bool
	Hint       string
	Silent     bool
	PinnedAt   int64 // 0: not pinned
	ByBot      bool
}

// view is the message as people see it.
func (k *kept) view() Message {
	m := k.Message
	m.Edits, m.ForceReply, m.Hint, m.Silent, m.Pinned = k.Edits, k.ForceReply, k.Hint, k.Silent, k.PinnedAt != 0
	return m
}

// quoted is the message as another one tells it: without what it replies to.
func (k *kept) quoted() *Message {
	m := k.Message
	m.ReplyTo = nil
	return &m
}

// origin tells the message's origin when it is forwarded.
func (m *Message) origin() *Origin {
	switch {
	case m.ForwardOrigin != nil:
		return m.ForwardOrigin
	case m.Chat.Type == Channel:
		ref := m.Chat
		return &Origin{Type: "channel", Date: m.Date, Chat: &ref, MessageID: m.ID}
	default:
		return &Origin{Type: "user", Date: m.Date, SenderUser: m.From}
	}
}

// FromBot tells whether the bot wrote it.
func (m Message) FromBot() bool {
	return m.From != nil && m.From.IsBot || m.From == nil && m.SenderChat != nil
}

// service tells whether nobody wrote it.
func (m *Message) service() bool {
	return m.PinnedMessage != nil || m.MigrateTo != 0 || m.MigrateFrom != 0
}

// Button gives the button with the text.
func (m Message) Button(text string) (Button, bool) {
	if m.Keyboard == nil {
		return Button{}, false
	}
	for _, row := range m.Keyboard.Rows {
		for _, b := range row {
			if b.Text == text {
				return b, true
			}
		}
	}
	return Button{}, false
}

// Buttons are the texts of the buttons, row by row.
func (m Message) Buttons() [][]string {
	if m.Keyboard == nil {
		return nil
	}
	var rows [][]string
	for _, row := range m.Keyboard.Rows {
		var texts []string
		for _, b := range row {
			texts = append(texts, b.Text)
		}
		rows = append(rows, texts)
	}
	return rows
}

// HTML is the text or caption with its entities as the markup of the Bot API.
func (m Message) HTML() string {
	if m.Document != nil {
		return Markup(m.Caption, m.CaptionEntities)
	}
	return Markup(m.Text, m.Entities)
}

// String tells the message in a line.
func (m Message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", m.ID)
	if m.From != nil {
		fmt.Fprintf(&b, " %s", m.From.FirstName)
	}
	fmt.Fprintf(&b, ": %q", m.Text+m.Caption)
	if m.Document != nil {
		fmt.Fprintf(&b, " [%s, %d bytes]", m.Document.FileName, m.Document.FileSize)
	}
	for _, row := range m.Buttons() {
		fmt.Fprintf(&b, " %q", row)
	}
	if m.Edits > 0 {
		fmt.Fprintf(&b, " (edited %d times)", m.Edits)
	}
	return b.String()
}

// add puts a message into a chat and gives it its id and date.
func (s *Server) add(r *room, m Message) *kept {
	m.Chat, m.Date = r.Ref, s.now()
	switch r.Ref.Type {
	case Supergroup, Channel:
		r.Last++
		m.ID = r.Last
	default:
		s.state.LastMessage++
		m.ID = s.state.LastMessage
	}
	k := &kept{Message: m}
	r.Messages = append(r.Messages, k)
	return k
}
