package report

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Backup is one backup as every surface shows it.
type Backup struct {
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
	Sources        []BackupSource        `json:"sources"`
	Pinned         bool                  `json:"pinned"`
	Proven         *Proven               `json:"proven,omitempty"`
	Disproven      *Proven               `json:"disproven,omitempty"` // what failed, and nothing took back since
	Drilled        *Drilled              `json:"drilled,omitempty"`
	Note           string                `json:"note,omitempty"`
	Problems       []holdfast.Problem    `json:"problems,omitempty"`
	// Copies are the places that have it, if there are replicas: repository,
	// and their names.
	Copies []string `json:"copies,omitempty"`
	// Error tells why the backup cannot be used.
	Error string `json:"error,omitempty"`
}

// BackupSource is one source of a backup.
type BackupSource struct {
	Name    string        `json:"name"`
	Kind    holdfast.Kind `json:"kind"`
	Records *int64        `json:"records,omitempty"`
	Bytes   int64         `json:"bytes"`
	// Consistency of a capture by requests: consistent, fuzzy.
	Consistency holdfast.Consistency `json:"consistency,omitempty"`
}

// Proven tells when and how a backup was proven, or disproven.
type Proven struct {
	At   holdfast.Time      `json:"at"`
	Kind holdfast.ProofKind `json:"kind"`
}

// Drilled is the last drill of a backup, good or not.
type Drilled struct {
	At        holdfast.Time `json:"at"`
	OK        bool          `json:"ok"`
	RestoreMS int64         `json:"restore_ms"`
}

// The forms of a backup.
const (
	FormFull  = "full"
	FormDelta = "delta"
)

// NewBackup shows a backup of a repository.
func NewBackup(i repo.Info) Backup {
	item := Backup{Name: i.Name, Pinned: i.Pinned, Sources: []BackupSource{}}
	if i.Err != nil {
		item.Error = i.Err.Error()
	}
	if p, ok := i.Proven(); ok {
		item.Proven = &Proven{At: p.At, Kind: p.Kind}
	}
	if p, ok := i.Disproof(); ok {
		item.Disproven = &Proven{At: p.At, Kind: p.Kind}
	}
	if p, ok := i.Drilled(); ok {
		item.Drilled = &Drilled{At: p.At, OK: p.OK, RestoreMS: p.RestoreMS}
	}
	m := i.Metadata
	if m == nil {
		return item
	}
	item.CreatedAt, item.Kind, item.Trigger, item.IncludesMemory = &m.CreatedAt, m.Type, m.Trigger, m.IncludesMemory
	item.Records, item.LogicalBytes, item.StoredBytes = m.DatabaseInfo.TotalRecords, m.LogicalBytes, m.StoredBytes
	item.Form, item.Parent, item.Needs = FormOf(m), m.Parent, m.Needs
	item.DurationMS, item.WriterStallMS, item.Note, item.Problems = m.DurationMS, m.WriterStallMS, m.Note, m.Problems
	for _, s := range m.Sources {
		source := BackupSource{Name: s.Name, Kind: s.Kind, Bytes: s.LogicalBytes}
		if n, ok := s.Facts.Records(); ok {
			source.Records = &n
		}
		if f := s.Facts.Chroma; f != nil && f.Server != nil {
			source.Consistency = f.Server.Consistency
		}
		item.Sources = append(item.Sources, source)
	}
	return item
}

// FormOf tells how a backup is stored: as a delta if it was made from another.
func FormOf(m *holdfast.Metadata) string {
	if m.Parent != "" {
		return FormDelta
	}
	return FormFull
}

// BackupResult is the outcome of backup.
type BackupResult struct {
	Type       string `json:"type"` // backup
	Repository string `json:"repository"`
	Skipped    string `json:"skipped,omitempty"` // why nothing was done
	// Reused tells that Backup was there already, and nothing was written since.
	Reused     bool               `json:"reused,omitempty"`
	Backup     *Backup            `json:"backup,omitempty"`
	FormReason string             `json:"form_reason,omitempty"` // why it is a full or a delta
	Incomplete bool               `json:"incomplete"`
	Problems   []holdfast.Problem `json:"problems,omitempty"`
	Replicas   []Replicated       `json:"replicas,omitempty"`
	Pruned     []Decision         `json:"pruned,omitempty"`
}

// NewBackupResult begins the outcome of a backup in the repository at a place.
func NewBackupResult(repository string) BackupResult {
	return BackupResult{Type: "backup", Repository: repository}
}

// Skip notes why no backup is made for a trigger, and tells whether that is so:
// automatic ones can be switched off.
func (o *BackupResult) Skip(c *config.Config, trigger holdfast.Trigger) bool {
	if trigger == holdfast.TriggerAuto && !c.AutoBackup {
		o.Skipped = "automatic backups are switched off (auto_backup, AUTO_BACKUP_ENABLED)"
	}
	return o.Skipped != ""
}

// SkipSwitched notes why no backup is made for an assistant that asks a daemon, and
// tells whether that is so: people can switch that off, too.
func (o *BackupResult) SkipSwitched(c *config.Config, trigger holdfast.Trigger) bool {
	if o.Skip(c, trigger) || trigger != holdfast.TriggerAuto {
		return o.Skipped != ""
	}
	if a := AutoBackupOf(c); !a.On {
		o.Skipped = "automatic backups were switched off in the web UI or by the API, by " + a.By + ", at " + a.At.String()
	}
	return o.Skipped != ""
}

// Made notes the backup that was made.
func (o *BackupResult) Made(r *engine.BackupResult) {
	item := NewBackup(r.Backup)
	o.Backup, o.FormReason, o.Problems, o.Incomplete = &item, r.Form.Reason, r.Problems, r.Incomplete()
}

// Followed notes what followed the backup: copies (nil if there was nothing to
// copy), what was pruned, and the problems of both.
func (o *BackupResult) Followed(copied *engine.ReplicateResult, pruned []retention.Decision, problems []holdfast.Problem) {
	if copied != nil {
		o.Replicas = newReplicated(copied)
	}
	for _, d := range pruned {
		if d.Remove {
			o.Pruned = append(o.Pruned, NewDecision(d))
		}
	}
	o.Problems = append(o.Problems, problems...)
}
