package holdfast

import "time"

// Step is one step of a verb, in the order in which a person sees them.
type Step string

// The steps of a restore, as the manual shows them, and those of the other
// verbs.
const (
	StepChoose    Step = "choose"    // the backup was found and chosen
	StepEmergency Step = "emergency" // back up the present state first
	StepValidate  Step = "validate"  // every byte of the backup is checked
	StepStage     Step = "stage"     // a copy is made beside the target
	StepCheck     Step = "check"     // the copy is opened as its owner would
	StepStop      Step = "stop"      // the stop hook runs
	StepSwap      Step = "swap"      // the copy takes the target's place
	StepMemory    Step = "memory"    // memory is restored
	StepStart     Step = "start"     // the start hook runs, collections are reloaded
	StepConfirm   Step = "confirm"   // the new state is confirmed in place
	StepRollback  Step = "rollback"  // the replaced state is put back

	// StepWait is the time in which a deletion can be taken back; Done and Total of
	// its events are milliseconds.
	StepWait      Step = "wait"
	StepPreflight Step = "preflight" // space, permissions, limits
	StepCapture   Step = "capture"   // sources are captured
	StepExport    Step = "export"    // memory is exported from the captured copy
	StepCommit    Step = "commit"    // the backup is made durable and visible
	StepVerify    Step = "verify"    // bytes and sources' own checks
	StepRehearse  Step = "rehearse"  // a server is started on a restored copy and asked
	StepPrune     Step = "prune"     // old backups are removed
	StepCompact   Step = "compact"   // a backup takes over what it needs of deleted ones
	StepCopy      Step = "copy"      // a backup is copied into a replica
	StepResult    Step = "result"    // how it ended
)

// State tells how far a step is.
type State string

// The states of a step.
const (
	Started  State = "started"
	Progress State = "progress"
	Finished State = "finished"
	Failed   State = "failed"
	Skipped  State = "skipped"
)

// An Event is one piece of news about a running verb. Every surface shows the
// same events.
type Event struct {
	Time    time.Time  `json:"time"`
	Op      string     `json:"op"` // backup, verify, restore …
	Step    Step       `json:"step"`
	State   State      `json:"state"`
	Backup  BackupName `json:"backup,omitempty"`
	Source  string     `json:"source,omitempty"`
	Path    string     `json:"path,omitempty"`
	Done    int64      `json:"done,omitempty"`  // bytes
	Total   int64      `json:"total,omitempty"` // bytes, 0 if unknown
	Message string     `json:"message,omitempty"`
}

// An Observer takes events. It must be fast and may be called from several
// goroutines; nil is allowed wherever an Observer is asked for.
type Observer func(Event)

// Send gives e to the observer if there is one.
func (o Observer) Send(e Event) {
	if o == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	o(e)
}
