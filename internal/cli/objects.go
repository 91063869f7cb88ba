package cli

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// The objects of --json. Their fields are a contract that docs/json.md
// describes and golden tests hold: fields are added, never renamed or given
// another meaning. Readers ignore fields they do not know.

// errorObject ends a command that failed, on standard error.
type errorObject struct {
	Type    string        `json:"type"` // error
	Command string        `json:"command"`
	Code    string        `json:"code"`
	Exit    int           `json:"exit"`
	Op      string        `json:"op,omitempty"`
	Object  string        `json:"object,omitempty"`
	Message string        `json:"message"`
	Hint    string        `json:"hint,omitempty"`
	Errors  []errorDetail `json:"errors,omitempty"` // if there are several
}

// errorDetail is one of several errors.
type errorDetail struct {
	Op      string `json:"op,omitempty"`
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// exitNames are the exit codes as words of the contract.
var exitNames = map[int]string{
	holdfast.ExitFailed:      "failed",
	holdfast.ExitUsage:       "usage",
	holdfast.ExitIncomplete:  "incomplete",
	holdfast.ExitNotFound:    "not_found",
	holdfast.ExitLocked:      "locked",
	holdfast.ExitDamaged:     "damaged",
	holdfast.ExitRefused:     "refused",
	holdfast.ExitInterrupted: "interrupted",
}

func newErrorObject(command string, exit int, err error) errorObject {
	o := errorObject{Type: "error", Command: command, Code: exitNames[exit], Exit: exit}
	o.Op, o.Object = opAndObject(err)
	all := holdfast.Parts(err)
	o.Message, o.Hint = errorText(all[0]), hintOf(all[0])
	if len(all) > 1 {
		for _, part := range all {
			op, object := opAndObject(part)
			o.Errors = append(o.Errors, errorDetail{Op: op, Object: object, Message: errorText(part), Hint: hintOf(part)})
		}
	}
	return o
}

// warningObject is a warning on standard error.
type warningObject struct {
	Type string `json:"type"` // warning
	holdfast.Problem
}

// eventObject is one event of a running verb.
type eventObject struct {
	Type string `json:"type"` // event
	holdfast.Event
}

// backupItem is one backup as every command shows it.
type backupItem struct {
	Name           holdfast.BackupName   `json:"name"`
	CreatedAt      *holdfast.Time        `json:"created_at,omitempty"`
	Kind           holdfast.Type         `json:"backup_type,omitempty"`
	Trigger        holdfast.Trigger      `json:"trigger,omitempty"`
	IncludesMemory bool                  `json:"includes_memory"`
	Records        int64                 `json:"records"`
	LogicalBytes   int64                 `json:"logical_bytes"`
	StoredBytes    int64                 `json:"stored_bytes"`
	Form           string                `json:"form,omitempty"` // full, delta
	Parent         holdfast.BackupName   `json:"parent,omitempty"`
	Needs          []holdfast.BackupName `json:"needs,omitempty"`
	DurationMS     int64                 `json:"duration_ms"`
	WriterStallMS  float64               `json:"writer_stall_ms"`
	Sources        []sourceItem          `json:"sources"`
	Pinned         bool                  `json:"pinned"`
	Proven         *provenItem           `json:"proven,omitempty"`
	Note           string                `json:"note,omitempty"`
	Problems       []holdfast.Problem    `json:"problems,omitempty"`
	// Copies are the places that have it, if there are replicas: repository,
	// and their names.
	Copies []string `json:"copies,omitempty"`
	// Error tells why the backup cannot be used.
	Error string `json:"error,omitempty"`
}

// sourceItem is one source of a backup.
type sourceItem struct {
	Name    string        `json:"name"`
	Kind    holdfast.Kind `json:"kind"`
	Records *int64        `json:"records,omitempty"`
	Bytes   int64         `json:"bytes"`
}

// provenItem tells when and how a backup was proven.
type provenItem struct {
	At   holdfast.Time      `json:"at"`
	Kind holdfast.ProofKind `json:"kind"`
}

func newBackupItem(i repo.Info) backupItem {
	item := backupItem{Name: i.Name, Pinned: i.Pinned, Sources: []sourceItem{}}
	if i.Err != nil {
		item.Error = i.Err.Error()
	}
	if p, ok := i.Proven(); ok {
		item.Proven = &provenItem{At: p.At, Kind: p.Kind}
	}
	m := i.Metadata
	if m == nil {
		return item
	}
	item.CreatedAt, item.Kind, item.Trigger, item.IncludesMemory = &m.CreatedAt, m.Type, m.Trigger, m.IncludesMemory
	item.Records, item.LogicalBytes, item.StoredBytes = m.DatabaseInfo.TotalRecords, m.LogicalBytes, m.StoredBytes
	item.Form, item.Parent, item.Needs = formOf(m), m.Parent, m.Needs
	item.DurationMS, item.WriterStallMS, item.Note, item.Problems = m.DurationMS, m.WriterStallMS, m.Note, m.Problems
	for _, s := range m.Sources {
		source := sourceItem{Name: s.Name, Kind: s.Kind, Bytes: s.LogicalBytes}
		if n, ok := s.Facts.Records(); ok {
			source.Records = &n
		}
		item.Sources = append(item.Sources, source)
	}
	return item
}

// The forms of a backup.
const (
	formFull  = "full"
	formDelta = "delta"
)

// formOf tells how a backup is stored: as a delta if it was made from another.
func formOf(m *holdfast.Metadata) string {
	if m.Parent != "" {
		return formDelta
	}
	return formFull
}
