//go:build unix && !linux

package durable

// IsMountPoint tells whether path itself is the root of a mount, so that it
// cannot be renamed away.
func IsMountPoint(path string) (bool, error) { return deviceDiffersFromParent(path) }
