package telegramtest

import (
	"encoding/json"
	"reflect"
)

// editable finds the message of a request that the bot wants to edit.
func (c *call) editable() (*room, *kept, error) {
	r, err := c.room("chat_id", editing)
	if err != nil {
		return nil, nil, err
	}
	id := int(c.number("message_id", 0))
	if id <= 0 {
		return nil, nil, badRequest("message identifier is not specified")
	}
	k := r.find(id)
	if k == nil {
		return nil, nil, badRequest("message to edit not found")
	}
	if !c.s.mayEdit(r, k) {
		return nil, nil, badRequest("message can't be edited")
	}
	return r, k, nil
}

// mayEdit: the bot's own messages that are no forwards, and in channels those
// of others where it has the right. Messages with a keyboard to reply with
// cannot be edited, nor what nobody wrote.
func (s *Server) mayEdit(r *room, k *kept) bool {
	if k.Message.service() || k.ForceReply || k.Message.ForwardOrigin != nil {
		return false
	}
	if r.Ref.Type == Channel {
		return r.Standing == administrator && (s.mine(k) && r.Rights.CanPostMessages || r.Rights.CanEditMessages)
	}
	return s.mine(k)
}

// edit changes a message of the bot as change says; keyboards that are not
// given are taken away, as Telegram does.
func (c *call) edit(change func(*Message) error) (any, error) {
	markup, err := c.inlineMarkup()
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, k, err := c.editable()
	if err != nil {
		return nil, err
	}
	next := k.Message
	next.Keyboard = markup
	if err := change(&next); err != nil {
		return nil, err
	}
	if same(&next, &k.Message) {
		return nil, badRequest("message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message")
	}
	if err := c.s.paced(r); err != nil {
		return nil, err
	}
	next.EditDate = c.s.now()
	k.Message = next
	k.Edits++
	c.s.touch()
	return next, nil
}

func same(a, b *Message) bool {
	return a.Text == b.Text && a.Caption == b.Caption && equal(a.Entities, b.Entities) && equal(a.CaptionEntities, b.CaptionEntities) &&
		reflect.DeepEqual(a.Keyboard, b.Keyboard) && reflect.DeepEqual(a.Document, b.Document)
}

func equal(a, b []Entity) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

// editMessageText implements the method.
func editMessageText(c *call) (any, error) {
	text, entities, err := c.formatted("text", "entities")
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return nil, badRequest("message text is empty")
	case units(text) > mostText:
		return nil, badRequest("MESSAGE_TOO_LONG")
	}
	return c.edit(func(m *Message) error {
		if m.Document != nil {
			return badRequest("there is no text in the message to edit")
		}
		m.Text, m.Entities = text, entities
		return nil
	})
}

// editMessageMedia implements the method.
func editMessageMedia(c *call) (any, error) {
	var media struct {
		Type            string          `json:"type"`
		Media           string          `json:"media"`
		Caption         string          `json:"caption"`
		ParseMode       string          `json:"parse_mode"`
		CaptionEntities json.RawMessage `json:"caption_entities"`
	}
	given, err := c.object("media", &media)
	switch {
	case err != nil:
		return nil, err
	case !given:
		return nil, badRequest("input media isn't specified")
	case media.Type != "document":
		return nil, badRequest("the double has documents only, and no %q", media.Type)
	}
	c.params["caption"], c.params["parse_mode"], c.params["caption_entities"] = media.Caption, media.ParseMode, string(media.CaptionEntities)
	caption, entities, err := c.caption()
	if err != nil {
		return nil, err
	}
	doc, err := c.document(media.Media)
	if err != nil {
		return nil, err
	}
	return c.edit(func(m *Message) error {
		m.Text, m.Entities = "", nil // a text can become a document, and not the other way
		m.Document, m.Caption, m.CaptionEntities = doc, caption, entities
		return nil
	})
}

// editMessageCaption implements the method.
func editMessageCaption(c *call) (any, error) {
	text, entities, err := c.formatted("caption", "caption_entities")
	switch {
	case err != nil:
		return nil, err
	case units(text) > mostCaption:
		return nil, badRequest("MEDIA_CAPTION_TOO_LONG")
	}
	return c.edit(func(m *Message) error {
		if m.Document == nil {
			return badRequest("there is no caption in the message to edit")
		}
		m.Caption, m.CaptionEntities = text, entities
		return nil
	})
}

// editMessageReplyMarkup implements the method.
func editMessageReplyMarkup(c *call) (any, error) {
	return c.edit(func(*Message) error { return nil })
}
