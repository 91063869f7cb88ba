package jobs_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/jobs"
)

// fold makes the track of some events.
func fold(kind string, events []job.Event) *jobs.Track {
	t := jobs.NewTrack(kind)
	for _, e := range events {
		t.Apply(e)
	}
	return t
}

// sensible holds a track to what is true at every moment.
func sensible(t *testing.T, what string, track *jobs.Track) {
	t.Helper()
	type key struct {
		op   string
		step holdfast.Step
	}
	seen := map[key]bool{}
	for _, s := range track.Steps {
		if seen[key{s.Op, s.Name}] {
			t.Fatalf("%s: step %s is there twice", what, s.Name)
		}
		seen[key{s.Op, s.Name}] = true
		if (s.State == jobs.Running) == s.Since.IsZero() {
			t.Fatalf("%s: step %s is %s since %s", what, s.Name, s.State, s.Since)
		}
		if s.Total > 0 && s.Done > s.Total || s.Done < 0 || s.Rate < 0 || s.Left < 0 || s.Took < 0 {
			t.Fatalf("%s: step %s is at %+v", what, s.Name, s)
		}
		if s.State != jobs.Running && (s.Rate != 0 || s.Left != 0) {
			t.Fatalf("%s: step %s has an estimate and is %s", what, s.Name, s.State)
		}
		ended := s.State != jobs.Running && s.State != jobs.Waiting
		if track.State.Ended() && !ended {
			t.Fatalf("%s: the job has ended, step %s is %s", what, s.Name, s.State)
		}
	}
	for i := 1; i < len(track.Log); i++ {
		if track.Log[i].Seq <= track.Log[i-1].Seq {
			t.Fatalf("%s: the log is out of order at %d", what, i)
		}
	}
}

// prefixes looks at each moment of real work, and at what is lost and repeated.
func prefixes(t *testing.T, all map[string][]job.Event, ended map[string]job.Job) {
	t.Helper()
	for name, events := range all {
		kind := ended[name].Kind
		whole := fold(kind, events)
		running := 0
		for n := range len(events) + 1 {
			track := fold(kind, events[:n])
			sensible(t, name, track)
			now := 0
			for _, s := range track.Steps {
				if s.State == jobs.Running {
					now++
				}
			}
			running = max(running, now)

			// Going on from anywhere, and hearing it again, comes to the same.
			for _, e := range events[max(0, n-5):] {
				track.Apply(e)
			}
			if !reflect.DeepEqual(track, whole) {
				t.Fatalf("%s: from event %d on it is\n%+v, want\n%+v", name, n, track, whole)
			}
		}
		if running > 1 {
			t.Errorf("%s: %d steps were at work at once", name, running)
		}

		// Progress that was thinned out changes no step.
		var thin []job.Event
		for _, e := range events {
			if e.Event == nil || e.Event.State != holdfast.Progress {
				thin = append(thin, e)
			}
		}
		if got, want := outline(fold(kind, thin)), outline(whole); got != want {
			t.Errorf("%s: without progress it is\n%s, want\n%s", name, got, want)
		}
	}
}

