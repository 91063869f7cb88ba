package access

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestPassword_TheFirstOneClosesTheDoorAndLogsTheSetterIn(t *testing.T) {
	w := newWorld(t)
	me, other := w.browse("127.0.0.1:1"), w.browse("127.0.0.1:2")
	me.in(Local)
	if !w.access.Open() || w.access.HasPassword() {
		t.Error("it is not open")
	}
	if out := me.post("/password", "new", goodPassword); out.Code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", out.Code, out.Body)
	}
	me.in(Owner)
	other.in("")
	w.want(w.ask(ScopeRead, request("GET", "/api/v1/backups")), 401, "unauthorized")
	if w.access.Open() || !w.access.HasPassword() {
		t.Error("it is open")
	}
	// Who is on this machine is not the owner any more.
	if out := other.post("/password", "new", otherPassword); out.Code != http.StatusUnauthorized {
		t.Errorf("somebody else sets the password: status %d", out.Code)
	}
	other.login(goodPassword).in(Owner)
	w.mustNotHold(goodPassword)
}

func TestPassword_OnlyWhoIsOnTheMachineSetsTheFirst(t *testing.T) {
	beyond := newWorld(t, func(c *config.Config) { c.Serve.Listen = "0.0.0.0:8484" })
	if out := beyond.browse("192.0.2.1:1").post("/password", "new", goodPassword); out.Code != http.StatusForbidden {
		t.Errorf("beyond loopback: status %d", out.Code)
	}
	proxied := newWorld(t)
	b := proxied.browse("127.0.0.1:1")
	b.headers.Set("X-Forwarded-For", "192.0.2.1")
	if out := b.post("/password", "new", goodPassword); out.Code != http.StatusForbidden {
		t.Errorf("through a reverse proxy: status %d", out.Code)
	}
	foreign := newWorld(t)
	b = foreign.browse("127.0.0.1:1")
	b.headers = http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}
	if out := b.post("/password", "new", goodPassword); out.Code != http.StatusForbidden {
		t.Errorf("a web page: status %d", out.Code)
	}
	tokens := newWorld(t)
	b = tokens.browse("127.0.0.1:1").loginBy(tokens.token("me", ScopeAdmin))
	if out := b.post("/password", "new", goodPassword); out.Code != http.StatusForbidden {
		t.Errorf("with a token: status %d", out.Code)
	}
	for _, w := range []*world{beyond, proxied, foreign, tokens} {
		if w.access.HasPassword() {
			t.Error("it was set")
		}
	}
}

func TestPassword_AnotherOneNeedsThePresentOneAndEndsAllOtherSessions(t *testing.T) {
	w := withPassword(t)
	me, phone := w.browse("127.0.0.1:1").login(goodPassword), w.browse("127.0.0.1:2").login(goodPassword)
	reader := w.browse("127.0.0.1:3").loginBy(w.token("reader", ScopeRead))
	if out := me.post("/password", "present", otherPassword, "new", otherPassword); out.Code != http.StatusUnauthorized {
		t.Fatalf("without the present one: status %d", out.Code)
	}
	if out := reader.post("/password", "present", goodPassword, "new", otherPassword); out.Code != http.StatusForbidden {
		t.Fatalf("with a token that reads: status %d", out.Code)
	}
	if out := me.post("/password", "present", goodPassword, "new", "tooshort"); out.Code != http.StatusBadRequest || strings.Contains(out.Body.String(), "tooshort") {
		t.Fatalf("a short one: status %d, %s", out.Code, out.Body)
	}
	before := me.key()
	if out := me.post("/password", "present", goodPassword, "new", otherPassword); out.Code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", out.Code, out.Body)
	}
	if me.key() == before {
		t.Error("the session keeps its key")
	}
	me.in(Owner)
	phone.in("")
	reader.in("reader")
	if out := phone.post("/login", "password", goodPassword); out.Code != http.StatusUnauthorized {
		t.Errorf("the former password: status %d", out.Code)
	}
}

