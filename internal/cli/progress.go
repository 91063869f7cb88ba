package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// progress shows the events of a running verb: a bar on a terminal, a line
// for each step elsewhere, JSON lines on request, nothing with --quiet.
type progress struct {
	mu      sync.Mutex
	ui      *ui
	events  bool
	verbose bool
	bar     *progressbar.ProgressBar
	step    holdfast.Step
	total   int64
}

func newProgress(u *ui, events, verbose bool) *progress {
	return &progress{ui: u, events: events, verbose: verbose}
}

// observe is the holdfast.Observer.
func (p *progress) observe(e holdfast.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.events:
		p.ui.object(report.NewEvent(e))
	case p.ui.json || p.ui.quiet:
	case e.State == holdfast.Progress:
		p.advance(e)
	default:
		p.line(e)
	}
}

// advance moves the bar; elsewhere than on a terminal progress is silent,
// the steps say enough.
func (p *progress) advance(e holdfast.Event) {
	if !p.ui.terminal || e.Total <= 0 {
		return
	}
	if p.bar == nil || p.step != e.Step || p.total != e.Total {
		p.clear()
		p.step, p.total = e.Step, e.Total
		p.bar = progressbar.NewOptions64(e.Total,
			progressbar.OptionSetWriter(p.ui.err),
			progressbar.OptionSetDescription(p.word(e)),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	// The bar draws; that it cannot is no failure of the verb.
	_ = p.bar.Set64(min(e.Done, e.Total))
}

// line tells a step that ended or was skipped, and with -v that it began. How
// the verb itself ended, and why a step failed, is told by the command.
func (p *progress) line(e holdfast.Event) {
	if e.Step == holdfast.StepResult || (e.State == holdfast.Started && !p.verbose) {
		return
	}
	words := p.word(e)
	mark := p.ui.errPaint.bold("…")
	switch e.State {
	case holdfast.Finished:
		mark = p.ui.errPaint.green("✓")
	case holdfast.Failed:
		mark = p.ui.errPaint.red("✗")
	case holdfast.Skipped:
		mark = p.ui.errPaint.yellow("–")
	}
	p.clear()
	text := words
	if e.Source != "" {
		text += " " + clean(e.Source)
	}
	if e.Message != "" && (e.State != holdfast.Failed || p.verbose) {
		text += ": " + clean(e.Message)
	}
	if p.verbose && e.Path != "" {
		text += " (" + clean(e.Path) + ")"
	}
	if e.State == holdfast.Finished && e.Done > 0 {
		text += fmt.Sprintf(" (%s)", size(e.Done))
	}
	p.ui.note("%s %s", mark, text)
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// stop ends the display.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// word names the step of an event for people.
func (p *progress) word(e holdfast.Event) string {
	if words, own := p.ui.words[e.Step]; own {
		return words
	}
	if e.Step == holdfast.StepExport && e.Op == "export" {
		return "export"
	}
	if words, known := stepWords[e.Step]; known {
		return words
	}
	return string(e.Step)
}

// stepWords name the steps for people.
var stepWords = map[holdfast.Step]string{
	holdfast.StepChoose:    "choose the backup",
	holdfast.StepEmergency: "emergency backup",
	holdfast.StepValidate:  "validate the backup",
	holdfast.StepStage:     "stage a copy",
	holdfast.StepCheck:     "check the copy",
	holdfast.StepStop:      "stop hook",
	holdfast.StepSwap:      "swap",
	holdfast.StepMemory:    "memory",
	holdfast.StepStart:     "start hook",
	holdfast.StepConfirm:   "confirm",
	holdfast.StepRollback:  "roll back",
	holdfast.StepPreflight: "preflight",
	holdfast.StepCapture:   "capture",
	holdfast.StepExport:    "export memory",
	holdfast.StepCommit:    "commit",
	holdfast.StepVerify:    "verify",
	holdfast.StepPrune:     "prune",
	holdfast.StepCopy:      "copy",
	holdfast.StepCompact:   "compact",
	holdfast.StepResult:    "result",
}
