// Package gallery draws every page in every state without a daemon: for tests, for
// pictures, and for whoever works on how the pages look.
//
// Start from [States], the list of them, and [State.Draw]. Each page has a file here that
// makes its states from plain models, at a fixed time in a fixed zone. The tests
// compare what is drawn with testdata/golden (-update writes it anew) and look for
// what makes pages unusable: inputs without labels, ids that are there twice, words that
// nobody translated. show serves all of it for looking:
//
//	go run ./internal/web/gallery/show
//
// The program does not link this package.
package gallery

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Now is the time at which every state is drawn.
var Now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// Zone is where its reader is.
var Zone = bangkok()

// bangkok has no summer time, so that it needs no database of zones.
func bangkok() *time.Location { return time.FixedZone("Asia/Bangkok", 7*60*60) }

// A State is one page as it looks in one situation.
type State struct {
	Page, Name string // backups, empty
	Section    string // the entry of the menu; the page, if it is empty
	// Title is the id of the title, frame.<page> if it is empty.
	Title string
	// Reader is nobody where the page is for who has not logged in.
	Reader access.Caller
	Nobody bool
	// Change may set more of what the frame shows; nil: nothing.
	Change func(*ui.Page)
	Render func(p ui.Page) templ.Component
}

// String is the name of a state in files and addresses.
func (s State) String() string { return s.Page + "-" + s.Name }

// States gives every state of every page.
func States() []State {
	return slices.Concat(
		backupsStates,
		failureStates,
		entryStates,
		overviewStates,
		pieceStates,
		detailStates,
		contentsStates,
		compareStates,
		jobStates,
		restoreStates,
		activityStates,
		settingsStates,
	)
}

// PageFor is what the frame of a state shows.
func (s State) PageFor(lang locale.Lang, theme string) ui.Page {
	l := locale.Of(lang)
	p := ui.Page{
		L: l, Now: Now, Zone: Zone, Theme: theme, Path: "/" + s.Page, Section: s.section(), Title: s.title(l),
		Caller: s.Reader, LoggedIn: true, Version: "0.6.0",
	}
	if p.Caller.Name == "" {
		p.Caller = access.Caller{Name: "owner", Scopes: access.Scopes(access.AllScopes())}
	}
	if s.Nobody {
		p.Caller, p.LoggedIn = access.Caller{}, false
	}
	if s.Change != nil {
		s.Change(&p)
	}
	return p
}

// Draw writes a state in a language and a theme.
func (s State) Draw(ctx context.Context, w io.Writer, lang locale.Lang, theme string) error {
	if err := s.Render(s.PageFor(lang, theme)).Render(ctx, w); err != nil {
		return fmt.Errorf("draw %s in %s: %w", s, lang, err)
	}
	return nil
}

func (s State) section() string {
	if s.Section != "" {
		return s.Section
	}
	return s.Page
}

func (s State) title(l *locale.Locale) string {
	if s.Title != "" {
		return l.T(s.Title)
	}
	if id := "frame." + s.section(); l.Has(id) {
		return l.T(id)
	}
	return s.Page
}

// At is a time so long before the one at which states are drawn.
func At(before time.Duration) time.Time { return Now.Add(-before) }
