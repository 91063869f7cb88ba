package entry

import (
	"net"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Sessions is what the page of the sessions shows.
type Sessions struct {
	List   []Session
	All    bool // those of others, too
	Tokens bool // the reader may manage tokens
	Open   bool // nobody is logged in, since nothing is asked for
	Others int  // sessions of the reader beside this one
	Shown  int  // how many of List are drawn
}

// mostShown bounds what is drawn; they are sorted by when they were seen.
const mostShown = 100

// A Session is where somebody is logged in.
type Session struct {
	access.Session
	Mine bool // opened by what the reader has
}

func sessionsModel(c access.Caller, all []access.Session) Sessions {
	m := Sessions{All: c.May(access.ScopeAdmin), Tokens: c.May(access.ScopeAdmin), Open: c.Name == access.Local}
	for _, s := range all {
		mine := s.Token == c.Token && (c.Session != "" || c.Token != "")
		if mine && !s.Present {
			m.Others++
		}
		m.List = append(m.List, Session{s, mine})
	}
	m.Shown = min(len(m.List), mostShown)
	return m
}

// address is where a session was opened from, without the port.
func (s Session) address() string {
	host, _, err := net.SplitHostPort(s.Remote)
	if err != nil {
		return s.Remote
	}
	return host
}

// who names who is logged in.
func (s Session) who(l *locale.Locale) string {
	if s.Token == "" {
		return l.T("entry.owner")
	}
	return l.T("entry.by_token", "name", s.Name)
}

func showSessions(v *site.Visit) error {
	all, err := v.Site.Access.Sessions(v.Context())
	if err != nil {
		return err
	}
	m := sessionsModel(access.CallerOf(v.Context()), all)
	return v.Render(http.StatusOK, SessionsView(v.Page("settings", v.L.T("entry.access")), m))
}

func endSession(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	id := form.Get("id")
	if id == access.CallerOf(v.Context()).Session {
		return logout(v)
	}
	if err := v.Site.Access.EndSession(v.Context(), id); err != nil {
		if holdfast.ExitCode(err) != holdfast.ExitNotFound { // it has ended already
			return err
		}
	}
	v.Notice(ui.Good, "entry.session_ended")
	return v.Redirect(sessionsPath)
}

func endOthers(v *site.Visit) error {
	n, err := v.Site.Access.LogoutOthers(v.Context())
	if err != nil {
		return err
	}
	v.Notice(ui.Good, "entry.others_ended", "n", n)
	return v.Redirect(sessionsPath)
}

func logoutEverywhere(v *site.Visit) error {
	if _, err := v.Site.Access.LogoutEverywhere(v.Context()); err != nil {
		return err
	}
	v.Site.Access.Logout(v.W, v.R)
	return v.Redirect(loginPath)
}
