package engine_test

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/procs/procstest"
)

// Who has the mirror open as a database would write its log beside the new one.
func TestMirror_ThatIsInUseIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	path := w.mirrored()
	w.backup("monday")
	write(t, path+"-wal", "what somebody wrote")
	_, stop := procstest.Hold(t, path, path+"-wal")
	w.set("two")
	r := w.backup("tuesday")
	if len(r.Problems) != 1 || r.Problems[0].Severity != holdfast.Warning || !strings.Contains(r.Problems[0].Message, "is held open by process") || r.Problems[0].Hint == "" {
		t.Errorf("problems: %+v", r.Problems)
	}
	if read(t, path) != "one\none\n" || read(t, path+"-wal") != "what somebody wrote" {
		t.Error("the mirror was touched")
	}
	stop()
	w.wantMirror(path, w.backup("wednesday"), "two\ntwo\n")
}
