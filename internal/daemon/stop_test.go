package daemon

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// What is at work when the daemon is asked to stop comes to its end.
func TestStop_AJobThatFitsFinishes(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "off", "hooks.before_backup": "sleep 1"})
	l := w.start()
	if code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"last-one","wait":false}`); code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	l.stop()
	if all := w.backups(); len(all) == 0 || all[0].Name != "last-one" {
		t.Errorf("backups: %v", all)
	}
}

// What lasts longer is cancelled, leaves nothing half-done, and the next start tells of it.
func TestStop_AJobThatLastsTooLongIsRolledBack(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "off", "shutdown_timeout": "1s", "hooks.before_backup": "sleep 60"})
	l := w.start()
	code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"too-slow","wait":false}`)
	if code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	begun := time.Now()
	l.stop()
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("to stop took %s", took)
	}
	if all := w.backups(); len(all) != 0 {
		t.Errorf("backups: %v", all)
	}
	w.set("hooks.before_backup", "true")
	again := w.start()
	if code, body := again.get("/api/v1/jobs"); code != http.StatusOK || !strings.Contains(body, `"interrupted"`) {
		t.Errorf("jobs: %d %s", code, body)
	}
	again.stop()
}

// A client that follows a job is told its end, and does not keep the daemon from stopping.
func TestStop_StreamsEnd(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "off", "shutdown_timeout": "1s", "hooks.before_backup": "sleep 60"})
	l := w.start()
	code, body := l.ask(http.MethodPost, "/api/v1/backups", `{"name":"followed","wait":false}`)
	if code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	_, after, _ := strings.Cut(body, `"id":"`)
	id, _, _ := strings.Cut(after, `"`)
	followed := make(chan string, 1)
	go func() {
		_, stream := l.get("/api/v1/jobs/" + id + "/events")
		followed <- stream
	}()
	w.eventually("somebody follows", func() bool { return strings.Contains(l.log.String(), "job started") })
	l.stop()
	select {
	case <-followed:
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on")
	}
}
