package panel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// From the first command to a backup that was verified, restored and rolled back, each
// admin in the language of his Telegram.
func TestPanel_FromTheFirstBackupToTheRollback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   int64
		name string
		lang locale.Lang
	}{{ann, "Ann", locale.English}, {somchai, "สมชาย", locale.Thai}, {sara, "سارا", locale.Persian}} {
		t.Run(string(c.lang), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.person(c.id, c.name, c.lang)
			l := p.l

			p.Says(0, "/start")
			m := p.until(l.T("panel.admin"))
			m = p.press(m, "panel.system")
			m = p.press(m, "panel.backup")
			p.sees(m, l.T("panel.statistics"), l.N("overview.rows", 1), l.T("backups.empty"))

			m = p.press(m, "panel.create")
			p.sees(m, l.T("panel.create.quick"))
			p.press(m, "backups.quick")
			p.until("quick_backup_")
			m = w.telegram.Await(p.ID, "the end of the backup", func(m telegramtest.Message) bool {
				return strings.Contains(m.Text, "✅ "+l.T("job.backup"))
			})
			p.sees(m, l.N("overview.rows", 1))

			m = p.press(m, "jobs.next_details")
			p.sees(m, l.T("details.verdict_unproven"), "note")
			p.press(m, "details.verify")
			m = p.until(strings.Split(l.T("jobs.verify_good", "name", ""), "\u2069")[1])
			m = p.press(m, "jobs.next_details")
			p.sees(m, l.T("details.verdict_verified"))

			w.Write("second")
			w.Write("third")
			m = p.press(m, "details.restore")
			p.sees(m, l.T("restore.changes"), l.N("overview.rows", 3), l.N("overview.rows", 1), l.N("restore.change.less", 2), l.T("restore.fact.emergency"))
			p.press(m, "restore.begin")
			m = p.until("emergency_restore_")
			p.sees(m, "✅ "+l.T("job.restore"))
			if n := rows(w); n != 1 {
				t.Errorf("%d rows after the restore", n)
			}

			m = p.press(m, "panel.rollback")
			p.sees(m, l.T("restore.rollback.lead"), l.N("overview.rows", 3))
			p.press(m, "restore.rollback.begin")
			p.until(l.T("jobs.rollback_good"))
			if n := rows(w); n != 3 {
				t.Errorf("%d rows after the rollback", n)
			}
		})
	}
}

func rows(w *world) int64 {
	w.t.Helper()
	return sourcetest.SQLiteInt(w.t, w.Database, "SELECT count(*) FROM note;")
}

// jobs counts the jobs of a kind.
func (w *world) jobs(kind string) int {
	_, _, n := w.Core().Jobs.List(job.Filter{Kind: kind}, job.Page{})
	return n
}

func TestPanel_ANameIsAskedForUntilItIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	m := p.press(p.opens(), "panel.create")
	p.press(m, "panel.create.named")
	question := p.until(p.l.T("panel.name"))
	if !question.ForceReply {
		t.Fatalf("it does not ask for a reply: %s", question)
	}
	for _, c := range []struct{ said, fault string }{
		{"a/b", "is not allowed in a name"},
		{".hidden", p.l.T("backups.fault_begins", "what", ".")[:20]},
		{"monday", p.l.T("backups.exists")},
		{"latest", "has another meaning"},
		{strings.Repeat("ก", 100), p.l.T("backups.fault_long")},
	} {
		p.Replies(question, c.said)
		question = p.until(c.fault)
		if !question.ForceReply || question.ReplyTo == nil || question.ReplyTo.Text != c.said {
			t.Errorf("%q is answered with %s", c.said, question)
		}
	}
	// The question is still one after a restart.
	w.restart()
	p.Replies(question, " پیش‌از‌پاک‌سازی ")
	w.telegram.Await(p.ID, "the backup of that name", func(m telegramtest.Message) bool {
		return strings.Contains(m.Text, "✅") && strings.Contains(m.Text, "پیش‌از‌پاک‌سازی")
	})
	if n := w.jobs(operation.KindBackup); n != 2 {
		t.Errorf("%d backups were begun", n)
	}
	// What is no answer to the question is no name.
	p.Says(0, "hello")
	p.Replies(m, "sunday")
	p.opens()
	if n := w.jobs(operation.KindBackup); n != 2 {
		t.Errorf("%d backups were begun", n)
	}
}

func TestPanel_EachAdminHasHisLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	m := p.press(p.opens(), "panel.language")
	if a := p.Presses(m, "ไทย"); a.Text != locale.Of(locale.Thai).T("panel.language.set") {
		t.Errorf("said %q", a.Text)
	}
	th := &person{p.User, w, locale.Of(locale.Thai)}
	th.sees(th.now(m), th.l.T("panel.statistics"))
	w.restart()
	th.Says(0, "/admin")
	th.until(th.l.T("panel.admin"))
	other := w.person(sara, "سارا", locale.Persian)
	other.opens()
}

func TestPanel_StrangersGetNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	m := p.opens()
	bad := w.telegram.User(stranger, "Mallory", "en")
	before := len(w.telegram.Calls())
	for _, said := range []string{"/start", "/admin", "/backup", "hello", "/help"} {
		bad.Says(0, said)
	}
	group := w.telegram.Group(-500, "Team")
	shown := bad.Says(group.ID, "/backup")
	for _, row := range m.Keyboard.Rows {
		for _, b := range row {
			bad.Forges(shown, b.CallbackData)
		}
	}
	for _, data := range []string{"hf:rst1:x:1", "hf:", "hf:" + strings.Repeat("x", 60)} {
		bad.Forges(shown, data)
	}
	p.press(m, "panel.refresh") // everything before has been dealt with
	p.press(p.now(m), "panel.refresh")
	for _, c := range w.telegram.Calls()[before:] {
		switch c.Method {
		case "getUpdates", "setMyCommands", "getMe":
			continue
		}
		if strings.Contains(c.Params["chat_id"], "6666") || strings.Contains(c.Params["chat_id"], "-500") {
			t.Errorf("a stranger was answered: %+v", c)
		}
	}
	if got := w.telegram.Chat(stranger).Messages(); len(got) != 5 {
		t.Errorf("the stranger sees %v", got)
	}
	if n := w.logged.count("somebody who is not listed"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
}

// burst is how much is taken at once, with the command that opens the screen.
const burst = 20

func TestPanel_AFloodIsOnePersonsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.ann(), w.person(sara, "سارا", locale.Persian)
	w.freeze()
	m := p.opens()
	for range 60 {
		p.Taps(m, "🔄 "+p.l.T("panel.refresh"))
	}
	// What she pressed within a moment is done, and of the rest she is told once.
	other.opens()
	w.logged.await(t.Context(), "a press is left out", 60-burst+1)
	slow := 0
	for _, c := range w.telegram.Calls() {
		if c.Method == "answerCallbackQuery" && c.Params["text"] == p.l.T("panel.toast.slow") {
			slow++
		}
	}
	if slow != 1 {
		t.Errorf("she was told %d times", slow)
	}
	w.later(time.Minute)
	p.press(p.now(m), "panel.refresh")
}