func TestPassword_TheCommandLineEndsSessionsToo(t *testing.T) {
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	if err := w.open().SetPassword(t.Context(), otherPassword); err != nil {
		t.Fatal(err)
	}
	me.in("")
	me.login(otherPassword).in(Owner)
	if was, err := w.open().RemovePassword(t.Context()); !was || err != nil {
		t.Fatal(was, err)
	}
	me.in(Local) // the machine is open again, and nobody is the owner
	if was, err := w.open().RemovePassword(t.Context()); was || err != nil {
		t.Error(was, err)
	}
}

func TestPassword_AFileThatIsNotOursLetsNobodyIn(t *testing.T) {
	for name, spoil := range map[string]func(string) string{
		"torn":            func(s string) string { return s[:len(s)/2] },
		"empty":           func(string) string { return "" },
		"another format":  func(s string) string { return strings.Replace(s, `"format": 1`, `"format": 2`, 1) },
		"another program": func(string) string { return `{"password":""}` },
		"no id":           func(s string) string { return strings.Replace(s, `"id"`, `"is"`, 1) },
		"a weak hash":     func(s string) string { return strings.Replace(s, "m=19456", "m=8", 1) },
		"a hungry hash":   func(s string) string { return strings.Replace(s, "m=19456", "m=4194304", 1) },
		"a slow hash":     func(s string) string { return strings.Replace(s, "t=2", "t=4000", 1) },
		"another hash":    func(s string) string { return strings.Replace(s, "argon2id", "argon2i", 1) },
		"plain":           func(string) string { return `{"format":1,"id":"0011223344556677","hash":"` + goodPassword + `"}` },
		"huge":            func(string) string { return strings.Repeat(" ", 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			w := withPassword(t)
			me := w.browse("127.0.0.1:1").login(goodPassword)
			file := filepath.Join(w.dir, passwordName)
			data, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, []byte(spoil(string(data))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.pass(2 * time.Second)
			me.in("")
			w.want(w.ask(ScopeRead, request("GET", "/api/v1/backups")), 401, "unauthorized")
			if out := me.post("/login", "password", goodPassword); out.Code != http.StatusUnauthorized {
				t.Errorf("login: status %d", out.Code)
			}
			if !strings.Contains(w.log.String(), passwordName) || !w.access.HasPassword() || w.access.Open() {
				t.Errorf("nothing tells why: %s", w.log)
			}
			if p := w.access.Problems("127.0.0.1:1", false); len(p) != 1 || p[0].Object != file {
				t.Errorf("problems %+v", p)
			}
			if err := w.open().SetPassword(t.Context(), otherPassword); err != nil {
				t.Fatal(err)
			}
			me.login(otherPassword).in(Owner)
		})
	}
}

func TestPassword_AFileThatVanishesOrIsWritableByOthersLetsNobodyIn(t *testing.T) {
	w := withPassword(t)
	me := w.browse("127.0.0.1:1").login(goodPassword)
	file := filepath.Join(w.dir, passwordName)
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	me.in("")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	w.want(w.ask(ScopeRead, request("GET", "/api/v1/backups")), 401, "unauthorized")
	if w.access.Open() {
		t.Error("it is open")
	}
}

func TestPassword_OneOfTheConfigurationGoesFirst(t *testing.T) {
	configured := func(c *config.Config) { c.Serve.Password = goodPassword }
	w := newWorld(t, configured)
	me := w.browse("127.0.0.1:1")
	me.in("")
	me.login(goodPassword).in(Owner)
	if out := me.post("/password", "present", goodPassword, "new", otherPassword); out.Code != 500 && out.Code != http.StatusUnprocessableEntity && out.Code != http.StatusConflict {
		t.Errorf("it was changed: status %d", out.Code)
	}
	if err := w.access.SetPassword(t.Context(), otherPassword); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("set: %v", err)
	}
	if _, err := w.access.RemovePassword(t.Context()); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("remove: %v", err)
	}
	// A restart with the same one keeps the session, one with another ends it.
	w.access = w.open()
	me.in(Owner)
	w.cfg.Serve.Password = otherPassword
	w.access.Reconfigure(w.cfg)
	me.in("")
	me.login(otherPassword).in(Owner)
	w.cfg.Serve.Password = ""
	w.access.Reconfigure(w.cfg)
	me.in(Local)
	w.mustNotHold(goodPassword)
	w.mustNotHold(otherPassword)
}

