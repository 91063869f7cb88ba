package telegramtest

// forwardMessage implements the method.
func forwardMessage(c *call) (any, error) {
	return c.bring("message to forward not found", func(k *kept, m *Message) (any, error) {
		m.ForwardOrigin = k.Message.origin()
		return c.sent(*m)
	})
}

// copyMessage implements the method: a copy does not say where it is from.
func copyMessage(c *call) (any, error) {
	return c.bring("message to copy not found", func(_ *kept, m *Message) (any, error) {
		if _, given := c.params["caption"]; given && m.Document != nil {
			caption, entities, err := c.caption()
			if err != nil {
				return nil, err
			}
			m.Caption, m.CaptionEntities = caption, entities
		}
		sent, err := c.send(*m)
		if err != nil {
			return nil, err
		}
		return map[string]int{"message_id": sent.ID}, nil
	})
}

// bring finds the message that a request wants elsewhere.
func (c *call) bring(missing string, send func(*kept, *Message) (any, error)) (any, error) {
	k, err := c.source(missing)
	if err != nil {
		return nil, err
	}
	return send(k, &Message{
		Text: k.Message.Text, Entities: k.Message.Entities, LinkPreview: k.Message.LinkPreview,
		Document: k.Message.Document, Caption: k.Message.Caption, CaptionEntities: k.Message.CaptionEntities,
	})
}

// source gives a copy of the message that a request names.
func (c *call) source(missing string) (*kept, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	from, err := c.room("from_chat_id", reading)
	if err != nil {
		return nil, err
	}
	k := from.find(int(c.number("message_id", 0)))
	switch {
	case k == nil:
		return nil, badRequest("%s", missing)
	case k.Message.service(), k.Message.Protected:
		return nil, badRequest("message can't be forwarded")
	}
	return new(*k), nil
}
