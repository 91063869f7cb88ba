package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// hashPatience is how long a password waits for those before it.
const hashPatience = 15 * time.Second

// errLogin is what every login that fails is told, whatever was wrong.
func errLogin() error {
	return &holdfast.Error{
		Op: "log in", Err: kindf(ErrUnauthorized, "the password or the token is not the right one"),
		Hint: "`holdfast password set` on the machine itself sets another password; `holdfast token create` makes a token",
	}
}

// Login logs a browser in, by the password or by a token: one of them is not empty. The
// session takes the place of the one that the browser had. Whatever is wrong, the
// refusal is the same, with ErrUnauthorized; with ErrTooMany it has to wait (RetryAfter
// tells how long).
func (a *Access) Login(w http.ResponseWriter, r *http.Request, password, token string) (Caller, error) {
	Note(r.Context(), Facts{Object: "login"})
	if token != "" {
		return a.loginByToken(w, r, token)
	}
	var s sessionRecord
	var caller Caller
	err := a.attempts.guarded(r, func(ctx context.Context) (right bool, err error) {
		s.Name = Owner
		s.Password, right, err = a.passwords.check(ctx, password)
		if err != nil {
			return false, a.unjudged(ctx, err)
		}
		caller = Caller{Name: Owner, Scopes: Scopes{ScopeAdmin}}
		return right, nil
	})
	if err != nil {
		return Caller{}, err
	}
	return a.enter(w, r, s, caller)
}

// unjudged is why a password was not compared: its turn did not come in time, or what it
// is compared with cannot be read.
func (a *Access) unjudged(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return a.nobody(err)
}

// loginByToken logs a browser in by a token. The right one gets in whatever others at the
// same address try, as at the door; and it makes nobody forget how often a password was
// wrong, or whoever has a token could guess that without end. A wrong one counts.
func (a *Access) loginByToken(w http.ResponseWriter, r *http.Request, token string) (Caller, error) {
	caller, err := a.tokens.caller(token)
	if err == nil {
		return a.enter(w, r, sessionRecord{Session: Session{Name: caller.Name, Token: caller.Token}}, caller)
	}
	return Caller{}, a.attempts.guarded(r, func(context.Context) (right bool, _ error) {
		if !errors.Is(err, ErrUnauthorized) {
			return false, a.nobody(err)
		}
		return false, nil
	})
}

// enter begins a session.
func (a *Access) enter(w http.ResponseWriter, r *http.Request, s sessionRecord, c Caller) (Caller, error) {
	former := ""
	if keys := sessionKeys(r); len(keys) > 0 {
		former = keys[0]
	}
	s.Remote, s.Agent = short(r.RemoteAddr), shortTo(r.UserAgent(), agentLimit)
	key, err := a.sessions.begin(r.Context(), former, s)
	if err != nil {
		return Caller{}, err
	}
	if found, ok := a.sessions.find(r.Context(), key, false); ok {
		c.Session = found.ID
	}
	_, lifetime := a.limits()
	setCookie(w, r, key, lifetime)
	nameVisitor(r.Context(), c.Name)
	return c, nil
}

// ChangePassword gives the pages another password, as the caller of a request: whoever
// is on the machine itself the first one, while nothing is locked; afterwards whoever may
// do everything and knows the present one. His session gets another key, and all others
// of the password end.
func (a *Access) ChangePassword(w http.ResponseWriter, r *http.Request, present, password string) (err error) {
	defer func() { Note(r.Context(), Facts{Object: "password set"}) }()
	c := CallerOf(r.Context())
	switch {
	case a.HasPassword():
		if err := a.Allow(r.Context(), ScopeAdmin); err != nil {
			return err
		}
		if err := a.mayChange(); err != nil {
			return err
		}
		err := a.attempts.guarded(r, func(ctx context.Context) (bool, error) {
			_, right, err := a.passwords.check(ctx, present)
			if err != nil {
				return false, a.unjudged(ctx, err)
			}
			return right, nil
		})
		if err != nil {
			return err
		}
	case c.Name != Local || c.Session != "" || c.Token != "":
		noteRefusal(r.Context())
		return &holdfast.Error{
			Op: "password", Err: kindf(ErrForbidden, "the first password is set on the machine itself"),
			Hint: "set it there: holdfast password set",
		}
	}
	id, err := a.setPassword(r.Context(), password)
	if err != nil {
		return err
	}
	_, err = a.enter(w, r, sessionRecord{Session: Session{Name: Owner}, Password: id}, Caller{Name: Owner, Scopes: Scopes{ScopeAdmin}})
	return err
}

// RetryAfter gives the seconds that somebody has to wait who was refused with
// ErrTooMany.
func RetryAfter(err error) (seconds int, ok bool) {
	again, ok := errors.AsType[*tooManyError](err)
	if !ok {
		return 0, false
	}
	return wholeSeconds(again.wait), true
}

// guarded lets somebody try a password or a token, unless he has to wait.
func (t *attempts) guarded(r *http.Request, try func(context.Context) (right bool, err error)) error {
	client := loginClient(r)
	if wait := t.begin(client); wait > 0 {
		return tooManyLogins(wait)
	}
	ctx, cancel := context.WithTimeout(r.Context(), hashPatience)
	defer cancel()
	right, err := try(ctx)
	t.end(client, right, err != nil)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return tooManyLogins(hashPatience)
	case err != nil:
		return err
	case !right:
		return errLogin()
	}
	return nil
}

func tooManyLogins(wait time.Duration) error {
	return &tooManyError{wait: wait, error: &holdfast.Error{
		Op: "log in", Err: holdfast.Kindf(ErrTooMany, "too many attempts have failed"),
		Hint: fmt.Sprintf("wait %d seconds", wholeSeconds(wait)),
	}}
}
