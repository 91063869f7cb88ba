package jobs

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// A StepState is how far a step of a job is.
type StepState string

// The states of a step.
const (
	Waiting   StepState = "waiting"   // still to come
	Running   StepState = "running"   // at work
	Done      StepState = "done"      //
	Skipped   StepState = "skipped"   // not needed, and the work said why
	Failed    StepState = "failed"    //
	Stopped   StepState = "stopped"   // was at work when everything ended
	Unneeded  StepState = "unneeded"  // the work was done without it
	Unreached StepState = "unreached" // the work ended before it
)

// A Step is one step of a job, as the page shows it.
type Step struct {
	Op      string        // the verb, which may be one that follows another
	Name    holdfast.Step // what is done
	State   StepState
	Inner   holdfast.Step // what it is about now: a step of the emergency backup
	Source  string        // which source it is about now
	Message string        // what the work said of it last, in English
	Times   int           // how often it has been done, for one thing after another
	Took    time.Duration // of what is finished of it
	Since   time.Time     // since when it is at work; zero: it is not
	Progress
}

// Progress is how far a step is, in bytes.
type Progress struct {
	Done, Total int64
	Path        string
	Rate        int64         // bytes a second; zero: not known yet
	Left        time.Duration // about how long it takes from now; zero: not known
}

// A Line is one line of the log.
type Line struct {
	Seq    int64
	At     time.Time
	State  job.State // set alone, for a change of the job's state
	Op     string
	Step   holdfast.Step
	Change holdfast.State
	Source string
	Text   string // in English
}

// mostLines bounds the log that a page shows.
const mostLines = 400

// A Track is what the events of a job tell of it: its steps, in the order in which
// such work has them, and its log. It is a pure fold: whoever applies the same events
// in the same order has the same track, however often some of them come and whatever
// progress is missing between them.
type Track struct {
	Kind  string
	State job.State
	Seq   int64 // of the last event
	Steps []Step
	Log   []Line
	Cut   int // how many lines are older than the first of Log

	at    int // the step of the last event
	paces map[paceKey]*pace
	works map[paceKey]int // how many sources each step is at work on
}

type paceKey struct {
	op   string
	step holdfast.Step
}

// NewTrack begins the track of a kind of work: every step is still to come.
func NewTrack(kind string) *Track {
	t := &Track{Kind: kind, State: job.Queued, paces: map[paceKey]*pace{}, works: map[paceKey]int{}, at: -1}
	for _, step := range plans[kind] {
		t.Steps = append(t.Steps, Step{Op: kind, Name: step, State: Waiting})
	}
	return t
}

// Apply takes in one event. One that was seen before changes nothing.
func (t *Track) Apply(e job.Event) {
	if e.Seq <= t.Seq || t.State.Ended() {
		return
	}
	t.Seq = e.Seq
	switch {
	case e.State != "":
		t.log(Line{Seq: e.Seq, At: e.At.Time, State: e.State})
		t.State = e.State
		if e.State.Ended() {
			t.end(e.At.Time)
		}
	case e.Event != nil:
		t.hear(e.Seq, *e.Event)
	}
}

// hear takes in news of the work.
func (t *Track) hear(seq int64, e holdfast.Event) {
	if e.State != holdfast.Progress {
		t.log(Line{Seq: seq, At: e.Time, Op: e.Op, Step: e.Step, Change: e.State, Source: e.Source, Text: e.Message})
	}
	if outer, ok := within(t.Kind, e.Step, t.emergencyRuns()); ok {
		t.hearInner(outer, e)
		return
	}
	if e.Step == holdfast.StepResult && t.find(e.Op, e.Step) < 0 {
		return // the job itself tells how it ended
	}
	i := t.place(e.Op, e.Step)
	s := &t.Steps[i]
	t.at = i
	key := paceKey{e.Op, e.Step}
	s.Source, s.Inner = e.Source, ""
	s.Message = cmp.Or(e.Message, s.Message)
	switch e.State {
	case holdfast.Started:
		t.works[key]++
		t.begin(s, e.Time)
	case holdfast.Progress:
		t.begin(s, e.Time)
		t.pace(key, s, e)
	case holdfast.Finished:
		s.Times++
		t.leave(key, s, e.Time, Done)
	case holdfast.Failed:
		state := Failed
		if e.Step == holdfast.StepResult {
			state, s.Message = Done, "" // a failure is a result, too, and the page tells it
		}
		t.leave(key, s, e.Time, state)
	case holdfast.Skipped:
		t.leave(key, s, e.Time, Skipped)
	}
}

