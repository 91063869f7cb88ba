package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// LastRestore is the last restore in place: what it brought, and whether it was
// undone since.
type LastRestore struct {
	Operation string              `json:"operation"` // of a daemon: the id of the job
	At        holdfast.Time       `json:"at"`
	Backup    holdfast.BackupName `json:"backup,omitempty"`
	Emergency holdfast.BackupName `json:"emergency_backup,omitempty"`
	Sources   []string            `json:"sources"`
	UndoneAt  *holdfast.Time      `json:"undone_at,omitempty"`
}

// NewLastRestore tells of the last restore.
func NewLastRestore(l engine.LastRestore) LastRestore {
	return LastRestore{
		Operation: l.Operation, At: l.At, Backup: l.Backup, Emergency: l.Emergency,
		Sources: append([]string{}, l.Sources...), UndoneAt: l.Undone,
	}
}

// RollbackPlan is the outcome of rollback --dry-run.
type RollbackPlan struct {
	Type string      `json:"type"` // rollback_plan
	Last LastRestore `json:"last"`
	// By is who asked for that restore, if a job tells.
	By       string             `json:"by,omitempty"`
	Undoable bool               `json:"undoable"`
	Refused  *Error             `json:"refused,omitempty"` // why it cannot be undone now
	Targets  []RollbackTarget   `json:"targets"`
	Bytes    int64              `json:"bytes"`
	Warnings []holdfast.Problem `json:"warnings,omitempty"`
}

// RollbackTarget is what a rollback would do to one source.
type RollbackTarget struct {
	Source        string          `json:"source"`
	Kind          holdfast.Kind   `json:"kind,omitempty"`
	Path          string          `json:"path"`
	From          string          `json:"from"` // aside, emergency, nothing
	Method        string          `json:"method,omitempty"`
	Exists        bool            `json:"exists"`
	RecordsNow    *int64          `json:"records_now,omitempty"`
	RecordsBefore *int64          `json:"records_before,omitempty"`
	MemoryNow     *int64          `json:"memory_now,omitempty"`
	MemoryBefore  *int64          `json:"memory_before,omitempty"`
	Bytes         int64           `json:"bytes"`
	Handles       []engine.Handle `json:"handles,omitempty"`
	// Wanted are the parts that come back, as they were before; none is the whole source.
	Wanted []holdfast.Part `json:"wanted,omitempty"`
	// Parts is what would become of the tables of a store that is changed by requests.
	Parts *holdfast.PartPlan `json:"parts,omitempty"`
}

// NewRollbackPlan tells what a rollback would change.
func NewRollbackPlan(p *engine.RollbackPlan) RollbackPlan {
	o := RollbackPlan{
		Type: "rollback_plan", Last: NewLastRestore(p.Last), Undoable: p.Obstacle == nil, Refused: refusal("rollback", p.Obstacle),
		Targets: []RollbackTarget{}, Bytes: p.Bytes, Warnings: p.Warnings,
	}
	for _, t := range p.Targets {
		item := RollbackTarget{Source: t.Source, Kind: t.Kind, Path: t.Path, From: t.From, Method: t.Method, Exists: t.Exists, Bytes: t.Bytes, Handles: t.Handles, Wanted: t.Wanted, Parts: t.Parts}
		if t.Exists {
			item.RecordsNow, item.MemoryNow = recordsIn(t.Now), memoriesIn(t.Now)
		}
		item.RecordsBefore, item.MemoryBefore = recordsIn(t.Before), memoriesIn(t.Before)
		o.Targets = append(o.Targets, item)
	}
	return o
}

// refusal tells why a verb would be refused; nil if it would not.
func refusal(command string, err error) *Error {
	if err == nil {
		return nil
	}
	told := NewError(command, holdfast.ExitCode(err), err)
	return &told
}

// recordsIn is the number of records, if it was counted.
func recordsIn(f holdfast.Facts) *int64 {
	if n, ok := f.Records(); ok {
		return &n
	}
	return nil
}

// memoriesIn is the number of records in the memory collections; nil where there is
// none.
func memoriesIn(f holdfast.Facts) *int64 {
	if f.Chroma == nil {
		return nil
	}
	var sum *int64
	for _, c := range f.Chroma.Collections {
		if c.Memory {
			if sum == nil {
				sum = new(int64)
			}
			*sum += c.Records
		}
	}
	return sum
}
