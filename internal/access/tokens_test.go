package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestTokens_OnlyADigestIsKept(t *testing.T) {
	w := newWorld(t)
	token := w.token("assistant", ScopeBackup)
	id, secret, ok := splitToken(token)
	if !ok || len(secret) != 52 {
		t.Fatalf("token %q", token)
	}
	data, err := os.ReadFile(filepath.Join(w.dir, tokensFile))
	if err != nil || !strings.Contains(string(data), id) || !strings.Contains(string(data), digest(secret)) {
		t.Fatalf("file %s: %v", data, err)
	}
	w.mustNotHold(secret)
	for _, name := range []string{tokensFile, auditFile} {
		info, err := os.Stat(filepath.Join(w.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if w.token("another", ScopeBackup) == token {
		t.Error("two tokens are the same")
	}
}

func TestTokens_ARevokedTokenIsRefusedAtTheNextRequest(t *testing.T) {
	w := newWorld(t)
	token, stays := w.token("thief", ScopeRead), w.token("me", ScopeRead)
	for range 20 { // within one tick of the clock, and of the file's time
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "")
		if left, err := w.open().Tokens().Revoke("thief"); err != nil || left != 1 {
			t.Fatal(left, err)
		}
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 401, "")
		w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(stays))), 200, "")
		token = w.token("thief", ScopeRead)
		w.pass(time.Minute)
	}
	if _, err := w.open().Tokens().Revoke("nobody"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("revoke: %v", err)
	}
}

func TestTokens_AnExpiredTokenIsRefusedAndStillClosesTheDoor(t *testing.T) {
	w := newWorld(t)
	token, made, err := w.open().Tokens().Create("short", Scopes{ScopeRead}, w.clock().Add(time.Hour))
	if err != nil || made.ExpiresAt == nil {
		t.Fatal(made, err)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "")
	w.pass(time.Hour)
	out := w.ask(ScopeRead, request("GET", "/things/a", bearer(token)))
	w.want(out, 401, "unauthorized")
	if !strings.Contains(out.Body.String(), "expired") {
		t.Errorf("answer %s", out.Body)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
	if _, _, err := w.open().Tokens().Create("past", Scopes{ScopeRead}, w.clock()); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("a token of the past: %v", err)
	}
}