// hearInner takes in news of a step that is part of another one.
func (t *Track) hearInner(outer holdfast.Step, e holdfast.Event) {
	i := t.place(t.Kind, outer)
	s := &t.Steps[i]
	t.at = i
	if s.State == Done || s.State == Skipped {
		return // it tells late
	}
	t.begin(s, e.Time)
	s.Inner, s.Source = e.Step, e.Source
	key := paceKey{t.Kind, outer}
	switch e.State {
	case holdfast.Started:
		s.Progress = Progress{}
		delete(t.paces, key)
	case holdfast.Progress:
		t.pace(key, s, e)
	}
}

func (t *Track) emergencyRuns() bool {
	i := t.find(t.Kind, holdfast.StepEmergency)
	return i >= 0 && t.Steps[i].State == Running
}

func (t *Track) find(op string, step holdfast.Step) int {
	return slices.IndexFunc(t.Steps, func(s Step) bool { return s.Op == op && s.Name == step })
}

// place finds the step of an event. One that no plan has comes after the last of which
// something was heard.
func (t *Track) place(op string, step holdfast.Step) int {
	if i := t.find(op, step); i >= 0 {
		return i
	}
	i := t.at + 1
	if op != t.Kind { // another verb follows the work
		i = len(t.Steps)
	}
	t.Steps = slices.Insert(t.Steps, i, Step{Op: op, Name: step, State: Waiting})
	return i
}

// begin notes that a step is at work.
func (t *Track) begin(s *Step, now time.Time) {
	if s.State != Running {
		s.State, s.Since, s.Progress = Running, now, Progress{}
		delete(t.paces, paceKey{s.Op, s.Name})
	}
}

// leave notes that a step has ended for one of its sources. It stays failed if it failed
// for one of them.
func (t *Track) leave(key paceKey, s *Step, now time.Time, state StepState) {
	t.works[key] = max(0, t.works[key]-1)
	if t.works[key] > 0 && state != Failed {
		return
	}
	if !s.Since.IsZero() {
		s.Took += max(0, now.Sub(s.Since))
	}
	s.Since, s.Rate, s.Left, s.Source = time.Time{}, 0, 0, ""
	if s.State != Failed {
		s.State = state
	}
}

// pace notes how far a step is, and how fast.
func (t *Track) pace(key paceKey, s *Step, e holdfast.Event) {
	p := t.paces[key]
	if p == nil {
		p = &pace{}
		t.paces[key] = p
	}
	s.Progress = p.note(e)
}

// end gives every step an end.
func (t *Track) end(now time.Time) {
	good := t.State == job.Succeeded || t.State == job.Incomplete
	for i := range t.Steps {
		s := &t.Steps[i]
		switch s.State {
		case Running:
			if !s.Since.IsZero() {
				s.Took += max(0, now.Sub(s.Since))
			}
			s.Since, s.Rate, s.Left = time.Time{}, 0, 0
			switch {
			case good:
				s.State = Done
			case t.State == job.Failed:
				s.State = Failed
			default:
				s.State = Stopped
			}
		case Waiting:
			s.State = Unreached
			if good {
				s.State = Unneeded
			}
		}
	}
}

// log adds a line, and forgets the oldest if there are too many.
func (t *Track) log(l Line) {
	if len(t.Log) == mostLines {
		t.Log = slices.Delete(t.Log, 0, 1)
		t.Cut++
	}
	t.Log = append(t.Log, l)
}

// Current is the step that is at work, if there is one.
func (t *Track) Current() (Step, bool) {
	if t.at >= 0 && t.Steps[t.at].State == Running {
		return t.Steps[t.at], true
	}
	for _, s := range slices.Backward(t.Steps) {
		if s.State == Running {
			return s, true
		}
	}
	return Step{}, false
}
