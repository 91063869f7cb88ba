//go:build linux

package test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// release runs the release script for this system and gives the folder of the
// archives.
func release(t *testing.T, args ...string) (dir, output string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "./release.sh", args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "DIST="+dir)
	out, err := cmd.CombinedOutput()
	return dir, string(out), err
}

// unpacked gives the files of a release archive, by their names below its folder.
func unpacked(t *testing.T, archive, folder string) map[string][]byte {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name, found := strings.CutPrefix(h.Name, folder+"/")
		if !found {
			t.Errorf("%s lies outside of %s", h.Name, folder)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// What is published is one static program that knows its version, and the same
// bytes each time. It runs where there is nothing else, as in the image that
// contrib/docker/Dockerfile builds from scratch: without a shell or a library,
// not as root.
func TestRelease_RunsInAnEmptyImage(t *testing.T) {
	t.Parallel()
	dist, out, err := release(t, "v1.2.3-rc.1", "linux/amd64")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const folder = "holdfast_1.2.3-rc.1_linux_amd64"
	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = dist
	if said, err := sums.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	archive := filepath.Join(dist, folder+".tar.gz")
	files := unpacked(t, archive, folder)
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "completions/holdfast.bash", "completions/holdfast.zsh", "completions/holdfast.fish"} {
		if len(files[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}
	program, err := elf.NewFile(bytes.NewReader(files["holdfast"]))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it is not static: %v %v", libraries, err)
	}

	again, out, err := release(t, "v1.2.3-rc.1", "linux/amd64")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, second := read(t, archive), read(t, filepath.Join(again, folder+".tar.gz"))
	if !bytes.Equal(first, second) {
		t.Error("two builds of one commit differ")
	}

	const nobody = 65532
	root := t.TempDir()
	for _, dir := range []string{"tmp", "backups"} {
		if err := errors.Join(os.Mkdir(filepath.Join(root, dir), 0o700), os.Chown(filepath.Join(root, dir), nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(root, 0o755), os.WriteFile(filepath.Join(root, "holdfast"), files["holdfast"], 0o755)); err != nil {
		t.Fatal(err)
	}
	// As every container has it: the processes that hold a database are found there.
	proc := filepath.Join(root, "proc")
	if err := errors.Join(os.Mkdir(proc, 0o555), syscall.Mount("proc", proc, "proc", 0, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(proc, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	inside := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "/holdfast", args...)
		cmd.Dir, cmd.Env = "/tmp", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("holdfast %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if got := inside("version"); !strings.HasPrefix(got, "holdfast 1.2.3-rc.1 (") {
		t.Errorf("the version: %s", got)
	}
	inside("demo")
}

func TestRelease_RefusesWhatIsNoVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "1.2", "v1.2.3; rm -rf x", "latest"} {
		if dist, out, err := release(t, version); err == nil || !strings.Contains(out, "name a version") {
			t.Errorf("%q: %v\n%s", version, err, out)
		} else if _, err := os.Stat(dist); err == nil {
			t.Errorf("%q left %s behind", version, dist)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
