//go:build unix

package s3_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// With these in its environment the test binary is another process at work in
// the bucket: it takes the lease, stages a tree, says "staged", and commits it
// when it is told to go on.
const (
	helperURL  = "HOLDFAST_TEST_S3_URL"
	helperSkew = "HOLDFAST_TEST_S3_SKEW" // how wrong its wall clock is
	helperTTL  = "HOLDFAST_TEST_S3_TTL"
)

// The leases of the processes here: one to wait for, and one that a machine
// with much to do does not miss.
const (
	shortTTL = 2 * time.Second
	longTTL  = 5 * time.Second
)

func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond // it waits even after its last attempt
	if url := os.Getenv(helperURL); url != "" {
		if err := help(context.Background(), url); err != nil {
			fmt.Println("error:", err)
			os.Exit(holdfast.ExitCode(err))
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func help(ctx context.Context, url string) error {
	skew, err1 := time.ParseDuration(os.Getenv(helperSkew))
	ttl, err2 := time.ParseDuration(os.Getenv(helperTTL))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	o, err := s3.Parse(url)
	if err != nil {
		return err
	}
	o.LeaseTTL, o.Deadline = ttl, 20*time.Second
	o.Now = func() time.Time { return time.Now().Add(skew) }
	b, err := s3.New(o)
	if err != nil {
		return err
	}
	lease, err := b.Lock(ctx, holdfast.Owner{Host: "elsewhere", PID: os.Getpid(), Purpose: "the helper"})
	if err != nil {
		return err
	}
	s, err := b.Stage(ctx, "theirs", bucket.StageOptions{Marker: marker})
	if err != nil {
		return err
	}
	w, err := s.Create(ctx, "a")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "theirs")
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	fmt.Println("staged")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	if err := s.Commit(ctx, []byte("{}")); err != nil {
		select {
		case <-lease.Lost():
			fmt.Println("Lost has told")
		default:
		}
		return err
	}
	fmt.Println("committed")
	return lease.Release()
}

// process is the other process.
type process struct {
	cmd  *exec.Cmd
	in   io.Writer
	says *bufio.Scanner
}

func another(t *testing.T, url string, ttl, skew time.Duration) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperURL+"="+url, helperSkew+"="+skew.String(), helperTTL+"="+ttl.String())
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
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
	p := &process{cmd, in, bufio.NewScanner(out)}
	p.expect(t, "staged")
	return p
}

func (p *process) expect(t *testing.T, want string) {
	t.Helper()
	if !p.says.Scan() || !strings.Contains(p.says.Text(), want) {
		t.Fatalf("the other process said %q (%v), want %q", p.says.Text(), p.says.Err(), want)
	}
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (p *process) goOn(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		t.Fatal(err)
	}
}

