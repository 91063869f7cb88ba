package entry

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Tokens is what the page of the tokens shows.
type Tokens struct {
	List    []access.Token
	Created string        // the token that was just made: it is shown this once
	Made    *access.Token // and what is known of it
	First   bool          // the first one closes the API and the pages
	Name    string        // as it was typed
	Scopes  access.Scopes
	Expires string // days
	// NameFault and ScopeFault are words of the catalogue, FaultName what NameFault is about.
	NameFault, ScopeFault string
}

// lifetimes are how long a token may be good for, in days; nothing is for ever.
var lifetimes = []string{"", "1", "7", "30", "90", "365"}

func tokensModel(a *access.Access) (Tokens, error) {
	all, err := a.Tokens().List()
	return Tokens{List: all, Scopes: access.Scopes{access.ScopeBackup}, Expires: "90", First: a.Open()}, err
}

func showTokens(v *site.Visit) error {
	m, err := tokensModel(v.Site.Access)
	if err != nil {
		return err
	}
	return renderTokens(v, http.StatusOK, m)
}

func renderTokens(v *site.Visit, status int, m Tokens) error {
	return v.Render(status, TokensView(v.Page("settings", v.L.T("entry.access")), m))
}

func createToken(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m, err := tokensModel(v.Site.Access)
	if err != nil {
		return err
	}
	m.Name, m.Expires, m.Scopes = form.Get("name"), form.Get("expires"), nil
	for _, one := range form["scope"] {
		if slices.Contains(access.AllScopes(), access.Scope(one)) {
			m.Scopes = append(m.Scopes, access.Scope(one))
		}
	}
	var expires time.Time
	if !slices.Contains(lifetimes, m.Expires) {
		m.Expires = "90"
	}
	if days, err := strconv.Atoi(m.Expires); err == nil {
		expires = v.Site.Now().AddDate(0, 0, days)
	}
	switch {
	case m.Name == "":
		m.NameFault = "entry.token.no_name"
	case slices.ContainsFunc(m.List, func(t access.Token) bool { return t.Name == m.Name }):
		m.NameFault = "entry.token.taken"
	case len(m.Scopes) == 0:
		m.ScopeFault = "entry.token.no_scope"
	default:
		token, made, err := v.Site.Access.CreateToken(v.Context(), m.Name, m.Scopes, expires)
		if err == nil {
			return created(v, token, made)
		}
		if !errors.Is(err, holdfast.ErrUsage) {
			return err
		}
		m.NameFault = "entry.token.bad_name"
	}
	return renderTokens(v, http.StatusUnprocessableEntity, m)
}

// created shows a token, this once. Who has made the first one on this machine is locked
// out by it, so he is logged in by it.
func created(v *site.Visit, token string, made access.Token) error {
	if access.CallerOf(v.Context()).Name == access.Local {
		if _, err := v.Site.Access.Login(v.W, v.R, "", token); err != nil {
			return err
		}
		access.Note(v.Context(), access.Facts{Object: "token create " + made.Name})
	}
	m, err := tokensModel(v.Site.Access)
	if err != nil {
		return err
	}
	m.Created, m.Made = token, &made
	return renderTokens(v, http.StatusCreated, m)
}

// A Revoke is what is shown before a token is taken back.
type Revoke struct {
	Token access.Token
	Fault string // of the name that was typed
	Last  bool   // it is the last one, and there is no password
	Mine  bool   // the reader is logged in by it
}

func revokeModel(v *site.Visit) (Revoke, error) {
	name := v.R.PathValue("token")
	all, err := v.Site.Access.Tokens().List()
	if err != nil {
		return Revoke{}, err
	}
	i := slices.IndexFunc(all, func(t access.Token) bool { return t.Name == name })
	if i < 0 {
		return Revoke{}, &holdfast.Error{Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is none of that name")}
	}
	return Revoke{
		Token: all[i], Last: len(all) == 1 && !v.Site.Access.HasPassword(),
		Mine: all[i].ID == access.CallerOf(v.Context()).Token,
	}, nil
}

func askRevoke(v *site.Visit) error {
	m, err := revokeModel(v)
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, RevokeView(v.Page("settings", v.L.T("entry.revoke")), m))
}

func revokeToken(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m, err := revokeModel(v)
	if err != nil {
		return err
	}
	if !ui.Confirmed(form.Get("confirm"), m.Token.Name) {
		m.Fault = "entry.revoke.differs"
		return v.Render(http.StatusUnprocessableEntity, RevokeView(v.Page("settings", v.L.T("entry.revoke")), m))
	}
	if err := v.Site.Access.RevokeToken(v.Context(), m.Token.Name); err != nil {
		return err
	}
	if m.Mine {
		return v.Redirect(loginPath)
	}
	v.Notice(ui.Good, "entry.revoked", "name", m.Token.Name)
	return v.Redirect(tokensPath)
}

func revokePath(name string) string { return tokensPath + "/" + url.PathEscape(name) + "/revoke" }

// lifetimeWords says how long a token is good for.
func lifetimeWords(l *locale.Locale, days string) string {
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil {
		return l.T("entry.token.for_ever")
	}
	return l.N("entry.token.days", n)
}

func text(n int) string { return strconv.Itoa(n) }
