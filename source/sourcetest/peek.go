package sourcetest

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Glance is what one peek saw.
type Glance struct {
	State   string
	Settled bool
}

// Peek looks at a source that must be able to tell.
func Peek(t testing.TB, src holdfast.Source) Glance {
	t.Helper()
	p, ok := src.(holdfast.Peeker)
	if !ok {
		t.Fatalf("source %s cannot peek", src.Name())
	}
	state, settled, err := p.Peek()
	if err != nil {
		t.Fatal(err)
	}
	return Glance{state, settled}
}

// Settle peeks until the state is settled and gives it.
func Settle(t testing.TB, src holdfast.Source) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		g := Peek(t, src)
		if g.Settled {
			return g.State
		}
		if time.Now().After(end) {
			t.Fatalf("source %s is not settled after a long rest", src.Name())
		}
	}
}

// grain is longer than the steps in which a local file system counts time.
const grain = 40 * time.Millisecond

// WantSeen wants a change to move the state of a source that has been at rest only
// for as long as its files need to tell two times apart, which is less than it takes
// to settle; and not to be called settled while it is new.
func WantSeen(t testing.TB, src holdfast.Source, what string, change func() error) {
	t.Helper()
	time.Sleep(grain)
	before := Peek(t, src)
	begun := time.Now()
	if err := change(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	after := Peek(t, src)
	if after.State == before.State {
		t.Errorf("%s: the state did not move", what)
	}
	if after.Settled && after.State != "" && time.Since(begun) < 500*time.Millisecond {
		t.Errorf("%s: settled at once", what)
	}
}

func testPeekMissing(t *testing.T, f Fixture) {
	if g := Peek(t, f.Missing); g.State != "" || !g.Settled {
		t.Errorf("%+v of a source that does not exist", g)
	}
	if g := Peek(t, f.Source); g.State == "" {
		t.Error("no state of a source that exists")
	}
}

// Reading a source, by a look or by a capture, writes nothing to it.
func testPeekIdle(t *testing.T, f Fixture) {
	before := Settle(t, f.Source)
	inspect(t, f)
	capture(t, f.Source)
	time.Sleep(grain)
	if after := Settle(t, f.Source); after != before {
		t.Errorf("the state was %s and is %s although nothing was written", before, after)
	}
}

func testPeekSeesChanges(t *testing.T, f Fixture) {
	for _, path := range f.Flippable {
		name := f.live(path)
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range changes {
			WantSeen(t, f.Source, path+": "+ch.name, func() error {
				return errors.Join(ch.change(name), os.Chtimes(name, time.Time{}, info.ModTime()))
			})
		}
		WantSeen(t, f.Source, path+": renamed away", func() error { return os.Rename(name, name+".away") })
		WantSeen(t, f.Source, path+": renamed back", func() error { return os.Rename(name+".away", name) })
	}
	for _, path := range slices.Backward(f.Flippable) { // a database goes last
		WantSeen(t, f.Source, path+": removed", func() error { return os.Remove(f.live(path)) })
	}
}

func testPeekOpensNothing(t *testing.T, f Fixture) {
	watch := watchOpens(t, f.Roots)
	Peek(t, f.Source)
	if opened := watch.opened(t); len(opened) > 0 {
		t.Errorf("opened %v", opened)
	}
	if path := f.live(firstOf(f.Flippable)); !watch.notices(t, path) {
		t.Errorf("an open of %s goes unnoticed", path)
	}
}

func firstOf(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return paths[0]
}
