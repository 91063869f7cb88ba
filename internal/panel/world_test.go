package panel_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// The admins, each with the language of his Telegram, and somebody who is none.
const (
	ann      = 1001
	somchai  = 1002
	sara     = 1003
	stranger = 6666
)

// A world is a bot whose database is backed up, the panel in its chat, and the people who
// use it.
type world struct {
	*webtest.World
	t        *testing.T
	telegram *telegramtest.Server
	panel    *panel.Panel
	end      func()
	logged   *lines

	mu      sync.Mutex
	offset  time.Duration // of the panel's clock
	frozen  time.Time     // zero: the clock goes
	backs   *panel.Button
	changes func(*report.Status) // of what is told of the data
	every   time.Duration
	mounted bool
}

// lines are what was logged.
type lines struct {
	mu    sync.Mutex
	all   bytes.Buffer
	wrote chan struct{} // closed by the next line, if somebody waits for it
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote != nil {
		close(l.wrote)
		l.wrote = nil
	}
	return l.all.Write(b)
}

// await waits until something has been logged so often.
func (l *lines) await(ctx context.Context, part string, n int) {
	for {
		l.mu.Lock()
		if l.wrote == nil {
			l.wrote = make(chan struct{})
		}
		wrote, now := l.wrote, strings.Count(l.all.String(), part)
		l.mu.Unlock()
		if now >= n {
			return
		}
		select {
		case <-wrote:
		case <-ctx.Done():
			return
		}
	}
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), part)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, logged: &lines{}, every: 20 * time.Millisecond}
	w.World = webtest.New(t, webtest.Options{})
	w.telegram = telegramtest.Start(t, telegramtest.Options{Now: w.now})
	w.start()
	t.Cleanup(func() { w.end() })
	return w
}

// now is the panel's clock, later makes it go.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.frozen.IsZero() {
		return w.frozen.Add(w.offset)
	}
	return time.Now().Add(w.offset)
}

// freeze stops the clock; later still makes it go.
func (w *world) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = time.Now()
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

// start starts the panel.
func (w *world) start() {
	w.t.Helper()
	client, err := botapi.New(botapi.Options{
		Token: w.telegram.Token, API: w.telegram.URL, Patience: time.Second,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	to, err := botapi.Recipient(w.telegram.Token)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.panel, err = panel.New(panel.Options{
		Core: w.core, API: client, Admins: []int64{ann, somchai, sara}, State: filepath.Join(w.Dir, "panel"), Back: w.backs,
		Commands: !w.mounted, Recipient: to, Version: "1.2.3", Now: w.now, Every: w.every,
		Logger: slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	p := w.panel
	if w.mounted { // its bot fetches the updates; whoever runs the panel gives it the commands
		ended <- nil
	} else {
		go func() { ended <- p.Run(ctx) }()
	}
	w.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error("the panel ended:", err)
		}
		if err := p.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
}

// restart ends the panel and starts it again, as with a program.
func (w *world) restart() {
	w.t.Helper()
	w.end()
	w.Start()
	w.start()
}

func (w *world) core() panel.Core {
	c := w.Core()
	w.mu.Lock()
	change := w.changes
	w.mu.Unlock()
	status := func(ctx context.Context) (report.Status, error) {
		st, err := c.Status(ctx)
		if change != nil {
			change(&st)
		}
		return st, err
	}
	return panel.Core{Config: c.Config, Keeper: c.Keeper, Book: c.Book, Jobs: c.Jobs, Operations: c.Operations, Status: status, Alarms: c.Alarms}
}

// change changes what is told of the data from now on.
func (w *world) change(how func(*report.Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = how
}

// A person is an admin with a chat.
type person struct {
	*telegramtest.User
	w *world
	l *locale.Locale
}

func (w *world) person(id int64, name string, lang locale.Lang) *person {
	return &person{w.telegram.User(id, name, string(lang)), w, locale.Of(lang)}
}

func (w *world) ann() *person { return w.person(ann, "Ann", locale.English) }

// opens opens the screen of the backups.
func (p *person) opens() telegramtest.Message {
	p.w.t.Helper()
	p.Says(0, "/backup")
	return p.w.telegram.AwaitText(p.ID, p.l.T("panel.statistics"))
}

// press presses a button by the sentence on it, and waits until that was dealt with.
func (p *person) press(m telegramtest.Message, id string, args ...any) telegramtest.Message {
	p.w.t.Helper()
	p.taps(m, id, args...)
	return p.now(m)
}

// taps is press for a message that may be gone afterwards.
func (p *person) taps(m telegramtest.Message, id string, args ...any) {
	p.w.t.Helper()
	label := p.l.T(id, args...)
	for _, row := range m.Buttons() {
		for _, text := range row {
			if strings.HasSuffix(text, " "+label) || text == label {
				p.Presses(m, text)
				return
			}
		}
	}
	p.w.t.Fatalf("no button says %q: %s", label, m)
}

// now is the message as it is now.
func (p *person) now(m telegramtest.Message) telegramtest.Message {
	p.w.t.Helper()
	at, ok := p.w.telegram.Chat(m.Chat.ID).Message(m.ID)
	if !ok {
		p.w.t.Fatalf("the message %d is gone", m.ID)
	}
	return at
}

// sees fails unless a message says all of these.
func (p *person) sees(m telegramtest.Message, parts ...string) {
	p.w.t.Helper()
	for _, part := range parts {
		if !strings.Contains(m.Text, part) {
			p.w.t.Errorf("%q is not said:\n%s", part, m.Text)
		}
	}
}

// until waits until a message of the chat says something.
func (p *person) until(part string) telegramtest.Message {
	p.w.t.Helper()
	return p.w.telegram.AwaitText(p.ID, part)
}

// details goes to the screen of the newest backup.
func (p *person) details(m telegramtest.Message) telegramtest.Message {
	p.w.t.Helper()
	m = p.press(m, "panel.list")
	label := p.l.Number(1)
	p.Presses(m, label)
	return p.now(m)
}
