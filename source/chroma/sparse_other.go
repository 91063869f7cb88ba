//go:build !linux

package chroma

import "os"

// nextData takes everything for data: zeros are stored as zeros.
func nextData(_ *os.File, off, size int64) (data, end int64) { return off, size }
