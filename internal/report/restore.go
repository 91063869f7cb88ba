package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Restore is the outcome of restore and rollback.
type Restore struct {
	Type       string              `json:"type"` // restore, rollback
	Backup     holdfast.BackupName `json:"backup,omitempty"`
	From       string              `json:"from,omitempty"` // the replica whose copy it is
	To         string              `json:"to,omitempty"`
	Emergency  holdfast.BackupName `json:"emergency_backup,omitempty"`
	Restored   []string            `json:"restored"`
	Memory     string              `json:"memory,omitempty"`
	RolledBack bool                `json:"rolled_back"`
	Aside      []string            `json:"aside,omitempty"`
	Problems   []holdfast.Problem  `json:"problems,omitempty"`
	DurationMS int64               `json:"duration_ms"`
}

// NewRestore tells what a restore did into the directory to; empty: in place.
func NewRestore(r *engine.RestoreResult, to string) Restore {
	o := newRestore("restore", r)
	o.To = to
	return o
}

// NewRollback tells what a rollback did.
func NewRollback(r *engine.RestoreResult) Restore { return newRestore("rollback", r) }

func newRestore(kind string, r *engine.RestoreResult) Restore {
	o := Restore{
		Type: kind, Emergency: r.Emergency, Restored: r.Restored, Memory: r.Memory, RolledBack: r.RolledBack,
		Aside: r.Aside, Problems: r.Problems, DurationMS: r.Duration.Milliseconds(),
	}
	if r.Plan != nil {
		o.Backup, o.From = r.Plan.Backup.Name, r.Plan.From
	}
	if o.Restored == nil {
		o.Restored = []string{}
	}
	return o
}

// RestoreError says of a restore that failed whether the previous state was put
// back; r may be nil.
func RestoreError(r *engine.RestoreResult, err error) error {
	if r != nil && r.RolledBack {
		return &Aftermath{Err: err, Words: "the previous state is back in place"}
	}
	return err
}

// RestorePlan is the outcome of restore --dry-run.
type RestorePlan struct {
	Type     string              `json:"type"` // restore_plan
	Backup   holdfast.BackupName `json:"backup"`
	From     string              `json:"from,omitempty"` // the replica whose copy it is
	Targets  []Target            `json:"targets"`
	Memory   string              `json:"memory,omitempty"`
	Bytes    int64               `json:"bytes"`
	Warnings []holdfast.Problem  `json:"warnings,omitempty"`
}

// Target is the plan for one source.
type Target struct {
	Source        string          `json:"source"`
	Kind          holdfast.Kind   `json:"kind"`
	Path          string          `json:"path"`
	Method        string          `json:"method"`
	Exists        bool            `json:"exists"`
	RecordsNow    *int64          `json:"records_now,omitempty"`
	RecordsBackup *int64          `json:"records_backup,omitempty"`
	Bytes         int64           `json:"bytes"`
	Handles       []engine.Handle `json:"handles,omitempty"`
}

// NewRestorePlan tells what a restore would change.
func NewRestorePlan(p *engine.RestorePlan) RestorePlan {
	o := RestorePlan{Type: "restore_plan", Backup: p.Backup.Name, From: p.From, Targets: []Target{}, Memory: p.Memory, Bytes: p.Bytes, Warnings: p.Warnings}
	for _, t := range p.Targets {
		item := Target{Source: t.Source, Kind: t.Kind, Path: t.Path, Method: t.Method, Exists: t.Exists, Bytes: t.Bytes, Handles: t.Handles}
		if n, ok := t.Now.Records(); ok && t.Exists {
			item.RecordsNow = &n
		}
		if n, ok := t.Backup.Records(); ok {
			item.RecordsBackup = &n
		}
		o.Targets = append(o.Targets, item)
	}
	return o
}

// Recover is the outcome of recover.
type Recover struct {
	Type    string `json:"type"` // recover
	Found   bool   `json:"found"`
	Outcome string `json:"outcome,omitempty"`
	Detail  string `json:"detail,omitempty"`
	// Problems are what is worth knowing afterwards.
	Problems []holdfast.Problem `json:"problems,omitempty"`
}

// NewRecover tells what became of a restore that was cut.
func NewRecover(r *engine.RecoverResult) Recover {
	return Recover{Type: "recover", Found: r.Found, Outcome: r.Outcome, Detail: r.Detail, Problems: r.Problems}
}

// Export is the outcome of export.
type Export struct {
	Type   string              `json:"type"` // export
	Backup holdfast.BackupName `json:"backup"`
	From   string              `json:"from,omitempty"` // the replica whose copy it is
	Dir    string              `json:"dir"`
	Bytes  int64               `json:"bytes"`
}

// NewExport tells what was exported into a directory.
func NewExport(r *engine.ExportResult, dir string) Export {
	return Export{Type: "export", Backup: r.Backup.Name, From: r.From, Dir: dir, Bytes: r.Backup.Metadata.LogicalBytes}
}
