package telegramtest

import "time"

// deletionWindow is how long after it was sent a message can be deleted.
const deletionWindow = 48 * time.Hour

// mayDelete tells whether the bot may delete a message: only within the
// window; its own messages and everything in a private chat; everything where
// it is an administrator that may.
func (s *Server) mayDelete(r *room, k *kept) bool {
	if s.age(&k.Message) >= deletionWindow {
		return false
	}
	switch r.Ref.Type {
	case Private:
		return true
	case Group:
		return s.mine(k) || r.Standing == administrator
	case Channel:
		return r.Standing == administrator && (r.Rights.CanDeleteMessages || s.mine(k) && r.Rights.CanPostMessages)
	}
	return s.mine(k) || r.Standing == administrator && r.Rights.CanDeleteMessages
}

// deleteMessage implements the method.
func deleteMessage(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", writing)
	if err != nil {
		return nil, err
	}
	id := int(c.number("message_id", 0))
	if id <= 0 {
		return nil, badRequest("message identifier is not specified")
	}
	k := r.find(id)
	switch {
	case k == nil:
		return nil, badRequest("message to delete not found")
	case !c.s.mayDelete(r, k):
		return nil, badRequest("message can't be deleted")
	}
	r.remove(id)
	c.s.touch()
	return true, nil
}

// mostDeleted is how many messages deleteMessages takes at once.
const mostDeleted = 100

// deleteMessages implements the method: what is not there is passed over, and
// one that may not be deleted keeps all.
func deleteMessages(c *call) (any, error) {
	var ids []int
	if _, err := c.object("message_ids", &ids); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > mostDeleted {
		return nil, badRequest("message identifiers are not specified, or too many")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r, err := c.room("chat_id", writing)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if k := r.find(id); k != nil && !c.s.mayDelete(r, k) {
			return nil, badRequest("message can't be deleted")
		}
	}
	for _, id := range ids {
		r.remove(id)
	}
	c.s.touch()
	return true, nil
}
