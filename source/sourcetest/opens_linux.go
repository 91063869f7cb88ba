package sourcetest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// opens notices who opens a file.
type opens struct {
	fd    int
	names map[int32]string
}

// watchOpens watches every file at and below the roots.
func watchOpens(t testing.TB, roots []string) *opens {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) }) // nothing was written
	o := &opens{fd: fd, names: map[int32]string{}}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			wd, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
			o.names[int32(wd)] = path
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// opened lists the files that were opened since the last call.
func (o *opens) opened(t testing.TB) []string {
	t.Helper()
	var names []string
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(o.fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			ev := (*unix.InotifyEvent)(unsafe.Pointer(&rest[0]))
			names = append(names, o.names[ev.Wd])
			rest = bytes.Clone(rest[unix.SizeofInotifyEvent+int(ev.Len):])
		}
	}
}

// notices tells whether an open of a watched file is noticed here.
func (o *opens) notices(t testing.TB, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return len(o.opened(t)) > 0
}
