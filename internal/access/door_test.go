package access

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestDoor_WithoutTokensLoopbackIsOpenAndTheFirstTokenClosesIt(t *testing.T) {
	w := newWorld(t)
	out := w.ask(ScopeAdmin, request("POST", "/things/a"))
	w.want(out, 200, "")
	if out.Body.String() != Local {
		t.Fatalf("caller %q", out.Body)
	}
	token := w.token("me", ScopeAdmin)
	w.want(w.ask(ScopeAdmin, request("POST", "/things/a")), 401, "unauthorized")
	w.want(w.ask(ScopeAdmin, request("POST", "/things/a", bearer(token))), 200, "")
}

func TestDoor_WithoutTokensNobodyFromElsewhereIsLocal(t *testing.T) {
	w := newWorld(t)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", arriving("192.0.2.1:8484"))), 401, "unauthorized")
	beyond := newWorld(t, func(c *config.Config) { c.Serve.Listen = "0.0.0.0:8484" })
	beyond.want(beyond.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
	required := newWorld(t, func(c *config.Config) { c.Serve.Auth = config.AuthRequired })
	required.want(required.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
}

func TestDoor_WhatAReverseProxyPassesOnIsNotLocal(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Hosts = []string{"backup.example"} })
	through := []func(*http.Request){
		host("backup.example"), header("X-Forwarded-For", "192.0.2.1"), header("Forwarded", "for=192.0.2.1"),
		header("Via", "1.1 proxy"), header("X-Real-IP", "192.0.2.1"), header("X-Forwarded-Host", ""),
		header("X-Forwarded-Port", "443"), header("CF-Connecting-IP", "192.0.2.1"), header("True-Client-IP", "192.0.2.1"),
	}
	for _, change := range through {
		w.want(w.ask(ScopeRead, request("GET", "/things/a", change)), 401, "unauthorized")
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 200, "")
	token := w.token("me", ScopeRead)
	for _, change := range through {
		w.want(w.ask(ScopeRead, request("GET", "/things/a", change, bearer(token))), 200, "")
	}
}

func TestDoor_HostNamesOfOthersAreRefused(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Hosts = []string{"Backup.Example"} })
	for name, status := range map[string]int{
		"127.0.0.1:8484": 200, "127.0.0.1": 200, "localhost": 200, "LOCALHOST:9": 200, "localhost.": 200, "127.8.8.8:1": 200,
		"[::1]:8484": 200, "[::1]": 200, "[::ffff:127.0.0.1]:80": 200, "backup.example": 401, "BACKUP.example.:443": 401, // served, but not as local
		"attacker.example": 403, "attacker.example:8484": 403, "localhost.attacker.example": 403, "127.0.0.1.attacker.example": 403,
		"192.0.2.7:8484": 403, "0.0.0.0:8484": 403, "": 403, "localhost@attacker.example": 403, "attacker.example,localhost": 403,
		"[2001:db8::1]:8484": 403, "2130706433": 403,
	} {
		if out := w.ask(ScopeAdmin, request("GET", "/things/a", host(name))); out.Code != status {
			t.Errorf("Host %q: status %d, want %d", name, out.Code, status)
		}
	}
	w.want(w.ask(ScopeAdmin, request("GET", "/healthz", host("attacker.example"))), 200, "")
	w.want(w.ask(ScopeAdmin, request("POST", "/healthz", host("attacker.example"))), 403, "forbidden")
}

func TestDoor_BeyondLoopbackAnyAddressIsServedButNoForeignName(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Listen = "0.0.0.0:8484" })
	token := w.token("me", ScopeRead)
	for name, status := range map[string]int{"192.0.2.7:8484": 200, "[2001:db8::1]:8484": 200, "attacker.example": 403, "0.0.0.0": 403} {
		if out := w.ask(ScopeRead, request("GET", "/things/a", host(name), bearer(token))); out.Code != status {
			t.Errorf("Host %q: status %d, want %d", name, out.Code, status)
		}
	}
}

func TestDoor_PagesOfOtherOriginsAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name    string
		method  string
		headers map[string]string
		status  int
	}{
		{"a program", "POST", nil, 200},
		{"our own page", "POST", map[string]string{"Origin": "http://127.0.0.1:8484", "Sec-Fetch-Site": "same-origin"}, 200},
		{"typed in", "GET", map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a link on another page", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a form on another page", "POST", map[string]string{"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403},
		{"an old browser", "POST", map[string]string{"Origin": "https://attacker.example"}, 403},
		{"a sandboxed page", "POST", map[string]string{"Origin": "null"}, 403},
		{"another port", "POST", map[string]string{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}, 403},
		{"a deletion", "DELETE", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a script that reads", "GET", map[string]string{"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403},
		{"an old browser that reads", "GET", map[string]string{"Origin": "https://attacker.example"}, 403},
		{"an image", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		{"a frame", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a question before", "OPTIONS", map[string]string{"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}, 403},
	} {
		r := request(c.method, "/things/a")
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		out := w.ask(ScopeAdmin, r)
		if out.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.name, out.Code, c.status)
		}
		for k := range out.Header() {
			if strings.HasPrefix(k, "Access-Control-") {
				t.Errorf("%s: the answer has %s", c.name, k)
			}
		}
	}
}

