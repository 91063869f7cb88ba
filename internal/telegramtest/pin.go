package telegramtest

// pinChatMessage implements the method.
func pinChatMessage(c *call) (any, error) {
	return c.pinned(func(r *room) error {
		k := r.find(int(c.number("message_id", 0)))
		if k == nil {
			return badRequest("message to pin not found")
		}
		if k.Message.service() {
			return badRequest("message can't be pinned")
		}
		if k.PinnedAt == 0 {
			k.PinnedAt = c.s.now()
			c.s.addOwn(r, Message{PinnedMessage: k.quoted()})
		}
		return nil
	})
}

// unpinChatMessage implements the method: without a message it takes the pin
// that was sent last.
func unpinChatMessage(c *call) (any, error) {
	return c.pinned(func(r *room) error {
		k := r.pinned()
		if id := int(c.number("message_id", 0)); id != 0 {
			k = r.find(id)
		}
		if k == nil {
			return badRequest("message to unpin not found")
		}
		k.PinnedAt = 0
		return nil
	})
}

// pinned does something to the pins of a chat, if the bot may.
func (c *call) pinned(do func(*room) error) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", writing)
	if err != nil {
		return nil, err
	}
	if !r.mayPin() {
		return nil, badRequest("not enough rights to manage pinned messages in the chat")
	}
	if err := do(r); err != nil {
		return nil, err
	}
	c.s.touch()
	return true, nil
}

// getChat implements the method.
func getChat(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", reading)
	if err != nil {
		return nil, err
	}
	full := struct {
		ChatRef
		AccentColorID    int             `json:"accent_color_id"`
		MaxReactionCount int             `json:"max_reaction_count"`
		AcceptedGifts    map[string]bool `json:"accepted_gift_types"`
		PinnedMessage    *Message        `json:"pinned_message,omitempty"`
	}{ChatRef: r.Ref, MaxReactionCount: 11, AcceptedGifts: map[string]bool{}}
	if k := r.pinned(); k != nil {
		full.PinnedMessage = &k.Message
	}
	return full, nil
}

// unpinAllChatMessages implements the method.
func unpinAllChatMessages(c *call) (any, error) {
	return c.pinned(func(r *room) error {
		for _, k := range r.Messages {
			k.PinnedAt = 0
		}
		return nil
	})
}
