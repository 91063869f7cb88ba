package daemon

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

const ada, ben = 4711, 4712

// chatting gives the world a bot with a panel.
func (w *world) chatting() *telegramtest.Server {
	w.t.Helper()
	chats := telegramtest.Start(w.t, telegramtest.Options{})
	w.set("telegram.token", chats.Token)
	w.set("telegram.api", chats.URL)
	w.set("telegram.admins", "4711")
	return chats
}

// The panel works, and after a reload it is that of the new configuration: for another
// admin and by one poller.
func TestPanel_FollowsTheConfiguration(t *testing.T) {
	w := newWorld(t, nil)
	chats := w.chatting()
	first, second := chats.User(ada, "Ada", "en"), chats.User(ben, "Ben", "en")
	l := w.start()
	l.ask(http.MethodPost, "/api/v1/backups", `{"name":"evening"}`)
	first.Says(0, "/backup")
	at := chats.AwaitText(ada, "Database statistics")
	first.Presses(at, "📋 All backups")
	if now, _ := chats.Chat(ada).Message(at.ID); !strings.Contains(now.Text, "evening") {
		t.Errorf("the list says:\n%s", now)
	}

	w.set("telegram.admins", "4712")
	l.again(saidChanged)
	l.await()
	second.Says(0, "/backup")
	chats.AwaitText(ben, "Database statistics")
	before := len(chats.Chat(ada).Messages())
	first.Says(0, "/backup")
	second.Says(0, "/start") // dealt with after it
	chats.Await(ben, "the menu", func(m telegramtest.Message) bool { return strings.Contains(m.Text, "Admin panel") })
	if all := chats.Chat(ada).Messages(); len(all) != before+1 {
		t.Errorf("who is no admin any more was answered: %s", all[len(all)-1])
	}
	if said := l.log.String(); strings.Contains(said, "another program fetches") {
		t.Errorf("two fetched the updates:\n%s", said)
	}
	l.stop()
}

// Updates that another program fetches come by the API; nobody else asks for them.
func TestPanel_UpdatesByTheAPI(t *testing.T) {
	w := newWorld(t, map[string]string{"telegram.updates": "api"})
	chats := w.chatting()
	chats.User(ada, "Ada", "en")
	l := w.start()
	update := func(from, data string) string {
		return `{"update_id":1,"callback_query":{"id":"1","from":{"id":` + from + `,"is_bot":false,"first_name":"A","language_code":"en"},"data":"` + data + `","chat_instance":"1",
			"message":{"message_id":5,"date":1,"chat":{"id":` + from + `,"type":"private"}}}}`
	}
	for _, c := range []struct{ from, data, want string }{
		{"4711", "tea:menu", `"handled":false`},
		{"666", "hf:o", `"handled":true`}, // not to be dealt with by anybody else, and not answered
	} {
		code, body := l.ask(http.MethodPost, "/api/v1/telegram/updates", update(c.from, c.data))
		if code != http.StatusOK || !strings.Contains(strings.ReplaceAll(body, " ", ""), c.want) {
			t.Errorf("%s of %s: %d %s", c.data, c.from, code, body)
		}
	}
	for _, call := range chats.Calls() {
		if call.Method == "getUpdates" || call.Method == "sendMessage" {
			t.Errorf("%s was called", call.Method)
		}
	}
	l.stop()
}

// Who is told of alarms in the chat is told once, and of the end.
func TestPanel_TellsOfAlarms(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h"}).simulated(time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC))
	chats := w.chatting()
	chats.User(ada, "Ada", "en")
	l := w.start()
	w.eventually("there is a backup", func() bool { return len(w.backups()) > 0 })
	told := func() (n int) {
		for _, m := range chats.Chat(ada).Messages() {
			if strings.Contains(m.Text, "News of your backups") && strings.Contains(m.Text, "docs") {
				n++
			}
		}
		return n
	}
	if err := os.RemoveAll(w.path("docs")); err != nil {
		t.Fatal(err)
	}
	w.eventually("the alarm is told", func() bool { w.clock.Leap(30 * time.Second); return told() == 1 })
	w.write("back")
	w.eventually("its end is told", func() bool { w.clock.Leap(5 * time.Minute); return told() == 2 })
	l.stop()
}

// A bot that cannot be reached keeps nothing else from working.
func TestPanel_ADeadServerHarmsNothing(t *testing.T) {
	w := newWorld(t, nil)
	chats := w.chatting()
	if err := chats.Close(); err != nil {
		t.Fatal(err)
	}
	l := w.start()
	if code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"evening"}`); code != http.StatusCreated {
		t.Errorf("backup: %d %s", code, body)
	}
	w.eventually("it is logged", func() bool { return strings.Contains(l.log.String(), "telegram") })
	if strings.Contains(l.log.String(), chats.Token) {
		t.Error("the log holds the token")
	}
	l.stop()
}

// While another program reads the messages of the bot that is an alarm, in the chat too,
// where holdfast can still write; it is over when the panel hears again.
func TestPanel_ThatHearsNobodyIsAnAlarm(t *testing.T) {
	w := newWorld(t, nil).simulated(time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC))
	chats := w.chatting()
	user := chats.User(ada, "Ada", "en")
	conflict := telegramtest.Fault{Code: 409, Text: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"}
	chats.Fail("getUpdates", 1000, conflict)
	l := w.start()
	told := func(what string) bool {
		for _, m := range chats.Chat(ada).Messages() {
			if strings.Contains(m.Text, "The panel in the chat hears nobody") && strings.Contains(m.Text, what) {
				return true
			}
		}
		return false
	}
	w.eventually("it is told what to do", func() bool { w.clock.Leap(time.Minute); return told("end the other program") })
	if code, body := l.ask(http.MethodGet, "/api/v1/alarms", ""); code != http.StatusOK || !strings.Contains(body, `"panel"`) {
		t.Errorf("alarms: %d %s", code, body)
	}
	chats.Heal()
	for range 2 { // once might be between two turns of the other program
		user.Says(0, "/admin")
		chats.AwaitText(ada, "Admin panel")
	}
	w.eventually("it is over", func() bool {
		w.clock.Leap(time.Minute)
		code, body := l.ask(http.MethodGet, "/api/v1/alarms", "")
		return code == http.StatusOK && !strings.Contains(body, `"panel"`)
	})
	l.stop()
}
