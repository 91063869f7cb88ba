package access

import (
	"context"
	"time"
)

// CreateToken is Tokens.Create for the caller of a request, in whose audit line it
// stands.
func (a *Access) CreateToken(ctx context.Context, name string, scopes Scopes, expires time.Time) (token string, made Token, err error) {
	Note(ctx, Facts{Object: "token create " + name})
	if err := a.Allow(ctx, ScopeAdmin); err != nil {
		return "", Token{}, err
	}
	return a.tokens.create(name, scopes, expires)
}

// RevokeToken is Tokens.Revoke for the caller of a request. What would open the door to
// everybody is left to the command line.
func (a *Access) RevokeToken(ctx context.Context, name string) error {
	Note(ctx, Facts{Object: "token revoke " + name})
	if err := a.Allow(ctx, ScopeAdmin); err != nil {
		return err
	}
	least := 1
	if there, err := a.passwords.there(); err == nil && there {
		least = 0
	}
	_, err := a.tokens.revoke(name, least)
	return err
}
