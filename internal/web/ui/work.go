package ui

import (
	"time"

	"github.com/a-h/templ"
)

// A StepState is how far a step is.
type StepState string

// The states of a step.
const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped"
	StepWarned  StepState = "warned"
	StepFailed  StepState = "failed"
)

// A Step is one part of a long work.
type Step struct {
	Name   string
	State  StepState
	Detail string // one line below the name
	Took   time.Duration
	More   templ.Component // what stands below: progress, problems; nil: nothing
}

var stepIcons = map[StepState]string{
	StepWaiting: "circle", StepRunning: "loader-circle", StepDone: "circle-check",
	StepSkipped: "skip-forward", StepWarned: "triangle-alert", StepFailed: "circle-x",
}
