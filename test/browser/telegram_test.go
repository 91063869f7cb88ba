package browser

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// The admin of the pictures.
const admin = 4711

// chatScreens are the screens of the panel that the documents show, in the order in
// which they are come by; there is a picture of each in every one of chatLanguages and
// chatThemes.
var (
	chatScreens   = []string{"menu", "backup", "list", "details", "restore", "progress", "result", "sent", "alert"}
	chatLanguages = []locale.Lang{locale.English, locale.Persian}
	chatThemes    = []string{"light", "dark"}
)

// chatPicture is the name of one of them.
func chatPicture(screen, theme string, lang locale.Lang) string {
	name := "telegram-" + screen
	if theme == "dark" {
		name += ".dark"
	}
	return name + "." + string(lang)
}

// chatPictures are the names of all.
func chatPictures() (all []string) {
	for _, lang := range chatLanguages {
		for _, screen := range chatScreens {
			for _, theme := range chatThemes {
				all = append(all, chatPicture(screen, theme, lang))
			}
		}
	}
	return all
}

// A chat is what an admin has with the bot of a daemon.
type chat struct {
	t        *testing.T
	w        *world
	d        *daemon
	tab      *tab
	telegram *telegramtest.Server
	user     *telegramtest.User
	l        *locale.Locale
	taken    int
}

// TestTelegram_Pictures goes through the panel as an admin does, with a daemon, a
// database and backups that are real, and takes the pictures of the documents on the
// way. With -update it writes them.
//
//	go test ./test/browser -run TestTelegram_Pictures -update
func TestTelegram_Pictures(t *testing.T) {
	for _, lang := range chatLanguages {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel() // most of the time is Telegram's pace
			c := newChat(t, lang)
			l := c.l
			c.user.Says(0, "/start")
			m := c.reads("🛠")
			c.picture("menu")

			m = c.press(m, l.T("panel.system"))
			m = c.press(m, l.T("panel.backup"))
			c.picture("backup")

			m = c.press(m, l.T("panel.list"))
			c.picture("list")
			m = c.press(m, l.Number(1))
			c.press(m, l.T("details.verify"))
			m = c.reads("✅ " + l.T("job.verify"))
			m = c.press(m, l.T("jobs.next_details"))
			c.picture("details")

			c.w.sqlite("DELETE FROM users WHERE id > 180")
			m = c.press(m, l.T("details.restore"))
			c.picture("restore")
			c.press(m, l.T("restore.begin"))
			c.waits("hook-waits")
			c.telegram.Await(admin, "the steps of the restore", func(m telegramtest.Message) bool {
				return strings.Contains(m.Text, "⏳") && strings.Count(m.Text, "✅") > 2
			})
			c.picture("progress")
			c.goesOn()
			m = c.reads("emergency_restore_")
			c.picture("result")

			m = c.press(m, l.T("jobs.next_details"))
			m = c.press(m, l.T("panel.send"))
			c.press(m, l.T("panel.send.encrypted"))
			c.reads("✅ " + l.T("panel.sent"))
			c.picture("sent")

			c.breaks()
			c.reads("🔔 " + l.T("panel.notice"))
			c.picture("alert")
			if c.taken != len(chatScreens)*len(chatThemes) {
				t.Errorf("%d pictures were taken, want %d of %v", c.taken, len(chatScreens)*len(chatThemes), chatScreens)
			}
		})
	}
}

// newChat is a machine with a daemon whose bot has an admin, and some backups.
func newChat(t *testing.T, lang locale.Lang) *chat {
	c := &chat{t: t, telegram: telegramtest.Start(t, telegramtest.Options{}), tab: newTab(t), l: locale.Of(lang)}
	name := map[locale.Lang]string{locale.English: "Ada", locale.Persian: "سارا"}[lang]
	c.user = c.telegram.User(admin, name, string(lang))
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bot") // its path is in the pictures
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c.w = &world{t: t, dir: dir, binary: program}
	c.w.configure(sources + `hooks: {after_restore: "touch hook-waits; until [ -e go-on ]; do sleep 0.05; done"}` + "\n")
	c.w.Env = []string{
		"HOLDFAST_TELEGRAM_API=" + c.telegram.URL, "HOLDFAST_TELEGRAM_TOKEN=" + c.telegram.Token, fmt.Sprintf("HOLDFAST_TELEGRAM_ADMINS=%d", admin),
	}
	c.w.sqlite(`PRAGMA journal_mode = wal; CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 412) INSERT INTO users SELECT i, hex(randomblob(40)) FROM n;
		CREATE TABLE messages(id INTEGER PRIMARY KEY, said TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9811) INSERT INTO messages SELECT i, hex(randomblob(90)) FROM n;`)
	c.w.run("backup", "--trigger", "scheduled")
	c.w.run("backup", "--trigger", "quick")
	c.w.run("verify", "latest")
	c.w.run("backup", "--name", map[locale.Lang]string{locale.English: "before-the-cleanup", locale.Persian: "پیش‌از‌پاک‌سازی"}[lang], "--note", map[locale.Lang]string{locale.English: "users who left", locale.Persian: "کاربران قدیمی"}[lang])
	c.d = c.w.serve("")
	return c
}

