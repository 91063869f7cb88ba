package panel_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A walk is an admin who presses one button after the other, and what he sees.
type walk struct {
	*person
	m       telegramtest.Message
	seen    strings.Builder
	pressed []screen.Verb
}

// what takes the place of everything that is another one in each run.
var fleeting = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`/[^< ]*/(bot\.db)`), "/DIR/$1"},
	{regexp.MustCompile(`\d{8}_\d{6}(_\d)?`), "STAMP"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`), "MOMENT"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d UTC`), "TIME"},
	{regexp.MustCompile(`[0-9][0-9.]* ([KMGT]i)?B\b`), "SIZE"},
}

// note writes down what is shown now.
func (p *walk) note(what string) {
	p.w.t.Helper()
	text := p.m.HTML()
	for _, f := range fleeting {
		text = f.form.ReplaceAllString(text, f.as)
	}
	for d := 30 * time.Minute; d >= 0; d -= time.Minute {
		text = strings.ReplaceAll(text, p.l.Ago(p.w.now().Add(-d), p.w.now()), "AGO")
	}
	for _, day := range []time.Duration{0, -24 * time.Hour, 24 * time.Hour} {
		text = strings.ReplaceAll(text, p.l.Date(p.w.now().Add(day), time.UTC), "DATE")
	}
	took := regexp.MustCompile(strings.Replace(regexp.QuoteMeta(p.l.T("jobs.took", "time", locale.Said("TIME"))), "TIME", "[^<]*", 1))
	text = took.ReplaceAllString(text, "TOOK")
	p.seen.WriteString("== " + what + "\n" + text + "\n")
	for _, row := range p.m.Buttons() {
		p.seen.WriteString("[ " + strings.Join(row, " ]  [ ") + " ]\n")
	}
	p.seen.WriteByte('\n')
}

// goes presses a button, waits until what it began has ended, and notes what is shown.
func (p *walk) goes(id string) {
	p.w.t.Helper()
	p.w.later(2 * time.Second) // she takes her time
	label := p.l.T(id)
	for _, row := range p.m.Buttons() {
		for _, text := range row {
			if text == label || strings.HasSuffix(text, " "+label) {
				b, _ := p.m.Button(text)
				a, ok := screen.ParseAction(b.CallbackData)
				if !ok {
					p.w.t.Fatalf("%q calls back %q", text, b.CallbackData)
				}
				p.pressed = append(p.pressed, a.Verb)
				p.Presses(p.m, text)
				p.ended(text)
				return
			}
		}
	}
	p.w.t.Fatalf("no button says %q: %s", label, p.m)
}

// ended waits until the newest message shows no work, and notes it.
func (p *walk) ended(what string) {
	p.w.t.Helper()
	p.w.telegram.Until("the end of "+what, func() bool {
		p.m, _ = p.w.telegram.Chat(p.ID).Message(p.m.ID)
		if sent := p.w.telegram.Chat(p.ID).Last(); strings.Contains(sent.Text, p.l.T("panel.sent")) && sent.ID > p.m.ID {
			p.m = sent // below the pieces
		}
		return p.m.Text != "" && !strings.Contains(p.m.Text, "⏳") && !strings.Contains(p.m.Text, p.l.T("panel.sending"))
	})
	p.note(what)
}

// Every button is pressed in three languages, in a chat with a real server behind the
// panel, and every screen is exactly the one that was looked at last.
func TestWalk_EveryButtonInThreeLanguages(t *testing.T) {
	t.Parallel()
	for _, lang := range locale.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := &walk{person: w.person(ann, "Ann", lang)}
			p.everything()
			for _, verb := range screen.Verbs() {
				if !slices.Contains(p.pressed, verb) {
					t.Errorf("nobody pressed %s", verb)
				}
			}
			file := filepath.Join("testdata", "walk."+string(lang)+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(p.seen.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			theirs, ours := strings.Split(string(want), "\n== "), strings.Split(p.seen.String(), "\n== ")
			for i := range min(len(theirs), len(ours)) {
				if theirs[i] != ours[i] {
					t.Fatalf("step %d is drawn otherwise:\n%s\nand not\n%s", i+1, ours[i], theirs[i])
				}
			}
			if len(theirs) != len(ours) {
				t.Errorf("%d steps, not %d", len(ours), len(theirs))
			}
		})
	}
}

