// Package engine is the verbs of holdfast: backup, verify, restore with its
// journal, rollback, recover, prune. Every surface (command line, HTTP,
// Telegram, library) calls these and shows their events; none has logic of its
// own. The engine knows no concrete source and no concrete bucket.
//
// Start from [New], then Backup, Verify, Restore.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Options are what an engine works with.
type Options struct {
	Repository *repo.Repository
	Sources    []holdfast.Source
	// StateDir holds the restore journal and the record of the last restore.
	StateDir string
	Settings Settings
	Hooks    Hooks
	// FS changes files; nil is the real file system.
	FS          durable.FS
	Observer    holdfast.Observer
	Logger      *slog.Logger     // nil discards
	Now         func() time.Time // nil is time.Now
	ToolVersion string
}

// Settings are the manuals' settings in the engine's terms.
type Settings struct {
	IncludeMemory    bool   // DEFAULT_BACKUP_INCLUDE_MEMORY
	Compress         bool   // BACKUP_COMPRESSION
	MaxBackupBytes   int64  // MAX_BACKUP_SIZE_MB
	MaxBackupSet     bool   // set by the user: refuse; otherwise only warn
	EmergencyBackup  bool   // EMERGENCY_BACKUP_ENABLED
	EmergencyPrefix  string // EMERGENCY_BACKUP_PREFIX
	Retention        retention.Policy
	CheckBudget      time.Duration // for each source's own check during a backup
	AllowLiveHandles bool
}

// Hooks are commands around a restore. A command is run by the shell of the
// system; empty does nothing.
type Hooks struct {
	Stop    string        // before the swap: stop what uses the sources
	Start   string        // after the swap or its rollback
	Timeout time.Duration // of each, default 2 minutes
}

// An Engine runs the verbs.
type Engine struct{ o Options }

// New makes an engine.
func New(o Options) (*Engine, error) { panic("skeleton") }

// BackupRequest asks for a backup; the zero value is a manual backup with an
// automatic name.
type BackupRequest struct {
	Name    string // custom name, or automatic
	Trigger holdfast.Trigger
	Type    holdfast.Type // empty: by Memory, else by the settings
	Memory  *bool         // nil: by Type, else by the settings
	Full    bool
	Note    string
	Pin     bool
}

// BackupResult tells what was made. Problems are what the exit code 3 is for.
type BackupResult struct {
	Backup   repo.Info
	Problems []holdfast.Problem // all severities
}

// Incomplete tells whether something is damaged or missing in the backup.
func (r *BackupResult) Incomplete() bool { panic("skeleton") }

// Backup captures all sources as one set. A backup with problems is committed
// and returned without an error; the caller looks at Incomplete.
func (e *Engine) Backup(ctx context.Context, req BackupRequest) (*BackupResult, error) {
	panic("skeleton")
}

// VerifyRequest chooses what to verify.
type VerifyRequest struct {
	Name string // name or latest
	Full bool   // integrity_check and foreign keys
}

// VerifyResult tells the outcome for one backup.
type VerifyResult struct {
	Backup holdfast.BackupName
	Proof  holdfast.Proof
	// Damage is what is wrong with stored bytes; SourceProblems what each
	// source's own check found in intact bytes.
	Damage         []holdfast.Problem
	SourceProblems []holdfast.Problem
	Reports        map[string]holdfast.Report
}

// Verify reads every byte of a backup, runs each source's own check on it and
// records the proof. Damaged bytes are a *holdfast.DamagedError beside the
// result; a source that was damaged when it was captured matches
// ErrIncomplete.
func (e *Engine) Verify(ctx context.Context, req VerifyRequest) (*VerifyResult, error) {
	panic("skeleton")
}

// RestoreRequest chooses what to restore, and where.
type RestoreRequest struct {
	Name        string   // name or latest
	Only        []string // source names, or "memory"; none is everything
	To          string   // restore elsewhere: a directory that does not exist or is empty
	NoEmergency bool
	Force       bool // go on although processes hold the target open
	Online      bool // SQLite: through SQLite's own transaction
}

// RestorePlan tells what a restore would do, before it does.
type RestorePlan struct {
	Backup   repo.Info
	Targets  []TargetPlan
	Memory   string // "restore", or why it is skipped
	Warnings []holdfast.Problem
	Bytes    int64 // to be written
}

// TargetPlan is the plan for one source: what is there now, what is in the
// backup.
type TargetPlan struct {
	Source  string
	Kind    holdfast.Kind
	Path    string
	Method  string // "rename", "in place" (mount point, other device), "online"
	Exists  bool
	Now     holdfast.Facts
	Backup  holdfast.Facts
	Bytes   int64
	Handles []Handle // live processes that hold the target open
}

// A Handle is a process that has a file of the target open.
type Handle struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Path    string `json:"path"`
}

// RestoreResult tells what was restored.
type RestoreResult struct {
	Plan       *RestorePlan
	Emergency  holdfast.BackupName // empty if none was made
	Restored   []string            // sources
	Memory     string              // "restored", or why it was skipped
	RolledBack bool
	Aside      []string // replaced state that is still kept
	Problems   []holdfast.Problem
	Duration   time.Duration
}

// PlanRestore tells what Restore would do and changes nothing.
func (e *Engine) PlanRestore(ctx context.Context, req RestoreRequest) (*RestorePlan, error) {
	panic("skeleton")
}

// Restore brings a backup back: emergency backup, validation, stage, check,
// stop hook, swap, memory, start hook, confirmation. Any failure puts the
// previous state back and says so. A restore that is cut is finished or undone
// by Recover.
func (e *Engine) Restore(ctx context.Context, req RestoreRequest) (*RestoreResult, error) {
	panic("skeleton")
}

// Rollback undoes the last restore. ErrNotFound if there is none.
func (e *Engine) Rollback(ctx context.Context) (*RestoreResult, error) { panic("skeleton") }

// RecoverResult tells what Recover found and did.
type RecoverResult struct {
	Found   bool   // a restore had been cut
	Outcome string // "finished", "undone"
	Detail  string
}

// Recover finishes or undoes a restore that was cut. Without one it does
// nothing. Backup, Restore, Rollback and Prune call it first.
func (e *Engine) Recover(ctx context.Context) (*RecoverResult, error) { panic("skeleton") }

// PlanPrune decides which backups may go.
func (e *Engine) PlanPrune(ctx context.Context) ([]retention.Decision, error) { panic("skeleton") }

// Prune removes what PlanPrune decides, and tells the decisions. A backup that
// cannot be removed is a warning in the log and an ErrIncomplete.
func (e *Engine) Prune(ctx context.Context) ([]retention.Decision, error) { panic("skeleton") }

// Export writes the full tree of a backup into a directory that does not
// exist or is empty.
func (e *Engine) Export(ctx context.Context, name, dir string) error { panic("skeleton") }