// reads waits for a message of the bot that says something.
func (c *chat) reads(part string) telegramtest.Message {
	c.t.Helper()
	return c.telegram.Await(admin, part, func(m telegramtest.Message) bool { return m.FromBot() && strings.Contains(m.Text, part) })
}

// press presses the button with a label, and gives what the message is then.
func (c *chat) press(m telegramtest.Message, label string) telegramtest.Message {
	c.t.Helper()
	for _, row := range m.Buttons() {
		for _, text := range row {
			if text == label || strings.HasSuffix(text, " "+label) {
				c.user.Presses(m, text)
				now, ok := c.telegram.Chat(admin).Message(m.ID)
				if !ok {
					c.t.Fatalf("the message %d is gone", m.ID)
				}
				return now
			}
		}
	}
	c.t.Fatalf("no button says %q: %s", label, m)
	return m
}

// waits waits until the hook of the restore does.
func (c *chat) waits(file string) {
	c.t.Helper()
	eventually(c.t, "the restore waits for its hook", func() bool { return c.w.exists(file) })
}

// goesOn lets the hook end.
func (c *chat) goesOn() {
	c.t.Helper()
	if err := os.WriteFile(c.w.path("go-on"), nil, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// breaks damages the database, which a backup finds out while the daemon is away.
func (c *chat) breaks() {
	c.t.Helper()
	c.d.stop()
	c.w.sqlite("PRAGMA wal_checkpoint(truncate)")
	f, err := os.OpenFile(c.w.path("bot.db"), os.O_RDWR, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte("noise"), 20<<10), 64<<10); err != nil {
		c.t.Fatal(err)
	}
	if out, err := c.w.command("backup", "--trigger", "quick").CombinedOutput(); err == nil {
		c.t.Errorf("a damaged database was backed up:\n%s", out)
	}
	c.d = c.w.serve("")
}

// The pictures have the width of a phone, and the height of what is shown. What is
// shown says the time, so that no two are alike.
const (
	phoneWidth = 390
	mostTaller = 120
)

// picture takes the pictures of the newest screen, in all themes, and compares their
// sizes with those of the documents.
func (c *chat) picture(screen string) {
	c.t.Helper()
	for _, m := range c.telegram.Chat(admin).Messages() {
		if last := c.newest(); m.ID < last.ID && (m.Document == nil || last.Document != nil) {
			c.user.Deletes(m)
		}
	}
	for _, theme := range chatThemes {
		taken, err := c.take(theme)
		if err != nil {
			c.t.Fatal(err)
		}
		c.taken++
		file := filepath.Join(images, chatPicture(screen, theme, c.l.Lang())+".png")
		if *update {
			if err := os.WriteFile(file, taken, 0o644); err != nil {
				c.t.Fatal(err)
			}
		}
		there, err := os.ReadFile(file)
		if err != nil {
			c.t.Errorf("%v; -update writes it", err)
			continue
		}
		got, err := png.DecodeConfig(bytes.NewReader(there))
		if err != nil {
			c.t.Errorf("%s: %v", file, err)
			continue
		}
		want, err := png.DecodeConfig(bytes.NewReader(taken))
		if err != nil || got.Width != want.Width || max(got.Height-want.Height, want.Height-got.Height) > mostTaller {
			c.t.Errorf("%s is %d×%d, the chat %d×%d (%v); -update writes it anew", file, got.Width, got.Height, want.Width, want.Height, err)
		}
		if len(there) > mostBytes {
			c.t.Errorf("%s has %d bytes, more than %d", file, len(there), mostBytes)
		}
	}
}

// newest is the last message of the chat.
func (c *chat) newest() telegramtest.Message {
	c.t.Helper()
	all := c.telegram.Chat(admin).Messages()
	if len(all) == 0 {
		c.t.Fatal("the chat is empty")
	}
	return all[len(all)-1]
}

// take photographs the whole chat in one theme.
func (c *chat) take(theme string) ([]byte, error) {
	if err := c.tab.size(phoneWidth, 200); err != nil {
		return nil, err
	}
	if err := c.tab.open(fmt.Sprintf("%s/chat/%d?still=1&theme=%s", c.telegram.URL, admin, theme)); err != nil {
		return nil, err
	}
	height, err := evaluate[int64](c.tab, "document.documentElement.scrollHeight")
	if err != nil {
		return nil, err
	}
	if err := c.tab.size(phoneWidth, height); err != nil {
		return nil, err
	}
	return chromedp.Run(c.tab.ctx, chromedp.CaptureScreenshot())
}
