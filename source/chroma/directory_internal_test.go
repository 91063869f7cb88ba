package chroma

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// What root cannot meet in a test: no permission.
func TestOpen_ExplainsNoPermission(t *testing.T) {
	t.Parallel()
	err := &fs.PathError{Op: "open", Path: "/data/chroma", Err: os.ErrPermission}
	if got := pathCause(err).Error(); !strings.Contains(got, "no permission") || strings.Contains(got, "/data") {
		t.Errorf("cause %q", got)
	}
	if permissionHint(err) == "" {
		t.Error("no hint")
	}
	if hint := permissionHint(os.ErrNotExist); hint != "" {
		t.Errorf("hint %q for another failure", hint)
	}
}