// takeOver tries until the lease of the other process has run out.
func takeOver(t *testing.T, b *s3.Bucket, pid int) bucket.Lease {
	t.Helper()
	for {
		lease, err := b.Lock(t.Context(), me) // the test's own deadline is the limit
		if err == nil {
			return lease
		}
		if locked, ok := errors.AsType[*holdfast.LockedError](err); !ok || locked.Owner.PID != pid {
			t.Fatalf("got %v, want process %d as the owner", err, pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

var skews = []time.Duration{0, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour}

func TestLease_AKilledOwnersRunsOut(t *testing.T) {
	server := s3test.Start(t)
	url := server.URL(server.NewBucket(t), "repo")
	other := another(t, url, shortTTL, 0)
	other.signal(t, syscall.SIGKILL)
	if err := other.cmd.Wait(); err == nil {
		t.Fatal("the other process had ended by itself")
	}
	b := open(t, url)
	lease := takeOver(t, b, other.cmd.Process.Pid)
	removed, err := b.Clean(t.Context())
	if err != nil || len(removed) != 1 || removed[0] != "theirs" {
		t.Errorf("Clean removed %q (%v), want what the dead owner left", removed, err)
	}
	if err := errors.Join(commitTree(t, b, "ours", bucket.StageOptions{Marker: marker}), lease.Release()); err != nil {
		t.Fatal(err)
	}
	checkTree(t, b, "ours")
}

// The owner is stopped for longer than its lease, another takes over and writes,
// and the first wakes: whatever the clocks of both say, its commit is refused
// and nothing of it is visible.
func TestLease_AStoppedOwnerIsFenced(t *testing.T) {
	server := s3test.Start(t)
	type contest struct {
		b     *s3.Bucket
		other *process
		lease bucket.Lease
	}
	var all []*contest
	for _, skew := range skews { // all asleep at the same time
		url := server.URL(server.NewBucket(t), "repo")
		other := another(t, url, shortTTL, skew)
		other.signal(t, syscall.SIGSTOP)
		all = append(all, &contest{b: open(t, url), other: other})
	}
	for _, c := range all {
		c.lease = takeOver(t, c.b, c.other.cmd.Process.Pid)
	}
	for i, c := range all {
		if i%2 == 0 { // the others did not even look at what was left
			if _, err := c.b.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := commitTree(t, c.b, "ours", bucket.StageOptions{Marker: marker}); err != nil {
			t.Fatal(err)
		}
		c.other.signal(t, syscall.SIGCONT)
		c.other.goOn(t)
		c.other.expect(t, "Lost has told")
		c.other.expect(t, "error: ")
		err := c.other.cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != holdfast.ExitLocked {
			t.Errorf("a clock off by %v: the other process ended with %v, want exit code %d", skews[i], err, holdfast.ExitLocked)
		}
		for info, err := range c.b.List(t.Context(), "") {
			if err != nil || !strings.HasPrefix(info.Key, "ours/") {
				t.Errorf("a clock off by %v: visible: %s (%v)", skews[i], info.Key, err)
			}
		}
		if _, err := c.b.Open(t.Context(), "theirs/"+marker); err == nil {
			t.Errorf("a clock off by %v: the tree of the stopped owner is whole", skews[i])
		}
		checkTree(t, c.b, "ours")
		if err := c.lease.Release(); err != nil {
			t.Error(err)
		}
	}
}

// However wrong its clock is, a living owner keeps its lease against a reader
// whose clock is right, and commits.
func TestLease_ALivingOwnerKeepsItWithAnyClock(t *testing.T) {
	server := s3test.Start(t)
	type contest struct {
		b     *s3.Bucket
		other *process
	}
	var all []contest
	for _, skew := range skews {
		url := server.URL(server.NewBucket(t), "repo")
		all = append(all, contest{open(t, url), another(t, url, longTTL, skew)})
	}
	for until := time.Now().Add(longTTL + longTTL/4); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		for i, c := range all {
			if _, err := c.b.Lock(t.Context(), me); !errors.Is(err, holdfast.ErrLocked) {
				t.Fatalf("a clock off by %v: got %v, want %v", skews[i], err, holdfast.ErrLocked)
			}
		}
	}
	for i, c := range all {
		c.other.goOn(t)
		c.other.expect(t, "committed")
		if err := c.other.cmd.Wait(); err != nil {
			t.Error(err)
		}
		lease, err := c.b.Lock(t.Context(), me)
		if err != nil {
			t.Fatalf("the lease was given back, but: %v", err)
		}
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
		if _, err := c.b.Open(t.Context(), "theirs/"+marker); err != nil {
			t.Errorf("a clock off by %v: %v", skews[i], err)
		}
	}
}

// A stopped owner whom nobody followed goes on: its lease was free, but it is
// still the one that was written last.
func TestLease_AStoppedOwnerWithoutSuccessorGoesOn(t *testing.T) {
	server := s3test.Start(t)
	url := server.URL(server.NewBucket(t), "repo")
	other := another(t, url, shortTTL, 0)
	other.signal(t, syscall.SIGSTOP)
	time.Sleep(shortTTL + shortTTL/4)
	other.signal(t, syscall.SIGCONT)
	other.goOn(t)
	other.expect(t, "committed")
	if err := other.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
