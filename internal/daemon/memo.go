package daemon

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// memoFile, in the state directory, holds when each task last ran, so that what was missed
// while no daemon ran is caught up with.
const memoFile = "tasks.json"

// A memo remembers over restarts when tasks last ran.
type memo struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	last   map[string]holdfast.Time
	failed bool // to write was refused last time, which was told
}

// openMemo reads the memo. One that cannot be read is an empty one: tasks run too
// early then, never too late.
func openMemo(dir string, log *slog.Logger) *memo {
	m := &memo{path: filepath.Join(dir, memoFile), log: log, last: map[string]holdfast.Time{}}
	data, err := os.ReadFile(m.path)
	if err == nil {
		err = json.Unmarshal(data, &m.last)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("when tasks last ran is not known; they run again", keyObject, m.path, keyError, err)
		m.last = map[string]holdfast.Time{}
	}
	if m.last == nil {
		m.last = map[string]holdfast.Time{}
	}
	return m
}

// ran tells when a task last ran; zero: not yet. A time that is still to come, by a clock
// that was set back, counts as now.
func (m *memo) ran(task string, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.last[task].Time
	if at.After(now) {
		return now
	}
	return at
}

// note remembers that a task ran. That it cannot be written down is told once, and costs
// a run too many after the next start.
func (m *memo) note(task string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[task] = holdfast.At(at)
	data, err := json.MarshalIndent(m.last, "", "  ")
	if err == nil {
		err = durable.WriteFile(durable.OS, m.path, append(data, '\n'), 0o600)
	}
	if err != nil && !m.failed {
		m.log.Warn("when tasks ran cannot be written down; the next start runs them again", keyObject, m.path, keyError, err)
	}
	m.failed = err != nil
}
