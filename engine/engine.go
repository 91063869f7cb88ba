// Package engine is the verbs of holdfast: backup, verify, restore with its
// journal, rollback, recover, prune, export, drill. Every surface (command line,
// HTTP, Telegram, library) calls these and shows their events; none has logic
// of its own. The engine knows no concrete source and no concrete bucket.
//
// Start from [New], then [Engine.Backup], [Engine.Verify], [Engine.Restore]. What is in a
// backup is seen through [Engine.Look] without any of them: look*.go (what is open),
// searchtext.go, and diff*.go (two states side by side).
// How a restore survives a power cut at any point is in DESIGN.md beside this
// file; its parts are journal.go (what is recorded), swap.go (what moves),
// replace.go (the ceremony around it) and recover.go (the next start). What is changed
// by requests, while it runs, has its own: partsplan.go, partsjournal.go, partsrestore.go,
// partsrecover.go, partsrollback.go. Who is told before and after a verb is in around.go.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Options are what an engine works with.
type Options struct {
	Repository *repo.Repository
	// Unusable tells why Repository is nil, if it is not that there is none.
	Unusable error
	// Location is where a repository is to be made, while Repository is nil.
	Location string
	// Replicas hold copies of the backups, the nearest first.
	Replicas []Replica
	Sources  []holdfast.Source
	// Stores are further stores, that are not configured: where a restore by requests
	// went that is to be settled or rolled back.
	Stores []holdfast.PartRestorer
	// Checker gives something that can check a copy of a source that is in
	// a backup but not configured here; nil, or a nil answer, leaves such
	// copies unchecked, and the result says so.
	Checker func(md holdfast.SourceMetadata) holdfast.Source
	// StateDir holds the restore journal and the record of the last restore.
	StateDir string
	Settings Settings
	Hooks    Hooks
	// Owner holds the sources open and can let go of them; nil if nobody
	// does, or only what the hooks stop.
	Owner Owner
	// Around is told before and after backups and restores; nil: nobody is.
	Around Around
	// Commands start the owner of a source of a kind on a directory, as those of a
	// RestoreRequest; they stand in where it has none.
	Commands map[holdfast.Kind]string
	// Mirrors are files, by the name of the SQLite source, that hold the
	// newest backup of it as a plain database.
	Mirrors map[string]string
	// FS changes files; nil is the real file system.
	FS          durable.FS
	Observer    holdfast.Observer
	Logger      *slog.Logger     // nil discards
	Now         func() time.Time // nil is time.Now
	ToolVersion string
}

// Settings are the manuals' settings in the engine's terms.
type Settings struct {
	IncludeMemory   bool   // DEFAULT_BACKUP_INCLUDE_MEMORY
	Compress        bool   // BACKUP_COMPRESSION
	MaxBackupBytes  int64  // MAX_BACKUP_SIZE_MB
	MaxBackupSet    bool   // set by the user: refuse; otherwise only warn
	EmergencyBackup bool   // EMERGENCY_BACKUP_ENABLED
	EmergencyPrefix string // EMERGENCY_BACKUP_PREFIX
	Retention       retention.Policy
	// ShrinkHold puts pruning on hold when a source holds less than so many
	// percent of what it held in the backup before; zero never does.
	ShrinkHold int
	Deltas     Deltas        // empty is auto
	FullEvery  time.Duration // how old the full below deltas becomes; zero is 7 days
	// CheckBudget bounds each source's own check during a backup, zero is
	// two seconds. What it leaves open is said in the facts; verify
	// finishes it.
	CheckBudget time.Duration
	// AllowLiveHandles goes on although processes hold a target open,
	// because the caller manages them.
	AllowLiveHandles bool
}

// Hooks are commands around a restore. A command is run by the shell of the
// system; empty does nothing.
type Hooks struct {
	Stop    string        // before the swap: stop what uses the sources
	Start   string        // after the swap or its rollback
	Reload  string        // after a restore by requests: clients look their collections up again
	Timeout time.Duration // of each, default 2 minutes
}

