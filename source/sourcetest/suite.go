package sourcetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Fixture is what Run needs to know about one kind of source.
type Fixture struct {
	// Source exists, holds at least 256 KiB and is quiet.
	Source holdfast.Source
	// Missing is a source of the same kind, configured for a place where
	// nothing is.
	Missing holdfast.Source
	// Unreadable is a source of the same kind, configured for something of
	// another kind (a text file, a directory of photos). Nil if there is no
	// such thing: any tree is readable as files.
	Unreadable holdfast.Source
	// Roots are the files and directories that must not change when the
	// source is inspected, captured or checked.
	Roots []string
	// Flippable are captured files whose last byte may change without the source
	// becoming unreadable.
	Flippable []string
	// Damage breaks a captured copy in dir so that a check must notice. Nil
	// if the source cannot tell damage.
	Damage func(t *testing.T, dir string)
}

// Run holds a source to its contract. open makes a new fixture for every
// subtest.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		test func(t *testing.T, f Fixture)
	}{
		{"Name is a valid folder name and stays the same", testName},
		{"Target tells where the source lives", testTarget},
		{"Inspect sees a source that exists", testInspect},
		{"Inspect takes a source that does not exist for no error", testInspectMissing},
		{"Inspect changes nothing", unchanged(inspect)},
		{"Capture completes every file it began", testCaptureCompletes},
		{"Capture changes nothing", unchanged(func(t *testing.T, f Fixture) { capture(t, f.Source) })},
		{"Capture of a quiet source is repeatable", testCaptureRepeats},
		{"Capture reads nothing again that did not change", testCaptureReuses},
		{"Capture reads again what was changed in any way", testCaptureSeesChanges},
		{"Capture sees a change right before and right after it", testCaptureSeesChangesAtOnce},
		{"Capture of a source that does not exist is an error", testCaptureMissing},
		{"Capture of something else is an error", testCaptureUnreadable},
		{"Capture passes on the failure of its sink", testCaptureSinkFails},
		{"Capture stops when it is cancelled", testCaptureCancelled},
		{"Check finds nothing wrong in a capture", testCheck},
		{"Check changes nothing in the copy", testCheckUnchanged},
		{"Check reports damage as a problem", testCheckDamage},
		{"Check that is cancelled is an error", testCheckCancelled},
		{"Peek finds nothing where nothing is", testPeekMissing},
		{"Peek of an idle source stays the same, and settles", testPeekIdle},
		{"Peek sees whatever happens to a file", testPeekSeesChanges},
		{"Peek opens no file", testPeekOpensNothing},
		{"Check within a tiny budget never calls unfinished work good", testCheckBudget},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func testName(t *testing.T, f Fixture) {
	name := f.Source.Name()
	if _, err := holdfast.ParseSourceName(name); err != nil {
		t.Fatal(err)
	}
	if again := f.Source.Name(); again != name {
		t.Fatalf("the name was %q and is now %q", name, again)
	}
}

func testTarget(t *testing.T, f Fixture) {
	target := f.Source.Target()
	if target.Path == "" {
		t.Fatal("a target needs a path")
	}
	info, err := os.Stat(target.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() != target.Dir {
		t.Fatalf("Dir is %v, but %s is %v", target.Dir, target.Path, info.Mode())
	}
	if (target.File == "") != target.Dir {
		t.Fatalf("File is %q and Dir %v: a file needs a name in the backup, a directory has none", target.File, target.Dir)
	}
	if target.Dir {
		return
	}
	if _, ok := capture(t, f.Source).sink.Entries()[target.File]; !ok {
		t.Fatalf("the capture has no file %q", target.File)
	}
}

func inspect(t *testing.T, f Fixture) {
	if _, err := f.Source.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err != nil {
		t.Fatal(err)
	}
}

func testInspect(t *testing.T, f Fixture) {
	got, err := f.Source.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Exists || got.Bytes <= 0 {
		t.Fatalf("got %+v, want a source that exists and has a size", got)
	}
	factsOf(t, f.Source.Kind(), got.Facts)
	quick, err := f.Source.Inspect(t.Context(), holdfast.InspectOptions{})
	if err != nil || quick.Exists != got.Exists || quick.Bytes != got.Bytes {
		t.Fatalf("without counts got %+v, %v; with them %+v", quick, err, got)
	}
}

func testInspectMissing(t *testing.T, f Fixture) {
	got, err := f.Missing.Inspect(t.Context(), holdfast.InspectOptions{Counts: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Exists || got.Bytes != 0 {
		t.Fatalf("got %+v of a source that does not exist", got)
	}
}

func testCaptureCompletes(t *testing.T, f Fixture) {
	c := capture(t, f.Source)
	if len(c.sink.Entries()) == 0 {
		t.Fatal("nothing was captured")
	}
	if c.Stall < 0 || c.Stall > time.Minute {
		t.Errorf("a stall of %v on a quiet source", c.Stall)
	}
	if c.Method == "" {
		t.Error("the capture does not tell its method")
	}
	noProblems(t, f.Source.Name(), c.Problems)
}

func testCaptureRepeats(t *testing.T, f Fixture) {
	first, second := capture(t, f.Source), capture(t, f.Source)
	sameTree(t, Fingerprint(t, first.sink.Dir), Fingerprint(t, second.sink.Dir))
}

func testCaptureMissing(t *testing.T, f Fixture) {
	sink := NewSink(t)
	_, err := f.Missing.Capture(t.Context(), sink)
	if err == nil {
		t.Fatal("a source that does not exist was captured")
	}
	clearError(t, err)
	nothingOpen(t, sink)
}

func testCaptureUnreadable(t *testing.T, f Fixture) {
	if f.Unreadable == nil {
		return
	}
	sink := NewSink(t)
	_, err := f.Unreadable.Capture(t.Context(), sink)
	if err == nil {
		t.Fatal("something else was captured as if it were such a source")
	}
	clearError(t, err)
	nothingOpen(t, sink)
}

func testCaptureSinkFails(t *testing.T, f Fixture) {
	sink := NewSink(t)
	sink.FailAfter = 64 << 10
	if _, err := f.Source.Capture(t.Context(), sink); !errors.Is(err, ErrSink) {
		t.Fatalf("got %v, want the error of the sink", err)
	}
	nothingOpen(t, sink)
}

func testCaptureCancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sink := NewSink(t)
	if _, err := f.Source.Capture(ctx, sink); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want it to be cancelled", err)
	}
	nothingOpen(t, sink)
}

func testCheck(t *testing.T, f Fixture) {
	c := capture(t, f.Source)
	for _, full := range []bool{false, true} {
		report, err := f.Source.Check(t.Context(), c.sink.FS(), holdfast.CheckOptions{Full: full})
		if err != nil {
			t.Fatal(err)
		}
		noProblems(t, f.Source.Name(), report.Problems)
		factsOf(t, f.Source.Kind(), report.Facts)
	}
}

func testCheckUnchanged(t *testing.T, f Fixture) {
	c := capture(t, f.Source)
	before := Fingerprint(t, c.sink.Dir)
	if _, err := f.Source.Check(t.Context(), c.sink.FS(), holdfast.CheckOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, before, Fingerprint(t, c.sink.Dir))
}

func testCheckDamage(t *testing.T, f Fixture) {
	if f.Damage == nil {
		return
	}
	c := capture(t, f.Source)
	f.Damage(t, c.sink.Dir)
	report, err := f.Source.Check(t.Context(), c.sink.FS(), holdfast.CheckOptions{})
	if err != nil {
		t.Fatalf("damage is a problem, not an error: %v", err)
	}
	for _, p := range report.Problems {
		if p.Severity == holdfast.Damaged {
			if p.Message == "" {
				t.Errorf("a problem without a message: %+v", p)
			}
			return
		}
	}
	t.Fatalf("the damage was not found: %+v", report)
}

func testCheckCancelled(t *testing.T, f Fixture) {
	c := capture(t, f.Source)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Source.Check(ctx, c.sink.FS(), holdfast.CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want it to be cancelled", err)
	}
}

func testCheckBudget(t *testing.T, f Fixture) {
	if f.Source.Kind() == holdfast.KindFiles {
		return
	}
	c := capture(t, f.Source)
	report, err := f.Source.Check(t.Context(), c.sink.FS(), holdfast.CheckOptions{Budget: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if state := quickCheckOf(report.Facts); state == holdfast.CheckOK {
		t.Fatal("a check that had no time calls the database good")
	}
}

// captured is a capture with the sink it went to.
type captured struct {
	holdfast.Captured
	sink *Sink
}

func capture(t *testing.T, src holdfast.Source) captured {
	t.Helper()
	sink := NewSink(t)
	c, err := src.Capture(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	nothingOpen(t, sink)
	return captured{c, sink}
}

func nothingOpen(t *testing.T, sink *Sink) {
	t.Helper()
	if open := sink.Unfinished(); len(open) > 0 {
		t.Fatalf("writers neither closed nor discarded: %v", open)
	}
}

// clearError wants what was tried, on which object, and what to do.
func clearError(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*holdfast.Error](err)
	if !ok {
		t.Fatalf("%v (%T) is no *holdfast.Error", err, err)
	}
	if e.Object == "" || holdfast.HintOf(err) == "" {
		t.Errorf("%q names object %q and hint %q; both are wanted", err, e.Object, holdfast.HintOf(err))
	}
}

func noProblems(t *testing.T, source string, problems []holdfast.Problem) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("source %s: unexpected problem %+v", source, p)
	}
}

func factsOf(t *testing.T, kind holdfast.Kind, f holdfast.Facts) {
	t.Helper()
	ok := map[holdfast.Kind]bool{
		holdfast.KindSQLite: f.SQLite != nil,
		holdfast.KindChroma: f.Chroma != nil,
		holdfast.KindFiles:  f.Files != nil,
	}
	for k, set := range ok {
		if set != (k == kind) {
			t.Errorf("facts of a %s source: %s is set: %v", kind, k, set)
		}
	}
}

func quickCheckOf(f holdfast.Facts) holdfast.CheckState {
	switch {
	case f.SQLite != nil:
		return f.SQLite.QuickCheck
	case f.Chroma != nil:
		return f.Chroma.QuickCheck
	}
	return ""
}

// unchanged runs f and wants every byte and name below the roots to stay.
func unchanged(f func(t *testing.T, f Fixture)) func(t *testing.T, f Fixture) {
	return func(t *testing.T, fix Fixture) {
		before := Fingerprint(t, fix.Roots...)
		f(t, fix)
		sameTree(t, before, Fingerprint(t, fix.Roots...))
	}
}

// Fingerprint gives the digest of every file, and the kind of everything
// else, at and below the roots, by name relative to its root.
func Fingerprint(t testing.TB, roots ...string) map[string]string {
	t.Helper()
	prints := map[string]string{}
	for i, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			key := fmt.Sprintf("%d:%s", i, rel)
			if !d.Type().IsRegular() {
				prints[key] = d.Type().String()
				return nil
			}
			prints[key], err = digest(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return prints
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func sameTree(t *testing.T, before, after map[string]string) {
	t.Helper()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			t.Errorf("%s: was %q, is %q", name, before[name], after[name])
		}
	}
}
