//go:build unix

package dir_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

// With these in its environment the test binary is another process at work in
// the bucket: it takes the lease, says "locked", and then does its task until it
// is killed.
const (
	helperRoot = "HOLDFAST_TEST_BUCKET"
	helperTask = "HOLDFAST_TEST_TASK" // wait, write
)

func TestMain(m *testing.M) {
	if root := os.Getenv(helperRoot); root != "" {
		if err := help(context.Background(), root, os.Getenv(helperTask)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func help(ctx context.Context, root, task string) error {
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		return err
	}
	if _, err = b.Lock(ctx, holdfast.Owner{Host: "elsewhere", PID: os.Getpid(), Purpose: "the helper", Since: time.Now().UTC()}); err != nil {
		return err
	}
	fmt.Println("locked")
	if task != "write" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	for i := 0; ; i++ {
		name := fmt.Sprint("tree", i)
		if err := commitTree(ctx, b, name); err != nil {
			return err
		}
		fmt.Println(name)
		if i%3 == 2 {
			gone := fmt.Sprint("tree", i-1)
			if err := b.RemoveTree(ctx, gone, marker); err != nil {
				return err
			}
			fmt.Println("-" + gone)
		}
	}
}

// anotherProcess starts a process that holds the lease of root, and gives what
// it says after that.
func anotherProcess(t *testing.T, root, task string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperRoot+"="+root, helperTask+"="+task)
	cmd.Stderr = os.Stderr
	_, err1 := cmd.StdinPipe() // open as long as this test runs
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	says := bufio.NewScanner(out)
	if !says.Scan() || says.Text() != "locked" {
		t.Fatalf("the other process said %q (%v)", says.Text(), says.Err())
	}
	return cmd, says
}

// kill ends the other process as kill -9 does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the other process had ended by itself")
	}
}

// A writer killed at no particular moment loses nothing that it had reported,
// and leaves no half tree; what it left behind, its successor cleans.
func TestBucket_AKilledWriterLeavesWholeTrees(t *testing.T) {
	for round := range 6 {
		root := started(t)
		b := open(t, root, dir.Options{})
		whole := len(treeFiles(t, b, "old"))
		cmd, says := anotherProcess(t, root, "write")
		var said []string
		for range 3 + 2*round {
			if !says.Scan() {
				t.Fatalf("the writer stopped: %v", says.Err())
			}
			said = append(said, says.Text())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for says.Scan() { // what it said before it died
			said = append(said, says.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer had ended by itself")
		}
		lease, err := b.Lock(t.Context(), me)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := transient(t, root); len(got) > 0 {
			t.Errorf("round %d: Clean left %q", round, got)
		}
		for i, line := range said {
			name, removed := strings.CutPrefix(line, "-")
			removed = removed || slices.Contains(said, "-"+name)
			// The last but one may be going when the writer dies.
			going := i == len(said)-2 && said[i+1][0] != '-'
			switch files := len(treeFiles(t, b, name)); {
			case removed && files > 0:
				t.Errorf("round %d: %s is back, with %d files", round, name, files)
			case !removed && files != whole && !(going && files == 0):
				t.Errorf("round %d: %s holds %d files, want %d; said %q", round, name, files, whole, said)
			}
		}
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	}
}

// The system keeps the lock of a process that is stopped: nobody takes it over,
// and the owner goes on.
func TestLock_AStoppedOwnerKeepsIt(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	cmd, says := anotherProcess(t, root, "write")
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	if _, err := b.Lock(t.Context(), me); !errors.Is(err, holdfast.ErrLocked) {
		t.Errorf("got %v, want %v", err, holdfast.ErrLocked)
	}
	signal(syscall.SIGCONT)
	for range 20 { // more than it can have said before
		if !says.Scan() {
			t.Fatalf("the writer stopped: %v", says.Err())
		}
	}
	kill(t, cmd)
}

// Whoever removes the lock file of a running owner lets another in; the first
// changes nothing any more, and says why.
func TestLock_AWriterWithoutItsFileStops(t *testing.T) {
	root := started(t)
	b := open(t, root, dir.Options{})
	whole := len(treeFiles(t, b, "old"))
	cmd, says := anotherProcess(t, root, "write")
	for range 3 {
		if !says.Scan() {
			t.Fatalf("the writer stopped: %v", says.Err())
		}
	}
	if err := os.Remove(filepath.Join(root, ".holdfast", "lock")); err != nil {
		t.Fatal(err)
	}
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for says.Scan() {
		last = says.Text()
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(last, "the lease was lost") {
		t.Errorf("the writer ended with %v and said %q", err, last)
	}
	if _, err := b.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, err := range b.Folders(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "tree") && len(treeFiles(t, b, name)) != whole {
			t.Errorf("%s is half", name)
		}
	}
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
}

// treeFiles lists a tree.
func treeFiles(t *testing.T, b *dir.Bucket, name string) []string {
	t.Helper()
	var files []string
	for info, err := range b.List(t.Context(), name+"/") {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, strings.TrimPrefix(info.Key, name+"/"))
	}
	return files
}
