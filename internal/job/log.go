package job

// Attribute keys of the log.
const (
	keyOperation = "op_id"
	keyKind      = "kind"
	keyBy        = "by"
	keyState     = "state"
	keyBackup    = "backup"
	keyDuration  = "duration"
	keyOutcome   = "outcome"
	keyError     = "error"
	keyHint      = "hint"
	keyStack     = "stack"
)
