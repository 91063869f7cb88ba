//go:build linux

package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// ann is the admin in whose chat the copies lie.
const ann = 4242

// way is the way to Telegram: it counts the pieces that pass, and can break.
type way struct {
	*httptest.Server
	to *httputil.ReverseProxy

	mu     sync.Mutex
	pieces int           // that were sent whole
	bytes  int64         // of all that was sent
	breaks int           // the piece in whose middle the way breaks; 0 is none
	broken chan struct{} // closed when it has
}

// a piece is told from an index by its size.
const pieceAtLeast = 1 << 20

func newWay(t *testing.T, s *telegramtest.Server) *way {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &way{to: httputil.NewSingleHostReverseProxy(to), broken: make(chan struct{})}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

// ServeHTTP implements http.Handler. Uploads have no length of their own, so the
// beginning of each is read to know what it is.
func (w *way) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	select {
	case <-w.end():
		panic(http.ErrAbortHandler)
	default:
	}
	head, err := io.ReadAll(io.LimitReader(req.Body, pieceAtLeast))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	isPiece := len(head) == pieceAtLeast
	if isPiece && w.begins() {
		_, _ = io.CopyN(io.Discard, req.Body, 8<<20)
		close(w.end())
		panic(http.ErrAbortHandler)
	}
	body := &counted{Reader: io.MultiReader(strings.NewReader(string(head)), req.Body)}
	req.Body = io.NopCloser(body)
	w.to.ServeHTTP(out, req)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += body.n
}

// begins counts a piece and tells whether the way breaks in it.
func (w *way) begins() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces++
	return w.pieces == w.breaks
}

// end is closed when the way has broken.
func (w *way) end() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// mend lets everything pass, and counts anew.
func (w *way) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces, w.bytes, w.breaks, w.broken = 0, 0, 0, make(chan struct{})
}

// passed tells what went this way since it was mended.
func (w *way) passed() (pieces int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pieces, w.bytes
}

type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// A bot's owner has nothing but the bot: 40 MB lie in her chat, the upload is cut
// in the middle of the third piece and goes on, changes are small, somebody pins
// something else, the bot gets a new token; then the machine is gone, and comes
// back with the environment alone.
func TestTelegramReplica_TheMachineIsWiped(t *testing.T) {
	t.Parallel()
	s := telegramtest.Start(t, telegramtest.Options{})
	person := s.User(ann, "Ann", "en")
	person.Says(ann, "/start")
	w := newWay(t, s)
	env := func(token string, more ...string) []string {
		return append([]string{
			"HOLDFAST_TELEGRAM_TOKEN=" + token, "HOLDFAST_TELEGRAM_API=" + w.URL, fmt.Sprintf("HOLDFAST_REPLICAS=[telegram://%d]", ann),
			"HOLDFAST_REPOSITORY=data/backups", "HOLDFAST_RETENTION_KEEP_LAST=3",
		}, more...)
	}
	m := newMachine(t).with(env(s.Token)...)
	db := []string{"--sqlite", "bot=bot.db"}
	m.grow("bot.db", 44_000)
	m.must(0, append(db, "backup", "--name", "first", "--no-replicate")...)

	// Cut in the third piece, and the machine with it.
	w.breaks = 3
	p := m.start(append(db, "replicate")...)
	select {
	case <-w.end():
	case <-time.After(20 * time.Second):
		pieces, bytes := w.passed()
		t.Fatalf("no third piece was sent, but %d, %d bytes: %s", pieces, bytes, p.stderr.String())
	}
	_ = p.cmd.Process.Kill()
	p.wait()
	w.mend()
	m.must(0, append(db, "replicate")...)
	if pieces, _ := w.passed(); pieces != 1 {
		t.Errorf("%d pieces were sent again, want the third alone", pieces)
	}
	index, ok := s.Chat(ann).Pinned()
	if !ok || index.Document == nil || !index.Silent {
		t.Fatalf("no index is pinned: %+v", index)
	}
	for _, message := range s.Chat(ann).Messages() {
		if message.Document != nil && message.Document.FileSize > 19_000_000 {
			t.Errorf("message %d has %d bytes: no bot can fetch it back", message.ID, message.Document.FileSize)
		}
	}

	// A change travels as a change.
	w.mend()
	m.touch("bot.db")
	m.backupAll(t, db, "second")
	if _, bytes := w.passed(); bytes > 4_000_000 {
		t.Errorf("a few changed rows sent %d bytes", bytes)
	}
	stdout, _ := m.must(0, append(db, "status")...)
	contains(t, "status", stdout, "up to date; 2 copies", "its limits", "token", fmt.Sprintf("?index=%d", index.ID))

	// Somebody pins something later; this machine remembers, an empty one is told.
	person.Pins(person.Says(ann, "remember the milk"))
	m.backupAll(t, db, "third")
	empty := newMachine(t).with(env(s.Token)...)
	_, stderr := empty.must(13, "restore", "latest", "--to", "out")
	contains(t, "the refusal", stderr, "is pinned in the chat", "hint: unpin that message")

	// A new token opens nothing until the former one is named, once.
	const next = "7120000001:BBHoldfastDoubleOfTheBotApi-9876543"
	former := s.Token
	s.Revoke(next)
	found := []string{fmt.Sprintf("HOLDFAST_REPLICAS=['telegram://%d?index=%d']", ann, index.ID)}
	empty = newMachine(t).with(env(next, found...)...)
	_, stderr = empty.must(13, "restore", "latest", "--to", "out")
	contains(t, "the refusal", stderr, "another token", "telegram.former_token")
	m.env = nil
	m.with(env(next, "HOLDFAST_TELEGRAM_FORMER_TOKEN="+former)...)
	m.touch("bot.db")
	m.backupAll(t, db, "fourth")
	want := m.sum("bot.db")

	// The machine is gone, with all that it remembered.
	if err := os.RemoveAll(m.dir); err != nil {
		t.Fatal(err)
	}
	empty.must(0, "restore", "latest", "--to", "out")
	if empty.sum("out/bot/bot.db") != want {
		t.Error("40 MB came back as something else")
	}
	again := newMachine(t).with(env(next, append(found, "HOLDFAST_REPLICATE_AFTER_BACKUP=false")...)...)
	_, stderr = again.must(0, append(db, "run", "--", "/bin/sh", "-c", "cp bot.db seen.db")...)
	contains(t, "run", stderr, "restored")
	if again.sum("seen.db") != want {
		t.Error("the program began with something else")
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "holdfast-telegram-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %q (%v)", left, err)
	}
}

// backupAll makes a backup that is copied, too.
func (m *machine) backupAll(t *testing.T, db []string, note string) {
	t.Helper()
	m.must(0, append(db, "backup", "--trigger", "scheduled", "--note", note)...)
}
