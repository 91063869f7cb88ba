//go:build !linux

package child

// AsInit has nothing to do where no containers run: see the version for Linux.
func AsInit() (code int, was bool, err error) { return 0, false, nil }
