package startup

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// theRepository is what the decision calls the repository itself.
const theRepository = "the repository"

// subject is what the words are about.
func (p *preparation) subject() string {
	switch p.Source.Kind() {
	case holdfast.KindSQLite:
		return "the database"
	case holdfast.KindChroma:
		return "the Chroma directory"
	}
	return "the source"
}

// was tells in half a sentence how the data was found.
func (p *preparation) was(c Condition) string {
	s := p.subject() + " was " + string(c.State)
	switch c.State {
	case Missing, Empty:
		if !strings.Contains(c.Words, "-wal") {
			return s
		}
	case NotADatabase:
		s = p.subject() + " was no database"
	}
	return s + " (" + c.Words + ")"
}

// keep decides that the data stays as it is.
func (p *preparation) keep(c Condition, settled string, before Condition) {
	p.decision.Action = holdfast.StartKept
	reason := p.subject() + " is healthy: " + c.Words
	if c.State == Locked {
		reason = p.subject() + " is in use: " + c.Words
	}
	switch {
	case settled != "":
		reason = settled + "; " + reason
	case before.State != "" && !before.Usable():
		reason = p.was(before) + " a moment ago, and another process that starts here has restored it; " + reason
	}
	for _, problem := range c.Problems {
		if problem.Severity == holdfast.Damaged {
			reason += "; kept all the same: " + problem.Message
		}
	}
	p.decision.Reason = reason
	p.decision.Passed = append(p.decision.Passed, c.Problems...)
}

// begin decides that this is a first start.
func (p *preparation) begin(c Condition) {
	p.decision.Action = holdfast.StartNew
	p.decision.Reason = p.was(c) + ", and there is no backup of it: a first start"
}

// took remembers what the engine restored, and from where.
func (p *preparation) took(r *engine.RestoreResult) {
	if r.Plan != nil {
		p.decision.From = r.Plan.From
	}
	p.emergency = r.Emergency
}

// clocksDiffer is how far the clocks of two machines may be apart without a word.
const clocksDiffer = 10 * time.Minute

// restored tells what took the place of the data.
func (p *preparation) restored(cand candidate, c Condition) {
	d := &p.decision
	d.Action, d.Backup = holdfast.StartRestored, cand.name
	at := holdfast.At(cand.at)
	d.BackupAt = &at
	what, from := string(cand.name), theRepository
	switch {
	case cand.mirror:
		what, d.From = "its mirror", cand.from
		from = cand.from
	case d.From != "":
		from = "replica " + d.From
	default:
		d.From = theRepository
	}
	words := []string{p.was(c) + "; restored " + what + " of " + cand.at.UTC().Format("2006-01-02 15:04:05") + " UTC from " + from}
	if cand.at.After(p.Now().Add(clocksDiffer)) {
		words = append(words, "that is in the future: a clock was wrong when it was made, or is now, so it may not be the newest (`holdfast list` shows all)")
	}
	for _, passed := range d.Passed {
		words = append(words, passed.Object+" "+passed.Message)
	}
	if p.emergency != "" {
		words = append(words, "what was there is in the backup "+string(p.emergency))
	}
	if len(d.Aside) > 0 {
		words = append(words, "what was there is kept at "+d.Aside[0])
	}
	d.Reason = strings.Join(words, "; ")
}

// pass names a candidate that would not restore.
func (p *preparation) pass(cand candidate, err error) {
	object := string(cand.name)
	switch {
	case cand.mirror:
		object = "the mirror " + cand.from
	case cand.from != "":
		object += " in replica " + cand.from
	}
	p.send(holdfast.StepChoose, holdfast.Failed, object+" was passed over: "+err.Error())
	p.Logger.Warn("a backup was passed over", "source", p.Source.Name(), "backup", object, "error", err)
	p.decision.Passed = append(p.decision.Passed, holdfast.Problem{
		Source: p.Source.Name(), Object: object, Severity: holdfast.Warning,
		Message: "was passed over: " + err.Error(), Hint: holdfast.HintOf(err),
	})
}

// why sums up why nothing came back.
func (p *preparation) why() string {
	var words []string
	for _, passed := range p.decision.Passed {
		words = append(words, passed.Object+" "+passed.Message)
	}
	return strings.Join(words, "; ")
}

// failed decides that the start cannot go on.
func (p *preparation) failed(c Condition, err error) error {
	p.decision.Action = holdfast.StartFailed
	p.decision.Reason = p.was(c) + ", and could not be restored: " + err.Error()
	if c.Err != nil {
		p.decision.Reason = p.subject() + " cannot be opened: " + c.Words
	}
	return err
}

// opStart is the operation of the events of a start.
const opStart = "start"

// send tells the observer. What the engine does it tells by itself.
func (p *preparation) send(step holdfast.Step, state holdfast.State, message string) {
	p.Observer.Send(holdfast.Event{Time: p.Now(), Op: opStart, Step: step, State: state, Source: p.Source.Name(), Backup: p.decision.Backup, Message: message})
}

// step tells the observer of one step.
func (p *preparation) step(step holdfast.Step, fn func() error) error {
	p.send(step, holdfast.Started, "")
	if err := fn(); err != nil {
		p.send(step, holdfast.Failed, err.Error())
		return err
	}
	p.send(step, holdfast.Finished, "")
	return nil
}

// tell logs the decision in one line.
func (p *preparation) tell(ctx context.Context, err error) {
	d := p.decision
	state := holdfast.Finished
	if err != nil {
		state = holdfast.Failed
	}
	p.send(holdfast.StepResult, state, d.Reason)
	level := slog.LevelInfo
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		level = slog.LevelError
	case d.Action == holdfast.StartRestored:
		level = slog.LevelWarn
	}
	attrs := []any{"source", p.Source.Name(), "action", d.Action, "found", d.Found, "reason", d.Reason, "took_ms", d.TookMS}
	if d.Backup != "" {
		attrs = append(attrs, "backup", d.Backup)
	}
	if d.From != "" {
		attrs = append(attrs, "from", d.From)
	}
	if len(d.Aside) > 0 {
		attrs = append(attrs, "aside", d.Aside)
	}
	p.Logger.Log(ctx, level, "start-up decided about the data", attrs...)
}
