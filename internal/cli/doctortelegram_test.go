package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// What doctor says of the bot: that it answers, who cannot be told, and in one line
// what is wrong.
func TestDoctor_LooksAtTheBot(t *testing.T) {
	chats := telegramtest.Start(t, telegramtest.Options{})
	chats.User(4711, "Ada", "en")
	chats.Stranger(4712, "Niran", "th")
	look := func(tg config.Telegram) []checkItem {
		t.Helper()
		x := &examination{ctx: t.Context(), cfg: &config.Config{Telegram: tg}}
		x.telegram()
		return x.out.Checks
	}
	if got := look(config.Telegram{}); len(got) != 0 {
		t.Errorf("without a token: %+v", got)
	}
	got := look(config.Telegram{Token: chats.Token, API: chats.URL, Admins: []int64{4711, 4712}})
	if len(got) != 3 || got[0].Status != checkOK || !strings.HasPrefix(got[0].Object, "@") || got[1].Status != checkOK || got[2].Status != checkWarn ||
		got[2].Object != "admin 4712" || !strings.Contains(got[2].Hint, "/start") {
		t.Errorf("a bot with two admins: %+v", got)
	}
	const wrong = "12345:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	got = look(config.Telegram{Token: wrong, API: chats.URL, Admins: []int64{4711}})
	if len(got) != 1 || got[0].Status != checkFail || !strings.Contains(got[0].Message, "token is not accepted") || strings.Contains(got[0].Message+got[0].Hint, "AAAA") {
		t.Errorf("a wrong token: %+v", got)
	}
	if err := chats.Close(); err != nil {
		t.Fatal(err)
	}
	got = look(config.Telegram{Token: chats.Token, API: chats.URL})
	if len(got) != 1 || got[0].Status != checkFail || !strings.Contains(got[0].Hint, "telegram.proxy") {
		t.Errorf("a server that is down: %+v", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	x := &examination{ctx: ended, cfg: &config.Config{Telegram: config.Telegram{Token: chats.Token, API: chats.URL}}}
	if x.telegram(); x.out.Failed != 1 {
		t.Errorf("interrupted: %+v", x.out)
	}
}
