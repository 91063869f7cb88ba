//go:build unix

package supervise

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A status file that cannot be written is told, once, until it can be again: the
// program would read an old one and not know.
func TestRun_AStatusFileThatIsOutOfDateIsTold(t *testing.T) {
	w := newWorld(t)
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1")
	listed := func() bool {
		return slices.ContainsFunc(l.s.board.standing().Problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, "is out of date") })
	}
	folder := filepath.Join(l.s.stateDir, "programs")
	for range 2 {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		l.s.board.touch()
		l.until("it is told", func() bool { return listed() && l.warned("is out of date") })
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l.s.board.touch()
	l.until("it is written again", func() bool { return !listed() })
	told := 0
	l.mu.Lock()
	for _, p := range l.problems {
		if strings.Contains(p.Message, "is out of date") {
			told++
		}
	}
	l.mu.Unlock()
	if told != 1 {
		t.Errorf("told %d times\n%s", told, l)
	}
	l.signals <- terminate
	if exit, err := l.end(); exit != 0 || err != nil {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}
