//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// teaGroup is the group that the bot moderates.
const teaGroup = -1000000000050

// A tea is the bot of examples/bot, on a machine of its own, with the chats around it.
type tea struct {
	*machine
	telegram    *telegramtest.Server
	group       telegramtest.Chat
	parisa, nok *telegramtest.User // the admin, and one of the group
}

func newTea(t *testing.T) *tea {
	t.Helper()
	w := &tea{machine: newMachine(t), telegram: telegramtest.Start(t, telegramtest.Options{Patience: time.Minute})}
	w.parisa, w.nok = w.telegram.User(4711, "Parisa", "en"), w.telegram.User(4712, "Nok", "en")
	w.group = w.telegram.Supergroup(teaGroup, "Tea")
	w.group.Promote(telegramtest.Rights{CanRestrictMembers: true})
	w.buildBot("bot", nil)
	// What a platform would be given, and a clock that is in a hurry.
	w.env = []string{
		"TELEGRAM_TOKEN=" + w.telegram.Token, "BOT_ADMINS=4711", "HOLDFAST_TELEGRAM_API=" + w.telegram.URL,
		"DATABASE_PATH=" + w.path("tmp", "bot_database.db"), "HOLDFAST_REPOSITORY=" + w.path("tmp", "backups"),
		"AUTO_UNBLOCK_EVERY=1s", "HOLDFAST_SCHEDULE_ON_CHANGE=1s",
	}
	return w
}

// start starts an instance, and waits until it reads updates.
func (w *tea) start() *served {
	w.t.Helper()
	s := w.serve(freePort(w.t), w.path("bot"))
	s.says("reading updates")
	return s
}

// rows are everything that the bot knows, for comparison.
func (w *tea) rows() string {
	w.t.Helper()
	return w.sqlite("tmp/bot_database.db", "SELECT 'user', id, name FROM users ORDER BY id; SELECT 'messages', * FROM messages; SELECT 'tracking', * FROM tracking; SELECT 'block', * FROM blocks;")
}

// The machine of a bot is wiped, and it is started again with the token and its admins:
// it is back with its data, and says so in the chat.
func TestTelegramBot_TheMachineIsWiped(t *testing.T) {
	t.Parallel()
	w := newTea(t)
	bot := w.start()

	// People write, and somebody is kept quiet for a second.
	w.nok.Says(teaGroup, "good morning")
	rude := w.nok.Says(teaGroup, "something rude")
	w.parisa.Replies(rude, "/block 1s")
	w.telegram.AwaitText(teaGroup, "may not write until")
	w.telegram.AwaitText(teaGroup, "may write again")
	w.telegram.Until("Nok may write", func() bool { return !w.group.Restricted(w.nok) })
	w.nok.Says(teaGroup, "I am sorry")

	// And another for a day: he must not get away with it.
	somchai := w.telegram.User(4713, "Somchai", "th")
	w.parisa.Replies(somchai.Says(teaGroup, "worse"), "/block 1d")
	w.telegram.Until("Somchai is blocked", func() bool { return w.group.Restricted(somchai) })

	// System → 💾 Backup, and back.
	w.parisa.Says(0, "/admin")
	menu := w.telegram.AwaitText(w.parisa.ID, "Admin panel")
	w.parisa.Presses(menu, "⚙️ System")
	menu = w.telegram.Await(w.parisa.ID, "the tasks", func(m telegramtest.Message) bool {
		return m.ID == menu.ID && strings.Contains(m.Text, "auto_unblock_task") && strings.Contains(m.Text, "cleanup_tracking_task")
	})
	w.parisa.Presses(menu, "💾 Backup")
	menu = w.telegram.Await(w.parisa.ID, "the panel", func(m telegramtest.Message) bool { return m.ID == menu.ID && strings.Contains(m.Text, "bot_database") })
	w.press(menu, "Create")
	menu = w.telegram.Await(w.parisa.ID, "what can be made", func(m telegramtest.Message) bool { return m.ID == menu.ID && has(m, "Quick") })
	w.press(menu, "Quick")
	w.telegram.AwaitText(w.parisa.ID, "quick_backup_")

	// All that is in the chat before the machine goes: it is quiet once everybody was heard.
	want := w.rows()
	for _, row := range []string{"messages|-1000000000050|4712|3", "messages|-1000000000050|4713|1", "block|-1000000000050|4713|"} {
		contains(t, "the database", want, row)
	}
	bot.until("the copy in the chat", func() bool { return w.copied() })
	_ = bot.cmd.Process.Kill()
	bot.wait()
	if err := os.RemoveAll(w.path("tmp")); err != nil {
		t.Fatal(err)
	}

	// Another machine: the token and the admins are all that it has.
	bot = w.start()
	contains(t, "the log", bot.printed(), "action=restored", "from=telegram")
	told := w.telegram.AwaitText(w.parisa.ID, "was gone, and has been restored")
	contains(t, "what the admin is told", told.Text, "_backup_20", "UTC", "telegram")
	if got := w.rows(); got != want {
		t.Errorf("the database after the wipe:\n%s\nwant:\n%s", got, want)
	}
	w.parisa.Says(0, "/admin")
	menu = w.telegram.Await(w.parisa.ID, "a new menu", func(m telegramtest.Message) bool { return m.ID > told.ID && has(m, "🚫 Blocked") })
	w.parisa.Presses(menu, "🚫 Blocked")
	menu = w.telegram.Await(w.parisa.ID, "who is blocked", func(m telegramtest.Message) bool { return m.ID == menu.ID && has(m, "🔓 Somchai") })
	w.parisa.Presses(menu, "🔓 Somchai")
	w.telegram.Until("Somchai may write", func() bool { return !w.group.Restricted(somchai) })
}

