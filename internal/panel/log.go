package panel

// Attribute keys of the log.
const (
	keyUser      = "user"
	keyName      = "name"
	keyChat      = "chat"
	keyOp        = "op"
	keyOperation = "op_id"
	keyBackup    = "backup"
	keySealed    = "encrypted"
	keyError     = "error"
	keyHint      = "hint"
)