func TestDoor_EachScopeDoesWhatItMayAndNothingElse(t *testing.T) {
	w := newWorld(t)
	may := map[Scope][]Scope{
		ScopeRead: {ScopeRead}, ScopeBackup: {ScopeBackup}, ScopeRestore: {ScopeRead, ScopeRestore}, ScopeAdmin: AllScopes(),
	}
	for _, has := range AllScopes() {
		token := w.token("t-"+string(has), has)
		for _, needs := range AllScopes() {
			allowed := Scopes(may[has]).Has(needs)
			out := w.ask(needs, request("POST", "/things/a", bearer(token)))
			if allowed != (out.Code == 200) || !allowed && out.Code != 403 {
				t.Errorf("scope %s asks for %s: status %d", has, needs, out.Code)
			}
		}
	}
	if err := w.access.Allow(t.Context(), ScopeRead); !errors.Is(err, ErrUnauthorized) || holdfast.ExitCode(err) != holdfast.ExitRefused {
		t.Errorf("nobody: %v", err)
	}
	ctx := WithCaller(t.Context(), Caller{Name: "x", Scopes: Scopes{ScopeBackup}})
	if err := w.access.Allow(ctx, ScopeRead, ScopeBackup); err != nil {
		t.Errorf("one of two is enough: %v", err)
	}
}

func TestDoor_OnlyAGoodTokenInTheHeaderCounts(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeAdmin)
	other := w.token("other", ScopeAdmin)
	id, _, _ := splitToken(token)
	_, secret, _ := splitToken(other)
	for name, value := range map[string]string{
		"no scheme": token, "basic": "Basic " + token, "of another": "Bearer " + form(id, secret), "cut": "Bearer " + token[:len(token)-1],
		"longer": "Bearer " + token + "a", "upper case": "Bearer " + strings.ToUpper(token), "empty": "Bearer ", "nothing": "", "unknown": "Bearer " + form("0011223344556677", secret),
	} {
		w.pass(time.Minute) // failures are limited
		out := w.ask(ScopeAdmin, request("GET", "/things/a", header("Authorization", value)))
		if out.Code != 401 || out.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: status %d", name, out.Code)
		}
	}
	w.pass(time.Minute)
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", bearer(token), bearer(token))), 401, "unauthorized")
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", header("Authorization", "bearer "+token))), 200, "")
	w.mustNotHold(secret)
}

func TestDoor_ATokenInTheAddressIsRefusedAndNotKept(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeAdmin)
	for _, query := range []string{"token=" + token, "access_token=x", "q=" + token, "q=+Bearer+" + token, "q=" + token[:30], "TOKEN=1"} {
		out := w.ask(ScopeAdmin, request("GET", "/things/a?"+query, bearer(token)))
		w.want(out, 400, "usage")
		if strings.Contains(out.Body.String(), token) {
			t.Error("the answer repeats it")
		}
	}
	_, secret, _ := splitToken(token)
	w.mustNotHold(secret)
}

func TestDoor_WordsThatBeginAsTokensDoAreSearchedFor(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeAdmin)
	for _, query := range []string{"q=hf_hub_download", "q=hf_", "a=hf_models&b=hf_0011", "q=hf_0011223344556677"} {
		w.want(w.ask(ScopeAdmin, request("GET", "/things/a?"+query, bearer(token))), 200, "")
	}
}

func TestDoor_TheHealthPagesAreOpenAndTakeNoBadToken(t *testing.T) {
	w := newWorld(t)
	w.token("me", ScopeAdmin)
	w.want(w.ask(ScopeAdmin, request("GET", "/healthz")), 200, "")
	w.want(w.ask(ScopeAdmin, request("GET", "/healthz/../things/a")), 401, "unauthorized")
	w.want(w.ask(ScopeAdmin, request("GET", "/things/healthz")), 401, "unauthorized")
}

