// Package procs finds the processes that hold files open, so that a restore
// does not pull a database from under its owner.
//
// On Linux it reads /proc. Files are matched by path, which also finds those
// deleted or renamed while open, and by device and inode, which finds those
// opened through another name: a bind mount, a hard link, a container's view.
// Elsewhere [Holding] answers [ErrUnsupported] and the caller says so.
package procs

import "errors"

// ErrUnsupported tells that this system offers no way to ask.
var ErrUnsupported = errors.New("open files of other processes cannot be found on this system")

// A Handle is one file that a process holds open.
type Handle struct {
	PID     int
	Command string
	Path    string
	Of      int // index of the searched path that it belongs to
}

// A Scan is what was found.
type Scan struct {
	Handles []Handle // one for each process and file, by process
	// Hidden counts processes that could not be looked at, because they
	// belong to other users.
	Hidden int
}
