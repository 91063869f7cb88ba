package access

import (
	"context"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// Local is the name of whoever reaches the daemon on loopback while no token is
// needed. No token can have it.
const Local = "local"

// ChromaProxy is who asks for the backups that a Chroma proxy waits for. No token
// can have the name: its jobs would be those of the proxy.
const ChromaProxy = "chroma-proxy"

// A Caller is who asks.
type Caller struct {
	Name    string // of the token, Owner, or Local
	Token   string // the token's id; empty for the others
	Session string // the id of the session, of whoever has logged in
	Scopes  Scopes
}

// May tells whether the caller has one of the scopes.
func (c Caller) May(one ...Scope) bool {
	return slices.ContainsFunc(one, c.Scopes.Has)
}

type callerKey struct{}

// WithCaller makes ctx that of a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf gives the caller of a request; one that nobody authenticated has no
// name and no scope.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Caller is CallerOf.
func (a *Access) Caller(ctx context.Context) Caller { return CallerOf(ctx) }

// Allow refuses a caller that has none of the scopes, of which there is one at
// least: with ErrUnauthorized if nobody knows who it is, else with ErrForbidden.
// The refusal stands in the audit.
func (a *Access) Allow(ctx context.Context, one ...Scope) error {
	c := CallerOf(ctx)
	if len(one) == 0 {
		one = []Scope{ScopeAdmin} // an operation that names none is not everybody's
	}
	if c.May(one...) {
		return nil
	}
	noteRefusal(ctx)
	if c.Name == "" {
		return errNoToken()
	}
	return &holdfast.Error{
		Op: "token", Object: c.Name, Err: kindf(ErrForbidden, "it may not do this: it has the scope %s, and this needs %s", c.Scopes, Scopes(one).either()),
		Hint: "create another one: holdfast token create NAME --scope " + string(one[0]),
	}
}

// either joins scopes of which one is enough.
func (s Scopes) either() string {
	text := string(s[0])
	for _, one := range s[1:] {
		text += " or " + string(one)
	}
	return text
}
