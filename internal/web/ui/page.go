// Package ui is what every page is made of: the frame, and the pieces that look and
// behave the same everywhere. It knows words, colours and shapes, and nothing of
// backups but their names.
//
// Start from [Frame], in which each page stands, and [Page], what the frame needs.
package ui

import (
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// A Page is what the frame of a page shows, and what the pieces in it go by.
type Page struct {
	L       *locale.Locale
	Now     time.Time
	Zone    *time.Location // of the reader
	Path    string         // of the page itself, with its query
	Section string         // which entry of the menu it belongs to: overview, backups, activity, settings; or none
	Title   string         // in the reader's words
	Caller  access.Caller
	// LoggedIn tells that there is a session to end; Open, that no credential is needed
	// (on loopback) since there is none.
	LoggedIn, Open bool
	Theme          string // light, dark, or empty: as the system has it
	Running        []Running
	Notices        []Notice
	Version        string
	// Refresh is after how many seconds a browser without a script asks for the page anew;
	// zero: it does not.
	Refresh int
}

// A Running is a job that is at work, for the strip that every page shows.
type Running struct {
	ID, Kind, Backup, Step string
	Done, Total            int64
}

// A Notice is said once, above a page: what became of the last click.
type Notice struct {
	Tone Tone
	Text string
	// Undo, if it is not empty, is where a form is posted to take it back.
	Undo string
}

// A Tone is what a colour, an icon and a hidden word together tell.
type Tone string

// The tones.
const (
	Calm Tone = "calm" // nothing to do
	Good Tone = "good"
	Warn Tone = "warn"
	Bad  Tone = "bad"
)
