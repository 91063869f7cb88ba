//go:build unix

package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

var me = holdfast.Owner{Host: "here", PID: 1, Purpose: "a test"}

func TestLock_AnotherProcessIsNamedAndItsDeathFreesTheLock(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	other, _ := anotherProcess(t, root, "wait")
	_, err := b.Lock(t.Context(), me)
	locked, ok := errors.AsType[*holdfast.LockedError](err)
	if !ok {
		t.Fatalf("got %v, want a LockedError", err)
	}
	if locked.Owner.PID != other.Process.Pid || locked.Owner.Host != "elsewhere" || locked.Owner.Purpose != "the helper" || locked.Owner.Since.IsZero() {
		t.Errorf("the owner is %+v, want process %d", locked.Owner, other.Process.Pid)
	}
	kill(t, other)
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatalf("the owner is dead, but: %v", err)
	}
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
}

func TestLock_OneOwnerByAnyPath(t *testing.T) {
	root := started(t)
	link := filepath.Join(filepath.Dir(root), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	lease, err := open(t, root, dir.Options{}).Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if _, err := open(t, link, dir.Options{}).Lock(t.Context(), me); !errors.Is(err, holdfast.ErrLocked) {
		t.Errorf("through a link: %v, want %v", err, holdfast.ErrLocked)
	}
}

func TestLock_LeavesNothingButItsFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "new")
	b := open(t, root, dir.Options{})
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(root, ".holdfast", "lock")); err != nil || !strings.Contains(string(data), `"purpose":"a test"`) {
		t.Errorf("the lock file says %q (%v)", data, err)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(root, ".holdfast", "lock")); err != nil || strings.TrimSpace(string(data)) != "" {
		t.Errorf("after the release the lock file says %q (%v)", data, err)
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 || entries[0].Name() != ".holdfast" {
		t.Errorf("the root holds %v (%v)", entries, err)
	}
	if got := contents(t, b); len(got) > 0 {
		t.Errorf("listed: %s", describe(got))
	}
}

func TestLock_IsLostWithItsFile(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{LockCheck: time.Millisecond})
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, ".holdfast")); err != nil {
		t.Fatal(err)
	}
	<-lease.Lost() // the test's own deadline is the limit
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
	again, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

func TestBucket_Fencing(t *testing.T) {
	for name, replace := range map[string]bool{"its file is gone": false, "its file is another": true} {
		t.Run(name, func(t *testing.T) {
			buckettest.RunFencing(t, func(t *testing.T) (bucket.Bucket, func()) {
				root := filepath.Join(t.TempDir(), "repository")
				return open(t, root, dir.Options{LockCheck: time.Millisecond}), func() {
					lock := filepath.Join(root, ".holdfast", "lock")
					err := os.Remove(lock)
					if replace {
						err = errors.Join(err, os.WriteFile(lock, []byte("\n"), 0o600))
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func TestLock_AnUnreadableOwnerIsStillAnOwner(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	anotherProcess(t, root, "wait")
	if err := os.WriteFile(filepath.Join(root, ".holdfast", "lock"), []byte("\n{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Lock(t.Context(), me)
	if !errors.Is(err, holdfast.ErrLocked) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
}

func TestLock_ALinkIsNoLockFile(t *testing.T) {
	root := started(t)
	precious := filepath.Join(filepath.Dir(root), "precious")
	err := errors.Join(
		os.WriteFile(precious, []byte("precious"), 0o600),
		os.Symlink(precious, filepath.Join(root, ".holdfast", "lock")),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, root, dir.Options{}).Lock(t.Context(), me); err == nil {
		t.Error("locked through a link")
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "precious" {
		t.Errorf("the link's target holds %q (%v)", data, err)
	}
}