func TestDoor_GuessersWaitAndTheOwnerDoesNot(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeAdmin)
	guess := bearer(form("0011223344556677", strings.Repeat("a", 52)))
	for range failuresPerMinute {
		w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess)), 401, "unauthorized")
	}
	out := w.ask(ScopeAdmin, request("GET", "/things/a", guess))
	w.want(out, 429, "too_many")
	if out.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// The same address with the right token, and another address.
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", bearer(token))), 200, "")
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess, from("192.0.2.9:1"))), 401, "unauthorized")
	// One network of IPv6 is one client, however many addresses it has.
	for i := range failuresPerMinute {
		w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess, from("[2001:db8::"+string(rune('a'+i%6))+"]:1"))), 401, "unauthorized")
	}
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess, from("[2001:db8::ffff]:1"))), 429, "too_many")
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess, from("[2001:db8:0:1::1]:1"))), 401, "unauthorized")
	w.pass(time.Minute)
	w.want(w.ask(ScopeAdmin, request("GET", "/things/a", guess)), 401, "unauthorized")
}

func TestDoor_EachCallerHasItsOwnLimit(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.RequestsPerMinute = 3 })
	one, two := w.token("one", ScopeRead), w.token("two", ScopeRead)
	for range 3 {
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(one))), 200, "")
	}
	out := w.ask(ScopeRead, request("GET", "/things/a", bearer(one)))
	w.want(out, 429, "too_many")
	if got := out.Header().Get("Retry-After"); got != "20" {
		t.Errorf("Retry-After %q, want 20", got)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(two))), 200, "")
	w.pass(20 * time.Second)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(one))), 200, "")
	w.cfg.Serve.RequestsPerMinute = 100
	w.access.Reconfigure(w.cfg)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(one))), 200, "")
}

func TestDoor_WhatIsRememberedOfClientsIsBounded(t *testing.T) {
	w := newWorld(t)
	b := newBuckets(w.clock)
	b.set(10)
	for i := range 3 * mostBuckets {
		b.take(clientAt("198.51.100.1:1") + string(rune(i)))
	}
	if len(b.of) != mostBuckets || b.recent.Len() != mostBuckets {
		t.Fatalf("%d and %d buckets", len(b.of), b.recent.Len())
	}
}

func TestDoor_LargeBodiesAreCut(t *testing.T) {
	w := newWorld(t)
	var got int64
	var failed error
	h := w.access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, failed = io.Copy(io.Discard, r.Body)
	}))
	out := httptest.NewRecorder()
	r := request("POST", "/things/a")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", MaxBody+1))), MaxBody+1
	h.ServeHTTP(out, r)
	w.want(out, 413, "too_large")
	if got != 0 {
		t.Errorf("%d bytes were read", got)
	}
	r = request("POST", "/things/a") // of unknown length
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", MaxBody+1))), -1
	h.ServeHTTP(httptest.NewRecorder(), r)
	if _, ok := errors.AsType[*http.MaxBytesError](failed); !ok || got != MaxBody {
		t.Errorf("read %d bytes: %v", got, failed)
	}
}

func TestDoor_AnswersCarryTheHeadersThatBrowsersObey(t *testing.T) {
	w := newWorld(t)
	for _, r := range []*http.Request{request("GET", "/things/a"), request("GET", "/nowhere"), request("GET", "/things/a", host("attacker.example"))} {
		h := w.ask(ScopeRead, r).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL, name, got, want)
			}
		}
	}
}

func TestDoor_APanicIsContainedAndTellsNothing(t *testing.T) {
	w := newWorld(t)
	out := httptest.NewRecorder()
	w.access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		Note(r.Context(), Facts{Operation: "op-7"})
		panic("a secret path")
	})).ServeHTTP(out, request("POST", "/things/a"))
	w.want(out, 500, "failed")
	if strings.Contains(out.Body.String(), "secret path") || !strings.Contains(out.Body.String(), "op-7") {
		t.Errorf("answer: %s", out.Body)
	}
	if log := w.log.String(); !strings.Contains(log, "a secret path") || !strings.Contains(log, "door_test.go") {
		t.Errorf("the log does not tell what happened: %s", log)
	}
	if e := w.entries(); len(e) != 1 || e[0].Outcome != Failed || e[0].Status != 500 {
		t.Errorf("audit: %+v", e)
	}
	// After the answer has begun it can only be cut.
	server := httptest.NewServer(w.access.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte("half"))
		_ = http.NewResponseController(rw).Flush()
		panic("late")
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if data, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the answer %q looks whole", data)
	}
}

func TestDoor_StreamsAreFlushed(t *testing.T) {
	w := newWorld(t)
	next := make(chan struct{})
	server := httptest.NewServer(w.access.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte("a"))
		rw.(http.Flusher).Flush()
		<-next
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	close(next)
}
