package telegram_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot"
	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/telegram"
)

const admin, stranger = 4711, 666

// migrations make the one table of the bots of these tests.
var migrations = fstest.MapFS{"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE note (text TEXT);\n")}}

// A machine is where a bot runs, with Telegram on the other side, which outlives it.
type machine struct {
	t     *testing.T
	dir   string
	chats *telegramtest.Server
	ada   *telegramtest.User
	o     boot.Options
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	chats := telegramtest.Start(t, telegramtest.Options{})
	m := &machine{t: t, dir: dir, chats: chats, ada: chats.User(admin, "Ada", "en")}
	m.o = boot.Options{
		Database: filepath.Join(dir, "data", "bot.db"), Repository: filepath.Join(dir, "backups"),
		Migrations: migrations, Every: boot.Never, OnChange: boot.Never, NoSignals: true,
		Telegram: boot.Telegram{Token: chats.Token, API: chats.URL, Admins: []int64{admin}},
		Logger:   slog.New(slog.DiscardHandler),
	}
	return m
}

// boot starts the bot's store, and ends it with the test.
func (m *machine) boot() *boot.Store {
	m.t.Helper()
	store, err := boot.Start(m.t.Context(), m.o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.close(store) })
	return store
}

func (m *machine) close(store *boot.Store) {
	if err := store.Close(); err != nil {
		m.t.Error(err)
	}
}

// panel makes the panel of a store.
func (m *machine) panel(o telegram.Options) *telegram.Panel {
	m.t.Helper()
	o.Logger = m.o.Logger
	p, err := telegram.New(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// runs lets the panel fetch its updates until the test ends.
func (m *machine) runs(p *telegram.Panel) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	m.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
	})
}

func (m *machine) write(store *boot.Store, text string) {
	m.t.Helper()
	if _, err := store.DB().ExecContext(m.t.Context(), "INSERT INTO note VALUES (?)", text); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) rows(store *boot.Store) (n int) {
	m.t.Helper()
	if err := store.DB().QueryRowContext(m.t.Context(), "SELECT count(*) FROM note").Scan(&n); err != nil {
		m.t.Fatal(err)
	}
	return n
}

// press presses the button that ends with a label, and gives the message as it is then.
func (m *machine) press(at telegramtest.Message, label string) telegramtest.Message {
	m.t.Helper()
	for _, row := range at.Buttons() {
		for _, text := range row {
			if strings.HasSuffix(text, label) {
				m.ada.Presses(at, text)
				now, _ := m.chats.Chat(admin).Message(at.ID)
				return now
			}
		}
	}
	m.t.Fatalf("no button says %q:\n%s", label, at)
	return at
}

// A bot that has nothing but the panel: an admin backs up, restores and takes it back,
// while the bot's own handle of the database goes on.
func TestPanel_RunsByItself(t *testing.T) {
	m := newMachine(t)
	store := m.boot()
	m.write(store, "one")
	m.runs(m.panel(telegram.Options{Store: store}))

	m.ada.Says(0, "/backup")
	at := m.chats.AwaitText(admin, "Database statistics")
	at = m.press(at, "Create a backup")
	m.press(at, "Quick Backup")
	at = m.chats.Await(admin, "the end of the backup", func(msg telegramtest.Message) bool {
		return strings.Contains(msg.Text, "quick_backup_") && strings.Contains(msg.Text, "✅")
	})
	m.write(store, "two")
	at = m.press(at, "Show the backup")
	at = m.press(at, "Restore…")
	m.press(at, "Restore now")
	at = m.chats.AwaitText(admin, "emergency_restore_")
	if n := m.rows(store); n != 1 {
		t.Errorf("%d rows after the restore, want 1", n)
	}
	at = m.press(at, "Undo the last restore")
	m.press(at, "Roll back now")
	m.chats.Await(admin, "the end of the rollback", func(msg telegramtest.Message) bool {
		return strings.Contains(msg.Text, "✅") && strings.Contains(msg.Text, "Rollback")
	})
	if n := m.rows(store); n != 2 {
		t.Errorf("%d rows after the rollback, want 2", n)
	}
}

