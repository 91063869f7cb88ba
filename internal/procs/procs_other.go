//go:build !linux

package procs

import "context"

// Holding finds the processes that have a file open at or below one of paths.
func Holding(context.Context, []string) (Scan, error) { return Scan{}, ErrUnsupported }