func TestPassword_IsEnoughToListen(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Auth = config.AuthRequired })
	for _, address := range []string{"127.0.0.1:1", "0.0.0.0:1"} {
		err := w.access.MayListen(address, true)
		if hint := holdfast.HintOf(err); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(hint, "holdfast password set") || !strings.Contains(hint, "holdfast token create") {
			t.Errorf("%s without: %v (%s)", address, err, hint)
		}
	}
	if err := w.open().SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:1", "0.0.0.0:1"} {
		if err := w.access.MayListen(address, true); err != nil {
			t.Errorf("%s with: %v", address, err)
		}
	}
}

func TestPassword_HashesAreWrittenInOneWayAndBounded(t *testing.T) {
	h := make(hashing, 1)
	p, err := h.fresh(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseHash(p.String()); err != nil || got.String() != p.String() {
		t.Fatalf("%v, %v", got, err)
	}
	if right, err := h.matches(t.Context(), p, goodPassword); !right || err != nil {
		t.Errorf("the right one: %v, %v", right, err)
	}
	if right, err := h.matches(t.Context(), p, goodPassword+" "); right || err != nil {
		t.Errorf("a wrong one: %v, %v", right, err)
	}
	for _, s := range []string{"", "$argon2id$", p.String() + "$x", p.String() + "=", " " + p.String(), strings.Replace(p.String(), "v=19", "v=16", 1), strings.Replace(p.String(), "p=1", "p=100", 1), strings.Replace(p.String(), base64.RawStdEncoding.EncodeToString(p.salt), "", 1)} {
		if _, err := parseHash(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	// No more are derived at once than there is memory for.
	h <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.fresh(ctx, goodPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestPassword_OneLeftBehindInAFormerStateDirectoryKeepsTheDoorClosed(t *testing.T) {
	repository := t.TempDir()
	w := newWorld(t, func(c *config.Config) { c.Repository = repository })
	before, err := Open(Options{Dir: filepath.Join(repository, stateFolder), Config: w.cfg, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := before.SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := before.RemovePassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 200, "") // one that was taken away is none
	if err := before.SetPassword(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	// The state directory is another one from now on, such as after encryption was
	// turned on.
	w.access = w.open()
	if out := w.ask(ScopeAdmin, request("GET", "/things/a")); out.Code != 401 {
		t.Fatalf("everybody is let in: status %d", out.Code)
	}
	if w.access.Open() || !w.access.HasPassword() {
		t.Error("the pages are open")
	}
	w.browse("127.0.0.1:1").post("/login", "password", goodPassword)
	if all := w.access.Problems("127.0.0.1:8484", false); len(all) != 1 || !strings.Contains(all[0].Message, repository) || !strings.Contains(all[0].Hint, "move the file") {
		t.Errorf("it is not told why: %+v", all)
	}
	if err := os.Rename(filepath.Join(repository, stateFolder, passwordName), filepath.Join(w.dir, passwordName)); err != nil {
		t.Fatal(err)
	}
	w.browse("127.0.0.1:1").login(goodPassword).in(Owner)
	if err := os.Rename(filepath.Join(w.dir, passwordName), filepath.Join(repository, stateFolder, passwordName)); err != nil {
		t.Fatal(err)
	}
	w.access = w.open()
	if err := w.access.SetPassword(t.Context(), otherPassword); err != nil {
		t.Fatalf("another one cannot be set: %v", err)
	}
	w.browse("127.0.0.1:1").login(otherPassword).in(Owner)
}

// What lies where the former state directory would be, and is none, hides no password.
func TestPassword_APlaceThatIsNoStateDirectoryHidesNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "repository")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *config.Config) { c.Repository = file })
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 200, "")
}
