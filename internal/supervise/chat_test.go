//go:build unix

package supervise

import (
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

const admin = 4711

// chatting gives the world a bot with a panel, and the one who may use it.
func (w *world) chatting() (*telegramtest.Server, *telegramtest.User) {
	w.t.Helper()
	chats := telegramtest.Start(w.t, telegramtest.Options{})
	w.set("telegram.token", chats.Token).set("telegram.api", chats.URL).set("telegram.admins", "4711")
	return chats, chats.User(admin, "Ada", "en")
}

// A restore that an admin asks for in the chat stops the program that holds the data, and
// starts it again on what was restored.
func TestChat_ARestoreStopsTheProgramAndStartsItAgain(t *testing.T) {
	w := newWorld(t)
	chats, ada := w.chatting()
	w.begin(bot(t, "0")).end() // its backups hold one row
	l := w.begin(bot(t, "stay"))
	l.prints("rows 2")
	press := func(at telegramtest.Message, label string) telegramtest.Message {
		t.Helper()
		for _, row := range at.Buttons() {
			for _, text := range row {
				if strings.HasSuffix(text, label) {
					ada.Presses(at, text)
					now, _ := chats.Chat(admin).Message(at.ID)
					return now
				}
			}
		}
		t.Fatalf("no button says %q: %s\n%s", label, at, l)
		return at
	}
	ada.Says(0, "/backup")
	at := press(chats.AwaitText(admin, "Database statistics"), "All backups")
	numbers := at.Buttons()[0]
	at = press(at, numbers[len(numbers)-1]) // the oldest
	at = press(at, "Restore…")
	press(at, "Restore now")
	chats.Await(admin, "the end of the restore", func(m telegramtest.Message) bool {
		return strings.Contains(m.Text, "✅") && strings.Contains(m.Text, "emergency_restore_")
	})
	l.until("it runs again on what was restored", func() bool { return strings.HasSuffix(l.stdout(), "rows 2\nrows 3\nrows 2\n") })
	l.until("it is ready", func() bool { return l.state() == holdfast.StandingReady })
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil || w.saved() != 3 {
		t.Errorf("exit %d, %v, %d rows saved\n%s", exit, err, w.saved(), l)
	}
}

// What is wrong with the bot is told, and keeps neither the program nor its backups.
func TestChat_TroubleIsToldAndHarmsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*world)
		says string
	}{
		"a wrong token":            {func(w *world) { w.set("telegram.token", "12345:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") }, "the token is not accepted"},
		"nobody passes updates on": {func(w *world) { w.set("telegram.updates", "api") }, "nobody can pass updates on to the panel"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.chatting()
			c.set(w)
			l := w.begin(bot(t, "stay"))
			l.prints("rows 1")
			l.until("it is told", func() bool { return l.warned(c.says) })
			if problems := l.s.board.standing().Problems; len(problems) == 0 || strings.Contains(problems[0].Message, "AAAA") {
				t.Errorf("the status says %+v", problems)
			}
			l.signals <- syscall.SIGTERM
			if exit, err := l.end(); exit != 0 || err != nil || w.saved() != 2 {
				t.Errorf("exit %d, %v, %d rows saved\n%s", exit, err, w.saved(), l)
			}
		})
	}
}

// The program fetches the updates of the same bot: that is told, with what to do.
func TestChat_TheProgramFetchesTheUpdatesItself(t *testing.T) {
	w := newWorld(t)
	chats, _ := w.chatting()
	chats.Fail("getUpdates", 2, telegramtest.Fault{Code: 409, Text: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"})
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1")
	l.until("it is told", func() bool { return l.warned("the panel in the chat gets no updates") })
	if problems := l.s.board.standing().Problems; len(problems) == 0 || !strings.Contains(problems[0].Hint, "mount the panel") {
		t.Errorf("the status says %+v", problems)
	}
	l.signals <- syscall.SIGTERM
	if exit, err := l.end(); exit != 0 || err != nil {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}
