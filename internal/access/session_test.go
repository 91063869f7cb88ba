package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestSession_TheFileGivesNobodyASession(t *testing.T) {
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	w.mustNotHold(me.key())
	info, err := os.Stat(filepath.Join(w.dir, sessionsName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	data, err := os.ReadFile(filepath.Join(w.dir, sessionsName))
	if err != nil {
		t.Fatal(err)
	}
	thief := w.browse("127.0.0.1:2")
	for _, part := range strings.FieldsFunc(string(data), func(r rune) bool { return strings.ContainsRune("\" \n,", r) }) {
		thief.cookies["holdfast_8484"] = part
		thief.in("")
	}
}

func TestSession_LastsOverARestart(t *testing.T) {
	w := withPassword(t)
	me, bot := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").loginBy(w.token("bot", ScopeRead))
	w.access = w.open()
	me.in(Owner)
	bot.in("bot")
}

func TestSession_ACookieThatWasStolenIsRefusedAfterLogout(t *testing.T) {
	w := withPassword(t)
	me, thief := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2")
	for name, value := range me.cookies {
		thief.cookies[name] = value
	}
	thief.in(Owner)
	me.post("/logout")
	if len(me.cookies) != 0 {
		t.Error("the cookie stays")
	}
	thief.in("")
	w.access = w.open()
	thief.in("")
	if out := thief.get("/ended"); out.Body.String() != "ended" {
		t.Errorf("it is not told that the session has ended: %s", out.Body)
	}
	if out := me.get("/ended"); out.Body.String() != "" {
		t.Errorf("who logged out is told that the session has ended")
	}
}

func TestSession_NobodyChoosesItsKey(t *testing.T) {
	w := withPassword(t)
	token := w.token("attacker", ScopeRead)
	attacker, me := w.browse("192.0.2.9:1").loginBy(token), w.browse("127.0.0.1:1")
	planted := attacker.key()
	me.cookies["holdfast_8484"] = planted
	me.login(goodPassword)
	if me.key() == planted {
		t.Fatal("the planted key became that of the session")
	}
	me.in(Owner)
	attacker.in("") // its session was the one that me had
	unknown := w.browse("127.0.0.1:1")
	unknown.cookies["holdfast_8484"] = "chosen"
	unknown.login(goodPassword)
	if unknown.key() == "chosen" {
		t.Error("a chosen key became that of the session")
	}
	// Each login has another one.
	before := me.key()
	me.login(goodPassword)
	old := w.browse("127.0.0.1:1")
	old.cookies["holdfast_8484"] = before
	old.in("")
	me.in(Owner)
}

func TestSession_DoesWhatItsTokenMayAndEndsWithIt(t *testing.T) {
	w := withPassword(t)
	reader := w.browse("127.0.0.1:1").loginBy(w.token("reader", ScopeRead))
	me := w.browse("127.0.0.1:2").login(goodPassword)
	for path, want := range map[string]int{"/": 200, "/restore": 403, "/everything": 403} {
		if out := reader.get(path); out.Code != want {
			t.Errorf("%s: status %d, want %d", path, out.Code, want)
		}
		if out := me.get(path); out.Code != 200 {
			t.Errorf("%s with the password: status %d", path, out.Code)
		}
	}
	w.pass(3 * time.Hour)
	reader.in("reader")
	if all, err := w.open().Tokens().List(); err != nil || !all[0].LastUsedAt.Equal(w.clock()) {
		t.Errorf("its use is not that of the token: %+v, %v", all, err)
	}
	revoked(t, w, "reader")
	reader.in("")
	// A new token of that name is another one.
	w.token("reader", ScopeAdmin)
	reader.in("")
	short, _, err := w.open().Tokens().Create("short", Scopes{ScopeRead}, w.clock().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b := w.browse("127.0.0.1:1").loginBy(short)
	b.in("short")
	w.pass(time.Hour)
	b.in("")
}

func TestSession_EndsWhenItIsNotUsedAndWhenItIsOld(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.SessionIdle, c.Serve.SessionLifetime = time.Hour, 5*time.Hour })
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	idle, busy := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").login(goodPassword)
	polls := w.browse("127.0.0.1:3").login(goodPassword)
	polls.headers.Set("Sec-Fetch-Mode", "cors")
	polls.headers.Set("Sec-Fetch-Site", "same-origin")
	for range 6 {
		w.pass(45 * time.Minute)
		busy.in(Owner)
		w.access = w.open() // whatever is restarted
	}
	idle.in("")
	polls.in("") // a page that asks by itself is nobody who is there
	w.pass(31 * time.Minute)
	busy.in("") // five hours
	w.access.Reconfigure(w.cfg)
	busy.in("")
}

func TestSession_WhatCannotBeKnownEndsNone(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Password = goodPassword })
	me, bot := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").loginBy(w.token("bot", ScopeRead))
	w.access = w.open() // the configured password has to be derived anew, which waits for its turn
	bot.in("bot")
	w.access.passwords.hashing = make(hashing)
	gone, leave := context.WithCancel(t.Context())
	leave()
	r := request("GET", "/")
	r.AddCookie(&http.Cookie{Name: "holdfast_8484", Value: me.key()})
	if _, in := w.access.bySession(r.WithContext(gone)); in {
		t.Error("who did not wait was let in")
	}
	tokens := filepath.Join(w.dir, tokensFile)
	if err := os.Rename(tokens, tokens+".away"); err != nil {
		t.Fatal(err)
	}
	bot.in("")
	if err := os.Rename(tokens+".away", tokens); err != nil {
		t.Fatal(err)
	}
	w.access = w.open()
	me.in(Owner)
	bot.in("bot")
}

