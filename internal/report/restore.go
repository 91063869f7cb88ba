package report

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Restore is the outcome of restore and rollback.
type Restore struct {
	Type       string              `json:"type"` // restore, rollback
	Backup     holdfast.BackupName `json:"backup,omitempty"`
	Import     string              `json:"import,omitempty"` // what was brought in, in place of a backup
	From       string              `json:"from,omitempty"`   // the replica whose copy it is
	To         string              `json:"to,omitempty"`
	Emergency  holdfast.BackupName `json:"emergency_backup,omitempty"`
	Restored   []string            `json:"restored"`
	Memory     string              `json:"memory,omitempty"`
	RolledBack bool                `json:"rolled_back"`
	Aside      []string            `json:"aside,omitempty"`
	Parts      []Parts             `json:"parts,omitempty"`  // of stores that were changed by requests
	Reload     []string            `json:"reload,omitempty"` // what clients have to look up again
	Problems   []holdfast.Problem  `json:"problems,omitempty"`
	DurationMS int64               `json:"duration_ms"`
}

// Parts tell what became of the tables of a store that was changed by requests.
type Parts struct {
	Source  string                `json:"source"`
	Changes []holdfast.PartChange `json:"changes"`
	Kept    []string              `json:"kept,omitempty"` // what is left there of the replaced state
}

// Tables are those that were changed.
func (p Parts) Tables() (names []string) {
	for _, c := range p.Changes {
		names = append(names, c.Table)
	}
	return names
}

// MemoryIsBack tells whether the memory was restored; if not, Memory says why.
func (r Restore) MemoryIsBack() bool { return r.Memory == engine.MemoryRestored }

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
		o.Backup, o.Import, o.From = r.Plan.Backup.Name, r.Plan.Import, r.Plan.From
	}
	for _, p := range r.Parts {
		o.Parts = append(o.Parts, Parts{Source: p.Source, Changes: append([]holdfast.PartChange{}, p.Changes...), Kept: p.Kept})
		o.Reload = append(o.Reload, p.Reload...)
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
	Backup   holdfast.BackupName `json:"backup,omitempty"`
	Import   string              `json:"import,omitempty"` // what is brought in, in place of a backup
	From     string              `json:"from,omitempty"`   // the replica whose copy it is
	Targets  []Target            `json:"targets"`
	Memory   string              `json:"memory,omitempty"`
	Bytes    int64               `json:"bytes"`
	Warnings []holdfast.Problem  `json:"warnings,omitempty"`
	// Refused is why the restore would not be begun as things are.
	Refused *Error `json:"refused,omitempty"`
}

// Losses are what stores cannot keep of what comes.
func (p RestorePlan) Losses() (all []holdfast.Problem) {
	for _, t := range p.Targets {
		if t.Parts != nil {
			all = append(all, t.Parts.Losses...)
		}
	}
	return all
}

// Told are the warnings beside the losses, which are listed by themselves.
func (p RestorePlan) Told() []holdfast.Problem {
	lost := p.Losses()
	return slices.DeleteFunc(slices.Clone(p.Warnings), func(w holdfast.Problem) bool {
		return slices.ContainsFunc(lost, func(l holdfast.Problem) bool { return l.Object == w.Object && l.Message == w.Message })
	})
}

// Requests tells whether all that is restored goes into stores by requests, whose clients go
// on.
func (p RestorePlan) Requests() bool {
	return len(p.Targets) > 0 && !slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Parts == nil })
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
	MemoryNow     *int64          `json:"memory_now,omitempty"` // records of the memory collections
	MemoryBackup  *int64          `json:"memory_backup,omitempty"`
	MemoryOnly    bool            `json:"memory_only,omitempty"` // nothing but the memory changes
	Bytes         int64           `json:"bytes"`
	Handles       []engine.Handle `json:"handles,omitempty"`
	// Wanted are the parts that were asked for; none is the whole source.
	Wanted []holdfast.Part `json:"wanted,omitempty"`
	// Parts is what would become of the tables of a store that is changed by requests.
	Parts *holdfast.PartPlan `json:"parts,omitempty"`
}

// NewRestorePlan tells what a restore would change.
func NewRestorePlan(p *engine.RestorePlan) RestorePlan {
	o := RestorePlan{Type: "restore_plan", Backup: p.Backup.Name, Import: p.Import, From: p.From, Targets: []Target{}, Memory: p.Memory, Bytes: p.Bytes, Warnings: p.Warnings, Refused: refusal("restore", p.Obstacle)}
	for _, t := range p.Targets {
		item := Target{Source: t.Source, Kind: t.Kind, Path: t.Path, Method: t.Method, Exists: t.Exists, Bytes: t.Bytes, MemoryOnly: t.Memory, Handles: t.Handles, Wanted: t.Wanted, Parts: t.Parts}
		if t.Exists {
			item.RecordsNow, item.MemoryNow = recordsIn(t.Now), memoriesIn(t.Now)
		}
		item.RecordsBackup, item.MemoryBackup = recordsIn(t.Backup), memoriesIn(t.Backup)
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
	// Problems are what could not be written whole, and copies that were passed over.
	Problems []holdfast.Problem `json:"problems,omitempty"`
}

// NewExport tells what was exported into a directory.
func NewExport(r *engine.ExportResult, dir string) Export {
	return Export{Type: "export", Backup: r.Backup.Name, From: r.From, Dir: dir, Bytes: r.Backup.Metadata.LogicalBytes, Problems: r.Problems}
}
