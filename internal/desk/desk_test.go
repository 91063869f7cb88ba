package desk

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

const ada, niran = 4711, 4712

// A world is a program with one source, under a clock, with Telegram on the other side.
type world struct {
	t      *testing.T
	dir    string
	chats  *telegramtest.Server
	config *config.Config
	keeper *keeper.Keeper
	desk   *Desk

	mu  sync.Mutex
	off time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.chats = telegramtest.Start(t, telegramtest.Options{})
	w.chats.User(ada, "Ada", "en")
	w.chats.User(niran, "นิรันดร์", "th")
	w.write()
	set := func(v string) config.FlagValue { return config.FlagValue{Flag: "test", Value: v} }
	var err error
	w.config, err = config.Load(config.Flags{
		NoFile: true, Repository: filepath.Join(w.dir, "backups"),
		Sources: []config.Source{{Name: "notes", Kind: holdfast.KindFiles, Path: w.source()}},
		Settings: map[string]config.FlagValue{
			"telegram.token": set(w.chats.Token), "telegram.api": set(w.chats.URL), "telegram.admins": set("4711,4712"), "verify.every": set("1d"),
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w.keeper, err = keeper.New(keeper.Options{Config: w.config, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	w.open()
	return w
}

// open makes the desk, as a start of the program does.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.desk, err = New(Options{
		Config: w.config, Keeper: w.keeper, State: filepath.Join(w.dir, "state"), Now: w.now,
		Standing: func() holdfast.Standing { return holdfast.Standing{State: holdfast.StandingReady} }, Logger: slog.New(slog.DiscardHandler), Alone: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.desk.Close(w.t.Context()) })
}

func (w *world) source() string { return filepath.Join(w.dir, "notes") }

func (w *world) write() {
	w.t.Helper()
	if err := os.MkdirAll(w.source(), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.source(), "a.txt"), []byte("tea"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.off)
}

// passes lets time pass, and the desk watch afterwards.
func (w *world) passes(d time.Duration) {
	w.mu.Lock()
	w.off += d
	w.mu.Unlock()
	w.desk.watch(w.t.Context())
}

func (w *world) backup() {
	w.t.Helper()
	if _, err := w.keeper.Backup(w.t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerManual}); err != nil {
		w.t.Fatal(err)
	}
	w.desk.Changed()
}

// meets lets the panel hear of somebody, and so of his language.
func (w *world) meets(user int64, lang string) {
	w.t.Helper()
	if !w.desk.panel.Handle(w.t.Context(), &models.Update{Message: &models.Message{
		ID: 1, From: &models.User{ID: user, LanguageCode: lang}, Chat: models.Chat{ID: user, Type: models.ChatTypePrivate}, Text: "/start",
	}}) {
		w.t.Fatal("the panel takes no command")
	}
}

// said are the messages of the bot to somebody.
func (w *world) said(user int64) (all []string) {
	for _, m := range w.chats.Chat(user).Messages() {
		if m.FromBot() {
			all = append(all, m.Text)
		}
	}
	return all
}

// Something is wrong, and is right again: each admin is told of both, once and in his
// language, also by the next program.
func TestDesk_AdminsAreToldOfAlarmsAndTheirEnd(t *testing.T) {
	w := newWorld(t)
	w.meets(ada, "en")
	w.meets(niran, "th")
	w.backup()
	w.passes(0)
	if err := os.RemoveAll(w.source()); err != nil {
		t.Fatal(err)
	}
	w.passes(time.Second)
	if got := w.said(ada); len(got) != 1 {
		t.Fatalf("told before it is certain: %q", got)
	}
	for range 3 {
		w.passes(3 * time.Minute)
	}
	for user, lang := range map[int64]locale.Lang{ada: locale.English, niran: locale.Thai} {
		got := w.said(user)[1:] // after the menu
		if len(got) != 1 || !strings.Contains(got[0], locale.Of(lang).T("panel.notice")) || !strings.Contains(got[0], "notes") {
			t.Errorf("%d was told %q", user, got)
		}
	}

	w.desk.Close(t.Context())
	w.open()
	w.write()
	for range 3 {
		w.passes(time.Hour)
	}
	for _, user := range []int64{ada, niran} {
		if got := w.said(user)[1:]; len(got) != 2 {
			t.Errorf("in the end %d was told %q", user, got)
		}
	}
}

// Who could not be told is told later, and nobody else twice.
func TestDesk_AnAdminWhoCannotBeReached(t *testing.T) {
	w := newWorld(t)
	blocked := w.chats.User(niran, "นิรันดร์", "th")
	blocked.Blocks()
	w.backup()
	if err := os.RemoveAll(w.source()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.passes(3 * time.Minute)
	}
	if got := w.said(ada); len(got) != 1 {
		t.Errorf("one was told %q", got)
	}
	blocked.Says(0, "/start")
	for range 3 {
		w.passes(20 * time.Minute)
	}
	if one, other := w.said(ada), w.said(niran); len(one) != 1 || len(other) != 1 {
		t.Errorf("one was told %q, the other %q", one, other)
	}
}

// Nobody else proves anything in a program without a daemon: the newest backup is
// verified as often as is configured.
func TestDesk_TheNewestBackupIsProven(t *testing.T) {
	w := newWorld(t)
	w.backup()
	proven := func() bool {
		all, _, err := w.desk.book.Refresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all) > 0 && all[0].Proven != nil
	}
	if proven() {
		t.Fatal("it is proven from the start")
	}
	w.passes(time.Minute)
	jobs, _, _ := w.desk.jobs.List(job.Filter{}, job.Page{})
	if len(jobs) != 1 || jobs[0].By != byItself {
		t.Fatalf("jobs: %+v", jobs)
	}
	if _, err := w.desk.jobs.Wait(t.Context(), jobs[0].ID); err != nil {
		t.Fatal(err)
	}
	if !proven() {
		t.Error("it is not proven")
	}
	w.passes(time.Hour)
	if jobs, _, _ := w.desk.jobs.List(job.Filter{}, job.Page{}); len(jobs) != 1 {
		t.Errorf("it was proven again within the hour: %+v", jobs)
	}
	w.passes(25 * time.Hour)
	if jobs, _, _ := w.desk.jobs.List(job.Filter{}, job.Page{}); len(jobs) != 2 {
		t.Errorf("it was not proven again after a day: %+v", jobs)
	}
}

// Two programs of one state directory: the second has a folder of its own, and the first
// keeps what it remembers.
func TestDesk_TwoProgramsOneState(t *testing.T) {
	w := newWorld(t)
	first := w.desk
	w.open()
	if w.desk.room.dir == first.room.dir {
		t.Errorf("both remember in %s", first.room.dir)
	}
	second := w.desk.room.dir
	w.desk.Close(t.Context())
	if _, err := os.Stat(second); !os.IsNotExist(err) {
		t.Errorf("the folder of the second is left: %v", err)
	}
}
