//go:build !linux && !darwin

package inode

import (
	"io/fs"
	"time"
)

// ChangeTime is not known here: sizes and times of modification must do.
func ChangeTime(fs.FileInfo) time.Time { return time.Time{} }

// Number is not known here.
func Number(fs.FileInfo) uint64 { return 0 }
