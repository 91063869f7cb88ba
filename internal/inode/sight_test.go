package inode_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

func TestSight_SumsUpWhateverTheOrder(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	a := inode.State{Number: 1, Size: 7, Mtime: old, Ctime: old}
	b := inode.State{Number: 2, Size: 7, Mtime: old, Ctime: old}
	see := func(add ...func(*inode.Sight)) *inode.Sight {
		s := inode.NewSight()
		for _, f := range add {
			f(s)
		}
		return s
	}
	addA := func(s *inode.Sight) { s.Add("a", a, "") }
	addB := func(s *inode.Sight) { s.Add("b", b, "") }
	if empty := see(); empty.State() != "" || !empty.Settled() {
		t.Errorf("nothing gives %q, settled %v", empty.State(), empty.Settled())
	}
	both := see(addA, addB)
	if both.State() != see(addB, addA).State() || !both.Settled() {
		t.Error("the order counts, or old files are not settled")
	}
	grown := a
	grown.Size++
	for what, other := range map[string]*inode.Sight{
		"one less":         see(addA),
		"names exchanged":  see(func(s *inode.Sight) { s.Add("b", a, ""); s.Add("a", b, "") }),
		"another size":     see(func(s *inode.Sight) { s.Add("a", grown, "") }, addB),
		"more is known":    see(func(s *inode.Sight) { s.Add("a", a, "mode") }, addB),
		"nothing was seen": see(),
	} {
		if other.State() == both.State() {
			t.Errorf("%s: the same state", what)
		}
	}
}

func TestSight_IsNotSettledWhileAWriteMayNotShow(t *testing.T) {
	now := time.Now()
	for what, c := range map[string]struct {
		st   inode.State
		want bool
	}{
		"a moment ago":               {inode.State{Mtime: now, Ctime: now}, false},
		"changed back in time":       {inode.State{Mtime: now.Add(-time.Hour), Ctime: now}, false},
		"in the future":              {inode.State{Mtime: now.Add(time.Hour)}, false},
		"whole seconds, just passed": {inode.State{Mtime: time.Unix(now.Unix()-1, 0)}, false},
		"whole seconds, long ago":    {inode.State{Mtime: time.Unix(now.Unix()-10, 0)}, true},
		"long ago":                   {inode.State{Mtime: now, Ctime: now.Add(-time.Minute)}, true},
	} {
		s := inode.NewSight()
		s.Add("file", c.st, "")
		if s.Settled() != c.want {
			t.Errorf("%s: settled is %v", what, s.Settled())
		}
	}
}

func TestSight_TrustsOnlyDisks(t *testing.T) {
	for path, want := range map[string]bool{"/proc/self/status": false, filepath.Join(t.TempDir(), "gone"): false} {
		s := inode.NewSight()
		s.On(path, inode.State{Dev: 1})
		if s.Settled() != want {
			t.Errorf("%s: settled is %v", path, s.Settled())
		}
	}
}
