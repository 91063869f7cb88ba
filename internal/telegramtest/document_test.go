package telegramtest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// upload sends a document through the library.
func upload(t *testing.T, b *bot.Bot, name string, r io.Reader) (*models.Message, error) {
	t.Helper()
	return b.SendDocument(t.Context(), &bot.SendDocumentParams{ChatID: 7, Caption: "<b>" + name + "</b>", ParseMode: models.ParseModeHTML, Document: &models.InputFileUpload{Filename: name, Data: r}})
}

// download fetches a document through the library.
func download(t *testing.T, b *bot.Bot, id string) []byte {
	t.Helper()
	f, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: id})
	if err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, b.FileDownloadLink(f))
	if status != http.StatusOK {
		t.Fatalf("the download: %d", status)
	}
	return body
}

func fetch(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// A document goes up, comes down, and is replaced; the pin stays with it.
func TestDocument(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b, ctx := client(t, s), t.Context()
	s.User(7, "Ada", "en")
	want := bytes.Repeat([]byte("holdfast"), 100_000)
	m, err := upload(t, b, "a.bin", bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if got := download(t, b, m.Document.FileID); !bytes.Equal(got, want) {
		t.Errorf("downloaded %d bytes that are not those sent", len(got))
	}
	seen := s.Chat(7).Last()
	if !bytes.Equal(s.Bytes(seen), want) || seen.HTML() != "<b>a.bin</b>" || seen.Document.FileName != "a.bin" {
		t.Errorf("in the chat: %v", seen)
	}
	if _, err := b.PinChatMessage(ctx, &bot.PinChatMessageParams{ChatID: 7, MessageID: m.ID}); err != nil {
		t.Fatal(err)
	}
	edited, err := b.EditMessageMedia(ctx, &bot.EditMessageMediaParams{
		ChatID: 7, MessageID: m.ID,
		Media: &models.InputMediaDocument{Media: "attach://b.bin", MediaAttachment: strings.NewReader("two"), Caption: "two"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := download(t, b, edited.Document.FileID); string(got) != "two" {
		t.Errorf("downloaded %q after the replacement", got)
	}
	chat, err := b.GetChat(ctx, &bot.GetChatParams{ChatID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if p := chat.PinnedMessage; p == nil || p.ID != m.ID || p.Caption != "two" || p.Document.FileID != edited.Document.FileID {
		t.Errorf("the pinned message is %+v", p)
	}
	again := sent(t, s, "sendDocument", fmt.Sprintf(`{"chat_id":7,"document":%q}`, edited.Document.FileID))
	if again.Document.FileUniqueID != edited.Document.FileUniqueID {
		t.Errorf("sent again by its id: %+v", again.Document)
	}
	for _, method := range []string{"forwardMessage", "copyMessage"} {
		r := call(t, s, method, fmt.Sprintf(`{"chat_id":7,"from_chat_id":7,"message_id":%d}`, m.ID))
		last := s.Chat(7).Last()
		if !r.OK || last.Document == nil || last.Caption != "two" || (last.ForwardOrigin != nil) != (method == "forwardMessage") {
			t.Errorf("%s: %+v, %v", method, r, last)
		}
	}
	refused(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":7,"message_id":%d,"text":"x"}`, m.ID), "Bad Request: there is no text in the message to edit")
}

// zeros are so many bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// 50 MB go up, 20 MB come down.
func TestLimits(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	b := client(t, s)
	s.User(7, "Ada", "en")
	fits, err := upload(t, b, "20", zeros(20<<20))
	if err != nil {
		t.Fatal(err)
	}
	if got := sha256.Sum256(download(t, b, fits.Document.FileID)); got != sha256.Sum256(make([]byte, 20<<20)) {
		t.Error("20 MB come back as something else")
	}
	large, err := upload(t, b, "50", zeros(50<<20))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, s, "getFile", fmt.Sprintf(`{"file_id":%q}`, large.Document.FileID), "Bad Request: file is too big")
	if _, err := upload(t, b, "too large", zeros(50<<20+1)); err == nil || !strings.Contains(err.Error(), "413 Request Entity Too Large") {
		t.Errorf("50 MB and a byte: %v", err)
	}
	if _, err := upload(t, b, "empty", zeros(0)); err == nil || !strings.Contains(err.Error(), "file must be non-empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := upload(t, b, strings.Repeat("x", 1025), zeros(1)); err == nil || !strings.Contains(err.Error(), "message caption is too long") {
		t.Errorf("a long caption: %v", err)
	}
}

// A path is good for an hour.
func TestPathExpires(t *testing.T) {
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.now})
	b := client(t, s)
	s.User(7, "Ada", "en")
	m, err := upload(t, b, "a.txt", strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: m.Document.FileID})
	if err != nil {
		t.Fatal(err)
	}
	c.pass(59 * time.Minute)
	if status, body := fetch(t, b.FileDownloadLink(f)); status != 200 || string(body) != "one" {
		t.Errorf("after 59 minutes: %d %q", status, body)
	}
	c.pass(time.Minute)
	if status, _ := fetch(t, b.FileDownloadLink(f)); status != 404 {
		t.Errorf("after an hour: %d", status)
	}
	if got := download(t, b, m.Document.FileID); string(got) != "one" {
		t.Errorf("with a new path: %q", got)
	}
}

// A server of one's own gives paths of the disk.
func TestLocal(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{Local: true})
	b := client(t, s)
	s.User(7, "Ada", "en")
	m, err := upload(t, b, "large", zeros(51<<20))
	if err != nil {
		t.Fatal(err)
	}
	f, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: m.Document.FileID})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(f.FilePath); err != nil || st.Size() != 51<<20 {
		t.Errorf("the file on the disk: %v, %v", st, err)
	}
}

// Everything survives in a folder, under another token of the same bot.
func TestSurvives(t *testing.T) {
	dir := t.TempDir()
	s, err := telegramtest.New(telegramtest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b := client(t, s)
	ada := s.User(7, "Ada", "en")
	m, err := upload(t, b, "a.txt", strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	call(t, s, "pinChatMessage", fmt.Sprintf(`{"chat_id":7,"message_id":%d}`, m.ID))
	ada.Says(0, "unread")
	want := s.Chat(7).Messages()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = telegramtest.Start(t, telegramtest.Options{Dir: dir, Token: "7120000001:another"})
	if got := s.Chat(7).Messages(); asJSON(t, got) != asJSON(t, want) {
		t.Errorf("after the restart:\n got %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
	if p, ok := s.Chat(7).Pinned(); !ok || string(s.Bytes(p)) != "one" {
		t.Errorf("the pinned document: %v", p)
	}
	if got, _ := updates(t, s, `{}`); fmt.Sprint(got) != "[unread]" {
		t.Errorf("the updates that wait: %v", got)
	}
	if next := s.User(7, "Ada", "en").Says(0, "more"); next.ID <= want[len(want)-1].ID {
		t.Errorf("the next message is %d, and there was %d", next.ID, want[len(want)-1].ID)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