// A bot with a menu and updates of its own passes on what it gets, in whatever form its
// library has it; the panel takes only what is its own, and leads back.
func TestPanel_MountedInAMenu(t *testing.T) {
	m := newMachine(t)
	store := m.boot()
	p := m.panel(telegram.Options{Store: store, Back: &telegram.Button{Text: map[string]string{"en": "Tea menu"}, Data: "tea:menu"}})
	client, err := botapi.New(botapi.Options{Token: m.chats.Token, API: m.chats.URL})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan models.Update, 10) // what the panel did not take
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for offset := int64(0); ctx.Err() == nil; {
			updates, err := client.Updates(ctx, offset, time.Second)
			if err != nil {
				return
			}
			for _, u := range updates {
				offset = u.ID + 1
				raw, err := json.Marshal(u)
				if err == nil && !p.HandleJSON(ctx, raw) {
					left <- u
				}
			}
		}
	}()
	defer func() { cancel(); <-ended }()

	m.ada.Says(0, "/start")
	if u := <-left; u.Message == nil || u.Message.Text != "/start" {
		t.Fatalf("the bot got %+v", u)
	}
	if err := p.Open(ctx, admin, admin, 0); err != nil {
		t.Fatal(err)
	}
	at := m.chats.AwaitText(admin, "Database statistics")
	at = m.press(at, "All backups")
	if !strings.Contains(at.Text, "No backups yet") {
		t.Errorf("the list without a backup says:\n%s", at.Text)
	}
	m.chats.User(stranger, "Eve", "en")
	if err := p.Open(ctx, stranger, stranger, 0); err != nil && !errors.Is(err, holdfast.ErrRefused) {
		t.Error(err)
	}
	if all := m.chats.Chat(stranger).Messages(); len(all) != 0 {
		t.Errorf("a stranger was answered: %s", all[0])
	}
	if b := p.Button("fa"); !strings.Contains(b.Text, "پشتیبان") || len(b.CallbackData) == 0 || len(b.CallbackData) > 64 {
		t.Errorf("the button is %+v", b)
	}
	for _, none := range []string{"", "{", `"x"`, `{"update_id":1}`} {
		if p.HandleJSON(ctx, []byte(none)) {
			t.Errorf("%q was taken for an update of the panel", none)
		}
	}
	at = m.press(at, "To the backups") // the screen of the statistics again
	if !strings.Contains(strings.Join(flat(at.Buttons()), "\n"), "Tea menu") {
		t.Fatalf("nothing leads back:\n%s", at)
	}
	m.ada.Taps(at, button(at, "Tea menu"))
	if u := <-left; u.CallbackQuery == nil || u.CallbackQuery.Data != "tea:menu" {
		t.Errorf("the bot got %+v", u)
	}
}

func flat(rows [][]string) (all []string) {
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

func button(at telegramtest.Message, part string) string {
	for _, text := range flat(at.Buttons()) {
		if strings.Contains(text, part) {
			return text
		}
	}
	return ""
}

// The machine is lost with everything on it. The next one, with the token and the admin
// alone, has the data again from the chat, and says so there.
func TestPanel_TellsOfAWipedMachine(t *testing.T) {
	m := newMachine(t)
	m.o.Telegram.Replica = "4711"
	store := m.boot()
	m.panel(telegram.Options{Store: store})
	m.write(store, "before the flood")
	if _, err := store.Backup(t.Context(), boot.BackupOptions{Name: "evening"}); err != nil {
		t.Fatal(err)
	}
	m.close(store)
	for _, lost := range []string{"data", "backups", "state"} {
		if err := os.RemoveAll(filepath.Join(m.dir, lost)); err != nil {
			t.Fatal(err)
		}
	}

	store = m.boot()
	if n := m.rows(store); n != 1 {
		t.Fatalf("%d rows after the loss, want 1", n)
	}
	m.panel(telegram.Options{Store: store})
	told := m.chats.Await(admin, "what the start found", func(msg telegramtest.Message) bool { return strings.Contains(msg.Text, "evening") })
	if told.Document != nil {
		t.Errorf("it was told by a document: %s", told)
	}
}

func TestNew_RefusesWhatItCannotWorkWith(t *testing.T) {
	m := newMachine(t)
	if _, err := telegram.New(telegram.Options{}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("without a store: %v", err)
	}
	store := m.boot()
	if _, err := telegram.New(telegram.Options{Store: store, Language: "tlh"}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("in Klingon: %v", err)
	}
	m.panel(telegram.Options{Store: store})
	if _, err := telegram.New(telegram.Options{Store: store}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("a second one: %v", err)
	}
	m.close(store)
	if _, err := telegram.New(telegram.Options{Store: store}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("of a closed store: %v", err)
	}

	bare := newMachine(t)
	bare.o.Telegram = boot.Telegram{}
	if _, err := telegram.New(telegram.Options{Store: bare.boot()}); !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
		t.Errorf("without a token: %v", err)
	}
}

// A wrong token is told in the log, and keeps no backup from being made.
func TestPanel_AWrongTokenHarmsNothing(t *testing.T) {
	m := newMachine(t)
	m.o.Telegram.Token = "12345:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	store := m.boot()
	p := m.panel(telegram.Options{Store: store})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Run(ctx); !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error(), "AAAA") || !strings.Contains(holdfast.HintOf(err), "HOLDFAST_TELEGRAM_TOKEN") {
		t.Errorf("the panel ended with %v (%s)", err, holdfast.HintOf(err))
	}
	if _, err := store.Backup(t.Context(), boot.BackupOptions{}); err != nil {
		t.Error(err)
	}
	f, err := store.OpenBackup(t.Context(), "latest")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := io.Copy(io.Discard, f); err != nil || n == 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
