package child

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// isKilled starts a child and is killed, once threads have come and gone.
func isKilled() int {
	c, err := Start(shell(`echo $$ > "$1"; exec sleep 600`, os.Getenv("CHILD_TEST_FILE")))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for range 20 {
		ended := make(chan struct{})
		go func() {
			runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
			close(ended)
		}()
		<-ended
	}
	time.Sleep(100 * time.Millisecond)
	select {
	case <-c.Done():
		fmt.Println("the child ended before", c.Exit())
		return 1
	default:
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// A supervisor that is killed leaves no program behind, which nobody would back up
// and which the next start would meet.
func TestStart_TheChildEndsWithAParentThatIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_TEST_ROLE=killed", "CHILD_TEST_FILE="+file)
	out, err := parent.Output()
	if err == nil || parent.ProcessState.ExitCode() != -1 {
		t.Fatalf("the parent was not killed: %v, %s", err, out)
	}
	awaitEnd(t, await(t, file))
}
