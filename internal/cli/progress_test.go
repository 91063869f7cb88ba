package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

func testUI(errs *bytes.Buffer) *ui {
	u := newUI(System{Stdout: &bytes.Buffer{}, Stderr: errs, Now: time.Now}, &globals{})
	return u
}

// show feeds the events of a small backup.
func show(p *progress) {
	p.observe(holdfast.Event{Op: "backup", Step: holdfast.StepCapture, Source: "bot", State: holdfast.Started})
	p.observe(holdfast.Event{Op: "backup", Step: holdfast.StepCapture, Source: "bot", State: holdfast.Progress, Done: 5 << 20, Total: 10 << 20})
	p.observe(holdfast.Event{Op: "backup", Step: holdfast.StepCapture, Source: "bot", State: holdfast.Finished, Message: "wal\x1b[2J snapshot"})
	p.observe(holdfast.Event{Op: "backup", Step: holdfast.StepResult, State: holdfast.Finished})
	p.stop()
}

func TestProgress_PlainLinesElsewhereThanOnATerminal(t *testing.T) {
	var errs bytes.Buffer
	show(newProgress(testUI(&errs), false, false))
	if got := errs.String(); got != "✓ capture bot: wal\ufffd[2J snapshot\n" {
		t.Errorf("news are %q", got)
	}
}

func TestProgress_BarOnATerminalWithRate(t *testing.T) {
	var errs bytes.Buffer
	u := testUI(&errs)
	u.terminal = true
	show(newProgress(u, false, false))
	got := errs.String()
	if !strings.Contains(got, "capture") || !strings.Contains(got, "iB/s") || !strings.Contains(got, "50%") {
		t.Errorf("no bar with rate in %q", got)
	}
	if !strings.HasSuffix(got, "✓ capture bot: wal\ufffd[2J snapshot\n") {
		t.Errorf("the bar is not taken away before the line: %q", got)
	}
}

func TestProgress_NothingWithQuiet(t *testing.T) {
	var errs bytes.Buffer
	u := testUI(&errs)
	u.quiet, u.terminal = true, true
	show(newProgress(u, false, false))
	if errs.Len() > 0 {
		t.Errorf("quiet prints %q", errs.String())
	}
}

func TestProgress_VerboseTellsWhatBegins(t *testing.T) {
	var errs bytes.Buffer
	show(newProgress(testUI(&errs), false, true))
	if got := errs.String(); !strings.HasPrefix(got, "… capture bot\n") {
		t.Errorf("news are %q", got)
	}
}

// An import is about a copy, and nothing of it is restored from a backup.
func TestImport_IsToldAsSuch(t *testing.T) {
	var news, out bytes.Buffer
	u := testUI(&news)
	u.out, u.words = &sticky{w: &out}, importWords
	p := newProgress(u, false, false)
	for _, step := range []holdfast.Step{holdfast.StepChoose, holdfast.StepStage, holdfast.StepCheck, holdfast.StepSwap} {
		p.observe(holdfast.Event{Op: "restore", Step: step, State: holdfast.Finished})
	}
	if got, want := news.String(), "✓ look at the copy\n✓ prepare the new state\n✓ check the new state\n✓ swap\n"; got != want {
		t.Errorf("news are %q, want %q", got, want)
	}
	printRestored(u, report.Restore{Type: "restore", Import: "./copy", Restored: []string{"chromadb"}}, "http://127.0.0.1:8000")
	if got := out.String(); !strings.HasPrefix(got, "Imported chromadb from ./copy.\n  `holdfast rollback --into URL` undoes this import,") {
		t.Errorf("the end is %q", got)
	}
}

func TestInterruptible_FirstSignalCancelsSecondLeaves(t *testing.T) {
	signals, left := make(chan os.Signal, 2), make(chan int, 1)
	ctx, cancel := Interruptible(context.Background(), signals, func(code int) { left <- code })
	defer cancel()
	signals <- syscall.SIGINT
	<-ctx.Done()
	select {
	case code := <-left:
		t.Fatalf("the first signal left with %d", code)
	default:
	}
	signals <- syscall.SIGTERM
	if code := <-left; code != holdfast.ExitInterrupted {
		t.Errorf("the second signal left with %d, want %d", code, holdfast.ExitInterrupted)
	}
}
