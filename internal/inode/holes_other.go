//go:build !linux

package inode

import "os"

// NextData takes everything for data: zeros are stored as zeros.
func NextData(_ *os.File, off, size int64) (start, end int64, err error) { return off, size, nil }
