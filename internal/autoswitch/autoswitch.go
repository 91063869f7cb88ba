// Package autoswitch keeps whether assistants that ask for a backup before a large
// change get one: the switch that people turn in the web UI. It lies in the state
// directory, with who turned it and when, and survives restarts.
//
// Start from [Read] and [Set]. What it promises: a switch that nobody has turned is on;
// it is either as it was or as it was set, also after a crash. What the configuration
// says, and what follows from both, is told by package report.
package autoswitch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// file is the name of the switch in the state directory.
const file = "auto_backup.json"

// mostBytes bounds the file.
const mostBytes = 4 << 10

// A Position is how the switch stands; By and At are missing if nobody has turned it.
type Position struct {
	On bool           `json:"on"`
	By string         `json:"by,omitempty"`
	At *holdfast.Time `json:"at,omitempty"`
}

// Read gives the position of the switch. With an error it is on: a backup too many harms
// nobody.
func Read(dir string) (Position, error) {
	f, err := os.Open(filepath.Join(dir, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Position{On: true}, nil
	case err != nil:
		return Position{On: true}, failure("read", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return Position{On: true}, failure("read", err)
	}
	var p Position
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || len(data) > mostBytes || p.At == nil {
		return Position{On: true}, failure("read", holdfast.Kindf(holdfast.ErrDamaged, "it is not what was written"))
	}
	return p, nil
}

// Set turns the switch.
func Set(dir string, p Position) error {
	data, err := json.Marshal(p)
	if err != nil {
		return failure("write", err)
	}
	if err := durable.MkdirAll(durable.OS, dir, 0o700); err != nil {
		return failure("write", err)
	}
	if err := durable.WriteFile(durable.OS, filepath.Join(dir, file), append(data, '\n'), 0o600); err != nil {
		return failure("write", err)
	}
	return nil
}

func failure(op string, err error) error {
	return &holdfast.Error{Op: op + " the switch of Auto Backup", Object: file, Err: err, Hint: "turn it once more; until then it is on"}
}
