package holdfast

import "time"

// A Standing is what a program that runs in holdfast's care knows of its own
// storage: the JSON of boot's Status, of the file that HOLDFAST_STATUS names,
// and of every surface that shows them.
type Standing struct {
	At      Time          `json:"at"` // when this was written
	State   StandingState `json:"state"`
	Message string        `json:"message"` // the verdict in one sentence
	PID     int           `json:"pid"`
	Host    string        `json:"host,omitempty"`
	Started Time          `json:"started"`
	// Repository is where the backups go.
	Repository string           `json:"repository"`
	Sources    []SourceStanding `json:"sources"`
	Survival   *Survival        `json:"survival,omitempty"`
	Backups    BackupStanding   `json:"backups"`
	Tasks      []TaskStanding   `json:"tasks,omitempty"`
	// Problems are what is worth knowing now, the worst first.
	Problems []Problem `json:"problems,omitempty"`
}

// StandingState is the state of a program in holdfast's care.
type StandingState string

// The states of a program in holdfast's care.
const (
	StandingStarting   StandingState = "starting"
	StandingReady      StandingState = "ready"
	StandingDegraded   StandingState = "degraded"   // the storage cannot hold the data: it lies in memory
	StandingRestoring  StandingState = "restoring"  // the program waits for a restore
	StandingRestarting StandingState = "restarting" // run: the program ended and is to be started again
	StandingStopping   StandingState = "stopping"
	StandingStopped    StandingState = "stopped"
)

