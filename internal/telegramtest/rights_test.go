package telegramtest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

const cannotDelete = "Bad Request: message can't be deleted"

// Messages can be deleted for 48 hours, then not.
func TestDeletionWindow(t *testing.T) {
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.now})
	ada := s.User(7, "Ada", "en")
	theirs := ada.Says(0, "theirs")
	first := sent(t, s, "sendMessage", `{"chat_id":7,"text":"first"}`)
	second := sent(t, s, "sendMessage", `{"chat_id":7,"text":"second"}`)
	c.pass(48*time.Hour - time.Second)
	for _, m := range []telegramtest.Message{theirs, first} {
		if r := call(t, s, "deleteMessage", ref(m)); !r.OK {
			t.Errorf("within 48 hours: %s", r.Description)
		}
		refused(t, s, "deleteMessage", ref(m), "Bad Request: message to delete not found")
	}
	c.pass(time.Second)
	refused(t, s, "deleteMessage", ref(second), cannotDelete)
	refused(t, s, "deleteMessages", fmt.Sprintf(`{"chat_id":7,"message_ids":[%d]}`, second.ID), cannotDelete)
	// What cannot be deleted can be edited: there is no such window for it.
	sent(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"gone"}`, second.ID))
	if r := call(t, s, "deleteMessages", `{"chat_id":7,"message_ids":[98,99]}`); !r.OK {
		t.Errorf("messages that are not there: %s", r.Description)
	}
}

func ref(m telegramtest.Message) string {
	return fmt.Sprintf(`{"chat_id":%d,"message_id":%d}`, m.Chat.ID, m.ID)
}

// In groups, rights count.
func TestRightsInGroups(t *testing.T) {
	for _, kind := range []string{telegramtest.Group, telegramtest.Supergroup} {
		t.Run(kind, func(t *testing.T) {
			s := telegramtest.Start(t, telegramtest.Options{})
			ada := s.User(7, "Ada", "en")
			g := s.Group(-50, "Admins")
			if kind == telegramtest.Supergroup {
				g = s.Supergroup(-1000000000050, "Admins")
			}
			theirs := ada.Says(g.ID, "hello")
			own := sent(t, s, "sendMessage", fmt.Sprintf(`{"chat_id":%d,"text":"own"}`, g.ID))
			refused(t, s, "deleteMessage", ref(theirs), cannotDelete)
			refused(t, s, "pinChatMessage", ref(own), "Bad Request: not enough rights to manage pinned messages in the chat")
			g.Promote(telegramtest.Rights{CanPinMessages: true, CanDeleteMessages: true})
			for _, c := range []struct{ method, body string }{{"pinChatMessage", ref(own)}, {"unpinAllChatMessages", ref(own)}, {"deleteMessage", ref(theirs)}, {"deleteMessage", ref(own)}} {
				if r := call(t, s, c.method, c.body); !r.OK {
					t.Errorf("as an administrator, %s: %s", c.method, r.Description)
				}
			}
			g.Leave()
			refused(t, s, "sendMessage", fmt.Sprintf(`{"chat_id":%d,"text":"x"}`, g.ID), "Forbidden: bot is not a member of the "+kind+" chat")
			g.Kick()
			refused(t, s, "sendMessage", fmt.Sprintf(`{"chat_id":%d,"text":"x"}`, g.ID), "Forbidden: bot was kicked from the "+kind+" chat")
		})
	}
}

// In groups, a bot that is no administrator hears what is meant for it.
func TestPrivacy(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	g := s.Supergroup(-1000000000050, "Admins")
	own := sent(t, s, "sendMessage", `{"chat_id":-1000000000050,"text":"own"}`)
	ada.Says(g.ID, "among people")
	ada.Says(g.ID, "/backup")
	ada.Replies(own, "a reply")
	ada.Says(g.ID, "@holdfast_test_bot do")
	g.Promote(telegramtest.Rights{})
	ada.Says(g.ID, "all")
	got, _ := updates(t, s, `{}`)
	if want := "[/backup a reply @holdfast_test_bot do all]"; fmt.Sprint(got) != want {
		t.Errorf("the bot heard %v, want %s", got, want)
	}
}

// Channels count their messages by themselves, and want rights for everything.
func TestChannel(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	c := s.Channel(-1000000000077, "Backups", "backups")
	m := sent(t, s, "sendMessage", `{"chat_id":"@Backups","text":"post"}`)
	if m.ID != 1 || m.From != nil || m.SenderChat == nil || m.Chat.ID != c.ID {
		t.Errorf("the post: %+v", m)
	}
	c.Demote()
	refused(t, s, "sendMessage", `{"chat_id":"@backups","text":"post"}`, "Bad Request: need administrator rights in the channel chat")
	refused(t, s, "editMessageText", `{"chat_id":"@backups","message_id":1,"text":"x"}`, "Bad Request: message can't be edited")
}

// Who blocks the bot hears nothing of it, until he writes.
func TestBlocked(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	m := sent(t, s, "sendMessage", `{"chat_id":7,"text":"one"}`)
	ada.Blocks()
	refused(t, s, "sendMessage", `{"chat_id":7,"text":"two"}`, "Forbidden: bot was blocked by the user")
	refused(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"x"}`, m.ID), "Forbidden: bot was blocked by the user")
	ada.Says(0, "again")
	sent(t, s, "sendMessage", `{"chat_id":7,"text":"two"}`)
	var told []models.Update
	if err := json.Unmarshal(call(t, s, "getUpdates", `{}`).Result, &told); err != nil {
		t.Fatal(err)
	}
	if len(told) != 3 || told[0].MyChatMember == nil || told[0].MyChatMember.NewChatMember.Type != models.ChatMemberTypeBanned ||
		told[1].MyChatMember == nil || told[1].MyChatMember.NewChatMember.Type != models.ChatMemberTypeMember {
		t.Errorf("the bot was told %+v", told)
	}
}

