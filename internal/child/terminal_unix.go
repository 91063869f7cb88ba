//go:build unix

package child

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopPatience is how long this process may take to stop itself. Without a shell
// that could continue it, the system does not let it stop.
const stopPatience = 200 * time.Millisecond

// A terminal is the one that this process works at, lent to the child.
type terminal struct {
	fd  int
	own int // our process group
}

// terminalOf gives the terminal that in is, if this process has its foreground
// and can give it away; else nil.
func terminalOf(in io.Reader) *terminal {
	f, ok := in.(*os.File)
	if !ok || f == nil {
		return nil
	}
	t := &terminal{fd: int(f.Fd()), own: syscall.Getpgrp()}
	if !t.ours() {
		return nil
	}
	return t
}

// ours tells whether this process is in the foreground.
func (t *terminal) ours() bool {
	group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && group == t.own
}

// give puts a process group into the foreground.
func (t *terminal) give(group int) {
	// A process in the background is stopped for this, unless it ignores that.
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group)
}

// takeBack puts this process into the foreground again.
func (t *terminal) takeBack() {
	if t != nil {
		t.give(t.own)
	}
}

// suspend follows a child that was stopped at the terminal: this process stops
// too, so that the shell takes over, and continues the child when it is itself
// continued.
func (t *terminal) suspend(child int) {
	if t == nil {
		return // whoever stopped it continues it
	}
	t.takeBack()
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	_ = syscall.Kill(0, syscall.SIGTSTP)
	select {
	case <-continued:
	case <-time.After(stopPatience):
	}
	if t.ours() { // not in the background
		t.give(child)
	}
	_ = syscall.Kill(-child, syscall.SIGCONT)
}
