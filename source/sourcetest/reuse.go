package sourcetest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

// Again captures into a new sink that keeps what last has under the same stamps.
func Again(t testing.TB, src holdfast.Source, last *Sink) (holdfast.Captured, *Sink) {
	t.Helper()
	sink := NewSink(t)
	sink.KeepFrom(last)
	c, err := src.Capture(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	if open := sink.Unfinished(); len(open) > 0 {
		t.Fatalf("writers neither closed nor discarded: %v", open)
	}
	return c, sink
}

// Stamped captures until every file has a stamp, which takes as long as files need
// to come to rest, and gives the last capture. Where the file system does not show
// every change there must be none, and it gives nil.
func Stamped(t testing.TB, src holdfast.Source) *Sink {
	t.Helper()
	certain := showsWrites(t, src)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		c, sink := Again(t, src, nil)
		stamps := sink.Stamps()
		switch {
		case !certain && len(stamps) > 0:
			t.Fatalf("stamps on a file system that does not show every change: %v", stamps)
		case !certain:
			return nil
		case len(stamps) == sink.files():
			return sink
		case time.Now().After(end):
			t.Fatalf("%d of %d files have a stamp after a long rest (%s): %v", len(stamps), sink.files(), c.Method, stamps)
		}
	}
}

// showsWrites tells whether the source lies where stamps can be given.
func showsWrites(t testing.TB, src holdfast.Source) bool {
	t.Helper()
	f, err := os.Open(src.Target().Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := inode.Calls
	if src.Kind() == holdfast.KindFiles {
		w = inode.Mappings
	}
	return inode.ShowsWrites(f, w)
}

// files is the number of regular files in the sink.
func (s *Sink) files() int {
	n := 0
	for _, e := range s.Entries() {
		if e.Mode.IsRegular() {
			n++
		}
	}
	return n
}

func testCaptureReuses(t *testing.T, f Fixture) {
	first := Stamped(t, f.Source)
	if first == nil {
		return
	}
	last := first
	for range 2 { // what was reused can be reused
		c, sink := Again(t, f.Source, last)
		if sink.Reused() != first.files() || sink.written > 0 {
			t.Errorf("%d of %d files were reused, and %d bytes read (%s)", sink.Reused(), first.files(), sink.written, c.Method)
		}
		noProblems(t, f.Source.Name(), c.Problems)
		factsOf(t, f.Source.Kind(), c.Facts)
		for path, want := range first.Entries() {
			if got := sink.Entries()[path]; want.Mode.IsRegular() && got != want {
				t.Errorf("%s was recorded as %+v and is now %+v", path, want, got)
			}
		}
		sameTree(t, Fingerprint(t, first.Dir), Fingerprint(t, sink.Dir))
		last = sink
	}
}

// changes are what can happen to a file, each with the time of modification and
// the size it had before.
var changes = []struct {
	name   string
	change func(name string) error
}{
	{"a byte in place", func(name string) error { return flip(name) }},
	{"cut short and grown again", func(name string) error {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		return errors.Join(os.Truncate(name, info.Size()-1), os.Truncate(name, info.Size()))
	}},
	{"another file in its place", func(name string) error {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		data[len(data)-1] ^= 0xff
		return errors.Join(os.WriteFile(name+".new", data, 0o600), os.Rename(name+".new", name))
	}},
	{"times only", func(string) error { return nil }},
	{"permissions only", func(name string) error { return os.Chmod(name, 0o640) }},
}

func testCaptureSeesChanges(t *testing.T, f Fixture) {
	last := Stamped(t, f.Source)
	for _, path := range f.Flippable {
		for _, ch := range changes {
			name := f.live(path)
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(ch.change(name), os.Chtimes(name, time.Time{}, info.ModTime())); err != nil {
				t.Fatal(err)
			}
			_, sink := Again(t, f.Source, last)
			f.wantLive(t, sink, path, ch.name)
			if last != nil && sink.Reused() == last.files() {
				t.Errorf("%s: %s: everything was reused", path, ch.name)
			}
			last = sink
		}
	}
}

func testCaptureSeesChangesAtOnce(t *testing.T, f Fixture) {
	if len(f.Flippable) == 0 {
		return
	}
	path := f.Flippable[0]
	var last *Sink
	for range 12 {
		_, sink := Again(t, f.Source, last)
		f.wantLive(t, sink, path, "before the capture")
		if err := flip(f.live(path)); err != nil {
			t.Fatal(err)
		}
		last = sink
	}
}

// live is the original of a captured file.
func (f Fixture) live(path string) string {
	target := f.Source.Target()
	if target.Dir {
		return filepath.Join(target.Path, filepath.FromSlash(path))
	}
	return target.Path
}

// wantLive wants the captured file to be the live one.
func (f Fixture) wantLive(t *testing.T, sink *Sink, path, what string) {
	t.Helper()
	got, err := digest(sink.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	want, err := digest(f.live(path))
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("%s: %s: the capture has other bytes than the file", path, what)
	}
}

// flip changes the last byte of a file in place.
func flip(name string) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	var b [1]byte
	_, err = file.ReadAt(b[:], info.Size()-1)
	if err == nil {
		b[0] ^= 0xff
		_, err = file.WriteAt(b[:], info.Size()-1)
	}
	return errors.Join(err, file.Close())
}