func TestTokens_AFileThatIsNotOursLetsNobodyIn(t *testing.T) {
	good := func(w *world) (data []byte) {
		w.token("me", ScopeAdmin)
		data, err := os.ReadFile(filepath.Join(w.dir, tokensFile))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"torn":             func(b []byte) []byte { return b[:len(b)/2] },
		"empty":            func([]byte) []byte { return nil },
		"another format":   func(b []byte) []byte { return []byte(strings.Replace(string(b), `"format": 1`, `"format": 2`, 1)) },
		"another program":  func([]byte) []byte { return []byte(`{"tokens":[]}`) },
		"an unknown scope": func(b []byte) []byte { return []byte(strings.Replace(string(b), `"admin"`, `"root"`, 1)) },
		"no scope":         func(b []byte) []byte { return []byte(strings.Replace(string(b), `"admin"`, ``, 1)) },
		"no digest":        func(b []byte) []byte { return []byte(strings.Replace(string(b), `"hash": "`, `"hush": "`, 1)) },
		"a bad name":       func(b []byte) []byte { return []byte(strings.Replace(string(b), `"me"`, `"local"`, 1)) },
		"zeros":            func(b []byte) []byte { return make([]byte, len(b)) },
		"huge":             func([]byte) []byte { return []byte(strings.Repeat(" ", fileLimit+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			data := spoil(good(w))
			if err := os.WriteFile(filepath.Join(w.dir, tokensFile), data, 0o600); err != nil {
				t.Fatal(err)
			}
			w.want(w.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
			if _, err := w.access.Tokens().List(); err == nil || holdfast.HintOf(err) == "" {
				t.Errorf("list: %v", err)
			}
			if problems := w.access.Problems("127.0.0.1:1", false); len(problems) != 1 {
				t.Errorf("problems: %+v", problems)
			}
			// It is not written over either.
			if _, _, err := w.open().Tokens().Create("x", Scopes{ScopeRead}, time.Time{}); err == nil {
				t.Error("a token was made")
			}
			if now, err := os.ReadFile(filepath.Join(w.dir, tokensFile)); err != nil || string(now) != string(data) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestTokens_AFileThatVanishesOrIsWritableByOthersLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeAdmin)
	file := filepath.Join(w.dir, tokensFile)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "")
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 401, "unauthorized")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
	if err := os.Symlink(filepath.Join(t.TempDir(), "planted"), file); err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
}

func TestTokens_TheLastUseIsWrittenOnceAnHour(t *testing.T) {
	w := newWorld(t)
	token := w.token("me", ScopeRead)
	file := filepath.Join(w.dir, tokensFile)
	stored := func() string {
		var f tokenFile
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		if err != nil || f.Tokens[0].LastUsedAt == nil {
			t.Fatalf("%s: %v", data, err)
		}
		return f.Tokens[0].LastUsedAt.String()
	}
	ask := func() { w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "") }
	ask()
	first := stored()
	w.pass(59 * time.Minute)
	ask()
	if stored() != first {
		t.Error("it was written again within the hour")
	}
	w.pass(2 * time.Minute)
	ask()
	if stored() == first {
		t.Error("it was not written after an hour")
	}
	// A place that cannot be written is no failure, and is not tried each time.
	w.pass(2 * time.Hour)
	if err := os.Remove(file + ".lock"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	ask()
	w.pass(2 * time.Second)
	ask()
	if all, err := w.access.Tokens().List(); err != nil || all[0].LastUsedAt.Before(w.clock().Add(-time.Minute)) {
		t.Errorf("remembered %+v, %v", all, err)
	}
}

func TestTokens_SeveralProcessesLoseNothing(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for i := range 8 {
		a := w.open()
		wg.Go(func() {
			_, _, err := a.Tokens().Create(fmt.Sprintf("t%d", i), Scopes{ScopeRead}, time.Time{})
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if all, err := w.access.Tokens().List(); err != nil || len(all) != 8 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
	if e := w.entries(); len(e) != 8 {
		t.Errorf("%d audit lines", len(e))
	}
}

func TestTokens_NamesAreTakenOnceAndAreNames(t *testing.T) {
	w := newWorld(t)
	w.token("me", ScopeRead)
	for name, want := range map[string]error{"me": holdfast.ErrRefused, "": holdfast.ErrUsage, "../x": holdfast.ErrUsage, "a b": holdfast.ErrUsage, Local: holdfast.ErrUsage, "ผู้ช่วย": nil} {
		if _, _, err := w.open().Tokens().Create(name, Scopes{ScopeRead}, time.Time{}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if _, _, err := w.open().Tokens().Create("none", nil, time.Time{}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("no scope: %v", err)
	}
	if s, err := ParseScopes([]string{"admin,read", " read "}); err != nil || s.String() != "read, admin" {
		t.Errorf("scopes %v, %v", s, err)
	}
}

func TestTokens_ThoseLeftBehindInAFormerStateDirectoryKeepTheDoorClosed(t *testing.T) {
	repository := t.TempDir()
	w := newWorld(t, func(c *config.Config) { c.Repository = repository })
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 200, "")
	before, err := Open(Options{Dir: filepath.Join(repository, stateFolder), Config: w.cfg, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := before.Tokens().Create("me", Scopes{ScopeRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	// The state directory is another one from now on, such as after encryption
	// was turned on.
	w.want(w.ask(ScopeRead, request("GET", "/things/a")), 401, "unauthorized")
	if _, err := w.open().Tokens().List(); !strings.Contains(fmt.Sprint(err), repository) || !strings.Contains(holdfast.HintOf(err), "move the file") {
		t.Errorf("list: %v", err)
	}
	if _, _, err := w.open().Tokens().Create("other", Scopes{ScopeRead}, time.Time{}); err == nil {
		t.Error("a token was made beside those")
	}
	if err := os.Rename(filepath.Join(repository, stateFolder, tokensFile), filepath.Join(w.dir, tokensFile)); err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(ScopeRead, request("GET", "/things/a", bearer(token))), 200, "")
}
