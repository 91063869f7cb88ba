// Package testserver is what the harnesses of real servers (chromatest, s3test)
// share: where test.sh has installed the servers, and the end of what a running
// one printed.
package testserver

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Dir is the folder into which the scripts of test/servers install.
func Dir() (string, error) {
	if dir := os.Getenv("HOLDFAST_TEST_SERVERS"); dir != "" {
		return dir, nil
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("the repository cannot be found: set HOLDFAST_TEST_SERVERS to the folder of the servers")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", ".cache", "servers"), nil
}

// maxOutput bounds what is kept of a server's output.
const maxOutput = 64 << 10

// Output keeps the end of what a server prints. The zero Output is ready.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len()+len(p) > maxOutput {
		o.buf.Reset()
	}
	return o.buf.Write(p)
}

// String gives what was kept.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
