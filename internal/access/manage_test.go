package access

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestTokens_AreMadeAndTakenBackByWhoMay(t *testing.T) {
	w := newWorld(t)
	all := WithCaller(t.Context(), Caller{Name: Owner, Session: "0011223344556677", Scopes: Scopes{ScopeAdmin}})
	reader := WithCaller(t.Context(), Caller{Name: "reader", Token: "0011223344556677", Scopes: Scopes{ScopeRead}})
	if _, _, err := w.access.CreateToken(reader, "x", Scopes{ScopeRead}, time.Time{}); !errors.Is(err, ErrForbidden) {
		t.Errorf("create by a reader: %v", err)
	}
	token, made, err := w.access.CreateToken(all, "bot", Scopes{ScopeBackup}, time.Time{})
	if err != nil || made.Name != "bot" || !looksLikeToken(token) {
		t.Fatal(made, err)
	}
	if err := w.access.RevokeToken(reader, "bot"); !errors.Is(err, ErrForbidden) {
		t.Errorf("revoke by a reader: %v", err)
	}
	// The last one without a password would open the door.
	if err := w.access.RevokeToken(all, "bot"); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "password") {
		t.Errorf("the last one: %v", err)
	}
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	if err := w.access.RevokeToken(all, "bot"); err != nil {
		t.Error(err)
	}
	w.mustNotHold(token)
}
