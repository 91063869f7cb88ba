package panel_test

import (
	"strings"
	"testing"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/panel"
)

// Mounted in a bot, the panel takes what is its own and leaves the rest alone.
func TestMounted_TakesWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.end()
	w.mounted, w.backs = true, &panel.Button{Text: map[string]string{"en": "⬅️ Menu"}, Data: "menu:system"}
	w.start()
	p := w.ann()
	me := &models.User{ID: ann, FirstName: "Ann", LanguageCode: "en"}
	chat := models.Chat{ID: ann, Type: models.ChatTypePrivate}
	for name, u := range map[string]*models.Update{
		"a command":           {Message: &models.Message{From: me, Chat: chat, Text: "/start"}},
		"a button of the bot": {CallbackQuery: &models.CallbackQuery{ID: "1", From: *me, Data: "menu:system"}},
		"a reply":             {Message: &models.Message{From: me, Chat: chat, Text: "monday", ReplyToMessage: &models.Message{From: &models.User{IsBot: true}, Text: "What is your name?"}}},
		"somebody's channel":  {ChannelPost: &models.Message{Chat: chat, Text: "/backup"}},
		"nothing":             {},
	} {
		if w.panel.Handle(t.Context(), u) {
			t.Errorf("%s was taken", name)
		}
	}
	if w.panel.Handle(t.Context(), nil) {
		t.Error("no update was taken")
	}
	if err := w.panel.Open(t.Context(), ann, ann, 0); err != nil {
		t.Fatal(err)
	}
	m := p.until(p.l.T("panel.statistics"))
	if b, ok := m.Button("⬅️ Menu"); !ok || b.CallbackData != "menu:system" {
		t.Errorf("nothing leads back: %s", m)
	}
	if !w.panel.Handle(t.Context(), &models.Update{CallbackQuery: &models.CallbackQuery{ID: "2", From: *me, Data: "hf:lst", Message: models.MaybeInaccessibleMessage{InaccessibleMessage: &models.InaccessibleMessage{Chat: chat, MessageID: m.ID}}}}) {
		t.Error("a button of the panel was not taken")
	}
	p.sees(p.now(m), p.l.T("backups.empty"))
	if err := w.panel.Open(t.Context(), stranger, stranger, 0); holdfast.ExitCode(err) != holdfast.ExitRefused {
		t.Errorf("opened for a stranger: %v", err)
	}
	for _, call := range w.telegram.Calls() {
		if strings.Contains(call.Params["chat_id"], "6666") {
			t.Errorf("a stranger was written to: %+v", call)
		}
	}
}

func TestNew_SaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]panel.Options{
		"nothing":   {},
		"no admins": {Core: w.core, API: nil},
	} {
		if _, err := panel.New(o); holdfast.ExitCode(err) != holdfast.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
