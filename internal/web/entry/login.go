package entry

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// The ways to log in.
const (
	byPassword = "password"
	byToken    = "token"
)

// A Login is what the page of the login shows.
type Login struct {
	Next     string // where it leads
	Way      string // byPassword or byToken: what was tried, or is at hand
	Password bool   // there is one
	Tokens   bool   // there is one
	Caller   string // who is logged in already
	Ended    bool   // the session that was there has ended
	Wrong    bool   // what was tried was not the right one
	Empty    bool   // nothing was typed
	Closed   bool   // nobody can be let in: the log of the daemon says why
	Wait     int    // seconds, before the next attempt
}

// error is what a field of one way is told.
func (m Login) error(way string) string {
	switch {
	case m.Way != way:
		return ""
	case m.Wrong && way == byPassword:
		return "entry.wrong_password"
	case m.Wrong:
		return "entry.wrong_token"
	case m.Empty && way == byPassword:
		return "entry.empty_password"
	case m.Empty:
		return "entry.empty_token"
	}
	return ""
}

func loginModel(v *site.Visit, next string) Login {
	a := v.Site.Access
	m := Login{Next: onward(next), Way: byPassword, Password: a.HasPassword(), Ended: a.SessionEnded(v.R)}
	if c := access.CallerOf(v.Context()); c.Session != "" {
		m.Caller = c.Name
	}
	all, err := a.Tokens().List()
	m.Tokens = len(all) > 0
	m.Closed = err != nil && !m.Password // nothing that could let somebody in can be read
	if !m.Password {
		m.Way = byToken
	}
	return m
}

func showLogin(v *site.Visit) error {
	m := loginModel(v, v.R.URL.Query().Get("next"))
	if access.CallerOf(v.Context()).Name == access.Local { // nothing is asked for
		return v.Redirect(m.Next)
	}
	return v.Render(http.StatusOK, LoginView(v.Page("", v.L.T("entry.login")), m))
}

func login(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m := loginModel(v, form.Get("next"))
	password, token := form.Get("password"), form.Get("token")
	m.Way = byPassword
	if token != "" || form.Get("way") == byToken {
		m.Way, password = byToken, ""
	}
	if cmp.Or(password, token) == "" {
		m.Empty = true
		return v.Render(http.StatusUnprocessableEntity, LoginView(v.Page("", v.L.T("entry.login")), m))
	}
	_, err = v.Site.Access.Login(v.W, v.R, password, token)
	if err == nil {
		return v.Redirect(m.Next)
	}
	status := http.StatusUnauthorized
	switch wait, late := access.RetryAfter(err); {
	case late:
		m.Wait, status = wait, http.StatusTooManyRequests
		v.W.Header().Set("Retry-After", text(wait))
	case errors.Is(err, access.ErrClosed):
		m.Closed = true
	case errors.Is(err, access.ErrUnauthorized):
		m.Wrong = true
	default:
		return err
	}
	m.Ended = false
	return v.Render(status, LoginView(v.Page("", v.L.T("entry.login")), m))
}

func logout(v *site.Visit) error {
	v.Site.Access.Logout(v.W, v.R)
	return v.Redirect(loginPath)
}
