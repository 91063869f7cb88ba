// Package probe tries what a database needs of a directory, instead of
// believing what modes, mount flags and names of file systems say: to make,
// write, sync, read back and rename a file, to keep others out by a lock, to use
// SQLite's WAL mode. What is wrong or remarkable comes as findings, each with a
// sentence and what to do.
//
// Start from [Dir] for the whole probe, and [Quick] for a monitor that looks
// every few seconds. A probe leaves nothing behind; what is left of one that was
// cut is removed by a later one, and by durable.CleanTemps.
package probe

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// Options are what a directory is probed for.
type Options struct {
	// FS is what changes the disk; durable.OS if nil.
	FS durable.FS
	// Make makes the directory if it is missing.
	Make bool
	// Need is how many bytes must be free.
	Need int64
	// Repository is where the backups lie; a path is compared with the
	// directory, a URL is not.
	Repository string
	// SQLite tries a throw-away database in WAL mode.
	SQLite bool
}

// Dir probes a directory. It never fails: what could not be probed is a finding
// too. On a file system that does not answer it takes as long as that takes.
func Dir(ctx context.Context, dir string, o Options) holdfast.Storage {
	s := system{
		fsys: o.FS, stat: volume.Stat, same: volume.Same,
		read: os.ReadFile, locks: tryLocks, wal: sqlite.TryWAL,
	}
	if s.fsys == nil {
		s.fsys = durable.OS
	}
	return s.probe(ctx, dir, o)
}

// A system is what a probe asks. Tests put a part in its place that fails as
// broken file systems do.
type system struct {
	fsys  durable.FS
	stat  func(path string) (volume.Info, error)
	same  func(a, b string) (same, known bool)
	read  func(path string) ([]byte, error)
	locks func(file string) error
	wal   func(ctx context.Context, path string) error
}

// probe looks at the place first and works in it only if it is there.
func (s system) probe(ctx context.Context, dir string, o Options) holdfast.Storage {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	r := &report{dir: dir}
	there := s.find(r, o.Make)
	s.describe(r, o)
	if there && r.usable() && ctx.Err() == nil {
		s.work(ctx, r, o.SQLite)
	}
	if ctx.Err() != nil {
		r.add(holdfast.FindingUndecided, context.Cause(ctx).Error())
	}
	return r.storage()
}

// find tells whether the directory is there, and makes it if it should.
func (s system) find(r *report, mayMake bool) bool {
	info, err := os.Stat(r.dir)
	switch {
	case err == nil && info.IsDir():
		return true
	case err == nil:
		r.add(holdfast.FindingNotDir, "")
		return false
	case mayMake && os.IsNotExist(err):
		err = durable.MkdirAll(s.fsys, r.dir, 0o700)
	}
	if err != nil {
		r.failed(stepFind, err)
	}
	return err == nil
}

// The space without which no database can be made, with its log and shared
// memory, and the space that is remarkable although it suffices.
const (
	leastSpace = 256 << 10
	lowSpace   = 64 << 20
)

// describe tells what is known without writing.
func (s system) describe(r *report, o Options) {
	if o.Repository != "" && !isURL(o.Repository) {
		if same, known := s.same(r.dir, o.Repository); same && known {
			r.add(holdfast.FindingSameDisk, o.Repository)
		}
	}
	r.fileSystem, r.free = volume.Unknown, -1
	info, err := s.stat(r.dir)
	if err != nil {
		if len(r.findings) == 0 {
			r.failed(stepFind, err)
		}
		return
	}
	if info.Total == 0 { // some FUSE file systems fill in nothing
		info.Free, info.FreeInodes = -1, -1
	}
	r.fileSystem, r.free = info.Kind, info.Free
	switch {
	case info.Network():
		r.add(holdfast.FindingNetwork, info.Kind)
	case info.InMemory():
		r.add(holdfast.FindingMemory, info.Kind)
	case info.Layered():
		r.add(holdfast.FindingOverlay, info.Kind)
	}
	if info.ReadOnly {
		r.add(holdfast.FindingReadOnly, "")
		return
	}
	need := max(o.Need, leastSpace)
	switch {
	case info.FreeInodes == 0:
		r.add(holdfast.FindingFull, "no more files can be made: its inodes are used up")
	case info.Free < 0:
	case info.Free < need:
		r.add(holdfast.FindingFull, size(info.Free)+" are left, and "+size(need)+" are needed")
	case info.Free < lowSpace || info.Free-need < need:
		r.add(holdfast.FindingLow, size(info.Free)+" are left")
	}
}

// storage is what is handed out: the worst findings first.
func (r *report) storage() holdfast.Storage {
	worst := func(f holdfast.Finding) int {
		if f.Severity == holdfast.Damaged {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(r.findings, func(a, b holdfast.Finding) int { return worst(a) - worst(b) })
	return holdfast.Storage{Dir: r.dir, FileSystem: r.fileSystem, FreeBytes: r.free, Usable: r.usable(), Findings: r.findings}
}
