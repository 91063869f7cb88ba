//go:build !linux

package sqlite

// lockHolder names the process that holds a lock on path. This system does
// not tell.
func lockHolder(string) string { return "" }
