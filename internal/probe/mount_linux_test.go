package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/holdfast-backup/holdfast"
)

// mountedAs names, for a process of this test that has mounts of its own, what
// it mounts and probes.
const mountedAs = "HOLDFAST_TEST_MOUNT"

func TestMain(m *testing.M) {
	if how := os.Getenv(mountedAs); how != "" {
		os.Exit(probeMounted(how, os.Getenv(mountedAs+"_DIR")))
	}
	os.Exit(m.Run())
}

// mounts are file systems as they go wrong, each below an empty directory. They
// give the directory to probe.
var mounts = map[string]func(dir string) (string, error){
	"memory": func(dir string) (string, error) {
		return dir, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=200m")
	},
	"read-only": func(dir string) (string, error) {
		return dir, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, "size=200m")
	},
	"bound read-only": func(dir string) (string, error) {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return "", err
		}
		// What the mount below forbids already must stay forbidden.
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return "", err
		}
		kept := uintptr(st.Flags) & (unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
		if uintptr(st.Flags)&unix.ST_RELATIME != 0 {
			kept |= unix.MS_RELATIME
		}
		return dir, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|kept, "")
	},
	"full": func(dir string) (string, error) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			return "", err
		}
		err := os.WriteFile(filepath.Join(dir, "log"), make([]byte, 1<<20), 0o600)
		if !errors.Is(err, unix.ENOSPC) {
			return "", fmt.Errorf("it is not full: %v", err)
		}
		return dir, nil
	},
	// A file still fits, the shared memory of the WAL mode does not.
	"nearly full": func(dir string) (string, error) {
		return dir, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24k")
	},
	"no inodes": func(dir string) (string, error) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=200m,nr_inodes=2"); err != nil {
			return "", err
		}
		return dir, os.WriteFile(filepath.Join(dir, "last"), nil, 0o600)
	},
	"container": func(dir string) (string, error) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=200m"); err != nil {
			return "", err
		}
		for _, part := range []string{"lower", "upper", "work", "merged"} {
			if err := os.Mkdir(filepath.Join(dir, part), 0o700); err != nil {
				return "", err
			}
		}
		merged := filepath.Join(dir, "merged")
		options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work,userxattr", dir)
		return merged, unix.Mount("overlay", merged, "overlay", 0, options)
	},
}

// probeMounted is the process with mounts of its own; they end with it.
func probeMounted(how, dir string) int {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Fprintln(os.Stderr, "private mounts:", err)
		return 1
	}
	dir, err := mounts[how](dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, how+":", err)
		return 1
	}
	found := Dir(context.Background(), dir, Options{SQLite: true, Make: true})
	quick := ""
	if err := Quick(context.Background(), dir, 0); err != nil {
		quick = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(mounted{found, quick}); err != nil {
		return 1
	}
	return 0
}

// mounted is what such a process found.
type mounted struct {
	Storage holdfast.Storage
	Quick   string
}

func TestDir_RealFileSystems(t *testing.T) {
	for how, want := range map[string]struct {
		findings, kind, quick string
	}{
		"memory":          {"memory", "tmpfs", ""},
		"read-only":       {"read_only memory", "tmpfs", "read-only file system"},
		"bound read-only": {"read_only", "", "read-only file system"},
		"full":            {"full memory", "tmpfs", "0 B are left"},
		"nearly full":     {"full memory", "tmpfs", "24 KiB are left"},
		"no inodes":       {"full memory", "tmpfs", "no space left on device"},
		"container":       {"overlay", "overlay", ""},
	} {
		t.Run(how, func(t *testing.T) {
			got := inMounts(t, how)
			var codes []string
			for _, f := range got.Storage.Findings {
				codes = append(codes, string(f.Code))
			}
			found := strings.Join(codes, " ")
			if want.kind == "" { // it lies where the machine of the test lies
				found, _, _ = strings.Cut(found, " ")
			}
			if found != want.findings || want.kind != "" && got.Storage.FileSystem != want.kind {
				t.Errorf("found %q on %s, want %q: %+v", found, got.Storage.FileSystem, want.findings, got.Storage)
			}
			told(t, got.Storage)
			if (got.Quick == "") != (want.quick == "") || !strings.Contains(got.Quick, want.quick) {
				t.Errorf("quick says %q, want %q", got.Quick, want.quick)
			}
		})
	}
}

// Root may write everywhere, so for root the thread of this test becomes
// somebody else to the file system.
func TestDir_Denied(t *testing.T) {
	dir := t.TempDir()
	if os.Getuid() == 0 {
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if was, err := unix.SetfsuidRetUid(0); was != nobody || err != nil {
				t.Errorf("the thread was %d (%v)", was, err)
			}
		}()
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{dir, filepath.Join(dir, "below")} {
		found := Dir(t.Context(), place, Options{SQLite: true, Make: true})
		if codes(found) != "denied" {
			t.Errorf("%s: found %+v", place, found)
		}
		told(t, found)
		if err := Quick(t.Context(), dir, 0); !errors.Is(err, fs.ErrPermission) || holdfast.HintOf(err) == "" {
			t.Errorf("quick says %v", err)
		}
	}
}

// inMounts runs this program again in mounts of its own: as root as it is,
// otherwise as the root of a user namespace.
func inMounts(t *testing.T, how string) mounted {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, complaint bytes.Buffer
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), mountedAs+"="+how, mountedAs+"_DIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("a process with mounts of its own (as root, or where user namespaces are allowed): %v: %s", err, &complaint)
	}
	var got mounted
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("it says %q: %v", &out, err)
	}
	return got
}
