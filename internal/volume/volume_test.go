package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

func TestStat_TellsSpaceAndKind(t *testing.T) {
	dir := t.TempDir()
	info, err := Stat(filepath.Join(dir, "not", "yet", "there"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Path != dir {
		t.Errorf("asked %s, want the nearest existing %s", info.Path, dir)
	}
	if info.Free <= 0 || info.Total < info.Free || info.Kind == "" || info.ReadOnly {
		t.Errorf("implausible: %+v", info)
	}
}

func TestNearest(t *testing.T) {
	dir := t.TempDir()
	other := t.TempDir()
	file := filepath.Join(dir, "file")
	err := errors.Join(
		os.WriteFile(file, nil, 0o600),
		os.Symlink(filepath.Join(other, "later"), filepath.Join(dir, "dangling")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                                 dir,
		file:                                file,
		filepath.Join(dir, "a", "b"):        dir,
		filepath.Join(dir, "dangling"):      other,
		filepath.Join(dir, "dangling", "x"): other,
	} {
		if got, err := Nearest(path); err != nil || got != want {
			t.Errorf("Nearest(%s) = %s, %v, want %s", path, got, err, want)
		}
	}
	if got, err := Nearest(filepath.Join(dir, "loop")); err == nil {
		t.Errorf("a link to itself gave %s", got)
	}
}

func TestInfo_Network(t *testing.T) {
	for kind, want := range map[string]bool{
		"ext4": false, "overlay": false, "tmpfs": false, "fuse": false, "fuse.gocryptfs": false, Unknown: false,
		"nfs": true, "nfs4": true, "cifs": true, "smb2": true, "9p": true, "fuse.sshfs": true, "virtiofs": true,
	} {
		if got := (Info{Kind: kind}).Network(); got != want {
			t.Errorf("Network() of %s = %v, want %v", kind, got, want)
		}
	}
}

func TestWritable_LeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(Writable(durable.OS, dir), Writable(durable.OS, filepath.Join(dir, "absent", "too"))); err != nil {
		t.Fatal(err)
	}
	empty(t, dir)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func TestWritable_EveryBrokenStepIsTold(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir", "remove"} {
		t.Run(op, func(t *testing.T) {
			dir := t.TempDir()
			d, err := crashfs.New(dir, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			done := false
			d.Inject(func(o, _ string) error {
				if o != op || done {
					return nil
				}
				done = true
				return syscall.EROFS
			})
			err = Writable(d, dir)
			if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), dir) || holdfast.HintOf(err) == "" {
				t.Errorf("got %v with hint %q", err, holdfast.HintOf(err))
			}
			if op != "remove" {
				empty(t, dir)
			}
		})
	}
}

func TestWritable_AFileIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Writable(durable.OS, file); err == nil {
		t.Error("a file was taken for a writable directory")
	}
}

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		err      error
		kind     error
		text     string
		hintHas  string
		exitCode int
	}{
		{&fs.PathError{Op: "write", Path: "/tmp/.tmp-x", Err: syscall.ENOSPC}, holdfast.ErrRefused, "write " + dir + ": no space left on device", "free some space: ", holdfast.ExitRefused},
		{fmt.Errorf("copy: %w", syscall.EDQUOT), holdfast.ErrRefused, "write " + dir + ": copy: disk quota exceeded", "free some space", holdfast.ExitRefused},
		{syscall.EROFS, syscall.EROFS, "write " + dir + ": read-only file system", "mounted read-only", holdfast.ExitFailed},
		{syscall.EACCES, fs.ErrPermission, "write " + dir + ": permission denied", "permission", holdfast.ExitFailed},
		{syscall.EIO, syscall.EIO, "write " + dir + ": input/output error", "disk", holdfast.ExitFailed},
		{fs.ErrNotExist, fs.ErrNotExist, "write " + dir + ": file does not exist", "", holdfast.ExitFailed},
	} {
		err := Explain("write", dir, tt.err)
		if !errors.Is(err, tt.kind) || err.Error() != tt.text || !strings.Contains(holdfast.HintOf(err), tt.hintHas) || holdfast.ExitCode(err) != tt.exitCode {
			t.Errorf("%v became %q (hint %q, exit %d), want %q", tt.err, err, holdfast.HintOf(err), holdfast.ExitCode(err), tt.text)
		}
	}
	full := Explain("write", dir, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if !errors.Is(full, syscall.ENOSPC) {
		t.Error("the cause is lost")
	}
	if err := Explain("write", dir, nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

func TestInfo_WhatIsGoneWithTheContainer(t *testing.T) {
	for kind, want := range map[string]string{
		"ext4": "", "tmpfs": "memory", "ramfs": "memory", "overlay": "layer", "aufs": "layer", "fuse.sshfs": "", Unknown: "",
	} {
		got := ""
		info := Info{Kind: kind}
		if info.InMemory() {
			got += "memory"
		}
		if info.Layered() {
			got += "layer"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", kind, got, want)
		}
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	if same, known := Same(dir, filepath.Join(dir, "not", "yet")); !same || !known {
		t.Errorf("a directory and one below it: same %v, known %v", same, known)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if _, known := Same(dir, loop); known {
		t.Error("the device of a link to itself is known")
	}
}
