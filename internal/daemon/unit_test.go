package daemon

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// unit reads the keys of a section of systemd's unit.
func unit(t *testing.T, section string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../contrib/systemd/holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	out, in := map[string]string{}, ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			in = strings.Trim(line, "[]")
		default:
			key, value, found := strings.Cut(line, "=")
			if !found {
				t.Errorf("no setting: %s", line)
			}
			if in == section {
				out[key] = value
			}
		}
	}
	return out
}

// The unit fits the times and the exit codes of the daemon.
func TestUnit_FitsTheDaemon(t *testing.T) {
	service := unit(t, "Service")
	seconds := func(key string) time.Duration {
		n, err := strconv.Atoi(service[key])
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		return time.Duration(n) * time.Second
	}
	c, err := config.Load(config.Flags{NoFile: true, Repository: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if stop := c.Schedule.ShutdownTimeout + rollBackWithin + leaveWithin; seconds("TimeoutStopSec") <= stop {
		t.Errorf("it is killed after %s, and may take %s", seconds("TimeoutStopSec"), stop)
	}
	if seconds("WatchdogSec") == 0 {
		t.Error("nobody watches it")
	}
	never := strings.Fields(service["RestartPreventExitStatus"])
	for code, want := range map[int]bool{holdfast.ExitUsage: true, holdfast.ExitRefused: true, holdfast.ExitLocked: false, holdfast.ExitFailed: false} {
		if got := slices.Contains(never, strconv.Itoa(code)); got != want {
			t.Errorf("after %d it stays down: %v", code, got)
		}
	}
	for key, want := range map[string]string{
		"Type": "notify", "ExecReload": "/bin/kill -HUP $MAINPID", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
		"CapabilityBoundingSet": "", "SystemCallFilter": "@system-service", "MemoryDenyWriteExecute": "yes", "UMask": "0077",
	} {
		if got, found := service[key]; !found || got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	if !strings.Contains(service["ExecStart"], "/holdfast serve ") {
		t.Errorf("ExecStart=%s", service["ExecStart"])
	}
}
