// Package startup decides, before a program begins, about the data that it is
// about to open: keep it, bring a backup back, or begin anew.
//
// Start from [Prepare], which looks at the data ([Examine]), and where that is
// lost or damaged brings back the newest backup that proves good: from the
// repository, its replicas, or the mirror file. [Overtaken] is for afterwards, in
// the background: does a backup hold something newer than what was kept? [Place]
// puts one file in another's place so that a cut at any point is finished at the
// next start; the restore of a mirror uses it, and so does a program whose data
// comes back from memory to a disk.
//
// What it promises:
//
//   - Healthy data is never replaced, neither by an older backup nor by a newer
//     one. A database that has lost committed changes with a part of its log is not
//     healthy if the newest backup has them still. Data that somebody keeps locked,
//     and data that cannot be checked here, counts as healthy; data that cannot be
//     read (permissions, a failing disk) is no reason to replace it, but the start
//     fails.
//   - Nothing is taken for a first start while backups may exist out of reach:
//     that is an error which matches [ErrOutOfReach].
//   - What is replaced is kept: in an emergency backup, aside, or both.
//   - Of several processes that start at once on the same storage one restores,
//     and the others find its work.
//
// The rest of the files: examine.go and chroma.go (what is there), candidates.go
// and mirror.go (what could be brought back), restore.go (bringing it back),
// torn.go (a log that has lost changes), words.go (what is told), lock.go (one at a
// time), place.go and settle.go (one file in another's place).
package startup

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Options are what Prepare works with.
type Options struct {
	Source holdfast.Source
	// Mirror is a file that holds the newest backup as a plain database; empty
	// if there is none. Only SQLite sources have one.
	Mirror string
	// Engine gives the engine whose backups can be brought back. It is asked
	// only if that is needed. An error that matches holdfast.ErrNotFound says
	// that there is no repository; any other, that there may be one. Nil is as
	// if there were none.
	Engine func(context.Context) (*engine.Engine, error)
	// StateDir is the engine's. If it is given, a restore that was cut is
	// settled even if the data looks healthy.
	StateDir string
	// Trusted is the state (see holdfast.Peeker) at which the data was known
	// to be sound; empty if it is not known.
	Trusted string
	// Unopened tells that nothing of this process has the data open, and that
	// nothing will before Prepare returns: the log of a database may be looked
	// at as a file then, to find out whether it is torn.
	Unopened bool
	// Budget bounds the check of the data; zero is DefaultBudget.
	Budget time.Duration
	// Wait bounds the wait for another process: one that starts on the same
	// storage, or one that holds the repository. Zero is DefaultWait.
	Wait     time.Duration
	FS       durable.FS   // nil is the real file system
	Logger   *slog.Logger // nil discards
	Observer holdfast.Observer
	Now      func() time.Time // nil is time.Now
}

// DefaultWait is how long another process is waited for.
const DefaultWait = 20 * time.Second

// The ways in which a start fails because nothing could be restored. The
// decision that comes with them has the action StartFailed.
var (
	// ErrOutOfReach tells that the data is lost or damaged, and that its
	// backups, if there are any, cannot be reached now. Whoever begins with
	// empty data all the same takes the risk that it lives beside its backups.
	ErrOutOfReach = errors.New("the backups are out of reach")
	// ErrNothingUsable tells that the data is lost or damaged, and that no
	// backup of it could be brought back.
	ErrNothingUsable = errors.New("no backup can be restored")
)

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = durable.OS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	return o
}
