package telegramtest

import (
	"fmt"
	"time"
)

// An Account is what the Bot API tells of a user or a bot.
type Account struct {
	ID           int64  `json:"id"`
	IsBot        bool   `json:"is_bot"`
	FirstName    string `json:"first_name"`
	LastName     string `json:"last_name,omitempty"`
	Username     string `json:"username,omitempty"`
	LanguageCode string `json:"language_code,omitempty"`
}

// A User is a person of the test's making. What a person cannot do fails the
// test.
type User struct {
	Account
	s *Server
}

// User makes a person who has started a private chat with the bot; the chat
// has the person's id. A person who is there already stays as it is.
func (s *Server) User(id int64, name, language string) *User {
	u := s.Stranger(id, name, language)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start(s.state.Users[id])
	s.touch()
	return u
}

// Stranger makes a person who has never written to the bot.
func (s *Server) Stranger(id int64, name, language string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.state.Users[id]
	if p == nil {
		p = &person{Account: Account{ID: id, FirstName: name, LanguageCode: language}}
		s.state.Users[id] = p
		s.touch()
	}
	return &User{Account: p.Account, s: s}
}

// start opens the private chat of a person.
func (s *Server) start(p *person) {
	p.Started = true
	if s.state.Chats[p.ID] == nil {
		s.state.Chats[p.ID] = &room{Ref: ChatRef{ID: p.ID, Type: Private, FirstName: p.FirstName, Username: p.Username}}
	}
}

// Says writes into a chat; 0 is the private chat with the bot.
func (u *User) Says(chat int64, text string) Message {
	return u.write(chat, Message{Text: text}, 0)
}

// Replies answers a message.
func (u *User) Replies(to Message, text string) Message {
	return u.write(to.Chat.ID, Message{Text: text}, to.ID)
}

// Forwards brings a message into another chat.
func (u *User) Forwards(m Message, chat int64) Message {
	return u.write(chat, Message{Text: m.Text, Entities: m.Entities, Caption: m.Caption, CaptionEntities: m.CaptionEntities, Document: m.Document, ForwardOrigin: m.origin()}, 0)
}

func (u *User) write(chat int64, m Message, reply int) Message {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	if chat == 0 {
		chat = u.ID
	}
	m, err := u.s.userWrites(u.ID, chat, m, reply)
	if err != nil {
		u.s.wrong(err)
	}
	return m
}

// userWrites puts a message of a person into a chat and tells the bot.
func (s *Server) userWrites(id, chat int64, m Message, reply int) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, r, err := s.present(id, chat)
	if err != nil {
		return Message{}, err
	}
	if err := s.errSilent(p, r); err != nil {
		return Message{}, err
	}
	if r.Ref.Type == Private {
		s.block(p, false)
	}
	if r.Ref.Type == Channel {
		ref := r.Ref
		m.SenderChat = &ref
	} else {
		m.From = new(p.Account)
	}
	if m.Entities == nil {
		m.Entities = detect(m.Text, nil)
	}
	if reply != 0 {
		if k := r.find(reply); k != nil {
			m.ReplyTo = k.quoted()
		}
	}
	k := s.add(r, m)
	s.deliver(r, k)
	s.touch()
	return k.view(), nil
}

// present gives a person and a chat that the person is in.
func (s *Server) present(id, chat int64) (*person, *room, error) {
	p := s.state.Users[id]
	if p == nil {
		return nil, nil, fmt.Errorf("nobody has the id %d", id)
	}
	if chat == id {
		s.start(p)
	}
	r := s.state.Chats[chat]
	if r == nil {
		return nil, nil, fmt.Errorf("there is no chat %d", chat)
	}
	if r.Ref.Type == Private && chat != id {
		return nil, nil, fmt.Errorf("%s has no part in the private chat %d", p.FirstName, chat)
	}
	return p, r, nil
}

// Pins pins a message.
func (u *User) Pins(m Message) {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	u.act(m, func(p *person, r *room, k *kept) {
		s := u.s
		k.PinnedAt = s.now()
		service := s.add(r, Message{From: new(p.Account), PinnedMessage: k.quoted()})
		s.deliver(r, service)
	})
}

// Unpins takes a pin away.
func (u *User) Unpins(m Message) {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	u.act(m, func(_ *person, _ *room, k *kept) { k.PinnedAt = 0 })
}

// Deletes removes a message for everybody. Bots are not told.
func (u *User) Deletes(m Message) {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	u.act(m, func(_ *person, r *room, k *kept) { r.remove(k.Message.ID) })
}

// Edits changes the text of a message of one's own.
func (u *User) Edits(m Message, text string) {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	u.act(m, func(_ *person, r *room, k *kept) {
		k.Message.Text, k.Message.Entities = text, detect(text, nil)
		k.Message.EditDate = u.s.now()
		k.Edits++
		u.s.deliverEdit(r, k)
	})
}

// act does something to a message of a chat that the person is in.
func (u *User) act(m Message, do func(*person, *room, *kept)) {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	err := func() error {
		u.s.mu.Lock()
		defer u.s.mu.Unlock()
		p, r, err := u.s.present(u.ID, m.Chat.ID)
		if err != nil {
			return err
		}
		k := r.find(m.ID)
		if k == nil {
			return fmt.Errorf("there is no message %d in the chat %d", m.ID, m.Chat.ID)
		}
		do(p, r, k)
		u.s.touch()
		return nil
	}()
	if err != nil {
		u.s.wrong(err)
	}
}

// Blocks blocks the bot; Says unblocks it.
func (u *User) Blocks() {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if p := u.s.state.Users[u.ID]; p != nil {
		u.s.block(p, true)
		u.s.touch()
	}
}

// age tells how old a message is.
func (s *Server) age(m *Message) time.Duration {
	return time.Duration(s.now()-m.Date) * time.Second
}
