package access

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/config"
)

// Whoever has any token must not be able to guess the password faster than others.
func TestLogin_ATokenForgetsNoGuessesOfThePassword(t *testing.T) {
	w := withPassword(t)
	token := w.token("assistant", ScopeRead)
	b := w.browse("192.0.2.1:1")
	for range freeAttempts {
		b.post("/login", "password", otherPassword)
		b.loginBy(token)
	}
	b.post("/login", "password", otherPassword)
	if out := b.post("/login", "password", goodPassword); out.Code != http.StatusTooManyRequests {
		t.Errorf("status %d after %d wrong passwords", out.Code, freeAttempts+1)
	}
	// Whoever made an address wait keeps nobody out who has a token.
	w.browse("192.0.2.1:2").loginBy(token).in("assistant")
	if out := b.post("/login", "token", "wrong"); out.Code != http.StatusTooManyRequests {
		t.Errorf("a wrong token while it has to wait: status %d", out.Code)
	}
}

// All that a reverse proxy passes on comes from one address: a stranger who asks and asks
// must not use up what the owner has for his login.
func TestDoor_AStrangerBehindAReverseProxyUsesUpHisOwnLimitOnly(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.RequestsPerMinute = 5 })
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	through := func(client string) *browser {
		b := w.browse("127.0.0.1:1")
		b.headers.Set("X-Forwarded-For", client)
		return b
	}
	stranger := through("198.51.100.7, 192.0.2.1")
	for range 5 {
		stranger.get("/ended")
	}
	if out := stranger.get("/ended"); out.Code != http.StatusTooManyRequests {
		t.Errorf("the stranger has no limit: status %d", out.Code)
	}
	if out := through("198.51.100.8, 192.0.2.1").get("/ended"); out.Code != http.StatusTooManyRequests {
		t.Errorf("what he says of himself counts: status %d", out.Code)
	}
	through("192.0.2.2").login(goodPassword).in(Owner)
	w.browse("127.0.0.1:1").login(goodPassword)
}

// What changes nothing but the asking browser has no line, or anybody could push out of
// the audit what did.
func TestAudit_NobodyFillsItByWhatEverybodyMay(t *testing.T) {
	w := withPassword(t)
	token := w.token("reader", ScopeRead)
	before := len(w.entries())
	h := w.access.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/preferences" {
			Note(r.Context(), Facts{Private: true})
		}
		rw.WriteHeader(http.StatusSeeOther)
	}))
	for i := range 40 {
		at := from(fmt.Sprintf("192.0.2.%d:1", i))
		for _, r := range []*http.Request{request("POST", "/preferences", at), request("POST", "/logout", at), request("POST", "/preferences", at, bearer(token))} {
			out := httptest.NewRecorder()
			if h.ServeHTTP(out, r); out.Code != http.StatusSeeOther {
				t.Fatalf("%s: status %d", r.URL.Path, out.Code)
			}
		}
	}
	if n := len(w.entries()) - before; n != 0 {
		t.Errorf("%d lines", n)
	}
}