func TestSession_GoesOnWhereItsUseCannotBeWritten(t *testing.T) {
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	w.pass(seenEvery - time.Minute) // it is not written down each time
	me.in(Owner)
	full := errors.New("the disk is full")
	if err := w.access.sessions.change(0, func(*sessionFile) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	w.pass(defaultIdle - time.Minute)
	me.in(Owner)
}

func TestSession_APageThatAsksByItselfDoesNotMakeItLonger(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.SessionIdle = time.Hour })
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	b := w.browse("127.0.0.1:1").login(goodPassword)
	b.headers.Set("Sec-Fetch-Mode", "cors")
	b.headers.Set("Sec-Fetch-Site", "same-origin")
	for range 3 {
		w.pass(19 * time.Minute)
		b.in(Owner)
	}
	w.pass(4 * time.Minute)
	b.in("")
}

func TestSession_AClockThatJumpsOpensNothing(t *testing.T) {
	for name, c := range map[string]struct {
		jump time.Duration
		in   bool
	}{
		"a minute back": {-time.Minute, true}, "a day back": {-24 * time.Hour, false},
		"an hour on": {time.Hour, true}, "a year on": {365 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := withPassword(t)
			b := w.browse("127.0.0.1:1").login(goodPassword)
			w.pass(c.jump)
			want := ""
			if c.in {
				want = Owner
			}
			b.in(want)
			w.pass(-c.jump) // what has ended has ended
			b.in(want)
			w.access = w.open()
			b.in(want)
		})
	}
}

