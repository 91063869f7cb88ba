package child

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for a container's entry point.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_ROLE") == "" {
		os.Exit(m.Run())
	}
	code, was, err := AsInit()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if was {
		os.Exit(code)
	}
	os.Exit(entryPoint())
}

// entryPoint is what the first process runs as its child. It tells who it is,
// leaves an orphan behind, and does what CHILD_TEST_ROLE says.
func entryPoint() int {
	switch os.Getenv("CHILD_TEST_ROLE") {
	case "terminal":
		return atTerminal()
	case "killed":
		return isKilled()
	}
	fmt.Printf("pid %d parent %d args %q\n", os.Getpid(), os.Getppid(), os.Args[1:])
	switch role := os.Getenv("CHILD_TEST_ROLE"); role {
	case "orphans":
		// The shell ends at once, and its children belong to the first process.
		for range 20 {
			if err := exec.Command("/bin/sh", "-c", "sleep 0.01 & sleep 0.02 &").Run(); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		for {
			left, zombies := processes()
			if left == 0 {
				fmt.Println("zombies", zombies)
				return 9
			}
			time.Sleep(5 * time.Millisecond)
		}
	case "signals":
		got := make(chan os.Signal, 4)
		signal.Notify(got, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP)
		fmt.Println("ready")
		for s := range got {
			fmt.Println("got", s)
			if s == syscall.SIGTERM {
				return 11
			}
		}
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return 0
}

// processes counts those of this namespace beside the first two, and how many of
// all are zombies.
func processes() (others, zombies int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if bytes.Contains(data, []byte(") Z ")) {
			zombies++
		}
		if pid := filepath.Base(filepath.Dir(name)); pid != "1" && pid != fmt.Sprint(os.Getpid()) {
			others++
		}
	}
	return others, zombies
}

// container runs the test binary as the first process of a namespace of its own.
func container(role string, out *os.File) *exec.Cmd {
	args := []string{"--pid", "--fork", "--mount-proc", "--kill-child"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	cmd := exec.Command("unshare", append(args, os.Args[0], "two words", "--flag")...)
	cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE="+role)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd
}

func outputFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func code(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestAsInit_ReapsOrphans(t *testing.T) {
	out := outputFile(t)
	if got := code(container("orphans", out).Run()); got != 9 {
		t.Errorf("the container ended with %d, want 9", got)
	}
	said, _ := os.ReadFile(out.Name())
	if want := `parent 1 args ["two words" "--flag"]`; !strings.Contains(string(said), want) || strings.HasPrefix(string(said), "pid 1 ") {
		t.Errorf("the program says %s, want %s", said, want)
	}
	if !strings.Contains(string(said), "zombies 0\n") {
		t.Errorf("not all were reaped: %s", said)
	}
}

func TestAsInit_TellsASignalAsAShellDoes(t *testing.T) {
	if got := code(container("killed", outputFile(t)).Run()); got != 137 {
		t.Errorf("the container ended with %d, want 137", got)
	}
}

func TestAsInit_ForwardsSignals(t *testing.T) {
	out := outputFile(t)
	cmd := container("signals", out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, out, "ready\n")
	first := firstProcess(t, cmd.Process.Pid)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGTERM} {
		if err := syscall.Kill(first, s); err != nil {
			t.Fatal(err)
		}
		waitFor(t, out, "got "+s.String()+"\n")
	}
	if got := code(cmd.Wait()); got != 11 {
		t.Errorf("the container ended with %d, want 11", got)
	}
}

func waitFor(t *testing.T, out *os.File, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		if said, _ := os.ReadFile(out.Name()); strings.Contains(string(said), text) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%q was not said", text)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// firstProcess finds what unshare has started, seen from outside.
func firstProcess(t *testing.T, unshare int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", unshare, unshare))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(data), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestAsInit_LeavesOthersAlone(t *testing.T) {
	if code, was, err := AsInit(); code != 0 || was || err != nil {
		t.Errorf("%d, %v, %v", code, was, err)
	}
}
