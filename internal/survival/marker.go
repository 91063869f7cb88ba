package survival

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/repo"
)

// markerFormat is the version of the file beside the data.
const markerFormat = 1

// maxMarker bounds what is read of a file that has the marker's name.
const maxMarker = 64 << 10

// A record is what is counted about one storage.
type record struct {
	ID      string        `json:"id"`
	Run     string        `json:"run"` // of the process that wrote it last
	Created holdfast.Time `json:"created"`
	// Since is when the history begins, if that was taken over.
	Since   holdfast.Time  `json:"since"`
	Started holdfast.Time  `json:"started"`
	Ended   *holdfast.Time `json:"ended,omitempty"` // the last run, in order
	// Open tells that it is not settled yet whether this storage took the
	// place of another one.
	Open      bool           `json:"open,omitempty"`
	Starts    int64          `json:"starts"`
	Kept      int64          `json:"kept"`
	Wiped     int64          `json:"wiped"`
	LastWiped *holdfast.Time `json:"last_wiped,omitempty"`
}

// A marker is the file beside the data.
type marker struct {
	Format int `json:"format"`
	record
	Source  string `json:"source"`
	Host    string `json:"host,omitempty"`
	PID     int    `json:"pid"`
	Trusted string `json:"trusted,omitempty"`
	// Checksum is the SHA-256 of the file with this field empty.
	Checksum string `json:"checksum"`
}

// holder names the process that wrote the marker.
func (m marker) holder() string {
	where := ""
	if m.Host != "" {
		where = " on " + m.Host
	}
	return fmt.Sprintf("process %d%s, started %s", m.PID, where, m.Started)
}

func (m marker) encode() ([]byte, error) {
	m.Format, m.Checksum = markerFormat, ""
	sum, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(sum)
	m.Checksum = hex.EncodeToString(digest[:])
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// readMarker gives nil without an error if there is none, and nil with one if
// what is there cannot be believed.
func readMarker(path, source string) (*marker, error) {
	data, err := planted.Read(path, maxMarker)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseMarker(data, source)
}

// parseMarker gives the marker that a file holds.
func parseMarker(data []byte, source string) (*marker, error) {
	m := new(marker)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("it is not whole: %w", err)
	}
	again, err := m.encode()
	switch {
	case err != nil:
		return nil, err
	case m.Format > markerFormat:
		return nil, fmt.Errorf("it has format %d, of a newer holdfast", m.Format)
	case !bytes.Equal(data, again):
		return nil, errors.New("its bytes do not match its checksum")
	case m.Source != source:
		return nil, fmt.Errorf("it belongs to the source %q", m.Source)
	case repo.CheckInstanceID(m.ID) != nil:
		return nil, fmt.Errorf("it has the id %q, which is none", m.ID)
	case m.Starts < 0 || m.Kept < 0 || m.Wiped < 0:
		return nil, errors.New("its counts are below zero")
	}
	return m, nil
}

func writeMarker(fsys durable.FS, path string, m marker) error {
	data, err := m.encode()
	if err != nil {
		return err
	}
	return durable.WriteFile(fsys, path, data, 0o600)
}
