package repo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// nothingLeft fails the test if the bucket holds more than repository.json.
func nothingLeft(t *testing.T, b *mem.Bucket) {
	t.Helper()
	if keys := allKeys(t, b); len(keys) != 1 || keys[0] != repositoryFile {
		t.Errorf("left behind: %v", keys)
	}
}

func TestPending_CancelledLeavesNothing(t *testing.T) {
	r, b := newRepo(t)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := r.Create(ctx, "cut", true, CreateOptions{Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.Sink("bot").Create(holdfast.Entry{Path: "x", ModTime: testTime})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text(12*frameSize, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Write(text(frameSize, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("write after cancel: %v", err)
	}
	if err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("close after cancel: %v", err)
	}
	if err := p.Abort(ctx); err != nil {
		t.Errorf("abort: %v", err)
	}
	nothingLeft(t, b)
	if p.Stored() != 0 {
		t.Errorf("%d bytes still counted", p.Stored())
	}
}

func TestPending_AbortEndsOpenWriters(t *testing.T) {
	r, b := newRepo(t)
	p := create(t, r, "cut", CreateOptions{Compress: true})
	w, err := p.Sink("bot").Create(holdfast.Entry{Path: "x", ModTime: testTime})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text(12*frameSize+5, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{}); err == nil {
		t.Error("committed while a file was being written")
	}
	if err := p.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a write after the abort succeeded")
	}
	if _, err := p.Sink("bot").Create(holdfast.Entry{Path: "y"}); err == nil {
		t.Error("a file was begun after the abort")
	}
	nothingLeft(t, b)
}

func TestPending_RefusesMoreThanMaxStored(t *testing.T) {
	for _, size := range []int{300_000, 12 * frameSize} {
		r, _ := newRepo(t)
		p := create(t, r, "big", CreateOptions{MaxStored: 200_000})
		w, err := p.Sink("bot").Create(holdfast.Entry{Path: "x", ModTime: testTime})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(noise(size, 1))
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestPending_StoreErrorsReachTheWriter(t *testing.T) {
	r, b := newRepo(t)
	p := create(t, r, "full", CreateOptions{})
	full := errors.New("no space left on device")
	b.Inject(func(op, _ string) error {
		if op == "write" {
			return full
		}
		return nil
	})
	w, err := p.Sink("bot").Create(holdfast.Entry{Path: "x", ModTime: testTime})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(noise(20*frameSize, 1))
	if err == nil {
		err = w.Close()
	}
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	b.Inject(nil)
}

func TestSink_ReplaceAndRemove(t *testing.T) {
	r, _ := newRepo(t)
	p := create(t, r, "edited", CreateOptions{Compress: true})
	s := p.Sink("bot")
	put(t, s, "x", text(100_000, 1))
	put(t, s, "x", []byte("second"))
	put(t, s, "gone", text(100_000, 1))
	if err := s.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("never there"); err != nil {
		t.Fatal(err)
	}
	if files, logical, stored := p.SourceTotals("bot"); files != 1 || logical != 6 || stored != 6 || p.Stored() != 6 {
		t.Errorf("totals %d %d %d, stored %d", files, logical, stored, p.Stored())
	}
	commit(t, p)
	b := open(t, r, "edited")
	verify(t, b)
	if got := string(readAll(t, b, "bot/x")); got != "second" {
		t.Errorf("x is %q", got)
	}
}

// Payload names clash when x is compressed beside x.zst; both must come back.
func TestSink_HostileAndClashingNames(t *testing.T) {
	r, _ := newRepo(t)
	p := create(t, r, "names", CreateOptions{Compress: true})
	s := p.Sink("bot")
	want := map[string][]byte{
		"bot/x":                           text(100_000, 1),
		"bot/x.zst":                       []byte("not ours"),
		"bot/y":                           text(100_000, 2),
		"bot/y.zst/inside":                text(100_000, 3),
		"bot/back\\slash":                 []byte("1"),
		"bot/tab\tnew\nline":              []byte("2"),
		"bot/" + strings.Repeat("n", 250): text(50_000, 4),
		"bot/~1":                          text(50_000, 5),
		"bot/manifest.json":               []byte("3"),
		"bot/ -rf":                        []byte("4"),
	}
	for _, name := range []string{"bot/x", "bot/x.zst", "bot/y", "bot/y.zst/inside", "bot/back\\slash", "bot/tab\tnew\nline", "bot/" + strings.Repeat("n", 250), "bot/~1", "bot/manifest.json", "bot/ -rf"} {
		put(t, s, strings.TrimPrefix(name, "bot/"), want[name])
	}
	for _, bad := range []string{"", "/abs", "../up", "a/../b", "a//b", "nul\x00", "latin\xe9"} {
		if _, err := s.Create(holdfast.Entry{Path: bad}); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("path %q: %v", bad, err)
		}
	}
	if err := s.Add(holdfast.Entry{Path: "fifo", Mode: fs.ModeNamedPipe}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("fifo: %v", err)
	}
	if _, err := p.Sink("memory_collection").Create(holdfast.Entry{Path: "x"}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("reserved source name: %v", err)
	}
	for _, bad := range []string{holdfast.ManifestFile, holdfast.MetadataFile, "bot/x", "../x"} {
		if err := p.WriteFile(bad, func(io.Writer) error { return nil }); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("WriteFile %q: %v", bad, err)
		}
	}
	commit(t, p)
	b := open(t, r, "names")
	verify(t, b)
	got := contents(t, b)
	delete(got, holdfast.MetadataFile)
	compare(t, got, want)
}

func TestSink_FileBelowAFileIsRefusedAtCommit(t *testing.T) {
	r, _ := newRepo(t)
	p := create(t, r, "clash", CreateOptions{})
	put(t, p.Sink("bot"), "a", []byte("file"))
	put(t, p.Sink("bot"), "a/b", []byte("below"))
	if _, err := p.FS().Open("bot/a"); err == nil {
		t.Error("the clash did not show when reading back")
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{}); err == nil {
		t.Error("committed")
	}
}

func TestExtract_ModesTimesLinksHoles(t *testing.T) {
	r, _ := dirRepo(t)
	p := create(t, r, "tree", CreateOptions{Compress: true})
	s := p.Sink("files")
	when := time.Date(2001, 2, 3, 4, 5, 6, 789012345, time.UTC)
	w, err := s.Create(holdfast.Entry{Path: "d/sparse", Mode: 0o4751, ModTime: when})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Skip(64 << 20); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, e := range []holdfast.Entry{
		{Path: ".", Mode: fs.ModeDir | 0o711, ModTime: when},
		{Path: "d", Mode: fs.ModeDir | 0o500, ModTime: when.Add(time.Second)},
		{Path: "empty", Mode: fs.ModeDir | 0o750, ModTime: when.Add(2 * time.Second)},
		{Path: "link", Mode: fs.ModeSymlink | 0o777, ModTime: when, Link: "../outside"},
	} {
		if err := s.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, p)
	b := open(t, r, "tree")
	verify(t, b)
	dir := tempDir(t)
	var last, total int64
	err = b.Extract(t.Context(), "files", dir, durable.OS, func(_ string, done, all int64) { last, total = done, all })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(filepath.Join(dir, "d"), 0o700); err != nil {
			t.Error(err)
		}
	})
	if want := int64(64<<20 + 3); last != want || total != want {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	for name, want := range map[string]struct {
		mode fs.FileMode
		time time.Time
	}{
		"d":        {fs.ModeDir | 0o500, when.Add(time.Second)},
		"d/sparse": {0o751, when},
		"empty":    {fs.ModeDir | 0o750, when.Add(2 * time.Second)},
		".":        {fs.ModeDir | 0o711, when},
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want.mode || !info.ModTime().Equal(want.time) {
			t.Errorf("%s: %v, %v %v; want %v %v", name, err, info.Mode(), info.ModTime(), want.mode, want.time)
		}
	}
	if link, err := os.Readlink(filepath.Join(dir, "link")); err != nil || link != "../outside" {
		t.Errorf("link %q, %v", link, err)
	}
	if blocks := run(t, dir, "du", "-k", "d/sparse"); !strings.HasPrefix(blocks, "4\t") {
		t.Errorf("the hole was written out: %s", blocks)
	}
	if err := b.Extract(t.Context(), "files", dir, durable.OS, nil); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("extract into a directory that is not empty: %v", err)
	}
	if err := b.Extract(t.Context(), "nothing", tempDir(t), durable.OS, nil); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("extract of what is not there: %v", err)
	}
}

func TestExtract_Cancelled(t *testing.T) {
	b, _ := smallBackup(t, 40)
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	back := open(t, r, "victim")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := back.Extract(ctx, ".", tempDir(t), durable.OS, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("extract: %v", err)
	}
	if _, err := back.Verify(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: %v", err)
	}
	if err := back.WriteTar(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("tar: %v", err)
	}
}

func TestLock_NamesTheOwner(t *testing.T) {
	r, _ := newRepo(t)
	lease, err := r.Lock(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Lock(t.Context(), "prune")
	if held, ok := errors.AsType[*holdfast.LockedError](err); !ok || held.Owner.Purpose != "backup" || held.Owner.PID != os.Getpid() {
		t.Errorf("second lock: %v", err)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSpool_ReadsBackMemoryAndFile(t *testing.T) {
	s := &spool{limit: 1000}
	data := noise(5000, 1)
	for off := 0; off < len(data); off += 300 {
		if _, err := s.Write(data[off:min(off+300, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		s.rewind()
		got := make([]byte, len(data))
		for off := 0; off < len(got); off += 700 {
			if err := s.next(got[off:min(off+700, len(got))]); err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != string(data) {
			t.Error("wrong bytes")
		}
	}
	if err := s.next(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading on: %v", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
