package cli

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A note is as long here as anywhere else.
func TestBackup_RefusesANoteThatIsTooLong(t *testing.T) {
	w := newWorld(t)
	if _, stderr, code := w.run("backup", "--note", strings.Repeat("x", holdfast.MaxNote+1)); code != holdfast.ExitUsage || !strings.Contains(stderr, "a note can have at most 2000 bytes") {
		t.Errorf("it ended with %d\n%s", code, stderr)
	}
	if _, stderr, code := w.run("backup", "--note", strings.Repeat("x", holdfast.MaxNote)); code != 0 {
		t.Errorf("the longest note: %d\n%s", code, stderr)
	}
}
