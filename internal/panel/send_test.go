package panel_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast/internal/botapi"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// documents are the files in a chat, in their order.
func (w *world) documents(chat int64) (all []telegramtest.Message) {
	for _, m := range w.telegram.Chat(chat).Messages() {
		if m.Document != nil {
			all = append(all, m)
		}
	}
	return all
}

// stored is the database as the newest backup has it.
func (w *world) stored() []byte {
	w.t.Helper()
	e, err := w.Core().Keeper.Engine(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	b, _, err := e.Open(w.t.Context(), "latest")
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	f, err := b.Open("bot/bot.db")
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// Two pieces, each of which a bot can fetch back, are the whole backup again, bit for bit,
// with nothing but the token.
func TestSend_EncryptedPiecesAreTheBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sourcetest.SQLite(t, w.Database, "INSERT INTO note(text) SELECT randomblob(1000000) FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5), (SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4);")
	w.Backup("monday")
	p := w.ann()
	m := p.press(p.details(p.opens()), "panel.send")
	p.sees(m, p.l.T("panel.send.sealed"), "holdfast key telegram", "about 2 pieces")
	p.taps(m, "panel.send.encrypted")
	last := p.until(p.l.T("panel.sent"))
	p.sees(last, "cat monday.tar.age.* | age -d | tar x", "holdfast key telegram")

	docs := w.documents(p.ID)
	if len(docs) != 2 || docs[0].Document.FileName != "monday.tar.age.001" || docs[1].Document.FileName != "monday.tar.age.002" {
		t.Fatalf("in the chat are %v", docs)
	}
	if docs[1].ID > last.ID {
		t.Error("the last word stands above the pieces")
	}
	var whole []io.Reader
	for _, d := range docs {
		if d.Document.FileSize > screen.MostPiece {
			t.Errorf("%s has %d bytes", d.Document.FileName, d.Document.FileSize)
		}
		whole = append(whole, bytes.NewReader(w.telegram.Bytes(d)))
	}
	key, err := botapi.Identity(w.telegram.Token)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := age.Decrypt(io.MultiReader(whole...), key)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	archive := tar.NewReader(opened)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "bot/bot.db" {
			continue
		}
		found = true
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(data) != sha256.Sum256(w.stored()) {
			t.Error("the database is another one")
		}
	}
	if !found {
		t.Error("there is no database in it")
	}
	w.end()
	torn := filepath.Join(w.Dir, "panel", ".telegram-1.tmp") // as a crash leaves it
	if err := os.WriteFile(torn, []byte("half a piece"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	left, err := filepath.Glob(filepath.Join(w.Dir, "panel", ".telegram-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind are %v, %v", left, err)
	}
}

// In clear it is the database itself, and only after a second question.
func TestSend_InClearAfterASecondQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	m := p.press(p.details(p.opens()), "panel.send")
	m = p.press(m, "panel.send.clear")
	p.sees(m, p.l.T("panel.send.clear_risk"), "monday.db")
	if len(w.documents(p.ID)) != 0 {
		t.Fatal("it was sent unasked")
	}
	w.later(11 * time.Minute)
	m = p.press(m, "panel.send.clear_yes")
	p.sees(m, p.l.T("panel.again_old"))
	p.taps(m, "panel.send.clear_yes")
	p.until(p.l.T("panel.sent"))
	docs := w.documents(p.ID)
	if len(docs) != 1 || docs[0].Document.FileName != "monday.db" {
		t.Fatalf("in the chat are %v", docs)
	}
	data := w.telegram.Bytes(docs[0])
	if !bytes.Equal(data, w.stored()) {
		t.Error("it is another database")
	}
	file := filepath.Join(t.TempDir(), "monday.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := sourcetest.SQLiteInt(t, file, "SELECT count(*) FROM note;"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A second file waits until the first has arrived; one that is ended, or fails, says that
// what arrived is of no use.
func TestSend_OneAtATimeAndItsEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	m := p.press(p.details(p.opens()), "panel.send")
	second := p.press(p.details(p.opens()), "panel.send")
	w.telegram.Fail("sendDocument", 1, telegramtest.Fault{Hang: true})
	label := "🔒 " + p.l.T("panel.send.encrypted")
	first, again := p.Taps(m, label), p.Taps(m, label)
	first.Answer()
	again.Answer()
	p.sees(p.now(m), p.l.T("panel.sending"))
	if a := p.Presses(second, label); a.Text != p.l.T("panel.send.busy") {
		t.Errorf("said %q", a.Text)
	}
	cancel := p.now(m)
	p.press(cancel, "panel.cancel")
	m = p.until(p.l.T("panel.send.cut"))
	p.sees(m, p.l.T("jobs.end_cancelled"))
	w.telegram.Heal() // it may have been ended before anything was sent

	w.telegram.Fail("sendDocument", 50, telegramtest.Fault{Code: 403, Text: "Forbidden: not enough rights to send documents to the chat"})
	p.taps(p.press(m, "jobs.next_again"), "panel.send.encrypted")
	w.telegram.Until("the failure", func() bool { return strings.Contains(p.now(m).Text, "not enough rights") })
	w.telegram.Heal()
	if n := len(w.documents(p.ID)); n != 0 {
		t.Errorf("%d files arrived", n)
	}
	// The button to end one that is no more leads to what there is.
	if a := p.Forges(cancel, cancel.Keyboard.Rows[0][0].CallbackData).Answer(); a.Text != p.l.T("panel.toast.restarted") {
		t.Errorf("said %q", a.Text)
	}
}
