package telegramtest

import (
	"context"
	"errors"
	"fmt"
)

var errNoAnswer = errors.New("the bot has not answered a pressed button")

// An Answer is what the bot answered to a press.
type Answer struct {
	Text      string
	ShowAlert bool
	URL       string
	CacheTime int
}

// A Press is a button pressed whose answer may still come.
type Press struct {
	ID string // of the callback query
	s  *Server
}

// Taps presses the button with the text and does not wait. The button is looked
// for on the message as it is now, then as it was when m was taken: the screen
// of a person may be older.
func (u *User) Taps(m Message, button string) *Press {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	seen, _ := u.s.Chat(m.Chat.ID).Message(m.ID)
	for _, at := range []Message{seen, m} {
		if b, ok := at.Button(button); ok {
			return u.Forges(m, b.CallbackData)
		}
	}
	u.s.wrong(fmt.Errorf("no button %q on the message %d; there are %q", button, m.ID, seen.Buttons()))
	return &Press{s: u.s}
}

// Forges sends data of a button that need not be there, as an altered client
// can. A message that was deleted meanwhile is told as inaccessible.
func (u *User) Forges(m Message, data string) *Press {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	id, err := u.s.userPresses(u.ID, m.Chat.ID, m.ID, data)
	if err != nil {
		u.s.wrong(err)
	}
	return &Press{ID: id, s: u.s}
}

// Presses presses the button with the text and waits for the bot's answer.
func (u *User) Presses(m Message, button string) Answer {
	if u.s.t != nil {
		u.s.t.Helper()
	}
	return u.Taps(m, button).Answer()
}

// Answer waits for the bot's answer.
func (p *Press) Answer() Answer {
	if p.s.t != nil {
		p.s.t.Helper()
	}
	if p.ID == "" {
		return Answer{} // nothing was pressed, which has been told
	}
	ctx, cancel := context.WithTimeout(p.s.ctx, p.s.o.Patience)
	defer cancel()
	a, err := p.s.answer(ctx, p.ID)
	if err != nil {
		p.s.wrong(err)
	}
	return a
}

// Answered tells whether the bot has answered by now.
func (p *Press) Answered() bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	q := p.s.state.Queries[p.ID]
	return q != nil && q.Answer != nil
}
