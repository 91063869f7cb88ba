//go:build unix

package daemon

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/logtest"
)

// serviceManager collects what it is told.
func serviceManager(t *testing.T) (heard func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Setenv("WATCHDOG_PID", "")
	all, done := &logtest.Log{}, make(chan struct{})
	go func() {
		defer close(done)
		data := make([]byte, 4096)
		for {
			n, err := conn.Read(data)
			if err != nil {
				return
			}
			_, _ = all.Write(append(data[:n:n], "\n--\n"...))
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return all.String
}

func TestManager_IsToldHowItStands(t *testing.T) {
	heard := serviceManager(t)
	w := newWorld(t, nil)
	l := w.start()
	w.eventually("it is told that the daemon lives", func() bool { return strings.Contains(heard(), "WATCHDOG=1") })
	w.eventually("it is told the verdict", func() bool { return strings.Contains(heard(), "STATUS=Your data is ") })
	if !strings.Contains(heard(), "READY=1\nSTATUS=") {
		t.Errorf("it was told %s", heard())
	}
	ready := strings.Count(heard(), "READY=1")
	l.again(saidChanged)
	w.eventually("it is told of the end of the reload", func() bool { return strings.Count(heard(), "READY=1") > ready })
	before, _, _ := strings.Cut(heard(), "RELOADING=1")
	if before == heard() {
		t.Errorf("a reload without its beginning: %s", heard())
	}
	l.stop()
	w.eventually("it is told of the end", func() bool { return strings.Contains(heard(), "STOPPING=1") })
}

// A loop that hangs is not covered up.
func TestManager_IsNotToldThatAHangingDaemonLives(t *testing.T) {
	var p pulses
	p.beat(loopBackups)
	if err := p.alive(time.Now()); err != nil {
		t.Errorf("a loop that has just moved: %v", err)
	}
	if err := p.alive(time.Now().Add(mostSilent + time.Second)); err == nil || !strings.Contains(err.Error(), loopBackups) {
		t.Errorf("a loop that hangs: %v", err)
	}
}
