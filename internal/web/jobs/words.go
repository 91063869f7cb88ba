package jobs

import (
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Title names a job: what is done, to which backup.
func Title(l *locale.Locale, m Model) string {
	kind := l.Word("job", m.Kind)
	switch {
	case m.Backup != "":
		return l.T("jobs.title", "kind", locale.Said(kind), "name", string(m.Backup))
	case len(m.Names) > 1:
		return l.N("jobs.title_many", int64(len(m.Names)), "kind", locale.Said(kind))
	}
	return kind
}

// lead says what to expect of the page.
func lead(l *locale.Locale, m Model) string {
	switch {
	case m.Ended():
		return ""
	case m.State == job.Queued:
		return l.T("jobs.lead_queued")
	}
	return l.T("jobs.lead_running")
}

// stateTone is the colour of a state.
func stateTone(s job.State) ui.Tone {
	switch s {
	case job.Succeeded:
		return ui.Good
	case job.Incomplete, job.Cancelled, job.Interrupted:
		return ui.Warn
	case job.Failed:
		return ui.Bad
	}
	return ui.Calm
}

// stepStates maps the states of a step to the shapes of the list.
var stepStates = map[StepState]ui.StepState{
	Waiting: ui.StepWaiting, Running: ui.StepRunning, Done: ui.StepDone, Skipped: ui.StepSkipped,
	Failed: ui.StepFailed, Stopped: ui.StepWarned, Unneeded: ui.StepSkipped, Unreached: ui.StepWaiting,
}

// steps are the steps as the list shows them.
func steps(p ui.Page, m Model) []ui.Step {
	out := make([]ui.Step, 0, len(m.Steps))
	for _, s := range m.Steps {
		if s.State == Unneeded {
			continue // one line names them all
		}
		one := ui.Step{Name: stepName(p.L, m.Kind, s), State: stepStates[s.State], Detail: detail(p, s), Took: s.Took}
		bar := s.State == Running && s.Name != holdfast.StepWait && (s.Done > 0 || s.Total > 0)
		if bar {
			one.Detail = "" // the bar says it
		}
		switch {
		case s.State == Running:
			one.Took = elapsed(p, s)
		case s.Took < time.Second/20:
			one.Took = 0 // too short to be worth a number
		}
		if bar || s.Message != "" && tellsMore(s) {
			one.More = more(p, s)
		}
		out = append(out, one)
	}
	return out
}

// unneeded names the steps that the work could do without.
func unneeded(l *locale.Locale, m Model) string {
	var names []string
	for _, s := range m.Steps {
		if s.State == Unneeded {
			names = append(names, stepName(l, m.Kind, s))
		}
	}
	return strings.Join(names, " · ")
}

// stepName is what a step is called. One of another verb that follows is named by it
// where the step alone would be unclear.
func stepName(l *locale.Locale, kind string, s Step) string {
	if s.Op != kind && s.Name == holdfast.StepVerify {
		return l.Word("job", s.Op)
	}
	return l.Word("step", string(s.Name))
}

// tellsMore tells whether what the work said of a step is worth a line of its own: why
// it was skipped or failed, and what a rollback is about.
func tellsMore(s Step) bool {
	return s.State == Skipped || s.State == Failed || s.Name == holdfast.StepRollback && s.State != Running
}

// detail is the line below the name of a step.
func detail(p ui.Page, s Step) string {
	switch s.State {
	case Running:
		switch {
		case s.Name == holdfast.StepWait:
			return p.L.T("jobs.wait")
		case s.Inner != "" && s.Source != "":
			return p.L.T("jobs.inner_of", "step", locale.Said(p.L.Word("step", string(s.Inner))), "source", s.Source)
		case s.Inner != "":
			return p.L.Word("step", string(s.Inner))
		case s.Source != "":
			return p.L.T("jobs.of_source", "source", s.Source)
		}
	case Done:
		if s.Times > 1 {
			return p.L.N("jobs.times", int64(s.Times))
		}
	case Unreached:
		return p.L.T("jobs.unreached")
	case Stopped:
		return p.L.T("jobs.stopped")
	}
	return ""
}

// paceText is the sentence below the bar: how fast, and how long still.
func paceText(p ui.Page, s Step) string {
	switch {
	case s.Rate <= 0:
		return ""
	case s.Left <= 0:
		return p.L.T("jobs.rate", "rate", p.L.Bytes(s.Rate))
	}
	return p.L.T("jobs.rate_left", "rate", p.L.Bytes(s.Rate), "left", locale.Said(p.L.Duration(rounded(s.Left))))
}

// rounded makes an estimate no more exact than it is.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return max(time.Second, d.Round(time.Second))
	case d < 2*time.Minute:
		return d.Round(5 * time.Second)
	case d < time.Hour:
		return d.Round(time.Minute)
	}
	return d.Round(10 * time.Minute)
}

// elapsed is how long the step in progress has taken; zero below a second.
func elapsed(p ui.Page, s Step) time.Duration {
	if s.Since.IsZero() {
		return 0
	}
	return (s.Took + max(0, p.Now.Sub(s.Since))).Truncate(time.Second)
}

// saying is what is said to whoever hears the page: the step that has begun, or how the
// work ended; nothing of what only moves on.
func saying(p ui.Page, m Model) string {
	if m.Ended() {
		return sentence(p.L, m)
	}
	for i, s := range m.Steps {
		if s.State == Running {
			return p.L.T("jobs.saying", "step", locale.Said(stepName(p.L, m.Kind, s)), "n", locale.Said(p.L.Number(int64(i+1))), "of", locale.Said(p.L.Number(int64(len(m.Steps)))))
		}
	}
	return ""
}

// lineText is a line of the log in the reader's words, before what the engine said.
func lineText(l *locale.Locale, line Line) string {
	if line.State != "" {
		return l.Word("state", string(line.State))
	}
	step := l.Word("step", string(line.Step))
	state := l.Word("stepstate", string(line.Change))
	if line.Source != "" {
		return l.T("jobs.line_of", "step", locale.Said(step), "state", locale.Said(state), "source", line.Source)
	}
	return l.T("jobs.line", "step", locale.Said(step), "state", locale.Said(state))
}

// clock is the time of a line of the log, to the second.
func clock(p ui.Page, at time.Time) string { return at.In(p.Zone).Format("15:04:05") }

// pathOf is the page of a backup.
func pathOf(name holdfast.BackupName) string { return "/backups/" + url.PathEscape(string(name)) }
