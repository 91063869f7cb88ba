package panel_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// A message that was deleted, or cannot be edited any more, is left for a new one.
func TestScreen_AMessageThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	m := p.opens()
	w.telegram.Fail("editMessageText", 1, telegramtest.Fault{Code: 400, Text: "Bad Request: message can't be edited"})
	p.Presses(m, "❔ "+p.l.T("panel.help"))
	if got := p.until(p.l.T("panel.help.statistics")); got.ID == m.ID {
		t.Error("it was edited all the same")
	}
	press := p.Taps(m, "📋 "+p.l.T("panel.list"))
	p.Deletes(m)
	press.Answer()
	p.until(p.l.T("backups.empty"))
}

// The server answers 502 and 429 for a while: what was asked for is done once, and how it
// ended arrives in the end.
func TestWork_ItsEndArrivesThroughTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	m := p.press(p.opens(), "panel.create")
	for range 4 {
		w.telegram.Fail("editMessageText", 3, telegramtest.Fault{Code: 502})
		w.telegram.Fail("editMessageText", 1, telegramtest.Fault{Code: 429, RetryAfter: 1})
		w.telegram.Fail("editMessageText", 1, telegramtest.Fault{Drop: true})
	}
	p.Taps(m, "⚡ "+p.l.T("backups.quick"))
	w.telegram.Await(p.ID, "the end of the backup", func(m telegramtest.Message) bool {
		return strings.Contains(m.Text, "✅ "+p.l.T("job.backup"))
	})
	w.telegram.Heal()
	if n := w.jobs(operation.KindBackup); n != 1 {
		t.Errorf("%d backups were made", n)
	}
}

// hold begins work that lasts until it is let go.
func (w *world) hold(kind string) (id string, letGo func()) {
	w.t.Helper()
	gate := make(chan struct{})
	j, _, err := w.Core().Jobs.Start(kind, "schedule", "", struct{}{}, func(ctx context.Context, _ *job.Handle) (any, error) {
		holdfast.ObserverOf(ctx).Send(holdfast.Event{Op: kind, Step: holdfast.StepStage, State: holdfast.Progress, Source: "bot", Done: 5 << 20, Total: 10 << 20})
		select {
		case <-gate:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return j.ID, func() { close(gate) }
}

// Progress edits one message, and goes on in a new one when that shows something else.
func TestWork_ProgressAndItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	id, letGo := w.hold(operation.KindVerify)
	m := p.opens()
	p.sees(m, p.l.T("job.verify.doing"))
	m = p.press(m, "panel.show_work")
	w.telegram.Until("the progress", func() bool { return strings.Contains(p.now(m).Text, "50%") })
	p.sees(p.now(m), p.l.T("step.stage"), "▰▰▰▰▰▰▱▱▱▱▱▱")
	p.press(m, "panel.to_backup")
	p.sees(p.now(m), p.l.T("panel.statistics"))
	letGo()
	last := p.until("✅ " + p.l.T("job.verify"))
	if last.ID == m.ID {
		t.Error("the end was drawn over what she looked at")
	}
	p.sees(p.now(m), p.l.T("panel.statistics"))
	if _, err := w.Core().Jobs.Wait(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// Work that was cut by the end of the program is told when it is back.
func TestWork_ThatIsCutIsToldAfterTheRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	_, letGo := w.hold(operation.KindVerify)
	defer letGo()
	m := p.press(p.opens(), "panel.show_work")
	p.sees(m, p.l.T("job.verify.doing"))
	w.restart()
	w.telegram.Until("how it ended", func() bool { return strings.Contains(p.now(m).Text, p.l.T("jobs.end_interrupted")) })
}

func TestWork_IsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann()
	_, letGo := w.hold(operation.KindVerify)
	defer letGo()
	m := p.press(p.opens(), "panel.show_work")
	if a := p.Presses(m, "✖️ "+p.l.T("panel.cancel")); a.Text != p.l.T("panel.toast.cancel") {
		t.Errorf("said %q", a.Text)
	}
	w.telegram.Until("how it ended", func() bool { return strings.Contains(p.now(m).Text, p.l.T("jobs.end_cancelled")) })
	if a := p.Forges(m, m.Keyboard.Rows[0][1].CallbackData).Answer(); a.Text != p.l.T("panel.toast.ended") {
		t.Errorf("said %q", a.Text)
	}
}

// A restore that is at work is told, and whose it is.
func TestRestore_WhoIsAtIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Backup("monday")
	p := w.ann()
	m := p.asked()
	_, letGo := w.hold(operation.KindRestore)
	defer letGo()
	for _, id := range []string{"restore.begin"} {
		m = p.press(m, id)
		p.sees(m, p.l.T("restore.busy"), "schedule")
	}
	m = p.press(m, "restore.busy.show")
	p.sees(m, p.l.T("job.restore.doing"))
}

func TestTell_EachInHisLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := []*person{w.ann(), w.person(somchai, "สมชาย", locale.Thai), w.person(sara, "سارا", locale.Persian)}
	for _, p := range people {
		p.opens() // so that their language is known
	}
	failing := alarm.Alarm{Kind: alarm.KindFailure, Object: "bot", Message: "no space left on device", Severity: holdfast.Damaged, Since: holdfast.At(w.now().Add(-time.Hour))}
	if err := w.panel.Tell(t.Context(), panel.Notice{News: []alarm.News{{Alarm: failing, Turn: alarm.Begun}}}); err != nil {
		t.Error(err)
	}
	for _, p := range people {
		m := p.until(p.l.T("alarm.failure"))
		p.sees(m, "bot", "no space left on device", p.l.T("alarm.failure.todo"))
		before := len(w.telegram.Chat(p.ID).Messages())
		p.sees(p.press(m, "panel.to_backup"), p.l.T("alarm.failure")) // it stays to be read
		if all := w.telegram.Chat(p.ID).Messages(); len(all) != before+1 || !strings.Contains(all[before].Text, p.l.T("panel.statistics")) {
			t.Errorf("nothing was opened below it: %v", all)
		}
	}
	if err := w.panel.Tell(t.Context(), panel.Notice{}); err != nil {
		t.Error(err)
	}
	ended := holdfast.At(w.now())
	if err := w.panel.Tell(t.Context(), panel.Notice{News: []alarm.News{{Alarm: failing, Turn: alarm.Over, EndedAt: &ended}}}); err != nil {
		t.Error(err)
	}
	for _, p := range people {
		p.sees(p.until(p.l.T("panel.over")), p.l.T("panel.over.took", "time", locale.Said(p.l.Duration(time.Hour))))
	}
}

func TestTell_OneWhoCannotBeTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ann() // the others never wrote to the bot
	p.opens()
	start := holdfast.Standing{Sources: []holdfast.SourceStanding{{Name: "bot", Start: &holdfast.StartDecision{Action: holdfast.StartRestored, Backup: "monday", From: "telegram"}}}}
	if err := w.panel.Tell(t.Context(), panel.Notice{Start: &start}); err == nil {
		t.Error("two of three were not told, and nothing says so")
	}
	p.sees(p.until("has been restored from"), "monday", "telegram")
}