// Whatever is lost of whatever comes, the track is sensible.
func TestTrack_OfAnything(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	kinds := []string{"backup", "verify", "drill", "restore", "rollback", "recover", "prune", "replicate", "compact", "delete", "confirm", "of-tomorrow"}
	stepsOf := []holdfast.Step{
		holdfast.StepChoose, holdfast.StepEmergency, holdfast.StepValidate, holdfast.StepStage, holdfast.StepCheck, holdfast.StepSwap,
		holdfast.StepRollback, holdfast.StepCapture, holdfast.StepCommit, holdfast.StepVerify, holdfast.StepCopy, holdfast.StepPrune, holdfast.StepResult, "of-tomorrow",
	}
	states := []holdfast.State{holdfast.Started, holdfast.Progress, holdfast.Finished, holdfast.Failed, holdfast.Skipped, "of-tomorrow"}
	for range 300 {
		kind := kinds[rnd.IntN(len(kinds))]
		track := jobs.NewTrack(kind)
		at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
		for seq := int64(1); seq < 60; seq++ {
			at = at.Add(time.Duration(rnd.IntN(4000)-500) * time.Millisecond) // clocks are put back, too
			e := job.Event{Seq: seq, At: holdfast.At(at)}
			if rnd.IntN(30) == 0 {
				e.State = job.States()[rnd.IntN(len(job.States()))]
			} else {
				op := kind
				if rnd.IntN(4) == 0 {
					op = kinds[rnd.IntN(len(kinds))]
				}
				e.Event = &holdfast.Event{
					Time: at, Op: op, Step: stepsOf[rnd.IntN(len(stepsOf))], State: states[rnd.IntN(len(states))],
					Source: []string{"", "bot", "chromadb"}[rnd.IntN(3)], Done: rnd.Int64N(100), Total: rnd.Int64N(100),
				}
			}
			track.Apply(e)
			sensible(t, kind, track)
			if rnd.IntN(3) == 0 { // an old one again
				before := outline(track)
				track.Apply(job.Event{Seq: rnd.Int64N(seq) + 1, State: job.Failed})
				if outline(track) != before {
					t.Fatalf("seed %d: an event that was seen before changed something", seed)
				}
			}
		}
	}
}

// A log of any length stays short, and says how much is missing.
func TestTrack_CutsItsLog(t *testing.T) {
	track := jobs.NewTrack("verify")
	const lines = 3000
	for i := range lines {
		track.Apply(job.Event{Seq: int64(i + 1), Event: &holdfast.Event{Op: "verify", Step: holdfast.StepVerify, State: holdfast.Started}})
	}
	if len(track.Log)+track.Cut != lines || len(track.Log) > 500 || track.Log[len(track.Log)-1].Seq != lines {
		t.Errorf("%d lines, %d cut", len(track.Log), track.Cut)
	}
}

// progress makes one step tell its progress at moments, and gives the step after each.
func progress(marks ...[2]int64) (steps []jobs.Step) {
	begun := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	track := jobs.NewTrack("verify")
	for i, m := range marks {
		at := begun.Add(time.Duration(m[0]) * time.Millisecond)
		track.Apply(job.Event{Seq: int64(i + 1), At: holdfast.At(at), Event: &holdfast.Event{Time: at, Op: "verify", Step: holdfast.StepVerify, State: holdfast.Progress, Done: m[1], Total: 1000}})
		steps = append(steps, track.Steps[0])
	}
	return steps
}

func TestTrack_EstimatesOnlyWhatItKnows(t *testing.T) {
	got := progress([2]int64{0, 0}, [2]int64{1000, 100}, [2]int64{2900, 290}, [2]int64{3000, 300}, [2]int64{5000, 500}, [2]int64{6000, 20}, [2]int64{7000, 30})
	for i, want := range []struct {
		rate int64
		left time.Duration
	}{{}, {}, {}, {100, 7 * time.Second}, {100, 5 * time.Second}, {}, {}} {
		if got[i].Rate != want.rate || got[i].Left.Round(time.Millisecond) != want.left {
			t.Errorf("mark %d: %d/s, %s left; want %+v", i, got[i].Rate, got[i].Left, want)
		}
	}
	// A stop of a few seconds neither ends nor explodes the estimate, and an old pace is forgotten.
	var marks [][2]int64
	for i := range int64(40) {
		marks = append(marks, [2]int64{i * 1000, i * 10})
	}
	for i := range int64(40) {
		marks = append(marks, [2]int64{(40 + i) * 1000, 400 + i})
	}
	last := progress(marks...)[len(marks)-1]
	if last.Rate != 1 || last.Left < 500*time.Second {
		t.Errorf("of a step that became slow %+v", last)
	}
}