// has tells whether a message has a button whose label has the word.
func has(m telegramtest.Message, word string) bool { return labelled(m, word) != "" }

// labelled is the label of the button that has the word; empty if there is none.
func labelled(m telegramtest.Message, word string) string {
	for _, row := range m.Buttons() {
		for _, label := range row {
			if strings.Contains(label, word) {
				return label
			}
		}
	}
	return ""
}

// press presses the button whose label has the word.
func (w *tea) press(m telegramtest.Message, word string) {
	w.t.Helper()
	label := labelled(m, word)
	if label == "" {
		w.t.Fatalf("no button %q in %v", word, m)
	}
	w.parisa.Presses(m, label)
}

// copied tells whether the newest backup is in the chat, too.
func (w *tea) copied() bool {
	w.t.Helper()
	m := &machine{t: w.t, dir: w.dir, env: slices.Clone(w.env)}
	m.with("HOLDFAST_TELEGRAM_TOKEN="+w.telegram.Token, "HOLDFAST_TELEGRAM_ADMINS=4711", "HOLDFAST_REPLICAS=[telegram://4711]")
	_, out, _ := m.run("--json", "status", "--sqlite", w.path("tmp", "bot_database.db"))
	var status struct {
		Replicas []struct {
			Backups int
			Behind  []string
		}
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		w.t.Fatalf("holdfast status: %v\n%s", err, out)
	}
	return len(status.Replicas) == 1 && status.Replicas[0].Backups > 0 && len(status.Replicas[0].Behind) == 0
}

// A platform puts a new instance in place of an old one, and both read updates for a
// moment: Telegram lets only one at a time. Each message counts once.
func TestTelegramBot_TwoInstancesOverlap(t *testing.T) {
	t.Parallel()
	w := newTea(t)
	w.with("HOLDFAST_REPLICAS=[]")
	said := 0
	say := func(n int) {
		for range n {
			said++
			w.nok.Says(0, fmt.Sprintf("message %d", said))
		}
	}
	counted := func() bool {
		return w.sqlite("tmp/bot_database.db", "SELECT coalesce(sum(sent), 0) FROM messages") == fmt.Sprint(said)
	}
	old := w.start()
	say(5)
	old.until("the old one counts", counted)
	fresh := w.start()
	say(5)
	old.until("another reads", func() bool {
		return strings.Contains(old.printed()+fresh.printed(), "another instance reads the updates")
	})
	say(10)
	fresh.until("both count", counted)
	say(5)
	wantExit(t, old, old.end(), 0)
	say(5)
	fresh.until("the new one counts", counted)
	if got := w.sqlite("tmp/bot_database.db", "SELECT count(*), count(DISTINCT message_id) FROM tracking"); got != fmt.Sprintf("%d|%d", said, said) {
		t.Errorf("messages that were tracked: %s, want %d", got, said)
	}
	wantExit(t, fresh, fresh.end(), 0)
}
