// Package crashfs is a durable.FS for tests that can be cut after any single
// operation, as by kill -9 or a power cut, over a real directory that the code
// under test reads with package os as usual.
//
// Start from [New], let the code run until [ErrCut] stops it, then [Disk.Reboot]
// leaves on the real disk what the chosen [Mode] of crash leaves, and recovery
// can be tried:
//
//	for n := 0; ; n++ {
//		d, err := crashfs.New(root, n)
//		…
//		_ = write(d) // its error is not the point
//		cut := d.WasCut()
//		if err := d.Reboot(crashfs.PowerCut); err != nil { … }
//		… // old or new, never a mixture
//		if !cut {
//			break // every crash point has been visited
//		}
//	}
//
// The model is pessimistic where POSIX promises nothing: data that was never
// synced is gone, a name whose directory was never synced is not there, a
// removed one is back. Code that survives it survives real file systems, which
// are kinder. Only paths below the root may be touched.
package crashfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// ErrCut is the error of every operation after the cut.
var ErrCut = errors.New("crashfs: the power is cut")

// ErrOutside is the error of an operation on a path that is not below the root.
var ErrOutside = errors.New("crashfs: the path is outside of the disk")

// Never is a cut that does not come.
const Never = -1

// A Mode is a kind of crash.
type Mode int

// The modes of Reboot.
const (
	// Kill ends the process: everything done so far is kept.
	Kill Mode = iota
	// PowerCut loses all that was not synced: data back to the last sync of
	// its file, overwritten ranges zeroed; names back to the last sync of
	// their directory; modes and times likewise.
	PowerCut
	// DataLost keeps all changes of names but loses data that was not
	// synced, as a file system does that journals metadata only.
	DataLost
)

// Modes lists all modes, for tests that try each.
func Modes() []Mode { return []Mode{Kill, PowerCut, DataLost} }

// String names the mode in test output.
func (m Mode) String() string {
	switch m {
	case Kill:
		return "Kill"
	case PowerCut:
		return "PowerCut"
	case DataLost:
		return "DataLost"
	}
	return "Mode(" + strconv.Itoa(int(m)) + ")"
}

// A Disk is a durable.FS that can be cut. Its methods may be called from
// several goroutines.
type Disk struct {
	root string // without symbolic links

	mu     sync.Mutex
	left   int // operations until the cut, or Never
	ops    int
	cutAt  string // the operation that was refused first
	inject func(op, name string) error
	tree   *node          // the model of the disk, root first
	graves string         // where removed files wait, outside of the root
	buried int            // numbers the graves
	open   map[*file]bool // handles to close at Reboot
}

var _ durable.FS = (*Disk)(nil)

// New makes a disk of the existing directory root, all of which counts as
// durable. After n operations the power is cut; Never disables that.
func New(root string, n int) (*Disk, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	d := &Disk{root: abs, left: n, open: map[*file]bool{}}
	return d, d.start()
}

// start makes a fresh model of what is on the real disk now.
func (d *Disk) start() error {
	d.tree = newDir()
	if err := d.adoptAll(d.tree, d.root); err != nil {
		return err
	}
	// Beside the root: on the same file system, and in the way of nobody.
	graves, err := os.MkdirTemp(filepath.Dir(d.root), ".crashfs-")
	d.graves = graves
	return err
}

// Close removes what the disk keeps beside its root and leaves the root as the
// code under test sees it now. It is for disks that are never rebooted.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closeFiles()
	return os.RemoveAll(d.graves)
}

// CutAfter sets the cut to come after n further operations.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.cutAt = n, ""
}

// Inject sets a function that is asked before each operation, by its name
// ("create", "write", "rename" …) and path; an error that it returns is the
// operation's outcome. It is for full disks and broken ones.
func (d *Disk) Inject(fault func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inject = fault
}

// WasCut tells whether an operation was refused since the last start.
func (d *Disk) WasCut() bool { return d.CutAt() != "" }

// CutAt describes the operation that was refused first, for test output.
func (d *Disk) CutAt() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cutAt
}

// Ops is how many operations were made since New or Reboot.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// begin counts one operation, or refuses it.
func (d *Disk) begin(op string, names ...string) error {
	if d.cutAt != "" {
		return ErrCut
	}
	if d.left == 0 {
		d.cutAt = fmt.Sprintf("operation %d: %s %s", d.ops+1, op, strings.Join(names, " "))
		return ErrCut
	}
	if d.left > 0 {
		d.left--
	}
	d.ops++
	if d.inject != nil {
		return d.inject(op, names[0])
	}
	return nil
}

// alive refuses to go on after the cut, without counting.
func (d *Disk) alive() error {
	if d.cutAt != "" {
		return ErrCut
	}
	return nil
}

func (d *Disk) closeFiles() {
	for f := range d.open {
		_ = f.f.Close() // the process is dead; nobody is left to tell
	}
	clear(d.open)
}
