// Package alarm tells people when their backups are in trouble, and when that
// is over.
//
// [Judge] says what is wrong: a pure function of what the report says. A [Board]
// remembers it over restarts and decides what is told and when: a new alarm at
// once, one that goes on every so often, its end once, several in one message,
// and never the same alarm twice within an hour. A [Sender] delivers; [Shoutrrr]
// is the one for URLs of notification services.
//
// No text holds a secret, nor a path beyond the location of the repository.
package alarm

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The kinds of alarms, as config.AlarmKinds names them.
const (
	KindFailure  = "failure"  // backups fail
	KindSilence  = "silence"  // no backup has succeeded for long
	KindDamage   = "damage"   // a backup or a source is damaged
	KindUnproven = "unproven" // nothing was proven for long
	KindShrink   = "shrink"   // a backup is suspiciously small
	KindReplica  = "replica"  // a replica lags
	KindSpace    = "space"    // little room for the repository
	KindDegraded = "degraded" // a program runs in memory
	KindWiped    = "wiped"    // a storage was wiped, or two instances run
	KindMissing  = "missing"  // a source or the repository is gone
	KindPanel    = "panel"    // the panel in the chat hears nobody
)

// A Condition is something that is wrong now.
type Condition struct {
	Kind     string // KindFailure …
	Object   string // what it is about: a source, a replica, a backup; may be empty
	Message  string // what is wrong, in one sentence
	Hint     string // what to do
	Severity holdfast.Severity
	Since    holdfast.Time // zero: since it is seen
	// Grace is how long it must be seen before it is an alarm: much passes by
	// itself.
	Grace time.Duration
	// Unknown says that nothing can be known now of what the kind is about: alarms
	// of it stay as they are. All else but the kind is empty.
	Unknown bool
}

// An Alarm is a condition that stands, as surfaces show it.
type Alarm struct {
	Kind     string            `json:"kind"`
	Object   string            `json:"object,omitempty"`
	Message  string            `json:"message"`
	Hint     string            `json:"hint,omitempty"`
	Severity holdfast.Severity `json:"severity"`
	Since    holdfast.Time     `json:"since"`
	// ToldAt is when somebody was last told of it; nil: nobody yet, or nobody
	// is to be.
	ToldAt *holdfast.Time `json:"told_at,omitempty"`
	// Returned counts how often it ended and came back before that was told.
	Returned int64 `json:"returned,omitempty"`
}

// A Message is what is told at once. The text stands for itself; the title is
// for services that have one. News is the same for whoever words it in another language.
type Message struct {
	Title string
	Text  string
	News  []News
	// Written is when it was to be told, where that is later than it should have been.
	Written *holdfast.Time
}

// News is what is told of one alarm.
type News struct {
	Alarm Alarm `json:"alarm"`
	Turn  Turn  `json:"turn"`
	// EndedAt is when it ended, if it has.
	EndedAt *holdfast.Time `json:"ended_at,omitempty"`
}

// A Turn is what has happened to an alarm.
type Turn string

// The turns of an alarm.
const (
	Begun  Turn = "begun"
	Still  Turn = "still"  // it goes on
	Over   Turn = "over"   // it has ended
	Missed Turn = "missed" // it began and ended, and nobody was told
)

// A Sender delivers messages.
type Sender interface {
	// Send tells all services, within a time limit of its own. It gives an
	// error for each service, in their order, nil where it was told.
	Send(ctx context.Context, m Message) []error
}

// A Delivery is what became of a message at one service.
type Delivery struct {
	Service string `json:"service"`
	OK      bool   `json:"ok"`
	Error   string `json:"error,omitempty"`
}
