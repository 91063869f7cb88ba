package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// expect runs a command that ends with this code and prints part.
func (w *world) expect(code int, part string, args ...string) {
	w.t.Helper()
	stdout, stderr, got := w.run(args...)
	if got != code || !strings.Contains(stdout+stderr, part) {
		w.t.Errorf("holdfast %s ended with %d, want %d and %q in\n%s%s", strings.Join(args, " "), got, code, part, stdout, stderr)
	}
}

func TestS3_ReplicaThenRepository(t *testing.T) {
	server := s3test.Start(t)
	url := server.URL(server.NewBucket(t), "bot")
	w := newWorld(t)
	t.Setenv("XDG_STATE_HOME", w.dir+"/state")
	if err := os.WriteFile("holdfast.yaml", []byte("repository: backups\nsources:\n  docs: {type: files, path: docs}\nreplicas: [{name: offsite, url: \""+url+"\"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.expect(0, "Copied to offsite", "backup", "--name", "monday")
	w.expect(0, "in repository, offsite", "list")
	w.expect(0, "offsite: up to date; 1 copy", "status")
	w.expect(0, "replica offsite: up to date", "doctor")
	w.expect(0, "proven monday (from the replica offsite)", "verify", "--replica", "offsite")
	for _, lost := range []string{"backups", "docs"} {
		if err := os.RemoveAll(lost); err != nil {
			t.Fatal(err)
		}
	}
	w.expect(0, "from monday (from the replica offsite)", "restore", "latest")
	if data, err := os.ReadFile("docs/a.txt"); err != nil || string(data) != "precious\n" {
		t.Errorf("restored %q, %v", data, err)
	}
	w.expect(0, "monday", "list", "--repo", url)
	w.expect(0, "Backed up to tuesday", "backup", "--repo", url, "--name", "tuesday", "--trigger", "scheduled")
	w.expect(0, "delta of tuesday", "backup", "--repo", url, "--name", "wednesday", "--trigger", "scheduled")
	w.expect(0, "proven wednesday", "verify", "--repo", url)
	w.expect(0, "Your data is safe", "status", "--repo", url)
	w.expect(0, "Everything is in order", "doctor", "--repo", url)
	w.expect(0, "into copy", "restore", "wednesday", "--repo", url, "--to", "copy")
	if _, err := os.Stat("backups/repository.json"); err == nil {
		t.Error("a repository was made in the directory")
	}
}
