package telegramtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// What is refused, in the words of the server.
func TestRefusals(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	s.Stranger(8, "Niran", "th")
	theirs := ada.Says(0, "mine")
	own := sent(t, s, "sendMessage", `{"chat_id":7,"text":"<b>one</b>","parse_mode":"HTML"}`)
	asking := sent(t, s, "sendMessage", `{"chat_id":7,"text":"name?","reply_markup":{"force_reply":true}}`)
	long := strings.Repeat("x", 4097)
	data := strings.Repeat("d", 65)
	for _, c := range []struct{ method, body, want string }{
		{"sendMessage", `{"text":"hello"}`, "Bad Request: chat_id is empty"},
		{"sendMessage", `{"chat_id":8,"text":"hello"}`, "Bad Request: chat not found"},
		{"sendMessage", `{"chat_id":"@nobody","text":"hello"}`, "Bad Request: chat not found"},
		{"sendMessage", `{"chat_id":7}`, "Bad Request: message text is empty"},
		{"sendMessage", `{"chat_id":7,"text":" <b> </b> ","parse_mode":"HTML"}`, "Bad Request: message text is empty"},
		{"sendMessage", `{"chat_id":7,"text":"` + long + `"}`, "Bad Request: message is too long"},
		{"sendMessage", `{"chat_id":7,"text":"<b>","parse_mode":"HTML"}`, `Bad Request: can't parse entities: Can't find end tag corresponding to start tag "b"`},
		{"sendMessage", `{"chat_id":7,"text":"x","parse_mode":"RTF"}`, "Bad Request: unsupported parse_mode"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_parameters":{"message_id":1}}`, "Bad Request: message to be replied not found"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":"` + data + `"}]]}}`, "Bad Request: BUTTON_DATA_INVALID"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a"}]]}}`, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":" ","callback_data":"d"}]]}}`, "Bad Request: can't parse inline keyboard button: text is empty"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a","url":"nonsense"}]]}}`, "Bad Request: inline keyboard button URL 'nonsense' is invalid: Wrong HTTP URL"},
		{"sendMessage", `{"chat_id":7,"text":"x","reply_markup":"nonsense"}`, "Bad Request: can't parse reply keyboard markup JSON object"},
		{"editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"<b>one</b>","parse_mode":"HTML"}`, own.ID), "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"},
		{"editMessageText", `{"chat_id":7,"message_id":99,"text":"x"}`, "Bad Request: message to edit not found"},
		{"editMessageText", `{"chat_id":7,"text":"x"}`, "Bad Request: message identifier is not specified"},
		{"editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"x"}`, theirs.ID), "Bad Request: message can't be edited"},
		{"editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"x"}`, asking.ID), "Bad Request: message can't be edited"},
		{"editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"%s"}`, own.ID, long), "Bad Request: MESSAGE_TOO_LONG"},
		{"editMessageCaption", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"caption":"x"}`, own.ID), "Bad Request: there is no caption in the message to edit"},
		{"editMessageReplyMarkup", fmt.Sprintf(`{"chat_id":7,"message_id":%d}`, own.ID), "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"},
		{"deleteMessage", `{"chat_id":7,"message_id":99}`, "Bad Request: message to delete not found"},
		{"pinChatMessage", `{"chat_id":7,"message_id":99}`, "Bad Request: message to pin not found"},
		{"unpinChatMessage", `{"chat_id":7}`, "Bad Request: message to unpin not found"},
		{"forwardMessage", `{"chat_id":7,"from_chat_id":7,"message_id":99}`, "Bad Request: message to forward not found"},
		{"copyMessage", `{"chat_id":7,"from_chat_id":7,"message_id":99}`, "Bad Request: message to copy not found"},
		{"answerCallbackQuery", `{"callback_query_id":"1"}`, "Bad Request: query is too old and response timeout expired or query ID is invalid"},
		{"getFile", `{"file_id":"nonsense"}`, "Bad Request: wrong file_id or the file is temporarily unavailable"},
		{"sendDocument", `{"chat_id":7}`, "Bad Request: there is no document in the request"},
		{"sendDocument", `{"chat_id":7,"document":"nonsense"}`, "Bad Request: wrong file identifier/HTTP URL specified"},
		{"sendChatAction", `{"chat_id":7,"action":"singing"}`, "Bad Request: wrong parameter action in request"},
		{"setMyCommands", `{"commands":[{"command":"Start","description":"x"}]}`, "Bad Request: BOT_COMMAND_INVALID"},
		{"getChatMember", `{"chat_id":7,"user_id":99}`, "Bad Request: invalid user_id specified"},
	} {
		refused(t, s, c.method, c.body, c.want)
	}
	if got := len(s.Chat(7).Messages()); got != 3 {
		t.Errorf("there are %d messages after the refusals, want 3", got)
	}
}

// Lengths count UTF-16 units of the text that is left of the markup.
func TestLengths(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	s.User(7, "Ada", "en")
	for _, c := range []struct {
		text string
		fits bool
	}{
		{strings.Repeat("x", 4096), true},
		{strings.Repeat("ข", 4096), true},
		{strings.Repeat("💾", 2048), true},
		{strings.Repeat("💾", 2048) + "x", false},
		{"<b>" + strings.Repeat("x", 4096) + "</b>  \n", true},
		{strings.Repeat("&amp;", 4096), true},
	} {
		r := call(t, s, "sendMessage", fmt.Sprintf(`{"chat_id":7,"parse_mode":"HTML","text":%q}`, c.text))
		if r.OK != c.fits {
			t.Errorf("%d bytes beginning %.20q: %s", len(c.text), c.text, r.Description)
		}
	}
}

// Edits that change something, and what they leave.
func TestEdits(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	s.User(7, "Ada", "en")
	keys := `{"inline_keyboard":[[{"text":"a","callback_data":"1"}],[],[{"text":"b","url":"https://example.org/"}]]}`
	m := sent(t, s, "sendMessage", `{"chat_id":7,"text":"one","reply_markup":`+keys+`}`)
	if got := fmt.Sprint(m.Buttons()); got != "[[a] [b]]" {
		t.Errorf("the buttons are %s", got)
	}
	m = sent(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"<i>one</i>","parse_mode":"html","reply_markup":%s}`, m.ID, keys))
	if m.EditDate == 0 || m.HTML() != "<i>one</i>" || m.Keyboard == nil {
		t.Errorf("after the first edit: %+v", m)
	}
	m = sent(t, s, "editMessageReplyMarkup", fmt.Sprintf(`{"chat_id":7,"message_id":%d}`, m.ID))
	if m.Keyboard != nil || m.HTML() != "<i>one</i>" {
		t.Errorf("without the buttons: %+v", m)
	}
	seen, _ := s.Chat(7).Message(m.ID)
	if seen.Edits != 2 {
		t.Errorf("it was edited %d times, want 2", seen.Edits)
	}
}

// A reply that is asked for, and given.
func TestForceReply(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	asked := sent(t, s, "sendMessage", `{"chat_id":7,"text":"name?","reply_markup":{"force_reply":true,"input_field_placeholder":"before-migration"}}`)
	seen, _ := s.Chat(7).Message(asked.ID)
	if !seen.ForceReply || seen.Hint != "before-migration" {
		t.Errorf("what was asked: %+v", seen)
	}
	m := ada.Replies(seen, "weekly")
	if m.ReplyTo == nil || m.ReplyTo.ID != asked.ID || m.Text != "weekly" {
		t.Errorf("the reply: %+v", m)
	}
}
