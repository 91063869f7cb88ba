package report

import "github.com/holdfast-backup/holdfast"

// The verdicts on how safe the data is.
const (
	Safe        = "safe"
	Unproven    = "unproven" // backed up in time, but never verified
	Never       = "never"
	Stale       = "stale"
	Damaged     = "damaged"
	Missing     = "missing"     // the live data is gone or cannot be read
	Cut         = "pending"     // a restore was cut
	Held        = "held"        // a backup was suspiciously small
	Lost        = "lost"        // the repository is gone; only replicas have backups
	Unreachable = "unreachable" // the repository cannot be asked
	Degraded    = "degraded"    // a program runs whose storage cannot hold its data
	Failing     = "failing"     // a program runs whose backups fail
	Divided     = "divided"     // two instances run, each with data of its own
)

// Verdicts gives every verdict.
func Verdicts() []string {
	return []string{Safe, Unproven, Never, Stale, Damaged, Missing, Cut, Held, Lost, Unreachable, Degraded, Failing, Divided}
}

// Status is the outcome of status: the verdict, and what it rests on.
type Status struct {
	Type       string          `json:"type"` // status
	Verdict    string          `json:"verdict"`
	Message    string          `json:"message"`
	Hint       string          `json:"hint,omitempty"`
	Sources    []SourceStatus  `json:"sources"`
	Repository RepositoryState `json:"repository"`
	Replicas   []Replica       `json:"replicas,omitempty"`
	Pending    *Pending        `json:"pending,omitempty"`
	// LastRestore is the last restore in place, undone or not.
	LastRestore *LastRestore `json:"last_restore,omitempty"`
	Hold        *Hold        `json:"hold,omitempty"`
	// Programs are those that run in holdfast's care.
	Programs []holdfast.Standing `json:"programs,omitempty"`
	// AutoBackup tells whether assistants that ask for a backup get one.
	AutoBackup *AutoBackup `json:"auto_backup,omitempty"`
}

// Fine tells that nothing needs attention.
func (s Status) Fine() bool { return s.Verdict == Safe || s.Verdict == Unproven }

// SourceStatus is one configured source.
type SourceStatus struct {
	Name    string        `json:"name"`
	Kind    holdfast.Kind `json:"kind"`
	Path    string        `json:"path"`
	Exists  bool          `json:"exists"`
	Bytes   int64         `json:"bytes"`
	Records *int64        `json:"records,omitempty"`
	// Collections of a Chroma directory, Tables of a database, as far as they were counted.
	Collections int                 `json:"collections,omitempty"`
	Tables      int                 `json:"tables,omitempty"`
	LastBackup  holdfast.BackupName `json:"last_backup,omitempty"`
	LastAt      *holdfast.Time      `json:"last_at,omitempty"`
	AgeSeconds  int64               `json:"age_seconds,omitempty"`
	Stale       bool                `json:"stale,omitempty"` // the last backup is older than it may be
	Error       string              `json:"error,omitempty"`
}

// RepositoryState is the repository as a whole.
type RepositoryState struct {
	Location     string              `json:"location"`
	Exists       bool                `json:"exists"`
	Backups      int                 `json:"backups"`
	Unusable     int                 `json:"unusable"`
	LogicalBytes int64               `json:"logical_bytes"`
	StoredBytes  int64               `json:"stored_bytes"`
	HeldBytes    int64               `json:"held_bytes,omitempty"`
	FreeBytes    *int64              `json:"free_bytes,omitempty"`
	LastProven   holdfast.BackupName `json:"last_proven,omitempty"`
	ProvenAt     *holdfast.Time      `json:"proven_at,omitempty"`
	ProvenBy     holdfast.ProofKind  `json:"proven_by,omitempty"`
	// The newest good drill of all.
	LastDrilled holdfast.BackupName `json:"last_drilled,omitempty"`
	DrilledAt   *holdfast.Time      `json:"drilled_at,omitempty"`
	// Error tells why the repository cannot be asked.
	Error string `json:"error,omitempty"`
}

// Pending is a restore that was cut.
type Pending struct {
	Op     string              `json:"op"`
	Backup holdfast.BackupName `json:"backup,omitempty"`
	Begun  holdfast.Time       `json:"begun"`
}
