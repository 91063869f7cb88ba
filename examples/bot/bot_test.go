package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/boot"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/telegram"
)

// The admin, one of the group, and a Persian one.
const (
	ann  = 7
	nok  = 8
	sara = 9
	tea  = -1000000000050
)

// A world is a bot that reads updates, and the people around it.
type world struct {
	*bot
	t              *testing.T
	tg             *telegramtest.Server
	group          telegramtest.Chat
	ann, nok, sara *telegramtest.User
}

func newWorld(t *testing.T, change ...func(*settings)) *world {
	t.Helper()
	w := &world{t: t, tg: telegramtest.Start(t, telegramtest.Options{})}
	w.ann, w.nok, w.sara = w.tg.User(ann, "Ann", "en"), w.tg.User(nok, "Nok", "en"), w.tg.User(sara, "سارا", "fa")
	w.group = w.tg.Supergroup(tea, "Tea")
	w.group.Promote(telegramtest.Rights{CanRestrictMembers: true})
	dir := t.TempDir()
	s := settings{token: w.tg.Token, server: w.tg.URL, admins: []int64{ann, sara}, database: filepath.Join(dir, "bot_database.db"), unblockEvery: time.Minute}
	for _, c := range change {
		c(&s)
	}
	log := slog.New(slog.DiscardHandler)
	store, err := boot.Start(t.Context(), boot.Options{
		Database: s.database, Repository: filepath.Join(dir, "backups"), Migrations: migrations, MigrationsDir: "migrations",
		Telegram: boot.Telegram{Token: s.token, API: s.server, Admins: s.admins}, Logger: log, NoSignals: true, Every: boot.Never, OnChange: boot.Never,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.bot, err = newBot(store, s); err != nil {
		t.Fatal(err)
	}
	if w.backups, err = telegram.New(telegram.Options{Store: store, Back: &telegram.Button{Text: words("system"), Data: toSystem}, Logger: log}); err != nil {
		t.Fatal(err)
	}
	return w
}

// serves lets the bot read updates until the test ends.
func (w *world) serves() *world {
	w.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.serve(ctx) }()
	w.t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	return w
}

// count asks the database for a number.
func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestBot_Private(t *testing.T) {
	w := newWorld(t).serves()
	for _, c := range []struct {
		who        *telegramtest.User
		says, want string
	}{
		{w.nok, "/start", "Hello Nok!"},
		{w.sara, "/start", "سلام سارا!"},
		{w.ann, "hello", "/admin opens the panel"},
		{w.nok, "/id", "Your id is 8."},
		{w.ann, "/status", "Everything"},
		{w.ann, "/backup", "Backed up to quick_backup_"},
		{w.sara, "/admin", "پنل ادمین"},
	} {
		c.who.Says(0, c.says)
		if c.says == "/status" {
			w.tg.Await(ann, "a status", func(m telegramtest.Message) bool { return m.FromBot() && strings.Contains(m.Text, w.status()) })
			continue
		}
		w.tg.AwaitText(c.who.ID, c.want)
	}
}

// Whoever is no admin gets no panel, and his presses no answer.
func TestBot_OnlyAdmins(t *testing.T) {
	w := newWorld(t).serves()
	w.nok.Says(0, "/admin")
	m := w.tg.AwaitText(nok, "Hello Nok!") // as anybody who says something
	press := w.nok.Forges(m, toUsers)
	w.ann.Says(0, "/admin") // what comes later has been dealt with
	w.ann.Presses(w.tg.AwaitText(ann, "Admin panel"), "👥 Users")
	w.nok.Says(0, "/id")
	w.tg.AwaitText(nok, "Your id is 8.")
	if press.Answered() {
		t.Error("somebody else pressed a button of the panel and was answered")
	}
	w.nok.Replies(w.sara.Says(tea, "hi"), "/block")
	w.nok.Says(tea, "/tracking")
	w.tg.AwaitText(tea, "Messages in this group")
	if w.group.Restricted(w.sara) {
		t.Error("somebody who moderates nothing has blocked somebody")
	}
}

// Every screen of the menu, and the way to the panel and back.
func TestBot_Menu(t *testing.T) {
	w := newWorld(t).serves()
	w.nok.Says(tea, "one")
	w.nok.Says(tea, "two")
	w.ann.Says(0, "/admin")
	menu := w.tg.AwaitText(ann, "🛠 Admin panel")
	for _, step := range []struct{ press, want string }{
		{"👥 Users", "\u2068Nok\u2069 (\u20688\u2069): 2 messages"},
		{"🔄 Refresh", "2 people have written"},
		{"◀️ Back", "Admin panel"},
		{"🚫 Blocked", "Blocked: 0"},
		{"◀️ Back", "Admin panel"},
		{"⚙️ System", "The database lies on disk."},
		{"💾 Backup", "bot_database"},
		{"⚙️ System", "The database lies on disk."},
		{"◀️ Back", "Admin panel"},
	} {
		label := step.press
		for _, row := range menu.Buttons() {
			for _, l := range row {
				if strings.Contains(l, step.press) {
					label = l
				}
			}
		}
		w.ann.Presses(menu, label)
		menu = w.tg.Await(ann, step.press+": "+step.want, func(m telegramtest.Message) bool { return m.ID == menu.ID && strings.Contains(m.Text, step.want) })
	}
}

// A block is stored, told, and lifted when its time is over, or earlier by hand.
func TestBot_Blocks(t *testing.T) {
	w := newWorld(t).serves()
	w.group.Member(w.ann, "administrator")
	rude := w.nok.Says(tea, "rude")
	w.ann.Replies(rude, "/block soon")
	w.tg.AwaitText(tea, "with /block 2h")
	w.ann.Replies(rude, "/block 2h")
	w.tg.AwaitText(tea, "\u2068Nok\u2069 may not write until")
	if left := w.count("SELECT until - unixepoch() FROM blocks"); !w.group.Restricted(w.nok) || left < 7190 || left > 7201 {
		t.Errorf("restricted: %v, for %d s", w.group.Restricted(w.nok), left)
	}
	w.ann.Replies(rude, "/unblock")
	w.tg.AwaitText(tea, "\u2068Nok\u2069 may write again.")
	w.ann.Replies(rude, "/unblock")
	w.tg.AwaitText(tea, "\u2068Nok\u2069 is not blocked.")

	// Over: the task lifts it. Telegram out of reach leaves it for the next minute.
	if _, err := w.db.Exec("INSERT INTO blocks(chat_id, user_id, until) VALUES(?, ?, unixepoch() - 1)", tea, nok); err != nil {
		t.Fatal(err)
	}
	w.tg.Fail("restrictChatMember", 1, telegramtest.Fault{Code: http.StatusBadGateway})
	if err := w.unblockDue(t.Context()); err == nil {
		t.Error("Telegram did not answer, and the task was content")
	}
	if n := w.count("SELECT count(*) FROM blocks"); n != 1 {
		t.Errorf("%d blocks are left after a failure, want 1", n)
	}
	if err := w.unblockDue(t.Context()); err != nil {
		t.Error(err)
	}
	if n := w.count("SELECT count(*) FROM blocks"); n != 0 {
		t.Errorf("%d blocks are left", n)
	}

	// Who cannot be blocked is not, and the group is told why.
	w.ann.Replies(w.ann.Says(tea, "I"), "/block 1h")
	w.tg.AwaitText(tea, "user is an administrator of the chat")
	if n := w.count("SELECT count(*) FROM blocks"); n != 0 {
		t.Errorf("%d blocks are stored of what was refused", n)
	}
}

// Who writes too much is blocked, once.
func TestBot_Flood(t *testing.T) {
	w := newWorld(t)
	for i := range perMinute + 3 {
		m := &models.Message{ID: 100 + i, Chat: models.Chat{ID: tea, Type: models.ChatTypeSupergroup}, From: &models.User{ID: nok, FirstName: "Nok"}, Text: "x"}
		for range 2 { // each message comes twice, and counts once
			if err := w.handle(t.Context(), &models.Update{Message: m}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := w.group.Restricted(w.nok), i >= perMinute; got != want {
			t.Fatalf("after %d messages: restricted %v", i+1, got)
		}
	}
	if n := w.count("SELECT sent FROM messages WHERE user_id = ?", nok); n != perMinute+3 {
		t.Errorf("%d messages were counted, want %d", n, perMinute+3)
	}
	if n := w.count("SELECT count(*) FROM blocks"); n != 1 {
		t.Errorf("%d blocks", n)
	}
}

// Old rows of tracking go, counts stay.
func TestBot_ForgetsOld(t *testing.T) {
	w := newWorld(t).serves()
	w.nok.Says(tea, "old")
	w.nok.Says(tea, "/tracking")
	w.tg.AwaitText(tea, "\u2068Nok\u2069: 2 (2)")
	if _, err := w.db.Exec("UPDATE tracking SET seen = seen - ? WHERE user_id = ?", int(trackedFor.Seconds())+1, nok); err != nil {
		t.Fatal(err)
	}
	if err := w.forgetOld(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tracked, sent := w.count("SELECT count(*) FROM tracking WHERE user_id = ?", nok), w.count("SELECT sent FROM messages WHERE user_id = ?", nok); tracked != 0 || sent != 2 {
		t.Errorf("%d rows are tracked, %d messages counted", tracked, sent)
	}
}

// With WEBHOOK_URL Telegram brings the updates, and only Telegram may.
func TestBot_Webhook(t *testing.T) {
	w := newWorld(t, func(s *settings) { s.webhook = "http://127.0.0.1" })
	web := httptest.NewServer(w.paths())
	t.Cleanup(web.Close)
	w.webhook = web.URL
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.await(ctx) }()
	w.tg.Until("the webhook is set", func() bool {
		for _, c := range w.tg.Calls() {
			if c.Method == "setWebhook" && c.Error == "" {
				return true
			}
		}
		return false
	})
	w.nok.Says(0, "/id")
	w.tg.AwaitText(nok, "Your id is 8.")
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for path, want := range map[string]int{health: http.StatusOK, "/": http.StatusOK, "/else": http.StatusNotFound} {
		resp, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	resp, err := http.Post(web.URL+hook, "application/json", strings.NewReader(`{"update_id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger brings updates: %d", resp.StatusCode)
	}
}

// A token that Telegram does not know ends the program with a sentence.
func TestBot_WrongToken(t *testing.T) {
	w := newWorld(t)
	w.tg.Revoke("7120000001:AAnotherTokenOfTheSameBotByItsOwner")
	err := w.serve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "TELEGRAM_TOKEN") || strings.Contains(err.Error(), w.token) {
		t.Errorf("it says %v", err)
	}
}

func TestLengthOf(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"", time.Hour, true},
		{"90s", 90 * time.Second, true},
		{"2h", 2 * time.Hour, true},
		{"3d", 72 * time.Hour, true},
		{"365d", blockAtMost, true},
		{"366d", 0, false},
		{"-1d", 0, false},
		{"0s", 0, false},
		{"99999999999d", 0, false},
		{"soon", 0, false},
		{"2", 0, false},
	} {
		if got, ok := lengthOf(c.text); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %v, %v", c.text, got, ok)
		}
	}
}

// Everything is said in both languages, with the same things in it.
func TestPhrases(t *testing.T) {
	for key, p := range phrases {
		if p.en == "" || p.fa == "" || strings.Count(p.en, "%") != strings.Count(p.fa, "%") {
			t.Errorf("%s: %q and %q", key, p.en, p.fa)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		set        map[string]string
		want, fail string
	}{
		{map[string]string{}, "", "set TELEGRAM_TOKEN"},
		{map[string]string{"TELEGRAM_TOKEN": "1:a"}, "[] ", ""},
		{map[string]string{"HOLDFAST_TELEGRAM_TOKEN": "1:a", "BOT_ADMINS": "7, 9"}, "[7 9] 7", ""},
		{map[string]string{"TELEGRAM_TOKEN": "1:a", "HOLDFAST_TELEGRAM_ADMINS": "9", "HOLDFAST_REPLICAS": "[]"}, "[9] ", ""},
		{map[string]string{"TELEGRAM_TOKEN": "1:a", "BOT_ADMINS": "@ann"}, "", `"@ann" is no id`},
		{map[string]string{"TELEGRAM_TOKEN": "1:a", "AUTO_UNBLOCK_EVERY": "-1s"}, "", "is no period"},
	} {
		t.Run(fmt.Sprint(c.set), func(t *testing.T) {
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			s, err := fromEnvironment()
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("it says %v, want %q", err, c.fail)
				}
				return
			}
			if got := fmt.Sprintf("%v %s", s.admins, s.replica); err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}