// everything presses every button there is.
func (p *walk) everything() {
	p.Says(0, "/start")
	p.m = p.until(p.l.T("panel.admin"))
	p.note("/start")
	for _, id := range []string{
		"panel.system", "panel.admin", "panel.language",
	} {
		p.goes(id)
	}
	p.Presses(p.m, "✓ "+p.l.Lang().Name())
	p.ended("✓ " + p.l.Lang().Name())
	for _, id := range []string{
		"panel.refresh", "panel.help", "panel.to_backup", "panel.system", "panel.backup",
		"panel.create", "backups.quick", "panel.to_backup", "panel.create", "panel.create.unnamed",
		"jobs.next_details", "details.verify", "panel.list",
	} {
		p.goes(id)
	}
	p.named()
	p.w.Write("since")
	for _, id := range []string{
		"panel.list", "backups.refresh",
	} {
		p.goes(id)
	}
	p.newest()
	for _, id := range []string{
		"details.restore", "panel.keep", "details.restore", "restore.begin",
		"panel.rollback", "panel.keep", "panel.rollback", "restore.rollback.begin", "panel.list",
	} {
		p.goes(id)
	}
	p.newest()
	for _, id := range []string{
		"panel.send", "panel.send.clear", "panel.keep", "panel.send.encrypted",
		"jobs.next_details", "panel.send", "panel.send.clear", "panel.send.clear_yes", "panel.to_backup",
	} {
		p.goes(id)
	}
	p.cancels()
	p.mends()
}

// named makes a backup with a name.
func (p *walk) named() {
	p.press(p.press(p.opens(), "panel.create"), "panel.create.named")
	p.pressed = append(p.pressed, screen.DoName)
	p.m = p.until(p.l.T("panel.name"))
	p.note(p.l.T("panel.create.named"))
	p.Replies(p.m, "before-cleanup")
	p.m = p.w.telegram.Await(p.ID, "the backup of that name", func(m telegramtest.Message) bool {
		return strings.Contains(m.Text, "✅ "+p.l.T("job.backup")) && strings.Contains(m.Text, "before-cleanup")
	})
	p.note("before-cleanup")
}

// newest opens the newest backup of the list.
func (p *walk) newest() {
	p.Presses(p.m, p.l.Number(1))
	p.pressed = append(p.pressed, screen.DoDetails)
	p.ended(p.l.Number(1))
}

// cancels ends work and a sending.
func (p *walk) cancels() {
	_, letGo := p.w.hold(operation.KindVerify)
	defer letGo()
	p.m = p.press(p.m, "panel.refresh")
	p.m = p.press(p.m, "panel.show_work")
	p.pressed = append(p.pressed, screen.DoWork)
	p.goes("panel.cancel")
	p.goes("panel.list")
	p.newest()
	p.goes("panel.send")
	p.w.telegram.Fail("sendDocument", 1, telegramtest.Fault{Hang: true})
	p.m = p.press(p.m, "panel.send.encrypted")
	p.goes("panel.cancel")
	p.w.telegram.Heal()
	p.goes("panel.to_backup")
}

// mends settles a restore that was cut, and confirms a backup that is smaller.
func (p *walk) mends() {
	begun := holdfast.At(p.w.now())
	p.w.change(func(st *report.Status) {
		st.Verdict = report.Cut
		st.Pending = &report.Pending{Op: operation.KindRestore, Backup: "before-cleanup", Begun: begun}
		st.Hold = &report.Hold{Message: "a backup is small"}
	})
	p.goes("panel.refresh")
	p.goes("overview.do.recover")
	p.goes("restore.recover.begin")
	p.goes("panel.to_backup")
	p.goes("backups.hold_confirm")
}
