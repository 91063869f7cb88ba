package daemon

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

func TestRun_ServesUntilItIsStopped(t *testing.T) {
	w := newWorld(t, nil)
	l := w.start()
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/tasks", "/api/v1/openapi.json"} {
		if code, body := l.get(path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"monday"}`); code != http.StatusCreated || !strings.Contains(body, `"monday"`) {
		t.Errorf("backup: %d %s", code, body)
	}
	before := len(w.backups())
	l.stop()
	if code, _ := l.get("/healthz"); code != 0 {
		t.Errorf("it answers %d after it was stopped", code)
	}

	// The next start finds everything saved.
	again := w.start()
	w.eventually("the newest backup is known", func() bool {
		_, body := again.get("/api/v1/status")
		return strings.Contains(body, "monday")
	})
	again.stop()
	if after := len(w.backups()); after != before {
		t.Errorf("%d backups after a start without a change, %d before", after, before)
	}
}

func TestRun_OneDaemonForOneStateDirectory(t *testing.T) {
	w := newWorld(t, nil)
	first := w.start()
	err := w.begin().refused()
	var locked *holdfast.LockedError
	if !errors.As(err, &locked) || locked.Owner.PID != os.Getpid() || holdfast.ExitCode(err) != holdfast.ExitLocked {
		t.Fatalf("a second daemon: %v", err)
	}
	if code, _ := first.get("/readyz"); code != http.StatusOK {
		t.Errorf("the first one answers %d", code)
	}
	first.stop()
	w.start().stop()
}

func TestRun_ListensBeyondLoopbackOnlyWithAToken(t *testing.T) {
	w := newWorld(t, map[string]string{"serve.listen": "0.0.0.0:0"})
	err := w.begin().refused()
	if holdfast.ExitCode(err) != holdfast.ExitRefused || !strings.Contains(holdfast.HintOf(err), "token") {
		t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
	}
	if len(w.backups()) != 0 {
		t.Error("it made a backup all the same")
	}
}

func TestRun_AnAddressThatIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	l := w.start()
	other := newWorld(t, map[string]string{"serve.listen": l.now.Address})
	err := other.begin().refused()
	if err == nil || !strings.Contains(err.Error(), l.now.Address) {
		t.Errorf("%v", err)
	}
}

func TestRun_WithoutTheAPI(t *testing.T) {
	w := newWorld(t, map[string]string{"serve.listen": "off"})
	l := w.start()
	if l.now.Address != "" || l.now.Proxies != nil {
		t.Errorf("it listens: %+v", l.now)
	}
	w.eventually("a backup was made", func() bool { return len(w.backups()) == 1 })
	l.stop()
}

// A state directory in which nothing can be written down keeps no backup from being made.
func TestRun_NothingCanBeWrittenDown(t *testing.T) {
	w := newWorld(t, nil)
	w.set("state", w.path("state"))
	for _, taken := range []string{memoFile, alarmsFile} {
		if err := os.MkdirAll(w.path("state/"+taken+"/x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.path("state/"+jobsFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := w.start()
	if code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"all-the-same"}`); code/100 != 2 {
		t.Errorf("backup: %d %s", code, body)
	}
	l.stop()
	if !strings.Contains(l.log.String(), memoFile) {
		t.Error("nobody is told of it")
	}
}

func TestRun_ARepositoryThatCannotBeUsedComesBack(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "1h"})
	w.set("state", w.path("state"))
	marker := w.path("repository/repository.json") // which tells nothing
	if err := errors.Join(os.Mkdir(w.path("repository"), 0o700), os.WriteFile(marker, []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	l := w.start()
	if code, _ := l.get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	if code, _ := l.get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", code)
	}
	if code, body := l.get("/api/v1/status"); code != http.StatusOK || !strings.Contains(body, "its bytes do not match") {
		t.Errorf("status: %d %s", code, body)
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	w.eventually("a backup was made", func() bool { return len(w.backups()) == 1 })
	l.stop()
}

// What a daemon that was killed had not finished writing goes at the next start; what others
// might be writing stays for a while.
func TestStart_RemovesItsOwnUnfinishedFiles(t *testing.T) {
	w := newWorld(t, nil)
	mine, theirs := durable.TempName(memoFile), durable.TempName("tokens.json")
	state := w.path("state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{mine, theirs} {
		if err := os.WriteFile(filepath.Join(state, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.set("state", state)
	l := w.start()
	l.stop()
	if _, err := os.Stat(filepath.Join(state, mine)); err == nil {
		t.Error("its own is still there")
	}
	if _, err := os.Stat(filepath.Join(state, theirs)); err != nil {
		t.Errorf("that of others: %v", err)
	}
}
