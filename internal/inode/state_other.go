//go:build !linux

package inode

import (
	"io/fs"
	"os"
	"time"
)

func device(fs.FileInfo) uint64 { return 0 }

// Clock is the time that a file changed now would get at least.
func Clock() time.Time { return time.Now() }

// ShowsWrites tells whether every write of these kinds to f moves its State,
// which is not known of the file systems here.
func ShowsWrites(*os.File, Writes) bool { return false }

// Await waits for nothing: what ShowsWrites denies need not be waited for.
func Await(*os.File, Writes) error { return nil }

func session(uint64) string { return "" }
