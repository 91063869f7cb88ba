package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A copyJournal remembers which objects of an unfinished copy are complete: a
// line of JSON for the identity of the backup, then one for each object. A torn
// last line means that one object is sent again, a lost file that all are.
type copyJournal struct {
	fsys durable.FS
	path string

	mu   sync.Mutex
	file *os.File
}

const copyJournalExt = ".jsonl"

// journalLine is one line of a copyJournal.
type journalLine struct {
	Identity string `json:"identity,omitempty"`
	Object   string `json:"object,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
}

// Begin implements repo.CopyJournal.
func (j *copyJournal) Begin(identity string) (map[string]string, error) {
	complete, err := j.read(identity)
	if err != nil {
		return nil, j.fail("read", err)
	}
	if err := durable.MkdirAll(j.fsys, filepath.Dir(j.path), 0o700); err != nil {
		return nil, j.fail("make the folder of", err)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if complete == nil {
		flags |= os.O_TRUNC
	}
	if j.file, err = os.OpenFile(j.path, flags, 0o600); err != nil {
		return nil, j.fail("write", err)
	}
	if complete == nil {
		return nil, j.write(journalLine{Identity: identity})
	}
	// What was torn must not swallow the next line.
	return complete, j.text("\n")
}

// read gives what was noted for this identity; nil if it is another's.
func (j *copyJournal) read(identity string) (map[string]string, error) {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var complete map[string]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line journalLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // torn
		}
		switch {
		case complete == nil && line.Identity != identity:
			return nil, nil
		case complete == nil:
			complete = map[string]string{}
		case line.Object != "":
			complete[line.Object] = line.SHA256
		}
	}
	return complete, lines.Err()
}

// Complete implements repo.CopyJournal.
func (j *copyJournal) Complete(key, sum string) error {
	return j.write(journalLine{Object: key, SHA256: sum})
}

func (j *copyJournal) write(line journalLine) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return j.text(string(b) + "\n")
}

func (j *copyJournal) text(s string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := j.file.WriteString(s)
	return j.fail("write", err)
}

// End implements repo.CopyJournal.
func (j *copyJournal) End() error {
	if err := j.close(); err != nil {
		return err
	}
	if err := j.fsys.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return j.fail("remove", err)
	}
	return nil
}

// close closes the file; the notes stay.
func (j *copyJournal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return j.fail("close", err)
}

func (j *copyJournal) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &holdfast.Error{Op: op, Object: j.path, Err: pathless(err)}
}

// copyJournal gives the journal for the copy of one backup into a replica.
func (e *Engine) copyJournal(replica Replica, name holdfast.BackupName) *copyJournal {
	return &copyJournal{fsys: e.o.FS, path: filepath.Join(e.replicaDir(replica), string(name)+copyJournalExt)}
}

// dropJournals removes the journals of copies that will not go on, since their
// backups are gone.
func (e *Engine) dropJournals(replica Replica, known map[holdfast.BackupName]bool) error {
	entries, err := os.ReadDir(e.replicaDir(replica))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), copyJournalExt); ok && !known[holdfast.BackupName(name)] {
			err = errors.Join(err, e.o.FS.Remove(filepath.Join(e.replicaDir(replica), entry.Name())))
		}
	}
	return err
}
