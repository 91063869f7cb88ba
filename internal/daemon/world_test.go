package daemon

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/logtest"
	"github.com/holdfast-backup/holdfast/internal/schedule/scheduletest"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// A world is a machine with some data and a repository.
type world struct {
	t     *testing.T
	root  string
	clock *scheduletest.Clock // nil: real time
	busy  func() bool

	mu       sync.Mutex
	settings map[string]string
	broken   error // what Load answers
}

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), busy: func() bool { return false }, settings: map[string]string{"serve.listen": "127.0.0.1:0", "schedule.on_change": "off"}}
	maps.Copy(w.settings, settings)
	w.write("first")
	return w
}

// simulated lets the world follow a clock that the test moves.
func (w *world) simulated(start time.Time) *world {
	w.clock = scheduletest.New(start, scheduletest.Options{Busy: func() bool {
		w.mu.Lock()
		busy := w.busy
		w.mu.Unlock()
		return busy()
	}})
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.root, name) }

// write changes the data.
func (w *world) write(content string) {
	w.t.Helper()
	if err := os.MkdirAll(w.path("docs"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path("docs/a.txt"), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) set(key, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settings[key] = value
}

func (w *world) load() (*config.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return nil, w.broken
	}
	flags := config.Flags{
		NoFile: true, Repository: w.path("repository"), Settings: map[string]config.FlagValue{},
		Sources: []config.Source{{Name: "docs", Kind: holdfast.KindFiles, Path: w.path("docs")}},
	}
	for key, value := range w.settings {
		if key == "repository" {
			flags.Repository = value
			continue
		}
		flags.Settings[key] = config.FlagValue{Flag: "--" + key, Value: value}
	}
	return config.Load(flags, nil)
}

// backups lists the backups, the newest first.
func (w *world) backups() []repo.Info {
	w.t.Helper()
	c, err := w.load()
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := wire.OpenRepository(context.Background(), c)
	if err != nil {
		return nil
	}
	all, err := r.List(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A life is one daemon from its start to its end.
type life struct {
	w       *world
	log     *logtest.Log
	reload  chan struct{}
	stopped chan struct{}
	once    sync.Once
	serving chan Serving
	ended   chan error
	now     Serving
}

// begin starts a daemon without waiting for it.
func (w *world) begin(change ...func(*Options)) *life {
	l := &life{
		w: w, log: &logtest.Log{}, reload: make(chan struct{}, 1), stopped: make(chan struct{}),
		serving: make(chan Serving, 8), ended: make(chan error, 1),
	}
	o := Options{
		Load: w.load, Reload: l.reload, Stop: l.stopped, ToolVersion: "test",
		Logger: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Listening: func(s Serving) { l.serving <- s },
		Inspect: func(busy func() bool) {
			w.mu.Lock()
			w.busy = busy
			w.mu.Unlock()
		},
	}
	if w.clock != nil {
		o.Now, o.Timer = w.clock.Now, w.clock.Timer
	}
	for _, c := range change {
		c(&o)
	}
	go func() { l.ended <- Run(context.Background(), o) }()
	w.t.Cleanup(func() {
		l.once.Do(func() {
			close(l.stopped)
			select {
			case <-l.ended:
			case <-time.After(30 * time.Second):
				w.t.Error("the daemon does not end")
			}
		})
		if w.t.Failed() {
			w.t.Log(l.log.String())
		}
	})
	return l
}

// start starts a daemon and waits until it serves.
func (w *world) start(change ...func(*Options)) *life {
	w.t.Helper()
	l := w.begin(change...)
	l.await()
	return l
}

// await waits until it serves, or serves again.
func (l *life) await() {
	l.w.t.Helper()
	select {
	case l.now = <-l.serving:
	case err := <-l.ended:
		l.once.Do(func() {})
		l.w.t.Fatalf("it ended: %v\n%s", err, l.log)
	case <-time.After(30 * time.Second):
		l.w.t.Fatalf("it does not serve\n%s", l.log)
	}
}

// stop asks it to stop, and waits for that.
func (l *life) stop() {
	l.w.t.Helper()
	l.once.Do(func() {
		close(l.stopped)
		select {
		case err := <-l.ended:
			if err != nil {
				l.w.t.Errorf("stop: %v", err)
			}
		case <-time.After(30 * time.Second):
			l.w.t.Fatalf("it does not stop\n%s", l.log)
		}
	})
}

// refused gives the error of a daemon that must not serve.
func (l *life) refused() error {
	l.w.t.Helper()
	select {
	case err := <-l.ended:
		l.once.Do(func() {})
		return err
	case <-l.serving:
		l.w.t.Fatal("it serves")
	case <-time.After(30 * time.Second):
		l.w.t.Fatal("it neither serves nor ends")
	}
	return nil
}

// get asks for a path, and gives status and body.
func (l *life) get(path string) (int, string) {
	l.w.t.Helper()
	return l.ask(http.MethodGet, path, "")
}

func (l *life) ask(method, path, body string) (int, string) {
	l.w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, l.now.URL+path, strings.NewReader(body))
	if err != nil {
		l.w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// eventually waits until something is so.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for looks := 1; !is(); looks++ {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
		if w.clock != nil && looks%50 == 0 { // it may wait for a turn, by the clock
			w.clock.Leap(time.Second)
		}
	}
}

// heard is a receiver of alarms.
type heard struct {
	mu       sync.Mutex
	messages []alarm.Message
}

func (h *heard) Send(_ context.Context, m alarm.Message) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, m)
	return []error{nil}
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for _, m := range h.messages {
		b.WriteString(m.Title + "\n" + m.Text + "\n")
	}
	return b.String()
}
