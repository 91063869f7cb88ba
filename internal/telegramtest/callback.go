package telegramtest

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// queryLife is how long a press waits for its answer. The documentation gives
// no number; bots have been refused after so long.
const queryLife = 15 * time.Second

// mostAnswer is the length of the text of an answer.
const mostAnswer = 200

// A callback is a press as the bot is told of it.
type callback struct {
	ID           string   `json:"id"`
	From         Account  `json:"from"`
	Message      *Message `json:"message,omitempty"`
	ChatInstance string   `json:"chat_instance"`
	Data         string   `json:"data,omitempty"`
}

// A query is a press that waits for its answer, or had it.
type query struct {
	At     int64
	Answer *Answer
}

// userPresses sends the press of a button.
func (s *Server) userPresses(id, chat int64, message int, data string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, r, err := s.present(id, chat)
	if err != nil {
		return "", err
	}
	m := Message{ID: message, Chat: r.Ref} // inaccessible: without a date
	switch k := r.find(message); {
	case k != nil:
		m = k.Message
	case !r.Gone[message]:
		return "", fmt.Errorf("there was never a message %d in the chat %d", message, chat)
	}
	s.forgetQueries()
	s.state.LastQuery++
	q := strconv.FormatInt(4_000_000_000_000_000_000+s.state.LastQuery, 10)
	s.state.Queries[q] = &query{At: s.now()}
	s.push("callback_query", update{CallbackQuery: &callback{ID: q, From: p.Account, Message: &m, ChatInstance: strconv.FormatInt(chat, 10), Data: data}})
	s.touch()
	return q, nil
}

// forgetQueries drops presses that nobody asks for any more.
func (s *Server) forgetQueries() {
	maps.DeleteFunc(s.state.Queries, func(_ string, q *query) bool { return s.now()-q.At > int64(updateLife/time.Second) })
}

// answer waits for the answer of a press.
func (s *Server) answer(ctx context.Context, id string) (Answer, error) {
	for {
		changed := s.watch()
		if a, ok := s.answered(id); ok {
			return a, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Answer{}, errNoAnswer
		}
	}
}

func (s *Server) answered(id string) (Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.state.Queries[id]
	if q == nil || q.Answer == nil {
		return Answer{}, false
	}
	return *q.Answer, true
}

// answerCallbackQuery implements the method.
func answerCallbackQuery(c *call) (any, error) {
	a := &Answer{Text: c.text("text"), ShowAlert: c.flag("show_alert"), URL: c.text("url"), CacheTime: int(c.number("cache_time", 0))}
	if units(a.Text) > mostAnswer {
		return nil, badRequest("MESSAGE_TOO_LONG")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	q := c.s.state.Queries[c.text("callback_query_id")]
	if q == nil || q.Answer != nil || time.Duration(c.s.now()-q.At)*time.Second > queryLife {
		return nil, badRequest("query is too old and response timeout expired or query ID is invalid")
	}
	q.Answer = a
	c.s.touch()
	return true, nil
}