func TestSession_AFileThatIsNotOursEndsThemAll(t *testing.T) {
	for name, spoil := range map[string]func(string) string{
		"torn":           func(s string) string { return s[:len(s)/2] },
		"empty":          func(string) string { return "" },
		"another format": func(s string) string { return strings.Replace(s, `"format": 1`, `"format": 2`, 1) },
		"no password":    func(s string) string { return strings.Replace(s, `"password"`, `"passport"`, 1) },
		"another name":   func(s string) string { return strings.Replace(s, `"owner"`, `"reader"`, 1) },
		"no salt":        func(s string) string { return strings.Replace(s, `"salt"`, `"sugar"`, 1) },
		"huge":           func(string) string { return strings.Repeat(" ", sessionsSize+1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := withPassword(t)
			me := w.browse("127.0.0.1:1").login(goodPassword)
			file := filepath.Join(w.dir, sessionsName)
			data, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, []byte(spoil(string(data))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.pass(2 * time.Second)
			me.in("")
			if !strings.Contains(w.log.String(), "all sessions have ended") {
				t.Errorf("the log does not tell: %s", w.log)
			}
			me.login(goodPassword).in(Owner)
		})
	}
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	if err := os.Remove(filepath.Join(w.dir, sessionsName)); err != nil {
		t.Fatal(err)
	}
	me.in("")
	me.login(goodPassword).in(Owner)
}

func TestSession_LogoutEverywhereEndsThoseOfTheSameKind(t *testing.T) {
	w := withPassword(t)
	token, other := w.token("bot", ScopeRead), w.token("other", ScopeRead)
	mine := []*browser{w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").login(goodPassword)}
	bots := []*browser{w.browse("127.0.0.1:3").loginBy(token), w.browse("127.0.0.1:4").loginBy(token)}
	third := w.browse("127.0.0.1:5").loginBy(other)
	bots[0].post("/logout/everywhere")
	bots[0].in("")
	bots[1].in("")
	third.in("other")
	mine[0].in(Owner)
	mine[1].post("/logout/everywhere")
	mine[0].in("")
	mine[1].in("")
	third.in("other")
	// Nobody ends anything.
	w.browse("127.0.0.1:6").post("/logout/everywhere")
	third.in("other")
}

func TestSession_EachSeesHisOwnAndTheOwnerAll(t *testing.T) {
	w := withPassword(t)
	me, reader := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").loginBy(w.token("reader", ScopeRead))
	w.pass(time.Minute)
	other := w.browse("127.0.0.1:3").loginBy(w.token("other", ScopeRead))
	names := func(b *browser) string {
		var out []string
		for line := range strings.Lines(b.get("/sessions").Body.String()) {
			name, _, _ := strings.Cut(line, " ")
			out = append(out, name)
		}
		return strings.Join(out, " ")
	}
	if got := names(me); got != "owner other reader" {
		t.Errorf("the owner sees %q", got)
	}
	if got := names(reader); got != "reader" {
		t.Errorf("a token sees %q", got)
	}
	all, err := w.access.Sessions(WithCaller(t.Context(), Caller{Name: Owner, Session: "x", Scopes: Scopes{ScopeAdmin}}))
	if err != nil || len(all) != 3 || all[0].Agent != "Test/1.0" || all[0].Remote != "127.0.0.1:1" {
		t.Fatalf("%+v, %v", all, err)
	}
	its := all[slices.IndexFunc(all, func(s Session) bool { return s.Name == "reader" })]
	ofReader := WithCaller(t.Context(), Caller{Name: "reader", Token: its.Token, Session: its.ID, Scopes: Scopes{ScopeRead}})
	if err := w.access.EndSession(ofReader, all[0].ID); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a token ends the owner's: %v", err)
	}
	ofOwner := WithCaller(t.Context(), Caller{Name: Owner, Session: all[0].ID, Scopes: Scopes{ScopeAdmin}})
	if err := w.access.EndSession(ofOwner, its.ID); err != nil {
		t.Error(err)
	}
	reader.in("")
	other.in("other")
	me.in(Owner)
}

func TestSession_TwoTabsShareOneAndOneLogsOutBoth(t *testing.T) {
	w := withPassword(t)
	one := w.browse("127.0.0.1:1").login(goodPassword)
	two := &browser{w: w, from: one.from, cookies: one.cookies, headers: one.headers}
	two.in(Owner)
	if out := one.post("/password", "present", goodPassword, "new", otherPassword); out.Code != http.StatusSeeOther {
		t.Fatal(out.Code)
	}
	two.in(Owner) // the same cookie
	two.post("/logout")
	one.in("")
}

func TestSession_ThereAreNotMoreThanAFew(t *testing.T) {
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	token := w.token("bot", ScopeRead)
	all, err := w.access.Tokens().records()
	if err != nil {
		t.Fatal(err)
	}
	// What 1,200 logins leave; each writes the file, so most of them are written at once.
	err = w.access.sessions.change(lockPatience, func(f *sessionFile) error {
		for i := range mostSessions - 1 {
			at := holdfast.At(w.clock().Add(time.Duration(i) * time.Millisecond))
			f.Sessions = append(f.Sessions, sessionRecord{Key: fmt.Sprint(i), Session: Session{ID: fmt.Sprintf("%016x", i), Name: strings.Repeat("a", 180), Token: all[0].ID, CreatedAt: at, SeenAt: at, Agent: strings.Repeat("<", agentLimit), Remote: "[2001:db8:1111:2222:3333:4444:5555:6666]:65000"}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	for i := range 20 {
		w.browse(fmt.Sprintf("127.0.0.1:%d", i+2)).loginBy(token).in("bot")
	}
	me.in(Owner) // who has many loses his own
	if n := len(w.access.sessions.all()); n != mostSessions {
		t.Errorf("%d sessions", n)
	}
	if info, err := os.Stat(filepath.Join(w.dir, sessionsName)); err != nil || info.Size() > sessionsSize {
		t.Errorf("%v, %v", info, err)
	}
	w.access = w.open()
	me.in(Owner)
}

func TestSession_ManyAtOnceLoseNothing(t *testing.T) {
	w := withPassword(t)
	token := w.token("bot", ScopeRead)
	other := w.open() // another process
	doors := []*Access{w.access, other}
	var wg sync.WaitGroup
	const each = 5
	for i := range each * len(doors) {
		wg.Go(func() {
			b := w.browse(fmt.Sprintf("10.0.%d.1:1", i))
			out := b.ask(doors[i%len(doors)], "/login", map[string][]string{"token": {token}})
			if out.Code != http.StatusSeeOther {
				t.Errorf("login: status %d %s", out.Code, out.Body)
			}
			if out := b.ask(doors[(i+1)%len(doors)], "/", nil); out.Code != http.StatusOK {
				t.Errorf("the other process does not know it: status %d", out.Code)
			}
		})
	}
	wg.Wait()
	if n := len(w.open().sessions.all()); n != each*len(doors) {
		t.Errorf("%d sessions", n)
	}
}

func TestSession_TheAPITakesItFromOurOwnPagesOnly(t *testing.T) {
	w := withPassword(t)
	b := w.browse("127.0.0.1:1").login(goodPassword)
	if out := b.get("/api/v1/backups"); out.Code != http.StatusOK {
		t.Errorf("a download: status %d", out.Code)
	}
	b.headers = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
	if out := b.get("/api/v1/backups"); out.Code != http.StatusUnauthorized {
		t.Errorf("a link on another page: status %d", out.Code)
	}
	b.in(Owner) // a link to a page is fine
	b.headers = http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Mode": {"navigate"}, "Origin": {"http://127.0.0.1:3000"}}
	if out := b.post("/logout"); out.Code != http.StatusForbidden {
		t.Errorf("a form on another port: status %d", out.Code)
	}
	b.headers = http.Header{}
	b.in(Owner)
}

func TestSession_CookiesAreForThisDoorAlone(t *testing.T) {
	w := withPassword(t)
	b := w.browse("127.0.0.1:1").login(goodPassword)
	c := b.last.Result().Cookies()[0]
	if c.Name != "holdfast_8484" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != int(defaultLifetime/time.Second) {
		t.Errorf("cookie %+v", c)
	}
	behind := w.browse("127.0.0.1:1")
	behind.headers.Set("X-Forwarded-Proto", "https")
	c = behind.login(goodPassword).last.Result().Cookies()[0]
	if c.Name != "__Host-holdfast_8484" || !c.Secure || !c.HttpOnly || c.Domain != "" || c.Path != "/" {
		t.Errorf("cookie with TLS %+v", c)
	}
	behind.in(Owner)
	// A cookie that anybody under this name could set does not count where there is TLS.
	for _, value := range behind.cookies {
		behind.cookies = map[string]string{"holdfast_8484": value}
	}
	behind.in("")
}

// What is being answered ends with the session that asked.
func TestSession_AStreamEndsWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(w *world, me, b *browser)
		stays bool
	}{
		"logout":         {end: func(_ *world, _, b *browser) { b.post("/logout") }},
		"everywhere":     {end: func(_ *world, me, _ *browser) { me.post("/logout/everywhere") }},
		"a new password": {end: func(_ *world, me, _ *browser) { me.post("/password", "present", goodPassword, "new", otherPassword) }},
		"its time":       {end: func(w *world, _, _ *browser) { w.pass(24 * time.Hour) }},
		"another logout": {stays: true, end: func(_ *world, me, _ *browser) { me.post("/logout") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := withPassword(t)
				me, b := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").login(goodPassword)
				r := request("GET", "/api/v1/jobs/1/events", header("Cookie", "holdfast_8484="+b.key()))
				begun, ended := w.stream(r)
				<-begun
				time.Sleep(time.Minute)
				c.end(w, me, b)
				time.Sleep(lookAgain + time.Millisecond)
				synctest.Wait()
				select {
				case <-ended:
					if c.stays {
						t.Error("it ended")
					}
				default:
					if !c.stays {
						t.Error("it goes on")
					}
					me.post("/login", "password", goodPassword)
					me.post("/logout/everywhere")
					<-ended
				}
			})
		})
	}
}
