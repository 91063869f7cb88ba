package access

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogin_EveryFailureIsToldTheSame(t *testing.T) {
	w := withPassword(t)
	empty := newWorld(t)
	good := w.token("bot", ScopeRead)
	expired, _, err := w.open().Tokens().Create("short", Scopes{ScopeRead}, w.clock().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	gone := w.token("gone", ScopeRead)
	revoked(t, w, "gone")
	w.pass(time.Minute)
	want := ""
	for name, c := range map[string]struct {
		w     *world
		field string
		value string
	}{
		"a wrong password":   {w, "password", otherPassword},
		"no password at all": {empty, "password", goodPassword},
		"an empty one":       {w, "password", ""},
		"a token as one":     {w, "password", good},
		"a wrong token":      {w, "token", form("0011223344556677", strings.Repeat("a", 52))},
		"an expired token":   {w, "token", expired},
		"a revoked token":    {w, "token", gone},
		"no token":           {w, "token", "x"},
		"a password as one":  {w, "token", goodPassword},
	} {
		out := c.w.browse("192.0.2.1:"+fmt.Sprint(len(name))).post("/login", c.field, c.value)
		c.w.pass(time.Hour)
		if out.Code != http.StatusUnauthorized || len(out.Result().Cookies()) != 0 {
			t.Errorf("%s: status %d", name, out.Code)
		}
		if want == "" {
			want = out.Body.String()
		}
		if out.Body.String() != want {
			t.Errorf("%s is told %s, others %s", name, out.Body, want)
		}
		for _, secret := range []string{goodPassword, otherPassword, expired, gone, good} {
			c.w.mustNotHold(secret)
		}
	}
}

// Where many guess at once, the owner is told to come again, and not that all is lost.
func TestLogin_WhoseTurnDoesNotComeIsToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withPassword(t)
		me := w.browse("192.0.2.1:1").login(goodPassword)
		w.access.passwords.hashing = make(hashing) // others have every turn
		for _, ask := range []func() *httptest.ResponseRecorder{
			func() *httptest.ResponseRecorder {
				return w.browse("192.0.2.2:1").post("/login", "password", goodPassword)
			},
			func() *httptest.ResponseRecorder {
				return me.post("/password", "present", goodPassword, "new", otherPassword)
			},
		} {
			out := ask()
			w.want(out, http.StatusTooManyRequests, "too_many")
			if out.Header().Get("Retry-After") != "15" {
				t.Errorf("Retry-After %q", out.Header().Get("Retry-After"))
			}
		}
		if strings.Contains(w.log.String(), "nobody is let in") {
			t.Error("the log says that nobody can come in")
		}
	})
}

func TestLogin_GuessersWaitLongerAndLonger(t *testing.T) {
	w := withPassword(t)
	b := w.browse("192.0.2.1:1")
	var waits []int
	for len(waits) < 12 {
		out := b.post("/login", "password", otherPassword)
		if out.Code == http.StatusUnauthorized {
			continue
		}
		if out.Code != http.StatusTooManyRequests {
			t.Fatalf("status %d: %s", out.Code, out.Body)
		}
		var wait int
		if _, err := fmt.Sscan(out.Header().Get("Retry-After"), &wait); err != nil || wait < 1 {
			t.Fatalf("Retry-After %q", out.Header().Get("Retry-After"))
		}
		var p Problem
		if err := json.Unmarshal(out.Body.Bytes(), &p); err != nil || p.Hint != fmt.Sprintf("wait %d seconds", wait) {
			t.Fatalf("%s", out.Body)
		}
		waits = append(waits, wait)
		w.pass(time.Duration(wait) * time.Second)
	}
	if got := fmt.Sprint(waits); got != "[1 2 4 8 16 32 64 128 256 300 300 300]" {
		t.Errorf("waits %s", got)
	}
	// The right one does not get in either while it has to wait, and does afterwards.
	b.post("/login", "password", otherPassword)
	if out := b.post("/login", "password", goodPassword); out.Code != http.StatusTooManyRequests {
		t.Errorf("status %d", out.Code)
	}
	w.browse("192.0.2.2:1").login(goodPassword) // another address is not kept out
	w.pass(longestWait)
	b.login(goodPassword)
	if out := b.post("/login", "password", otherPassword); out.Code != http.StatusUnauthorized {
		t.Errorf("after the right one: status %d", out.Code)
	}
}

