package panel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// asked is the question whether to restore the newest backup.
func (p *person) asked() telegramtest.Message {
	p.w.t.Helper()
	m := p.press(p.details(p.opens()), "details.restore")
	p.sees(m, p.l.T("restore.changes"))
	return m
}

func TestRestore_AConfirmationIsGoodForTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	w.Write("second")
	p := w.ann()
	m := p.asked()
	old, _ := m.Button("♻️ " + p.l.T("restore.begin"))
	w.later(11 * time.Minute)
	m = p.press(m, "restore.begin")
	p.sees(m, p.l.T("panel.again_old"), p.l.N("overview.rows", 2))
	p.Forges(m, old.CallbackData).Answer() // from an altered client
	if w.jobs(operation.KindRestore) != 0 {
		t.Fatal("an old confirmation restored")
	}
	p.press(p.now(m), "restore.begin")
	p.until(p.l.T("job.restore.done"))
}

func TestRestore_AConfirmationIsGoodOnlyForWhatItSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	for _, change := range []string{
		"DELETE FROM note;",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT INTO note(text) SELECT 'x' FROM n;",
	} {
		m := p.asked()
		sourcetest.SQLite(t, w.Database, change)
		m = p.press(m, "restore.begin")
		p.sees(m, p.l.T("panel.again_changed"))
		if w.jobs(operation.KindRestore) != 0 {
			t.Fatalf("after %q it was restored", change)
		}
	}
	// A bot that goes on writing a little does not keep anybody from restoring.
	m := p.asked()
	w.Write("one more")
	p.press(m, "restore.begin")
	p.until("emergency_restore_")
}

func TestRestore_TheBackupIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("sunday")
	w.Backup("monday")
	p := w.ann()
	m := p.asked()
	w.Ended(w.Core().Operations.Delete(t.Context(), "tester", "", operation.DeleteRequest{Names: []string{"monday"}}))
	m = p.press(m, "restore.begin")
	p.sees(m, p.l.T("details.missing"))
	if w.jobs(operation.KindRestore) != 0 {
		t.Error("something was restored")
	}
}

func TestButtons_TwoTapsAreOneWish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	w.Write("second")
	p := w.ann()
	twice := func(m telegramtest.Message, id string) {
		label := ""
		for _, row := range m.Buttons() {
			for _, text := range row {
				if strings.HasSuffix(text, " "+p.l.T(id)) {
					label = text
				}
			}
		}
		first, second := p.Taps(m, label), p.Taps(m, label)
		first.Answer()
		second.Answer()
	}
	m := p.asked()
	twice(m, "restore.begin")
	p.until("emergency_restore_")
	m = p.opens()
	m = p.press(m, "panel.create")
	twice(m, "backups.quick")
	w.telegram.Await(p.ID, "the end of the backup", func(m telegramtest.Message) bool {
		return strings.Contains(m.Text, "✅ "+p.l.T("job.backup"))
	})
	if r, b := w.jobs(operation.KindRestore), w.jobs(operation.KindBackup); r != 1 || b != 2 {
		t.Errorf("%d restores and %d backups", r, b)
	}
}

// Two admins restore at once: one does, and the other is told who.
func TestRestore_TwoAdminsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	w.Write("second")
	p, other := w.ann(), w.person(sara, "سارا", locale.Persian)
	mine, his := p.asked(), other.asked()
	a := p.Taps(mine, "♻️ "+p.l.T("restore.begin"))
	b := other.Taps(his, "♻️ "+other.l.T("restore.begin"))
	a.Answer()
	b.Answer()
	w.telegram.Until("the restores to end", func() bool {
		return strings.Contains(p.now(mine).Text+other.now(his).Text, "emergency_restore_")
	})
	text := p.now(mine).Text + other.now(his).Text
	if n := w.jobs(operation.KindRestore); n != 1 {
		t.Errorf("%d restores:\n%s", n, text)
	}
	// The one who was late is told who is at it, or, if that has ended, that things
	// are otherwise now.
	late := strings.Contains(text, p.l.T("restore.busy")) || strings.Contains(text, other.l.T("restore.busy")) ||
		strings.Contains(text, p.l.T("panel.again_changed")) || strings.Contains(text, other.l.T("panel.again_changed"))
	if !late {
		t.Errorf("the second was not told:\n%s", text)
	}
}

// Who confirms after another restore has ended meant the state before that.
func TestRestore_AfterAnotherRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	w.Write("second")
	p, other := w.ann(), w.person(sara, "سارا", locale.Persian)
	mine, his := p.asked(), other.asked()
	p.Taps(mine, "♻️ "+p.l.T("restore.begin")).Answer()
	w.telegram.Until("the restore to end", func() bool { return strings.Contains(p.now(mine).Text, "emergency_restore_") })
	other.Taps(his, "♻️ "+other.l.T("restore.begin")).Answer()
	w.telegram.Until("the other to be told", func() bool { return strings.Contains(other.now(his).Text, other.l.T("panel.again_changed")) })
	if n := w.jobs(operation.KindRestore); n != 1 {
		t.Errorf("%d restores", n)
	}
}

// The same message in a group: what one admin has confirmed the other only sees.
func TestRestore_TwoAdminsOnOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p, other := w.ann(), w.person(sara, "سارا", locale.Persian)
	group := w.telegram.Group(-500, "Team")
	p.Says(group.ID, "/backup")
	m := w.telegram.AwaitText(group.ID, p.l.T("panel.statistics"))
	m = p.press(p.details(m), "details.restore")
	label := "♻️ " + p.l.T("restore.begin")
	first, second := p.Taps(m, label), other.Taps(m, label)
	first.Answer()
	second.Answer()
	w.telegram.Until("the end", func() bool { return strings.Contains(p.now(m).Text, "emergency_restore_") })
	if n := w.jobs(operation.KindRestore); n != 1 {
		t.Errorf("%d restores", n)
	}
}

func TestButtons_OutliveARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	overview := p.opens()
	m := p.asked()
	w.restart()
	p.press(m, "restore.begin")
	p.until("emergency_restore_")
	w.restart()
	p.sees(p.press(overview, "panel.refresh"), p.l.T("panel.statistics"))
	// A button of another release leads to what there is.
	p.Forges(overview, "hf:zzz:1:2").Answer()
	p.sees(p.now(overview), p.l.T("panel.statistics"))
}
