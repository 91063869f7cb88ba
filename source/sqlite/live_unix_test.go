//go:build unix

package sqlite

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A pipe would block whoever opens it.
func TestOpenLive_DoesNotOpenWhatIsNoFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "bot.db")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenLive(t.Context(), pipe, LiveOptions{})
	wantError(t, err, holdfast.ErrUsage, "not a regular file")
}
