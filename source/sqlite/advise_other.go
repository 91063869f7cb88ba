//go:build !linux

package sqlite

import "os"

// adviseSequential asks the kernel to read far ahead, where it takes advice.
func adviseSequential(*os.File) {}
