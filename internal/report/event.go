package report

import "github.com/holdfast-backup/holdfast"

// Warning is a warning on standard error.
type Warning struct {
	Type string `json:"type"` // warning
	holdfast.Problem
}

// NewWarning makes the object of a problem.
func NewWarning(p holdfast.Problem) Warning { return Warning{Type: "warning", Problem: p} }

// Event is one event of a running verb.
type Event struct {
	Type string `json:"type"` // event
	holdfast.Event
}

// NewEvent makes the object of an event.
func NewEvent(e holdfast.Event) Event { return Event{Type: "event", Event: e} }
