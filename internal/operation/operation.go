// Package operation is the engine's verbs as jobs: what an API, a web page or a chat
// may ask for, with its rules, and what becomes of it. It has no logic of its own
// about backups.
//
// Start from [New], then the method of a verb: [Operations.Backup],
// [Operations.Verify], [Operations.Restore] … What takes long gives a job at once; its
// result is the object of internal/report that the command line prints. Plans and pins
// are answered directly. [Operations.Settle] finds out at the start of a daemon what
// became of the jobs that a dead one left.
//
// What it promises: no path of a request reaches the file system (names are parsed,
// replicas are those that are configured, nothing is restored elsewhere); a restore
// is never begun while another is at work; a backup that was committed is told at
// once, although its copies take longer.
package operation

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// The kinds of jobs.
const (
	KindBackup    = "backup"
	KindVerify    = "verify"
	KindDrill     = "drill"
	KindRestore   = "restore"
	KindRollback  = "rollback"
	KindRecover   = "recover"
	KindPrune     = "prune"
	KindReplicate = "replicate"
	KindCompact   = "compact"
	KindDelete    = "delete"
	KindConfirm   = "confirm"
)

// Attribute keys of the log.
const (
	keyOperation = "op_id"
	keyBackup    = "backup"
	keyAge       = "age"
	keyHook      = "hook"
	keyOK        = "ok"
)

// mostProving is how many verifications and drills run side by side: each reads as
// fast as the disk gives.
const mostProving = 2

// rules are what the kinds of jobs have to respect. A backup is made although its
// record cannot be: the data comes first.
func rules() job.Rules {
	return job.Rules{
		Lanes: []job.Lane{
			{Kinds: []string{KindVerify, KindDrill}, Most: mostProving},
			{Kinds: []string{KindDrill}, Most: 1}, // there is one scratch space
			{Kinds: []string{KindRestore, KindRollback, KindRecover}, Most: 1, Refuse: true},
			{Kinds: []string{KindReplicate}, Most: 1},
			{Kinds: []string{KindPrune, KindCompact, KindDelete, KindConfirm}, Most: 1},
		},
		Essential: []string{KindBackup},
	}
}

// A Book is a list of the backups that is kept.
type Book interface {
	// Changed tells that the list is another one now.
	Changed()
}

// Options are what operations work with.
type Options struct {
	Keeper *keeper.Keeper
	Config *config.Config
	Jobs   *job.Runner
	Book   Book             // told of changes; nil if nobody keeps one
	Now    func() time.Time // nil is time.Now
	Logger *slog.Logger     // nil discards
	// ToolVersion is told to whom a hook is tested with.
	ToolVersion string
}

// Operations are the verbs under one configuration. Its methods may be called side by
// side.
type Operations struct {
	keeper *keeper.Keeper
	config *config.Config
	jobs   *job.Runner
	book   Book
	now    func() time.Time
	log    *slog.Logger
	// asking is the turn of automatic backups, which may take each other's place.
	asking chan struct{}
	// testing is the turn of whoever tests a hook.
	testing chan struct{}
	version string
	// recovered is what became of a restore that was cut.
	recovered atomic.Pointer[engine.RecoverResult]
}

// New makes operations, and gives the runner the rules of their jobs.
func New(o Options) (*Operations, error) {
	if o.Keeper == nil || o.Config == nil || o.Jobs == nil {
		return nil, &holdfast.Error{Op: "operations", Err: holdfast.Kindf(holdfast.ErrUsage, "they need a keeper, a configuration and a runner of jobs")}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Book == nil {
		o.Book = noBook{}
	}
	o.Jobs.SetRules(rules())
	return &Operations{keeper: o.Keeper, config: o.Config, jobs: o.Jobs, book: o.Book, now: o.Now, log: o.Logger, asking: make(chan struct{}, 1), testing: make(chan struct{}, 1), version: o.ToolVersion}, nil
}

type noBook struct{}

func (noBook) Changed() {}

// place is where the repository is, as people see it.
func (o *Operations) place() string { return wire.Location(o.config.Repository) }

// start begins a job. Whoever keeps a list looks anew when it has ended.
func (o *Operations) start(kind, by, key string, request any, work job.Work) (job.Job, error) {
	j, _, err := o.jobs.Start(kind, by, key, request, func(ctx context.Context, h *job.Handle) (any, error) {
		defer o.book.Changed()
		return work(ctx, h)
	})
	return j, err
}

// naming makes the first backup that a verb names the one of the job.
func naming(ctx context.Context, h *job.Handle, verb string) context.Context {
	named := make(chan struct{}, 1)
	return holdfast.WithObserver(ctx, func(e holdfast.Event) {
		if e.Op != verb || e.Backup == "" {
			return
		}
		select {
		case named <- struct{}{}:
			h.SetBackup(e.Backup)
		default:
		}
	})
}

// serious tells whether a problem is more than a warning, which makes a result
// incomplete.
func serious(problems []holdfast.Problem) bool {
	for _, p := range problems {
		if p.Severity != holdfast.Warning {
			return true
		}
	}
	return false
}
