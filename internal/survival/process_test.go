package survival

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// holderData names the data for a process of this test that holds its marker
// until it is killed.
const holderData = "HOLDFAST_TEST_HOLDER"

func TestMain(m *testing.M) {
	if data := os.Getenv(holderData); data != "" {
		hold(data)
	}
	os.Exit(m.Run())
}

func hold(data string) {
	m, err := Open(Options{Data: data, Source: "bot"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	holds, err := m.Holds()
	fmt.Println("holds", holds, err)
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test kills this process, or ends
	os.Exit(0)
}

// holder starts a process that holds the marker.
func holder(t *testing.T, data string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holderData+"="+data)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "holds true <nil>\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	return cmd
}

func TestMarker_TakesOverAfterAKill(t *testing.T) {
	r, _ := newRepo(t)
	data := filepath.Join(t.TempDir(), "bot.db")
	first := holder(t, data)

	m, err := Open(Options{Data: data, Source: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	holds, err := m.Holds()
	if holds || err != nil {
		t.Errorf("two hold it: %v, %v", holds, err)
	}
	if want := fmt.Sprintf("process %d", first.Process.Pid); !strings.Contains(m.Other(), want) {
		t.Errorf("the other is %q, want %q", m.Other(), want)
	}
	want(t, m, holdfast.SurvivalTwo, "two instances are running on this storage, the other is process")
	if err := m.Renew(t.Context(), r); err != nil {
		t.Error(err)
	}
	if n := records(t, r); n != 0 {
		t.Errorf("a process that only stands by wrote %d records", n)
	}
	if err := m.Trust("state"); err != nil {
		t.Error(err)
	}

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed, and is gone now
	if err := m.Renew(t.Context(), r); err != nil {
		t.Error(err)
	}
	if holds, err = m.Holds(); !holds || err != nil || m.Other() != "" {
		t.Errorf("it did not take over: %v, %v, %q", holds, err, m.Other())
	}
	want(t, m, holdfast.SurvivalKept, "kept over 1 restart")
	if m.Trusted() != "" {
		t.Errorf("it trusts %q after a kill", m.Trusted())
	}

	// The other way round: a new process finds this one.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holderData+"="+data)
	out, err := cmd.Output()
	if err != nil || string(out) != "holds false <nil>\n" {
		t.Errorf("a second process says %q, %v", out, err)
	}
	end(t, m, r)
	last := holder(t, data) // the lock was given back
	if err := last.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = last.Wait()
}
