package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

const (
	recordSuffix = ".json"
	eventsSuffix = ".events"
	// recordVersion is the version of a record's shape.
	recordVersion = 1
	// mostRecord bounds what is read of a record; mostResult, and the bound of
	// requests, keep records below it.
	mostRecord = 16 << 20
)

// A record is a job on the disk.
type record struct {
	Version int `json:"version"`
	Job
	Hash string `json:"request_hash"`
	// Events is the number of the last event; set at the end.
	Events int64 `json:"events,omitempty"`
}

// A store keeps records.
type store struct {
	dir string
	fs  durable.FS
}

func (s store) recordPath(id string) string { return filepath.Join(s.dir, id+recordSuffix) }
func (s store) eventsPath(id string) string { return filepath.Join(s.dir, id+eventsSuffix) }

// write makes a record durable.
func (s store) write(rec record) error {
	rec.Version = recordVersion
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := s.make(); err != nil {
		return err
	}
	return durable.WriteFile(s.fs, s.recordPath(rec.ID), append(data, '\n'), 0o600)
}

// make makes the directory, if it is not there.
func (s store) make() error {
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.MkdirAll(s.fs, s.dir, 0o700)
}

// read reads one record.
func (s store) read(id string) (record, error) {
	f, err := os.Open(s.recordPath(id))
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRecord+1))
	if err != nil {
		return record{}, err
	}
	if len(data) > mostRecord {
		return record{}, fmt.Errorf("it is larger than %d bytes", mostRecord)
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return record{}, err
	}
	return rec, rec.check(id)
}

// check refuses a record that is not that of the job whose name it bears.
func (rec record) check(id string) error {
	switch {
	case rec.Version != recordVersion:
		return fmt.Errorf("its version is %d, not %d", rec.Version, recordVersion)
	case rec.ID != id:
		return fmt.Errorf("it is that of another job")
	case !known(rec.State):
		return fmt.Errorf("there is no state %q", rec.State)
	case rec.Events < 0 || rec.Events > mostSeq:
		return fmt.Errorf("it counts %d events", rec.Events)
	case rec.State.Ended() && rec.EndedAt == nil:
		return fmt.Errorf("it does not tell when the job ended")
	}
	return nil
}

func known(s State) bool {
	for _, k := range States() {
		if s == k {
			return true
		}
	}
	return false
}

// An unreadable is a record that is there and tells nothing.
type unreadable struct {
	id       string
	modified time.Time
	err      error
}

// all reads every record.
func (s store) all() (records []record, bad []unreadable, err error) {
	if _, err := durable.CleanTemps(s.fs, s.dir); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	for _, d := range entries {
		id, ok := strings.CutSuffix(d.Name(), recordSuffix)
		if !ok || !idPattern.MatchString(id) {
			continue
		}
		rec, err := s.read(id)
		if err == nil {
			records = append(records, rec)
			continue
		}
		u := unreadable{id: id, err: err}
		if info, err := d.Info(); err == nil {
			u.modified = info.ModTime()
		}
		bad = append(bad, u)
	}
	return records, bad, err
}

// remove removes what there is of a job, the record last.
func (s store) remove(id string) error {
	if err := durable.Remove(s.fs, s.eventsPath(id)); err != nil {
		return err
	}
	return durable.Remove(s.fs, s.recordPath(id))
}