// A group that becomes a supergroup says where it is.
func TestMigration(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	g := s.Group(-50, "Admins")
	g.Migrate(-1000000000050)
	r := call(t, s, "sendMessage", `{"chat_id":-50,"text":"x"}`)
	if r.Parameters.MigrateTo != -1000000000050 || r.Description != "Bad Request: group chat was upgraded to a supergroup chat" {
		t.Errorf("the old group: %+v", r)
	}
	_, err := client(t, s).SendMessage(t.Context(), &bot.SendMessageParams{ChatID: -50, Text: "x"})
	if !bot.IsMigrateError(err) {
		t.Errorf("the library gives %v", err)
	}
	sent(t, s, "sendMessage", `{"chat_id":-1000000000050,"text":"x"}`)
}

// getChat shows the pinned message that was sent last, not that pinned last.
func TestPinnedBySendingDate(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	first := sent(t, s, "sendMessage", `{"chat_id":7,"text":"first"}`)
	second := sent(t, s, "sendMessage", `{"chat_id":7,"text":"second"}`)
	pinned := func() string {
		t.Helper()
		var full struct {
			Pinned *telegramtest.Message `json:"pinned_message"`
		}
		if err := json.Unmarshal(call(t, s, "getChat", `{"chat_id":7}`).Result, &full); err != nil {
			t.Fatal(err)
		}
		if full.Pinned == nil {
			return ""
		}
		return full.Pinned.Text
	}
	call(t, s, "pinChatMessage", ref(second))
	call(t, s, "pinChatMessage", ref(first))
	if got := pinned(); got != "second" {
		t.Errorf("with both pinned: %q", got)
	}
	call(t, s, "unpinChatMessage", `{"chat_id":7}`)
	if got := pinned(); got != "first" {
		t.Errorf("without the newest: %q", got)
	}
	later := ada.Says(0, "later")
	ada.Pins(later)
	if got := pinned(); got != "later" {
		t.Errorf("with a person's: %q", got)
	}
	ada.Deletes(later)
	if got := pinned(); got != "first" {
		t.Errorf("when that is deleted: %q", got)
	}
	call(t, s, "unpinAllChatMessages", `{"chat_id":7}`)
	if got := pinned(); got != "" {
		t.Errorf("with none: %q", got)
	}
}

// Who is who in a chat.
func TestMembers(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada, niran := s.User(7, "Ada", "en"), s.User(8, "Niran", "th")
	g := s.Supergroup(-1000000000050, "Admins")
	g.Member(ada, "creator")
	g.Promote(telegramtest.Rights{CanDeleteMessages: true})
	status := func(user int64) string {
		var m struct{ Status string }
		if err := json.Unmarshal(call(t, s, "getChatMember", fmt.Sprintf(`{"chat_id":%d,"user_id":%d}`, g.ID, user)).Result, &m); err != nil {
			t.Fatal(err)
		}
		return m.Status
	}
	if a, n, b := status(ada.ID), status(niran.ID), status(7120000001); a != "creator" || n != "left" || b != "administrator" {
		t.Errorf("they are %s, %s and %s", a, n, b)
	}
	admins, err := client(t, s).GetChatAdministrators(t.Context(), &bot.GetChatAdministratorsParams{ChatID: g.ID})
	if err != nil || len(admins) != 2 {
		t.Errorf("the administrators: %v, %v", admins, err)
	}
}

// Who is restricted cannot write, until the time is over or somebody lifts it.
func TestRestricted(t *testing.T) {
	clock := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: clock.now})
	ada, niran := s.User(7, "Ada", "en"), s.User(8, "Niran", "th")
	g := s.Supergroup(-1000000000050, "Tea")
	g.Member(ada, "creator")
	ask := func(chat, user int64, may bool, until time.Time) string {
		return fmt.Sprintf(`{"chat_id":%d,"user_id":%d,"permissions":{"can_send_messages":%v},"until_date":%d}`, chat, user, may, until.Unix())
	}
	refused(t, s, "restrictChatMember", ask(g.ID, niran.ID, false, clock.now()), "Bad Request: not enough rights to restrict/unrestrict chat member")
	g.Promote(telegramtest.Rights{CanRestrictMembers: true})
	refused(t, s, "restrictChatMember", ask(g.ID, ada.ID, false, clock.now()), "Bad Request: can't remove chat owner")
	basic := s.Group(-50, "Basic")
	refused(t, s, "restrictChatMember", ask(basic.ID, niran.ID, false, clock.now()), "Bad Request: method is available only for supergroups")
	for _, c := range []struct {
		name           string
		length, passes time.Duration
		may, want      bool
	}{
		{"for an hour", time.Hour, time.Minute, false, true},
		{"over", time.Hour, time.Hour, false, false},
		{"too short is for ever", 29 * time.Second, 24 * time.Hour, false, true},
		{"lifted", 0, 0, true, false},
	} {
		if r := call(t, s, "restrictChatMember", ask(g.ID, niran.ID, c.may, clock.now().Add(c.length))); !r.OK {
			t.Fatalf("%s: %s", c.name, r.Description)
		}
		clock.pass(c.passes)
		if got := g.Restricted(niran); got != c.want {
			t.Errorf("%s: restricted %v", c.name, got)
		}
	}
	niran.Says(g.ID, "here I am")
}