// SourceStanding is how one source stands.
type SourceStanding struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Path is where the data belongs; At is where it lies now, if that is
	// elsewhere (degraded).
	Path string `json:"path"`
	At   string `json:"at,omitempty"`
	// Storage is what the probe of the directory found.
	Storage *Storage `json:"storage,omitempty"`
	// Start is what the start-up decided about the data, and why.
	Start *StartDecision `json:"start,omitempty"`
	// Migration is what became of the migrations; nil if there are none.
	Migration *MigrationStanding `json:"migration,omitempty"`
	// DegradedSince and Reason are set while the storage cannot hold the data.
	DegradedSince *Time  `json:"degraded_since,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// Storage is what a probe of a directory found.
type Storage struct {
	Dir        string `json:"dir"`
	FileSystem string `json:"file_system"` // ext4, overlay, tmpfs, nfs …
	FreeBytes  int64  `json:"free_bytes"`  // -1: the system does not tell
	// Usable tells that a database can live there.
	Usable bool `json:"usable"`
	// Findings name what is wrong or remarkable, each with what it means.
	Findings []Finding `json:"findings,omitempty"`
}

// A Finding is one thing that a probe found.
type Finding struct {
	Code     FindingCode `json:"code"`
	Severity Severity    `json:"severity"` // Damaged: unusable; Warning: worth knowing
	Message  string      `json:"message"`
	Hint     string      `json:"hint,omitempty"`
}

// FindingCode names what a probe found.
type FindingCode string

// What a probe can find in a directory.
const (
	FindingMissing   FindingCode = "missing"   // it does not exist and cannot be made
	FindingNotDir    FindingCode = "not_a_dir" // something else has its name
	FindingDenied    FindingCode = "denied"    // no permission
	FindingReadOnly  FindingCode = "read_only" // mounted read-only
	FindingFull      FindingCode = "full"      // no room, or no inodes, or quota used up
	FindingLow       FindingCode = "low_space" // little room
	FindingNoLocks   FindingCode = "no_locks"  // locks are refused, or do not keep others out
	FindingNoWAL     FindingCode = "no_wal"    // SQLite cannot use its WAL mode here
	FindingNoRename  FindingCode = "no_rename" // a rename fails
	FindingNoSync    FindingCode = "no_sync"   // a sync fails
	FindingMangled   FindingCode = "mangled"   // what was written reads back otherwise
	FindingNetwork   FindingCode = "network"   // a network or shared file system
	FindingMemory    FindingCode = "memory"    // tmpfs: gone with the machine or container
	FindingOverlay   FindingCode = "overlay"   // a container's own layer: gone with it
	FindingIO        FindingCode = "io_error"  // the device fails
	FindingSameDisk  FindingCode = "same_disk" // the repository lies where the data lies
	FindingUndecided FindingCode = "undecided" // a probe could not be made
)

// A StartAction is what the start-up did about a source's data.
type StartAction string

// What the start-up can do about a source's data.
const (
	StartKept     StartAction = "kept"     // it is healthy: it was not touched
	StartRestored StartAction = "restored" // a backup took its place
	StartNew      StartAction = "new"      // there is none, and no backup: a first start
	StartFailed   StartAction = "failed"   // it is lost or damaged, and nothing could be restored
)

// A StartDecision is what the start-up did about a source's data, and why.
type StartDecision struct {
	Action StartAction `json:"action"`
	// Found is the state that the data was found in: healthy, missing,
	// empty, not a database, damaged …, in words.
	Found  string `json:"found"`
	Reason string `json:"reason"` // one sentence
	// Backup is what was restored; From where it came from: the repository's
	// or replica's name, or the path of the mirror.
	Backup   BackupName `json:"backup,omitempty"`
	From     string     `json:"from,omitempty"`
	BackupAt *Time      `json:"backup_at,omitempty"`
	// Passed are the candidates that would not restore, newest first, with why.
	Passed []Problem `json:"passed,omitempty"`
	// Aside is where the replaced state was kept.
	Aside  []string `json:"aside,omitempty"`
	TookMS int64    `json:"took_ms"`
}

// MigrationStanding is what became of the migrations at the start.
type MigrationStanding struct {
	From    int64      `json:"from"`
	To      int64      `json:"to"`
	Applied []string   `json:"applied,omitempty"`
	Backup  BackupName `json:"backup,omitempty"` // made before
	// Failed says why, and RestoredFrom which backup undid it.
	Failed       string     `json:"failed,omitempty"`
	RestoredFrom BackupName `json:"restored_from,omitempty"`
}

// BackupStanding is how the backups of the program stand.
type BackupStanding struct {
	Last        BackupName `json:"last,omitempty"`
	LastAt      *Time      `json:"last_at,omitempty"`
	LastTrigger Trigger    `json:"last_trigger,omitempty"`
	// LastChecked is when it was last found that nothing had changed since.
	LastChecked *Time `json:"last_checked,omitempty"`
	NextAt      *Time `json:"next_at,omitempty"`
	// Unsaved is since when there are changes that no backup holds.
	Unsaved *Time  `json:"unsaved_since,omitempty"`
	Error   string `json:"error,omitempty"`  // of the last attempt, if that failed
	Failed  int64  `json:"failed,omitempty"` // attempts in a row
	// Standby names the other instance that makes the backups of this data.
	Standby string `json:"standby,omitempty"`
}

// TaskStanding is how one periodic task stands.
type TaskStanding struct {
	Name     string `json:"name"`
	EveryMS  int64  `json:"every_ms"`
	Running  bool   `json:"running"`
	Runs     int64  `json:"runs"`
	Failures int64  `json:"failures"`
	LastAt   *Time  `json:"last_at,omitempty"`
	LastMS   int64  `json:"last_ms,omitempty"`
	Error    string `json:"error,omitempty"` // of the last run
	NextAt   *Time  `json:"next_at,omitempty"`
}

// Every is the period of the task.
func (t TaskStanding) Every() time.Duration { return time.Duration(t.EveryMS) * time.Millisecond }

// Survival is what is known about how the storage outlives restarts.
type Survival struct {
	State  SurvivalState `json:"state"`
	Words  string        `json:"words"` // "kept over 12 restarts; wiped twice, last on 2026-11-03"
	Since  *Time         `json:"since,omitempty"`
	Starts int64         `json:"starts"`
	Kept   int64         `json:"kept"`
	Wiped  int64         `json:"wiped"`
	// LastWiped is when a wipe was last found.
	LastWiped *Time `json:"last_wiped,omitempty"`
	// Other describes another instance whose lease runs, and until when.
	Other      string `json:"other,omitempty"`
	OtherUntil *Time  `json:"other_until,omitempty"`
}

// SurvivalState is what the markers tell about this start.
type SurvivalState string

// What the markers can tell about a start.
const (
	SurvivalFirst   SurvivalState = "first"   // nothing is known: a first start
	SurvivalKept    SurvivalState = "kept"    // the storage is that of the last start
	SurvivalWiped   SurvivalState = "wiped"   // it was used before, and is another one now
	SurvivalTwo     SurvivalState = "two"     // two instances are running
	SurvivalUnclear SurvivalState = "unclear" // another instance ended without a word, or still runs: its lease tells
	SurvivalUnknown SurvivalState = "unknown" // no marker can be kept: why is among the problems
)