func TestLogin_ManyGuessersDoNotLockOutWhoComesFromElsewhere(t *testing.T) {
	w := withPassword(t)
	token := w.token("me", ScopeAdmin)
	refused := 0
	for i := range 3 * failuresOfAll {
		// Half of them in one network of IPv6, with an address each.
		from := fmt.Sprintf("10.1.%d.%d:1", i/2/200, i/2%200)
		if i%2 == 0 {
			from = fmt.Sprintf("[2001:db8:7:%x::1]:1", i)
		}
		if out := w.browse(from).post("/login", "token", "wrong"); out.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < failuresOfAll {
		t.Errorf("only %d of %d guesses had to wait", refused, 3*failuresOfAll)
	}
	// Those that have failed wait, all together; who has not does not.
	if out := w.browse("10.1.0.1:1").post("/login", "token", "wrong"); out.Code != http.StatusTooManyRequests || out.Header().Get("Retry-After") == "" {
		t.Errorf("one of the guessers: status %d", out.Code)
	}
	w.browse("192.0.2.1:1").login(goodPassword).in(Owner)
	w.browse("[2001:db8:8::1]:1").loginBy(token).in("me")
	w.pass(time.Minute)
	w.browse("10.1.0.1:1").login(goodPassword)
}

func TestLogin_BehindAReverseProxyEachIsHimself(t *testing.T) {
	w := withPassword(t)
	through := func(client string) *browser {
		b := w.browse("127.0.0.1:1")
		b.headers.Set("X-Forwarded-For", client)
		return b
	}
	for range freeAttempts + 1 {
		through("198.51.100.1, 192.0.2.1").post("/login", "password", otherPassword)
	}
	if out := through("203.0.113.9, 192.0.2.1").post("/login", "password", goodPassword); out.Code != http.StatusTooManyRequests {
		t.Errorf("what a client says of itself counts: status %d", out.Code)
	}
	through("192.0.2.2").login(goodPassword)
	w.browse("127.0.0.1:1").login(goodPassword)
	// Elsewhere it is the address alone.
	far := w.browse("192.0.2.3:1")
	for i := range freeAttempts + 1 {
		far.headers.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d", i))
		far.post("/login", "password", otherPassword)
	}
	if out := far.post("/login", "password", goodPassword); out.Code != http.StatusTooManyRequests {
		t.Errorf("another header makes another client: status %d", out.Code)
	}
}

func TestLogin_ManyAtOnceCountAsMany(t *testing.T) {
	w := withPassword(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := map[int]int{}
	for range 40 {
		wg.Go(func() {
			out := w.browse("192.0.2.1:1").post("/login", "password", otherPassword)
			mu.Lock()
			defer mu.Unlock()
			answered[out.Code]++
		})
	}
	wg.Wait()
	if answered[http.StatusUnauthorized] > freeAttempts+1 || answered[http.StatusUnauthorized]+answered[http.StatusTooManyRequests] != 40 {
		t.Errorf("answers %v", answered)
	}
}

func TestLogin_WhatIsRememberedOfGuessersIsBounded(t *testing.T) {
	w := newWorld(t)
	a := newAttempts(w.clock)
	for i := range 2 * mostBuckets {
		a.begin(fmt.Sprint(i))
		a.end(fmt.Sprint(i), false, false)
	}
	if len(a.of) != mostBuckets || a.recent.Len() != mostBuckets {
		t.Errorf("%d and %d", len(a.of), a.recent.Len())
	}
	w.pass(-24 * time.Hour) // a clock that is set back locks nobody out
	if wait := a.begin(fmt.Sprint(2*mostBuckets - 1)); wait > time.Minute {
		t.Errorf("wait %s", wait)
	}
}

func TestLogin_HasLinesInTheAudit(t *testing.T) {
	w := withPassword(t)
	b := w.browse("192.0.2.1:1")
	b.get("/looks") // is sent to the login, which is no refusal
	b.post("/login", "password", otherPassword)
	b.login(goodPassword)
	b.post("/password", "present", goodPassword, "new", otherPassword)
	b.post("/logout")
	b.loginBy(w.token("bot", ScopeRead))
	b.post("/logout/everywhere")
	want := []string{
		"bot POST /logout/everywhere logout everywhere done 200",
		"bot POST /login login done 303",
		"command line  token create bot done 0",
		"owner POST /logout logout done 303",
		"owner POST /password password set done 303",
		"owner POST /login login done 303",
		" POST /login login refused 401",
		"command line  password set owner done 0",
	}
	var got []string
	for _, e := range w.entries() {
		route := strings.TrimPrefix(e.Route, "POST ")
		got = append(got, fmt.Sprintf("%s %s %s %s %s %d", e.Caller, e.Method, route, e.Object, e.Outcome, e.Status))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.mustNotHold(otherPassword)
	w.mustNotHold(goodPassword)
}

func TestLogin_PagesOfOthersCannotLogABrowserIn(t *testing.T) {
	w := withPassword(t)
	b := w.browse("127.0.0.1:1")
	b.headers = http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}
	if out := b.post("/login", "password", goodPassword); out.Code != http.StatusForbidden || len(b.cookies) != 0 {
		t.Errorf("status %d", out.Code)
	}
}

func TestDoor_RefusalsOfPagesMayBePages(t *testing.T) {
	w := withPassword(t)
	w.access.RefuseBy(func(rw http.ResponseWriter, _ *http.Request, status int, err error) bool {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte("<p>" + err.Error()))
		return true
	})
	for _, c := range []struct {
		path, accept string
		page         bool
	}{{"/x", "text/html,*/*", true}, {"/x", "*/*", false}, {"/api/v1/x", "text/html", false}} {
		out := w.ask(ScopeRead, request("GET", c.path, host("attacker.example"), header("Accept", c.accept)))
		if got := out.Header().Get("Content-Type") == "text/html"; out.Code != http.StatusForbidden || got != c.page {
			t.Errorf("%+v: status %d, %s", c, out.Code, out.Header())
		}
	}
	if e := w.entries(); e[0].Status != http.StatusForbidden || e[0].Outcome != Refused {
		t.Errorf("audit %+v", e[0])
	}
}
