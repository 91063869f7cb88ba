package alarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

const (
	recordFormat = 1
	// mostRecord bounds what is read of the file.
	mostRecord = 4 << 20
)

// A record is the file of a board.
type record struct {
	Format  int       `json:"format"`
	Alarms  []*entry  `json:"alarms"`
	Letters []*letter `json:"letters,omitempty"`
}

// load reads the file. What cannot be understood is begun anew: then all that
// stands is told once more, in one message that says so.
func (b *Board) load() error {
	if b.o.File == "" {
		return nil
	}
	r, err := readRecord(b.o.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil:
		b.entries, b.letters = r.Alarms, r.Letters
		b.saved = encode(b.entries, b.letters)
		return nil
	case errors.Is(err, errTorn):
		b.o.Logger.Warn("the record of alarms cannot be understood and is begun anew", "file", b.o.File, "error", err)
		b.lost = true
	default:
		return &holdfast.Error{Op: "read alarms", Object: b.o.File, Err: err, Hint: "see that the state directory may be read"}
	}
	if err := durable.WriteFile(b.o.FS, b.o.File, encode(nil, nil), 0o600); err != nil {
		return &holdfast.Error{Op: "write alarms", Object: b.o.File, Err: err, Hint: "see that the state directory may be written and has room"}
	}
	return nil
}

var errTorn = errors.New("it is no record of alarms")

func readRecord(name string) (r record, err error) {
	info, err := os.Lstat(name)
	if err != nil {
		return record{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostRecord {
		return record{}, fmt.Errorf("%w: not a small regular file", errTorn)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return record{}, err
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Format != recordFormat {
		return record{}, errTorn
	}
	for _, e := range r.Alarms {
		if e == nil || e.Alarm.Kind == "" || e.Stands && e.Alarm.Since.IsZero() || !e.Stands && (e.Known || e.Missed) && e.Ended == nil || e.Known && e.Alarm.ToldAt == nil {
			return record{}, errTorn
		}
	}
	if slices.Contains(r.Letters, nil) {
		return record{}, errTorn
	}
	return r, nil
}

func encode(entries []*entry, letters []*letter) []byte {
	if entries == nil {
		entries = []*entry{}
	}
	data, err := json.MarshalIndent(record{Format: recordFormat, Alarms: entries, Letters: letters}, "", "  ")
	if err != nil {
		return nil // a record is of strings, numbers and times
	}
	return append(data, '\n')
}

// save writes the file if anything in it is another. A failure is told in the log, once,
// and tried again at the next update: what is wrong is told all the same.
func (b *Board) save() {
	b.mu.Lock()
	data := encode(b.entries, b.letters)
	b.mu.Unlock()
	if b.o.File == "" || string(data) == string(b.saved) {
		return
	}
	err := durable.WriteFile(b.o.FS, b.o.File, data, 0o600)
	switch {
	case err == nil:
		b.saved = data
	case !b.unsaved: // else every minute, on a disk that is full
		b.o.Logger.Error("the record of alarms cannot be written; it is tried again", "file", b.o.File, "error", err)
	}
	b.unsaved = err != nil
}
