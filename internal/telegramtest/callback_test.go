package telegramtest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// press gives the callback query that waits.
func press(t *testing.T, s *telegramtest.Server) (id, data string) {
	t.Helper()
	var list []struct {
		Query *struct {
			ID, Data string
			Message  telegramtest.Message
		} `json:"callback_query"`
	}
	if err := json.Unmarshal(call(t, s, "getUpdates", `{"offset":-1}`).Result, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Query == nil {
		t.Fatalf("the updates that wait: %+v", list)
	}
	return list[0].Query.ID, list[0].Query.Data
}

const tooOld = "Bad Request: query is too old and response timeout expired or query ID is invalid"

// A press is answered once, and in time.
func TestAnswerOnce(t *testing.T) {
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.now})
	ada := s.User(7, "Ada", "en")
	m := sent(t, s, "sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"Go","callback_data":"go"}]]}}`)
	p := ada.Taps(m, "Go")
	id, data := press(t, s)
	if id != p.ID || data != "go" {
		t.Errorf("the query is %s with %q, want %s with %q", id, data, p.ID, "go")
	}
	if p.Answered() {
		t.Error("answered before the bot has")
	}
	answer := fmt.Sprintf(`{"callback_query_id":%q,"text":"yes","cache_time":3}`, id)
	if r := call(t, s, "answerCallbackQuery", answer); !r.OK {
		t.Fatal(r.Description)
	}
	if a := p.Answer(); a != (telegramtest.Answer{Text: "yes", CacheTime: 3}) {
		t.Errorf("the answer: %+v", a)
	}
	refused(t, s, "answerCallbackQuery", answer, tooOld)

	ada.Taps(m, "Go")
	id, _ = press(t, s)
	c.pass(16 * time.Second)
	refused(t, s, "answerCallbackQuery", fmt.Sprintf(`{"callback_query_id":%q}`, id), tooOld)
}

// The screen of a person may be older than the message; clients may be altered.
func TestOldScreen(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	old := sent(t, s, "sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"Restore","callback_data":"restore"}]]}}`)
	sent(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"y","reply_markup":{"inline_keyboard":[[{"text":"Back","callback_data":"back"}]]}}`, old.ID))
	for want, tap := range map[string]func(){
		"restore": func() { ada.Taps(old, "Restore") },
		"back":    func() { ada.Taps(old, "Back") },
		"forged":  func() { ada.Forges(old, "forged") },
	} {
		tap()
		if _, got := press(t, s); got != want {
			t.Errorf("the bot was sent %q, want %q", got, want)
		}
	}
}

// A message that was deleted while somebody pressed is inaccessible: the bot is
// told where it was, and nothing of it.
func TestPressOfDeleted(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	m := sent(t, s, "sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"Go","callback_data":"go"}]]}}`)
	call(t, s, "deleteMessage", ref(m))
	ada.Taps(m, "Go")
	var list []models.Update
	if err := json.Unmarshal(call(t, s, "getUpdates", `{"offset":-1}`).Result, &list); err != nil {
		t.Fatal(err)
	}
	q := list[0].CallbackQuery
	if q == nil || q.Message.Message != nil || q.Message.InaccessibleMessage == nil || q.Message.InaccessibleMessage.MessageID != m.ID {
		t.Errorf("the query: %+v", q)
	}
}
