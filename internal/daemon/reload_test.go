package daemon

import (
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// again asks for a reload and waits until it was decided.
func (l *life) again(said string) {
	l.w.t.Helper()
	l.reload <- struct{}{}
	l.w.eventually("the log says "+said, func() bool { return strings.Contains(l.log.String(), said) })
}

const (
	saidChanged = "the configuration was changed"
	saidRefused = "the configuration was not changed"
)

func TestReload_TakesTheNewConfiguration(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h"})
	l := w.start()
	l.ask(http.MethodPost, "/api/v1/backups", `{"name":"before"}`)
	first := l.now
	w.set("schedule.every", "2h")
	w.set("serve.listen", "localhost:0")
	l.again(saidChanged)
	l.await()
	if l.now.Address == first.Address {
		t.Fatalf("it listens at %s as before", l.now.Address)
	}
	if code, body := l.get("/api/v1/tasks"); code != http.StatusOK || !strings.Contains(body, `"every_ms":7200000`) {
		t.Errorf("tasks: %d %s", code, body)
	}
	if code, body := l.get("/api/v1/jobs"); code != http.StatusOK || !strings.Contains(body, "before") {
		t.Errorf("jobs of before are gone: %d %s", code, body)
	}
	w.eventually("the old address is closed", func() bool {
		code, _ := (&life{w: w, now: first}).get("/healthz")
		return code == 0
	})
	l.stop()
}

func TestReload_ABadConfigurationChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	l := w.start()
	other := newWorld(t, nil).start()
	for name, spoil := range map[string]func(){
		"unreadable": func() {
			w.broken = &holdfast.Error{Op: "configuration", Err: holdfast.Kindf(holdfast.ErrUsage, "spoilt")}
		},
		"another repository":       func() { w.settings["repository"] = w.path("elsewhere") },
		"another state directory":  func() { w.settings["state"] = w.path("elsewhere") },
		"an address that is taken": func() { w.settings["serve.listen"] = other.now.Address },
		"beyond loopback":          func() { w.settings["serve.listen"] = "0.0.0.0:0" },
		"no receiver":              func() { w.settings["notify.urls"] = "nosuchservice://x" },
		"a certificate that is not there": func() {
			w.settings["serve.tls_cert"], w.settings["serve.tls_key"] = w.path("no.pem"), w.path("no.key")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.mu.Lock()
			before := map[string]string{}
			for k, v := range w.settings {
				before[k] = v
			}
			spoil()
			w.mu.Unlock()
			refused := strings.Count(l.log.String(), saidRefused)
			l.reload <- struct{}{}
			w.eventually("it is refused", func() bool { return strings.Count(l.log.String(), saidRefused) > refused })
			w.mu.Lock()
			w.settings, w.broken = before, nil
			w.mu.Unlock()
			if code, body := l.ask(http.MethodPost, "/api/v1/backups", `{}`); code/100 != 2 {
				t.Errorf("afterwards: %d %s", code, body)
			}
		})
	}
	if strings.Contains(l.log.String(), saidChanged) {
		t.Error("something was changed")
	}
	l.stop()
}

// What is at work when the configuration changes comes to its end.
func TestReload_JobsAtWorkFinish(t *testing.T) {
	w := newWorld(t, map[string]string{"hooks.before_backup": "sleep 1"})
	l := w.start()
	code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"slow","wait":false}`)
	if code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	w.set("hooks.before_backup", "true")
	l.again(saidChanged)
	w.eventually("the backup is there", func() bool {
		for _, i := range w.backups() {
			if i.Name == "slow" {
				return true
			}
		}
		return false
	})
	l.stop()
	if strings.Contains(l.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", l.log)
	}
}
