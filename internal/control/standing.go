package control

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// StatusFile is where Publish writes: beside the record or, where the state
// directory cannot be written, in a private temporary directory. It is empty if
// there is not even that.
func (s *Server) StatusFile() string { return s.status }

// Publish writes the standing of the program, for Standings and for the program
// itself to read. A reader meets the old one or the new one.
func (s *Server) Publish(standing holdfast.Standing) error {
	if s.status == "" {
		return &holdfast.Error{Op: "write the status", Err: errors.New("there is no directory that can be written"), Hint: "TMPDIR names one"}
	}
	data, err := json.MarshalIndent(standing, "", "  ")
	if err == nil {
		err = durable.PublishFile(durable.OS, s.status, append(data, '\n'), 0o600)
	}
	if err != nil {
		return &holdfast.Error{Op: "write the status", Object: s.status, Err: pathless(err)}
	}
	return nil
}

// Standings reads what the programs that live below stateDir have published.
// One that has published nothing yet, or whose file cannot be read, is told by
// who it is; the error then says why.
func Standings(stateDir string) ([]holdfast.Standing, error) {
	programs, err := living(stateDir)
	if err != nil {
		return nil, err
	}
	var out []holdfast.Standing
	var errs []error
	for _, p := range programs {
		standing := holdfast.Standing{PID: p.PID, Host: p.Host, Started: p.Started, State: holdfast.StandingStarting}
		data, err := readSmall(p.Status)
		if err == nil {
			err = json.Unmarshal(data, &standing)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, &holdfast.Error{Op: "read the status of", Object: strings.TrimSpace(p.name()), Err: pathless(err)})
		}
		out = append(out, standing)
	}
	return out, errors.Join(errs...)
}
