package job

import (
	"encoding/json"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// mostRecent is how many events are kept in memory; the file has those before.
const mostRecent = 256

// news are the events of one job: the newest in memory, all of them in a file, as
// far as the disk takes them.
type news struct {
	path string
	fs   durable.FS

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every event
	thin    thinner
	seq     int64   // of the last event
	recent  []Event // up to seq, without gaps
	closed  bool    // only the end is still to come
	ended   bool

	file durable.File
	size int64 // of what the file holds whole
	torn bool  // a write failed, and its part could not be removed
	gaps bool  // the file lacks something
}

func newNews(fsys durable.FS, path string) *news {
	return &news{path: path, fs: fsys, changed: make(chan struct{})}
}

// heard takes in what the work tells.
func (e *entry) heard(ev holdfast.Event, now time.Time) {
	if ev.Time.IsZero() {
		ev.Time = now
	}
	at := holdfast.At(ev.Time)
	p := &Progress{At: at, Op: ev.Op, Step: ev.Step, State: ev.State, Backup: ev.Backup, Source: ev.Source, Path: ev.Path, Done: ev.Done, Total: ev.Total}
	e.mu.Lock()
	if e.job.State == Running {
		e.job.Progress = p
	}
	e.mu.Unlock()
	e.news.step(Event{At: at, Event: &ev}, now)
}

// step adds a piece of news of the work, unless there is too much of its kind.
func (n *news) step(ev Event, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed && n.thin.passes(*ev.Event, now) {
		n.append(ev)
	}
}

// add adds a change of the state.
func (n *news) add(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.append(ev)
	}
}

// last closes the news but for the end, and gives the number that this will have.
func (n *news) last() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	return n.seq + 1
}

// number is that of the last event.
func (n *news) number() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seq
}

// end adds the last event.
func (n *news) end(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	n.append(ev)
	if n.file != nil {
		n.gaps = n.file.Close() != nil || n.gaps
		n.file = nil
	}
}

// slim forgets what the file has.
func (n *news) slim() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.gaps {
		n.recent = nil
	}
	n.thin = thinner{}
}

// append adds an event, under the lock.
func (n *news) append(ev Event) {
	n.seq++
	ev.Seq = n.seq
	n.write(ev)
	if len(n.recent) >= 2*mostRecent {
		n.recent = append([]Event(nil), n.recent[mostRecent:]...)
	}
	n.recent = append(n.recent, ev)
	close(n.changed)
	n.changed = make(chan struct{})
}

// write appends to the file. What the disk does not take is missing there, and
// leaves nothing torn in front of what comes later.
func (n *news) write(ev Event) {
	line, err := json.Marshal(ev)
	if err == nil && n.file == nil && !n.torn {
		n.file, err = n.open()
	}
	if err != nil || n.torn {
		n.gaps = true
		return
	}
	line = append(line, '\n')
	if _, err := n.file.WriteAt(line, n.size); err != nil {
		n.gaps = true
		n.torn = n.file.Truncate(n.size) != nil
		return
	}
	n.size += int64(len(line))
}

// open makes the file, or goes on with the one of an earlier process.
func (n *news) open() (durable.File, error) {
	f, err := n.fs.OpenWrite(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return n.fs.Create(n.path, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(n.size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
