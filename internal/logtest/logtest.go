// Package logtest keeps a log for tests to read while it is still written.
package logtest

import (
	"bytes"
	"sync"
)

// A Log is what was written to it. The zero Log is ready; it may be written to and read
// side by side.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String gives everything that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
