package gallery

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/entry"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// entryStates are the pages by which people come in and go.
var entryStates = []State{
	loginState("login", entry.Login{Next: "/", Way: "password", Password: true, Tokens: true}),
	loginState("login-wrong", entry.Login{Next: "/", Way: "password", Password: true, Tokens: true, Wrong: true}),
	loginState("login-wrong-token", entry.Login{Next: "/backups", Way: "token", Password: true, Tokens: true, Wrong: true}),
	loginState("login-too-many", entry.Login{Next: "/", Way: "password", Password: true, Tokens: true, Wait: 32}),
	loginState("login-expired", entry.Login{Next: "/new", Way: "password", Password: true, Ended: true}),
	loginState("login-token-only", entry.Login{Next: "/", Way: "token", Tokens: true}),
	loginState("login-nobody", entry.Login{Next: "/", Way: "token"}),
	loginState("login-closed", entry.Login{Next: "/", Way: "password", Password: true, Tokens: true, Closed: true}),
	passwordState("password-first", entry.Password{First: true}),
	passwordState("password-first-short", entry.Password{First: true, Fault: "entry.password.short"}),
	passwordState("password-change", entry.Password{}),
	passwordState("password-wrong", entry.Password{Wrong: true}),
	passwordState("password-differ", entry.Password{Differ: true}),
	passwordState("password-too-many", entry.Password{Wait: 8}),
	passwordState("password-configured", entry.Password{Configured: true}),
	passwordState("password-elsewhere", entry.Password{Elsewhere: true}),
	sessionsState("sessions-one", sessionsOf(1)),
	sessionsState("sessions-many", sessionsOf(120)),
	sessionsState("sessions-open", entry.Sessions{All: true, Tokens: true, Open: true}),
	tokensState("tokens-none", entry.Tokens{Scopes: access.Scopes{access.ScopeBackup}, Expires: "90"}),
	tokensState("tokens-first", entry.Tokens{Scopes: access.Scopes{access.ScopeBackup}, Expires: "90", First: true}),
	tokensState("tokens-some", entry.Tokens{List: someTokens(), Scopes: access.Scopes{access.ScopeBackup}, Expires: "90"}),
	tokensState("tokens-wrong", entry.Tokens{List: someTokens(), Name: "assistant", Expires: "30", NameFault: "entry.token.taken", ScopeFault: "entry.token.no_scope"}),
	tokensState("tokens-created", entry.Tokens{
		List: someTokens(), Scopes: access.Scopes{access.ScopeBackup}, Expires: "90", Made: &someTokens()[0],
		Created: "hf_00112233445566778_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	}),
	revokeState("revoke", entry.Revoke{Token: someTokens()[0]}),
	revokeState("revoke-differs", entry.Revoke{Token: someTokens()[1], Mine: true, Fault: "entry.revoke.differs"}),
	revokeState("revoke-last", entry.Revoke{Token: someTokens()[0], Last: true}),
}

func loginState(name string, m entry.Login) State {
	return State{Page: "entry", Name: name, Title: "entry.login", Nobody: true, Render: func(p ui.Page) templ.Component { return entry.LoginView(p, m) }}
}

func passwordState(name string, m entry.Password) State {
	s := State{Page: "entry", Name: name, Section: "settings", Title: "entry.password.change", Render: func(p ui.Page) templ.Component { return entry.PasswordView(p, m) }}
	if m.First {
		s.Reader, s.Title = access.Caller{Name: access.Local, Scopes: access.Scopes{access.ScopeAdmin}}, "entry.password.first"
		s.Change = open
	}
	return s
}

// open makes the frame that of whoever need not log in.
func open(p *ui.Page) { p.Open, p.LoggedIn = true, false }

func sessionsState(name string, m entry.Sessions) State {
	s := State{Page: "entry", Name: name, Section: "settings", Title: "entry.access", Render: func(p ui.Page) templ.Component { return entry.SessionsView(p, m) }}
	if m.Open {
		s.Change = open
	}
	return s
}

func tokensState(name string, m entry.Tokens) State {
	return State{Page: "entry", Name: name, Section: "settings", Title: "entry.access", Render: func(p ui.Page) templ.Component { return entry.TokensView(p, m) }}
}

func revokeState(name string, m entry.Revoke) State {
	return State{Page: "entry", Name: name, Section: "settings", Title: "entry.revoke", Render: func(p ui.Page) templ.Component { return entry.RevokeView(p, m) }}
}

// sessionsOf gives sessions, the first one that of the reader.
func sessionsOf(n int) entry.Sessions {
	m := entry.Sessions{All: true, Tokens: true, Shown: min(n, 100), Others: (n - 1) / 2}
	places := [][2]string{{"Firefox Linux", "127.0.0.1:41806"}, {"Safari iPhone", "[2001:db8:12::7]:50123"}, {"Chrome Android", "192.0.2.17:40022"}, {"curl/8.9", "198.51.100.4:39001"}}
	for i := range n {
		s := entry.Session{Mine: i%2 == 0, Session: access.Session{
			Agent: places[i%len(places)][0],
			ID:    fmt.Sprintf("%016x", i), Name: access.Owner, Remote: places[i%len(places)][1], Present: i == 0,
			CreatedAt: holdfast.At(Now.Add(-time.Duration(i+1) * time.Hour)), SeenAt: holdfast.At(Now.Add(-time.Duration(i) * 7 * time.Minute)),
		}}
		if i%2 == 1 {
			s.Name, s.Token = "ผู้ช่วย", "00112233445566778"
		}
		m.List = append(m.List, s)
	}
	return m
}

func someTokens() []access.Token {
	return []access.Token{
		{Name: "assistant", ID: "0011223344556677", Scopes: access.Scopes{access.ScopeBackup}, CreatedAt: holdfast.At(Now.AddDate(0, -2, 0)), ExpiresAt: new(holdfast.At(Now.AddDate(0, 1, 0))), LastUsedAt: new(holdfast.At(Now.Add(-12 * time.Minute)))},
		{Name: "ผู้ดูแล", ID: "1011223344556677", Scopes: access.Scopes{access.ScopeAdmin}, CreatedAt: holdfast.At(Now.AddDate(-1, 0, 0)), LastUsedAt: new(holdfast.At(Now.AddDate(0, 0, -3)))},
		{Name: "old-laptop", ID: "2011223344556677", Scopes: access.Scopes{access.ScopeRead, access.ScopeRestore}, CreatedAt: holdfast.At(Now.AddDate(0, -6, 0)), ExpiresAt: new(holdfast.At(Now.AddDate(0, -3, 0)))},
	}
}
