// Package entry is how people come in and go: the login, the password and its first run,
// where a reader is logged in, and the tokens of programs.
//
// Start from [Mount]. Who may come in is decided by package access; the pages ask it,
// say what it said in the reader's words, and lead back to where the reader was.
//
// login.go, password.go, sessions.go and tokens.go are a page each: its model, plain
// data, and its handlers; the files of templ draw them. agent.go says in words what a
// browser calls itself, strength.go how easily a password is guessed.
package entry

import (
	"strings"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// The places of these pages.
const (
	loginPath    = "/login"
	passwordPath = "/password"
	sessionsPath = "/sessions"
	tokensPath   = "/tokens"
)

// Mount adds the pages.
func Mount(s *site.Site) {
	everybody, admin := access.AllScopes(), []access.Scope{access.ScopeAdmin}
	s.Public("GET "+loginPath, showLogin)
	s.Public("POST "+loginPath, login)
	s.Public("POST /logout", logout)
	s.Get(passwordPath, admin, showPassword)
	s.Post(passwordPath, admin, changePassword)
	s.Get(sessionsPath, everybody, showSessions)
	s.Post(sessionsPath+"/end", everybody, endSession)
	s.Post(sessionsPath+"/others", everybody, endOthers)
	s.Post("/logout/everywhere", everybody, logoutEverywhere)
	s.Get(tokensPath, admin, showTokens)
	s.Post(tokensPath, admin, createToken)
	s.Get(tokensPath+"/{token}/revoke", admin, askRevoke)
	s.Post(tokensPath+"/{token}/revoke", admin, revokeToken)
}

// onward is where a login leads: a page of ours that shows something, and not back here.
func onward(next string) string {
	next = site.Local(next, "/")
	path, _, _ := strings.Cut(next, "?")
	path, _, _ = strings.Cut(path, "#")
	if path == loginPath || path == "/logout" || strings.HasPrefix(path, "/logout/") || path == "/strip" {
		return "/"
	}
	return next
}
