package screen

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A WorkModel is a job, as it stands.
type WorkModel struct {
	Job   job.Job
	Steps []Step
	// Rollback tells that what this restore replaced can be put back.
	Rollback bool
	// Memory tells that there is an assistant with a memory here.
	Memory bool
}

// A Step is one step of a job, as far as anything was heard of it.
type Step struct {
	Op          string
	Name        holdfast.Step
	State       holdfast.State
	Source      string
	Done, Total int64 // bytes
}

// Hear takes in news of a job. Steps come in the order in which they were first heard of;
// those of the emergency backup that a restore begins with are part of its first step.
func Hear(steps []Step, kind string, e holdfast.Event) []Step {
	if e.Step == holdfast.StepResult {
		return steps // the job itself tells how it ended
	}
	name, state := e.Step, e.State
	if kind == operation.KindRestore || kind == operation.KindRollback {
		if inEmergency[name] || e.Op != kind && emergencyRuns(steps) {
			if name != holdfast.StepEmergency {
				name, state = holdfast.StepEmergency, holdfast.Progress
			}
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.Op != e.Op && name != holdfast.StepEmergency || s.Name != name {
			continue
		}
		if s.State == holdfast.Finished && state == holdfast.Progress || s.State == holdfast.Failed {
			return steps // it tells late
		}
		s.State, s.Source, s.Done, s.Total = state, e.Source, e.Done, e.Total
		return steps
	}
	return append(steps, Step{Op: e.Op, Name: name, State: state, Source: e.Source, Done: e.Done, Total: e.Total})
}

// inEmergency are the steps that only the emergency backup of a restore has.
var inEmergency = map[holdfast.Step]bool{
	holdfast.StepPreflight: true, holdfast.StepCapture: true, holdfast.StepExport: true, holdfast.StepCommit: true, holdfast.StepVerify: true,
}

func emergencyRuns(steps []Step) bool {
	for _, s := range steps {
		if s.Name == holdfast.StepEmergency {
			return s.State == holdfast.Started || s.State == holdfast.Progress
		}
	}
	return false
}

// Work is the screen of a job: how far it is, or how it ended.
func Work(r Reader, m WorkModel) Screen {
	if m.Job.State.Ended() {
		return ended(r, m)
	}
	j := m.Job
	p := r.page()
	p.title("⏳", r.L.Word("job", j.Kind+".doing"))
	if j.Backup != "" {
		p.put(code(string(j.Backup)))
	}
	p.put(sentence(r.L, "jobs.asked", "by", Name(j.By), "when", r.ago(j.CreatedAt.Time)))
	p.gap()
	if j.State == job.Queued {
		p.say("panel.queued")
	}
	p.steps(r, m.Steps)
	if took := j.Duration(r.Now).Truncate(time.Second); took > 0 {
		p.gap()
		p.put(text(r.L.T("jobs.taking", "time", locale.Said(r.L.Duration(took)))).within("i"))
	}
	s := Screen{Text: p.text()}
	s.add(r.button("🔄", "backups.refresh", Action{Verb: DoWork, Arg: j.ID}), r.button("✖️", "panel.cancel", Action{Verb: StopWork, Arg: j.ID}))
	s.add(toOverview(r))
	return s
}

// steps are how far the work is.
func (p *page) steps(r Reader, steps []Step) {
	for _, s := range steps {
		icon := map[holdfast.State]string{holdfast.Finished: "✅", holdfast.Failed: "❌", holdfast.Skipped: "➖"}[s.State]
		if icon == "" {
			icon = "▶️"
		}
		line := text(icon + " ").and(text(r.L.Word("step", string(s.Name))))
		if running := s.State == holdfast.Started || s.State == holdfast.Progress; running {
			if s.Source != "" {
				line = row(line, code(s.Source))
			}
			if s.Total > 0 && s.Name != holdfast.StepWait {
				line = row(line, text(r.L.Percent(s.Done, s.Total)))
				p.put(line)
				p.put(text(bar(s.Done, s.Total)+" ").and(r.bytes(min(s.Done, s.Total)), text(" / "), r.bytes(s.Total)))
				continue
			}
		}
		p.put(line)
	}
}

// barLength is how many marks a bar has.
const barLength = 12

// bar shows a part of a whole.
func bar(done, total int64) string {
	n := int(float64(min(max(done, 0), total)) / float64(total) * barLength)
	return strings.Repeat("▰", n) + strings.Repeat("▱", barLength-n)
}

// ended is the screen of a job that has ended.
func ended(r Reader, m WorkModel) Screen {
	j := m.Job
	p := r.page()
	p.title(outcome(j.State), r.L.Word("job", j.Kind))
	res := resultOf(j)
	p.put(res.sentence(r, j))
	p.gap()
	res.facts(p, r, m.Memory)
	if j.Error != nil && j.State != job.Cancelled {
		p.gap()
		p.failure(r, j.Error)
	}
	if j.Outcome != "" && (j.State == job.Interrupted || j.State == job.Cancelled) {
		p.english(redact.Text(j.Outcome))
	}
	p.problems(r, res.problems())
	if took := j.Duration(r.Now); took > 0 {
		p.gap()
		p.put(text(r.L.T("jobs.took", "time", locale.Said(r.L.Duration(took)))).within("i"))
	}
	s := Screen{Text: p.text()}
	good := j.State == job.Succeeded || j.State == job.Incomplete
	name := res.named(j)
	switch {
	case good && j.Kind == operation.KindRestore && m.Rollback:
		s.add(r.button("↩️", "panel.rollback", Action{Verb: DoRollback}))
	case !good && j.Kind == operation.KindBackup:
		s.add(r.button("🔁", "jobs.next_again", Action{Verb: DoCreate}))
	case !good && j.Kind == operation.KindRestore && name != "":
		s.add(r.button("🔁", "jobs.next_again", of(DoRestore, name, 0)))
	}
	if name != "" {
		s.add(r.button("📦", "jobs.next_details", of(DoDetails, name, 0)))
	}
	s.add(r.button("📋", "panel.list", Action{Verb: DoList}), toOverview(r))
	return s
}

// outcome is the colour of how a job ended.
func outcome(s job.State) string {
	switch s {
	case job.Succeeded:
		return "✅"
	case job.Failed:
		return "🔴"
	}
	return "🟡"
}

// A result is what a job left, as its kind has it; all of them are nil where there is none.
type result struct {
	backup   *report.BackupResult
	verify   *report.Verify
	restore  *report.Restore // of a rollback, too
	recovery *report.Recover
}

// resultOf reads the result of a job. One that cannot be read is none: the state, the
// error and the outcome of the job still tell how it ended.
func resultOf(j job.Job) (res result) {
	if len(j.Result) == 0 {
		return res
	}
	switch j.Kind {
	case operation.KindBackup:
		res.backup = read[report.BackupResult](j.Result)
	case operation.KindVerify:
		res.verify = read[report.Verify](j.Result)
	case operation.KindRestore, operation.KindRollback:
		res.restore = read[report.Restore](j.Result)
	case operation.KindRecover:
		res.recovery = read[report.Recover](j.Result)
	}
	return res
}

func read[T any](data json.RawMessage) *T {
	out := new(T)
	if json.Unmarshal(data, out) != nil {
		return nil
	}
	return out
}

// named is the backup that the job was about.
func (res result) named(j job.Job) holdfast.BackupName {
	switch {
	case res.backup != nil && res.backup.Backup != nil:
		return res.backup.Backup.Name
	case j.Kind == operation.KindBackup && j.State != job.Succeeded:
		return "" // none was made
	case j.Kind == operation.KindRecover:
		return ""
	}
	return j.Backup
}
