package access

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Session is a browser that has logged in: by the password, or by a token, of which
// it may do what the token may, for as long as the token is good.
type Session struct {
	ID        string        `json:"id"` // names it, and opens nothing
	Name      string        `json:"name"`
	Token     string        `json:"token,omitempty"` // the id of its token
	CreatedAt holdfast.Time `json:"created_at"`
	SeenAt    holdfast.Time `json:"seen_at"`          // the last page that was opened
	Remote    string        `json:"remote,omitempty"` // from where it logged in
	Agent     string        `json:"agent,omitempty"`  // what the browser called itself
	// Present tells that it is the one that asks.
	Present bool `json:"-"`
}

// record is a session as it is kept.
type sessionRecord struct {
	Session
	Key      string `json:"key"`                // a digest of what the cookie holds
	Password string `json:"password,omitempty"` // the id of the password that opened it
}

// clockSlack is how far a clock may be set back without ending sessions.
const clockSlack = 5 * time.Minute

// ended tells whether the time of a session is over. One that begins in the future is
// of a clock that was wrong: how old it is nobody knows.
func (s sessionRecord) ended(now time.Time, idle, lifetime time.Duration) bool {
	age, quiet := now.Sub(s.CreatedAt.Time), now.Sub(s.SeenAt.Time)
	return age >= lifetime || quiet >= idle || age < -clockSlack
}

// Open tells whether who asks on loopback needs no credential now: there is no token and
// no password.
func (a *Access) Open() bool {
	s := a.settings.Load()
	return s.loopback && !s.required && a.unlocked()
}

// unlocked tells whether there is nothing that anybody could present.
func (a *Access) unlocked() bool {
	tokens, err := a.tokens.records()
	has, also := a.passwords.there()
	return err == nil && also == nil && len(tokens) == 0 && !has
}

// bySession tells whose session the cookies of a request hold; nobody's if none is good.
func (a *Access) bySession(r *http.Request) (Caller, bool) {
	if strings.HasPrefix(r.URL.Path, "/api/") && !slices.Contains([]string{"", "same-origin", "none"}, r.Header.Get("Sec-Fetch-Site")) {
		return Caller{}, false // a link on another page is no download
	}
	for _, key := range sessionKeys(r) {
		s, ok := a.sessions.find(r.Context(), key, opens(r))
		if !ok {
			continue
		}
		c, good, err := a.of(r.Context(), s)
		switch {
		case good:
			a.tokens.touch(c.Token)
			return c, true
		case err == nil: // what cannot be known now, or was not waited for, ends nothing
			a.sessions.end(s.ID)
		}
	}
	return Caller{}, false
}

// opens tells whether a request is somebody who opens a page or sends a form, and not a
// page that asks by itself how things are.
func opens(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return !safe(r.Method) || mode == "navigate" || r.Header.Get("Hx-Boosted") != "" ||
		mode == "" && !strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// of gives the caller of a session, unless what opened it is not good any more; an error
// is that nobody can know.
func (a *Access) of(ctx context.Context, s sessionRecord) (c Caller, good bool, err error) {
	if s.Token == "" {
		now, err := a.passwords.current(ctx)
		return Caller{Name: Owner, Session: s.ID, Scopes: Scopes{ScopeAdmin}}, err == nil && now != nil && now.id == s.Password, err
	}
	all, err := a.tokens.records()
	i := slices.IndexFunc(all, func(r record) bool { return r.ID == s.Token })
	if err != nil || i < 0 || all[i].Expired(a.now()) {
		return Caller{}, false, err
	}
	return Caller{Name: all[i].Name, Token: s.Token, Session: s.ID, Scopes: all[i].Scopes}, true, nil
}

// SessionEnded tells whether a browser asks that was logged in, and is not any more.
func (a *Access) SessionEnded(r *http.Request) bool {
	return CallerOf(r.Context()).Session == "" && len(sessionKeys(r)) > 0
}

// Logout ends the session of the caller.
func (a *Access) Logout(w http.ResponseWriter, r *http.Request) {
	if c := CallerOf(r.Context()); c.Session != "" {
		a.sessions.end(c.Session)
	}
	dropCookie(w, r)
	Note(r.Context(), Facts{Object: "logout"})
}

// LogoutEverywhere ends all sessions of the caller: those of the password, or those of
// his token. It tells how many.
func (a *Access) LogoutEverywhere(ctx context.Context) (int, error) {
	c := CallerOf(ctx)
	Note(ctx, Facts{Object: "logout everywhere"})
	return a.sessions.endAll(func(s sessionRecord) bool { return s.of(c) })
}

// LogoutOthers is LogoutEverywhere but for the session that asks.
func (a *Access) LogoutOthers(ctx context.Context) (int, error) {
	c := CallerOf(ctx)
	Note(ctx, Facts{Object: "logout of the others"})
	return a.sessions.endAll(func(s sessionRecord) bool { return s.of(c) && s.ID != c.Session })
}

// of tells whether a session was opened by what the caller has.
func (s sessionRecord) of(c Caller) bool {
	return c.Name != "" && s.Token == c.Token && (s.Token != "" || c.Session != "")
}

// Sessions gives the sessions that a caller may see, the one seen last first: all for
// whoever may do everything, else his own.
func (a *Access) Sessions(ctx context.Context) ([]Session, error) {
	c := CallerOf(ctx)
	all, err := a.sessions.list()
	if err != nil {
		return nil, err
	}
	var out []Session
	for _, s := range all {
		if _, good, _ := a.of(ctx, s); !good || !s.of(c) && !c.May(ScopeAdmin) {
			continue
		}
		s.Present = s.ID == c.Session
		out = append(out, s.Session)
	}
	slices.SortStableFunc(out, func(a, b Session) int { return b.SeenAt.Compare(a.SeenAt.Time) })
	return out, nil
}

// EndSession ends one of Sessions.
func (a *Access) EndSession(ctx context.Context, id string) error {
	all, err := a.Sessions(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(s Session) bool { return s.ID == id }); i < 0 {
		return &holdfast.Error{Op: "session", Object: id, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is none of that id")}
	}
	Note(ctx, Facts{Object: "session " + id})
	_, err = a.sessions.endAll(func(s sessionRecord) bool { return s.ID == id })
	return err
}

// isID tells whether a text could be an id that newSecret has made.
func isID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == hex.EncodedLen(idBytes)
}
