package entry_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

const (
	password = "correct horse battery"
	another  = "staple of the battery"
)

// browser is one with cookies, over the real door.
type browser struct {
	*webtest.World
	jar map[string]string
}

func browse(w *webtest.World) *browser { return &browser{w, map[string]string{}} }

func (b *browser) do(method, path string, form url.Values) webtest.Reply {
	b.T.Helper()
	var pairs []string
	for name, value := range b.jar {
		pairs = append(pairs, name+"="+value)
	}
	r := b.Request(b.T.Context(), method, path, form, "Cookie", strings.Join(pairs, "; "), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
	out := b.Do(r)
	for _, c := range (&http.Response{Header: out.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
			continue
		}
		b.jar[c.Name] = c.Value
	}
	return out
}

func (b *browser) get(path string) webtest.Reply { b.T.Helper(); return b.do("GET", path, nil) }

func (b *browser) post(path string, fields ...string) webtest.Reply {
	b.T.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do("POST", path, form)
}

// login logs in, which must succeed.
func (b *browser) login(fields ...string) *browser {
	b.T.Helper()
	want(b.T, b.post("/login", fields...), http.StatusSeeOther, "")
	return b
}

func want(t *testing.T, r webtest.Reply, status int, text string) {
	t.Helper()
	if r.Status != status || !strings.Contains(html.UnescapeString(r.Body), text) {
		t.Fatalf("status %d, want %d with %q: %s", r.Status, status, text, r.Body)
	}
}

func leads(t *testing.T, r webtest.Reply, to string) {
	t.Helper()
	if got := r.Header.Get("Location"); r.Status != http.StatusSeeOther || got != to {
		t.Fatalf("status %d leads to %q, want %q: %s", r.Status, got, to, r.Body)
	}
}

// locked is a world with a password.
func locked(t *testing.T) *webtest.World {
	w := webtest.New(t, webtest.Options{})
	if err := w.Access.SetPassword(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLogin_LeadsBackToWhereTheReaderWas(t *testing.T) {
	b := browse(locked(t))
	to := "/login?next=" + url.QueryEscape("/activity?q=a&n=2")
	leads(t, b.get("/activity?q=a&n=2"), to)
	page := b.get(to)
	want(t, page, http.StatusOK, `name="next" value="/activity?q=a&n=2"`)
	if strings.Contains(page.Body, "has ended") {
		t.Error("a session that never was has ended")
	}
	leads(t, b.post("/login", "next", "/activity?q=a&n=2", "password", password), "/activity?q=a&n=2")
	want(t, b.get("/settings"), http.StatusOK, `action="/logout"`)
	want(t, b.get("/login"), http.StatusOK, "You are logged in as")
	leads(t, b.post("/logout"), "/login")
	leads(t, b.get("/settings"), "/login?next=%2Fsettings")
}

func TestLogin_SaysWhatIsWrongAndNoMore(t *testing.T) {
	b := browse(locked(t))
	for _, c := range []struct {
		fields []string
		status int
		text   string
	}{
		{[]string{"password", another}, 401, "That is not the password."},
		{[]string{"token", "hf_x"}, 401, "This token does not let anybody in."},
		{[]string{"password", ""}, 422, "Type the password."},
		{[]string{"way", "token", "token", ""}, 422, "Paste the token."},
	} {
		out := b.post("/login", c.fields...)
		want(t, out, c.status, c.text)
		for _, typed := range c.fields[1:] {
			if typed == another && strings.Contains(out.Body, typed) {
				t.Error("the page repeats what was typed")
			}
		}
	}
	for range 6 {
		b.post("/login", "password", another)
	}
	out := b.post("/login", "password", password)
	want(t, out, http.StatusTooManyRequests, "You can try again in")
	if out.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestLogin_ASessionThatHasEndedIsTold(t *testing.T) {
	w := locked(t)
	b, other := browse(w).login("password", password), browse(w).login("password", password)
	leads(t, other.post("/logout/everywhere"), "/login")
	leads(t, b.post("/tokens", "name", "x"), "/login?next=%2F")
	want(t, b.get("/login?next=%2F"), http.StatusOK, "Your session has ended")
	want(t, other.get("/login"), http.StatusOK, "With the password")
	if strings.Contains(other.get("/login").Body, "has ended") {
		t.Error("who logged out is told that his session has ended")
	}
}

func TestPassword_FirstRun(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	b := browse(w)
	leads(t, b.get("/login"), "/")
	want(t, b.get("/password"), http.StatusOK, "Anybody on this machine can open these pages now.")
	want(t, b.post("/password", "new", "short", "again", "short"), 422, "It has fewer than 10 characters.")
	want(t, b.post("/password", "new", password, "again", another), 422, "The two are not the same.")
	leads(t, b.post("/password", "new", password, "again", password), "/")
	want(t, b.get("/sessions"), http.StatusOK, "The password is set. It is hard to guess.")
	leads(t, browse(w).get("/password"), "/login?next=%2Fpassword")
	// The next one needs the present one.
	want(t, b.post("/password", "present", another, "new", another, "again", another), 422, "That is not the password.")
	leads(t, b.post("/password", "present", password, "new", "aaaaaaaaaaaa", "again", "aaaaaaaaaaaa"), "/")
	want(t, b.get("/sessions"), http.StatusOK, "easy to guess")
}

func TestPassword_IsToldWhereItIsSet(t *testing.T) {
	w := webtest.New(t, webtest.Options{Settings: map[string]string{"serve.password": password}})
	b := browse(w).login("password", password)
	want(t, b.get("/password"), http.StatusOK, "The password is set by the configuration")
	out := b.post("/password", "present", password, "new", another, "again", another)
	if out.Status < 400 {
		t.Errorf("it was changed: status %d", out.Status)
	}
	byToken := webtest.New(t, webtest.Options{})
	token, _, err := byToken.Access.Tokens().Create("me", access.Scopes{access.ScopeAdmin}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, browse(byToken).login("token", token).get("/password"), http.StatusOK, "The first password is set on the machine")
	nobody := browse(byToken)
	want(t, nobody.get("/login"), http.StatusOK, "With a token")
}

func TestSessions_AreEndedFromAnother(t *testing.T) {
	w := locked(t)
	me, phone, third := browse(w).login("password", password), browse(w).login("password", password), browse(w).login("password", password)
	all, err := w.Access.Sessions(access.WithCaller(t.Context(), access.Caller{Name: access.Owner, Session: "x", Scopes: access.Scopes{access.ScopeAdmin}}))
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	page := me.get("/sessions")
	want(t, page, http.StatusOK, "This browser")
	want(t, page, http.StatusOK, "Log out 2 other browsers")
	leads(t, phone.post("/sessions/end", "id", "nonsense"), "/sessions")
	leads(t, me.post("/sessions/others"), "/sessions")
	want(t, me.get("/sessions"), http.StatusOK, "2 other browsers are logged out.")
	for _, b := range []*browser{phone, third} {
		leads(t, b.get("/sessions"), "/login?next=%2Fsessions")
	}
}

func TestTokens_AreShownOnceAndRevokedByTheirName(t *testing.T) {
	w := locked(t)
	b := browse(w).login("password", password)
	want(t, b.get("/tokens"), http.StatusOK, "There are no tokens")
	want(t, b.post("/tokens", "name", "", "scope", "backup"), 422, "Give it a name.")
	want(t, b.post("/tokens", "name", "owner", "scope", "backup"), 422, "This cannot be a name.")
	want(t, b.post("/tokens", "name", "bot"), 422, "Choose at least one.")
	out := b.post("/tokens", "name", "bot", "scope", "read", "expires", "30")
	want(t, out, http.StatusCreated, "It is shown this once.")
	_, rest, _ := strings.Cut(out.Body, "hf_")
	secret := "hf_" + rest[:16+1+52]
	if out.Header.Get("Cache-Control") != "no-store" || strings.Contains(b.get("/tokens").Body, secret) {
		t.Error("it is kept")
	}
	want(t, b.post("/tokens", "name", "bot", "scope", "read"), 422, "There is one of that name.")
	reader := browse(w).login("token", secret)
	want(t, reader.get("/sessions"), http.StatusOK, "token")
	want(t, reader.get("/tokens"), http.StatusForbidden, "")
	want(t, reader.post("/tokens", "name", "more", "scope", "admin"), http.StatusForbidden, "")
	want(t, b.post("/tokens/bot/revoke", "confirm", "bat"), 422, "That is another name.")
	leads(t, b.post("/tokens/bot/revoke", "confirm", "bot"), "/tokens")
	leads(t, reader.get("/sessions"), "/login?next=%2Fsessions")
	want(t, b.get("/tokens/bot/revoke"), http.StatusNotFound, "")
}

func TestTokens_TheFirstOneLogsItsMakerIn(t *testing.T) {
	w := webtest.New(t, webtest.Options{})
	b := browse(w)
	want(t, b.get("/tokens"), http.StatusOK, "The first token locks these pages")
	want(t, b.post("/tokens", "name", "ผู้ดูแล", "scope", "admin", "expires", ""), http.StatusCreated, "It is shown this once.")
	want(t, b.get("/tokens"), http.StatusOK, "ผู้ดูแล")
	leads(t, browse(w).get("/tokens"), "/login?next=%2Ftokens")
	// Without it everybody could do everything.
	path := "/tokens/" + url.PathEscape("ผู้ดูแล") + "/revoke"
	want(t, b.get(path), http.StatusOK, "It is the last token, and there is no password")
	if out := b.post(path, "confirm", "ผู้ดูแล"); out.Status < 400 {
		t.Errorf("it was taken back: status %d", out.Status)
	}
	want(t, b.get("/tokens"), http.StatusOK, "ผู้ดูแล")
}
