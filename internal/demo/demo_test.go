package demo_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/cli"
)

// The demo is the first thing that a new user runs: it must end well, show
// every command, and leave nothing behind.
func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	code := cli.Main(t.Context(), cli.System{
		Args: []string{"demo"}, Environ: append(os.Environ(), "HOLDFAST_REPOSITORY=/must/not/matter"),
		Stdout: out, Stderr: out, Stdin: out, Now: time.Now, Version: "test",
	})
	text, _ := os.ReadFile(out.Name())
	if code != 0 {
		t.Fatalf("holdfast demo: exit %d\n%s", code, text)
	}
	for _, want := range []string{
		"backup --name before_upload", "proven before_upload", "restore before_upload --dry-run", "Restored chromadb, bot",
		"identical", "damaged before_upload", "holdfast init",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the demo does not show %q", want)
		}
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v behind, %v", left, err)
	}
}