// An Owner is a program that holds sources open and is at hand: a bot that
// embeds holdfast, or the supervisor of a child. Around a swap it is asked to let
// go of the sources, beside what the hooks do.
type Owner interface {
	// Stop returns when nothing of the owner's holds a file of the sources
	// open, and nothing will before Start. An error leaves the owner as it
	// was before.
	Stop(ctx context.Context, sources []string) error
	// Start lets the owner open the sources again and returns when it has.
	// It is called once after each Stop that succeeded, whatever became of
	// the swap, as soon as a state is in place that stands. An error is
	// reported and undoes nothing.
	//
	// If neither state can be brought into place, or the process of Stop
	// ends before that, it is Recover that calls Start, perhaps in another
	// process: an owner that was not stopped there has nothing to do.
	Start(ctx context.Context) error
}

// An Engine runs the verbs.
type Engine struct {
	o Options
	// standsIn names the replica over which this engine works because the
	// repository cannot be used, for the reasons in passed.
	standsIn string
	passed   []holdfast.Problem
}

// New makes an engine.
func New(o Options) (*Engine, error) {
	seen := map[string]bool{}
	for _, s := range o.Sources {
		if seen[s.Name()] {
			return nil, &holdfast.Error{Op: "source", Object: s.Name(), Err: holdfast.Kindf(holdfast.ErrUsage, "configured twice"), Hint: "give each source a name of its own: --sqlite name=path"}
		}
		seen[s.Name()] = true
	}
	if o.StateDir == "" {
		return nil, &holdfast.Error{Op: "engine", Err: holdfast.Kindf(holdfast.ErrUsage, "no state directory")}
	}
	abs, err := filepath.Abs(o.StateDir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", o.StateDir, err)
	}
	o.StateDir = abs
	if o.FS == nil {
		o.FS = durable.OS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Settings.CheckBudget == 0 {
		o.Settings.CheckBudget = 500 * time.Millisecond
	}
	if o.Settings.FullEvery == 0 {
		o.Settings.FullEvery = defaultFullEvery
	}
	return &Engine{o: o}, nil
}

// Repository is what the engine works on; nil if there is none.
func (e *Engine) Repository() *repo.Repository { return e.o.Repository }

// source gives the configured source of a name, or nil.
func (e *Engine) source(name string) holdfast.Source {
	for _, s := range e.o.Sources {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// checker gives what can check a copy of the source that md describes: the
// configured one, or one made for the purpose, or nil.
func (e *Engine) checker(md holdfast.SourceMetadata) holdfast.Source {
	if s := e.source(md.Name); s != nil && s.Kind() == md.Kind {
		return s
	}
	for _, s := range e.o.Stores {
		if s.Name() == md.Name && s.Kind() == md.Kind {
			return s
		}
	}
	if e.o.Checker == nil {
		return nil
	}
	return e.o.Checker(md)
}

// repository gives the repository, or says that there is none.
func (e *Engine) repository() (*repo.Repository, error) {
	if e.o.Repository == nil && e.o.Unusable != nil {
		return nil, e.o.Unusable
	}
	if e.o.Repository == nil {
		return nil, &holdfast.Error{Op: "repository", Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no repository"), Hint: "make one with `holdfast init`, or name it with --repo"}
	}
	return e.o.Repository, nil
}

// choose finds a backup by name or "latest" and refuses one that cannot be
// read.
func (e *Engine) choose(ctx context.Context, name string) (repo.Info, error) {
	r, err := e.repository()
	if err != nil {
		return repo.Info{}, err
	}
	if strings.TrimSpace(name) == "" {
		return repo.Info{}, errNoName()
	}
	info, err := r.Stat(ctx, name)
	if err != nil {
		return repo.Info{}, err
	}
	if info.Err != nil {
		return info, info.Err
	}
	return info, nil
}
