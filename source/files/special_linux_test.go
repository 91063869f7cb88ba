package files_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// asNobody runs f without root's right to read everything. The right belongs
// to the thread, so f must not start goroutines that open files.
func asNobody(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	must(t, syscall.Setfsuid(65534))
	defer func() { must(t, syscall.Setfsuid(0)) }()
	f()
}

// holes counts what a capture skipped.
type holes struct {
	*sourcetest.Sink
	skipped, written int64
}

func (h *holes) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	w, err := h.Sink.Create(e)
	return &holeWriter{w, h}, err
}

type holeWriter struct {
	holdfast.FileWriter
	h *holes
}

func (w *holeWriter) Skip(n int64) error { w.h.skipped += n; return w.FileWriter.Skip(n) }

func (w *holeWriter) Write(p []byte) (int, error) {
	w.h.written += int64(len(p))
	return w.FileWriter.Write(p)
}

func TestCapture_HolesStayHoles(t *testing.T) {
	dir := tree(t, map[string]string{"empty-hole": ""})
	const size = 64 << 20
	must(t, os.Truncate(filepath.Join(dir, "empty-hole"), size))
	f, err := os.Create(filepath.Join(dir, "sparse"))
	must(t, err)
	defer f.Close()
	for _, off := range []int64{1 << 20, 33 << 20} {
		_, err := f.WriteAt(bytes.Repeat([]byte("data"), 1024), off)
		must(t, err)
	}
	must(t, f.Truncate(size))

	h := &holes{Sink: sourcetest.NewSink(t)}
	c, err := newSource(t, dir, files.Options{}).Capture(t.Context(), h)
	must(t, err)
	if len(c.Problems) > 0 {
		t.Errorf("problems: %+v", c.Problems)
	}
	if h.skipped+h.written != 2*size {
		t.Errorf("%d bytes skipped and %d written, want %d together", h.skipped, h.written, 2*size)
	}
	if h.written > 4<<20 {
		t.Errorf("%d bytes were read although the files hold 8 KiB", h.written)
	}
	for _, name := range []string{"empty-hole", "sparse"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if !bytes.Equal(content(t, h.Sink, name), want) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestCapture_WhatCannotBeCapturedIsNamed(t *testing.T) {
	dir := tree(t, map[string]string{"good": "1", "secret": "2", "closed/in": "3", "after": "4"})
	must(t, os.Chmod(filepath.Join(dir, "secret"), 0))
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	t.Cleanup(func() { must(t, os.Chmod(filepath.Join(dir, "closed"), 0o755)) })
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	var lc net.ListenConfig
	socket, err := lc.Listen(t.Context(), "unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer socket.Close()
	must(t, os.WriteFile(filepath.Join(dir, "bad\xff\xfename"), []byte("5"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, `back\slash`), []byte("6"), 0o644))
	must(t, os.Symlink("bad\xfftarget", filepath.Join(dir, "badlink")))

	var sink *sourcetest.Sink
	var c holdfast.Captured
	sink = sourcetest.NewSink(t)
	src := newSource(t, dir, files.Options{})
	var captureErr error
	must(t, os.Chmod(sink.Dir, 0o777))
	must(t, os.Chmod(filepath.Dir(sink.Dir), 0o755))
	asNobody(t, dir, func() { c, captureErr = src.Capture(t.Context(), sink) })
	must(t, captureErr)

	for object, message := range map[string]string{
		"secret":            "it cannot be read: permission denied",
		"closed":            "it cannot be read: permission denied",
		"pipe":              "a named pipe cannot be backed up",
		"socket":            "a socket cannot be backed up",
		`"bad\xff\xfename"`: "its name is not valid UTF-8 and cannot be recorded",
		"badlink":           "the target of this link is not valid UTF-8 and cannot be recorded",
	} {
		p := problem(t, c, object)
		if p.Severity != holdfast.Incomplete || p.Message != message || p.Hint == "" || p.Source != "notes" {
			t.Errorf("%s is told as %+v", object, p)
		}
	}
	if len(c.Problems) != 6 {
		t.Errorf("%d problems, want 6: %+v", len(c.Problems), c.Problems)
	}
	for name, want := range map[string]string{"good": "1", "after": "4", `back\slash`: "6"} {
		if got := string(content(t, sink, name)); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if got := c.Facts.Files.Files; got != 3 {
		t.Errorf("%d files counted, want 3", got)
	}
}

func TestCapture_UnreadableRootIsAnError(t *testing.T) {
	dir := tree(t, map[string]string{"f": "1"})
	must(t, os.Chmod(dir, 0))
	t.Cleanup(func() { must(t, os.Chmod(dir, 0o755)) })
	var err error
	src, sink := newSource(t, dir, files.Options{}), sourcetest.NewSink(t)
	asNobody(t, dir, func() { _, err = src.Capture(t.Context(), sink) })
	if err == nil || holdfast.HintOf(err) == "" || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names %s and says what to do", err, dir)
	}
}

func TestCapture_SpecialFileAsSourceIsRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(pipe, 0o644))
	_, err := newSource(t, pipe, files.Options{}).Capture(t.Context(), sourcetest.NewSink(t))
	if holdfast.ExitCode(err) != holdfast.ExitUsage {
		t.Errorf("got %v, want wrong usage", err)
	}
}

// deepen makes a chain of directories that is longer than a path may be.
func deepen(t *testing.T, root *os.Root, name string, levels int) {
	t.Helper()
	for range levels {
		must(t, root.Mkdir(name, 0o755))
		next, err := root.OpenRoot(name)
		must(t, err)
		root.Close()
		root = next
	}
	must(t, root.WriteFile("bottom", []byte("deep down"), 0o644))
	root.Close()
}

func TestCapture_DeepTrees(t *testing.T) {
	name := strings.Repeat("d", 9)
	for _, c := range []struct {
		levels   int
		captured bool
	}{{250, true}, {600, false}} {
		t.Run(fmt.Sprint(c.levels), func(t *testing.T) {
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			must(t, err)
			deepen(t, root, name, c.levels)
			sink := sourcetest.NewSink(t)
			got, err := newSource(t, dir, files.Options{}).Capture(t.Context(), sink)
			must(t, err)
			_, ok := sink.Entries()[strings.Repeat(name+"/", c.levels)+"bottom"]
			if ok != c.captured || (len(got.Problems) == 0) != c.captured {
				t.Errorf("captured %v with %d problems, want captured %v", ok, len(got.Problems), c.captured)
			}
			for _, p := range got.Problems {
				if p.Severity != holdfast.Incomplete || !strings.Contains(p.Message, "too long to be restored") {
					t.Errorf("reported as %+v", p)
				}
			}
		})
	}
}

func TestCapture_ProblemsAreBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range 1200 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("\xff%d", i)), nil, 0o644))
	}
	_, c := capture(t, dir, files.Options{})
	if len(c.Problems) != 1001 || c.Problems[1000].Message != "200 more problems like these were left untold" {
		t.Errorf("%d problems, the last %+v", len(c.Problems), c.Problems[len(c.Problems)-1])
	}
}
