package botapi

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// double is a client of the double, and a person's chat.
func double(t *testing.T, o telegramtest.Options) (*telegramtest.Server, *world, int64) {
	t.Helper()
	s := telegramtest.Start(t, o)
	s.User(4711, "Ada", "en")
	return s, newWorld(t, Options{API: s.URL, Token: s.Token}), 4711
}

// bytesOf gives n bytes that no two files share.
func bytesOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// document is one of these bytes that counts how often it is opened.
func document(b []byte) (Document, *int) {
	opened := new(int)
	return Document{Name: "piece.age", Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		*opened++
		return io.NopCloser(bytes.NewReader(b)), nil
	}}, opened
}

func download(t *testing.T, c *world, id string) ([]byte, error) {
	t.Helper()
	r, err := c.Download(t.Context(), id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestDocument_SentReplacedAndFetched(t *testing.T) {
	_, c, chat := double(t, telegramtest.Options{})
	first, second := bytesOf(300_000, 1), bytesOf(200_000, 2)
	d, _ := document(first)
	d.Caption = "a piece"
	sent, err := c.SendDocument(t.Context(), chat, d)
	if err != nil {
		t.Fatal(err)
	}
	if sent.Message == 0 || sent.FileID == "" || sent.UniqueID == "" || sent.Size != int64(len(first)) || sent.Date.IsZero() {
		t.Errorf("sent %+v", sent)
	}
	if got, err := download(t, c, sent.FileID); err != nil || !bytes.Equal(got, first) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	d, _ = document(second)
	again, err := c.ReplaceDocument(t.Context(), chat, sent.Message, d)
	if err != nil {
		t.Fatal(err)
	}
	if again.Message != sent.Message || again.FileID == sent.FileID {
		t.Errorf("replaced %+v by %+v", sent, again)
	}
	if got, err := download(t, c, again.FileID); err != nil || !bytes.Equal(got, second) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestUpload_IsReadAnewForEachAttempt(t *testing.T) {
	for name, f := range map[string]telegramtest.Fault{
		"cut":       {Cut: 100_000},
		"dropped":   {Drop: true},
		"limited":   {Code: 429, RetryAfter: 3},
		"gateway":   {Code: 502},
		"no answer": {Lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, chat := double(t, telegramtest.Options{})
			s.Fail("sendDocument", 2, f)
			want := bytesOf(400_000, 3)
			d, opened := document(want)
			sent, err := c.SendDocument(t.Context(), chat, d)
			if err != nil {
				t.Fatal(err)
			}
			if *opened != 3 {
				t.Errorf("opened %d times", *opened)
			}
			if got, err := download(t, c, sent.FileID); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if f.RetryAfter > 0 && c.clock.waited[0] != 3*time.Second {
				t.Errorf("it waited %v", c.clock.waited)
			}
		})
	}
}

// On a slow line one attempt takes longer than the patience.
func TestUpload_ASlowOneIsTriedAgain(t *testing.T) {
	s, c, chat := double(t, telegramtest.Options{})
	s.Fail("sendDocument", leastAttempts-1, telegramtest.Fault{Cut: 10})
	d, opened := document(bytesOf(1000, 4))
	open := d.Open
	d.Open = func() (io.ReadCloser, error) {
		c.clock.pass(10 * defaultPatience)
		return open()
	}
	if _, err := c.SendDocument(t.Context(), chat, d); err != nil || *opened != leastAttempts {
		t.Errorf("opened %d times, %v", *opened, err)
	}
}

// An endless source that tells how much was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) { e.taken.Add(int64(len(p))); return len(p), nil }
func (e *endless) Close() error               { return nil }

func TestUpload_StreamsAndEndsWithAStall(t *testing.T) {
	// A server that reads nothing: what was taken is what lies in buffers.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	w := newWorld(t, Options{API: "http://" + l.Addr().String(), Patience: time.Millisecond})
	w.http.Transport = newTransport(nil, 100*time.Millisecond)
	e := &endless{}
	_, err = w.SendDocument(t.Context(), 5, Document{Name: "x", Size: MostUpload, Open: func() (io.ReadCloser, error) { e.taken.Store(0); return e, nil }})
	if holdfast.CauseOf(err) != holdfast.CauseUnreachable {
		t.Errorf("error %v", err)
	}
	if e.taken.Load() > MostUpload/2 {
		t.Errorf("%d bytes were taken although nobody read them", e.taken.Load())
	}
}

func TestUpload_OfWhatCannotBeRead(t *testing.T) {
	broken := &fs.PathError{Op: "read", Path: "/backups/x", Err: errors.New("input/output error")}
	for name, open := range map[string]func() (io.ReadCloser, error){
		"opened": func() (io.ReadCloser, error) { return nil, broken },
		"halfway": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{broken})), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, chat := double(t, telegramtest.Options{})
			_, err := c.SendDocument(t.Context(), chat, Document{Name: "x", Size: 10, Open: open})
			if found, ok := errors.AsType[*fs.PathError](err); !ok || found != broken {
				t.Errorf("the reason is lost: %v", err)
			}
			if len(c.clock.waited) > 0 || len(s.Chat(chat).Messages()) > 0 {
				t.Errorf("waited %v, %d messages", c.clock.waited, len(s.Chat(chat).Messages()))
			}
		})
	}
	damaged := &holdfast.Error{Op: "read backup", Err: holdfast.ErrDamaged}
	_, c, chat := double(t, telegramtest.Options{})
	if _, err := c.SendDocument(t.Context(), chat, Document{Name: "x", Open: func() (io.ReadCloser, error) { return nil, damaged }}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestLimits(t *testing.T) {
	s, c, chat := double(t, telegramtest.Options{})
	asked := len(s.Calls())
	if _, err := c.SendDocument(t.Context(), chat, Document{Name: "big.age", Size: MostUpload + 1}); !errors.Is(err, holdfast.ErrRefused) || len(s.Calls()) != asked {
		t.Errorf("an upload that cannot work: %v, %d calls", err, len(s.Calls())-asked)
	}
	big := bytesOf(MostDownload+2<<20, 5)
	d, _ := document(big)
	sent, err := c.SendDocument(t.Context(), chat, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := download(t, c, sent.FileID); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "20 MB") {
		t.Errorf("a download that is too large: %v", err)
	}
}

func TestDownload_OfAServerInItsLocalMode(t *testing.T) {
	_, c, chat := double(t, telegramtest.Options{Local: true})
	want := bytesOf(50_000, 6)
	d, _ := document(want)
	sent, err := c.SendDocument(t.Context(), chat, d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := download(t, c, sent.FileID); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	gone := filepath.Join(t.TempDir(), "nowhere")
	url, _ := answers(t, says(200, `{"ok":true,"result":{"file_id":"f","file_unique_id":"u","file_path":"`+gone+`"}}`))
	_, err = download(t, newWorld(t, Options{API: url}), "f")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(holdfast.HintOf(err), "local mode") || !strings.Contains(err.Error(), gone) {
		t.Errorf("error %v, hint %q", err, holdfast.HintOf(err))
	}
}

// Telegram itself has no business choosing files of this machine.
func TestDownload_TelegramChoosesNoFileHere(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of this machine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var paths []string
	w := newWorld(t, Options{})
	w.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.Path)
		rec := httptest.NewRecorder()
		if len(paths) == 1 {
			says(200, `{"ok":true,"result":{"file_id":"f","file_unique_id":"u","file_path":"`+secret+`"}}`)(rec, r)
		} else {
			_, _ = io.WriteString(rec, "of Telegram")
		}
		return rec.Result(), nil
	})
	if got, err := download(t, w, "f"); err != nil || string(got) != "of Telegram" {
		t.Errorf("got %q, %v", got, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDownload_IsAskedForAgain(t *testing.T) {
	s, c, chat := double(t, telegramtest.Options{})
	want := bytesOf(50_000, 7)
	d, _ := document(want)
	sent, err := c.SendDocument(t.Context(), chat, d)
	if err != nil {
		t.Fatal(err)
	}
	s.Fail("getFile", 1, telegramtest.Fault{Code: 500})
	s.Fail(telegramtest.Download, 2, telegramtest.Fault{Code: 502})
	if got, err := download(t, c, sent.FileID); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.Fail(telegramtest.Download, 1, telegramtest.Fault{Cut: 10_000})
	if got, err := download(t, c, sent.FileID); err == nil {
		t.Errorf("a download that broke off looks whole: %d bytes", len(got))
	}
}

func TestMessages_OverTheDouble(t *testing.T) {
	s, c, chat := double(t, telegramtest.Options{})
	ctx := t.Context()
	me, err := c.Me(ctx)
	if err != nil || !me.IsBot {
		t.Fatalf("%v, %v", me, err)
	}
	m, err := c.Send(ctx, hello(chat))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Pin(ctx, chat, m.ID); err != nil {
		t.Error(err)
	}
	info, err := c.Chat(ctx, chat)
	if err != nil || info.PinnedMessage == nil || info.PinnedMessage.ID != m.ID {
		t.Errorf("chat %+v, %v", info, err)
	}
	copied, err := c.Forward(ctx, chat, chat, m.ID)
	if err != nil || copied.Text != "hello" || copied.ID == m.ID {
		t.Errorf("forwarded %+v, %v", copied, err)
	}
	if err := c.Unpin(ctx, chat, m.ID); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, chat, m.ID); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, chat, m.ID); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("what is gone already: %v", err)
	}
	if left := len(s.Chat(chat).Messages()); left == 0 {
		t.Error("the forwarded message is gone, too")
	}
}
