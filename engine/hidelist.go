package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A backup that is copied only because others need it is hidden in the replica
// as soon as these are there, not before: what nothing needs would be freed. An
// empty file of its name remembers that over a cut. Losing it leaves a backup
// visible that need not be.
const hideExt = ".hide"

// rememberToHide notes that a backup is to be hidden once it is needed.
func (e *Engine) rememberToHide(replica Replica, name holdfast.BackupName) error {
	dir := e.replicaDir(replica)
	if err := durable.MkdirAll(e.o.FS, dir, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(e.o.FS, filepath.Join(dir, string(name)+hideExt), nil, 0o600)
}

// toHide gives the backups that are to be hidden.
func (e *Engine) toHide(replica Replica) ([]holdfast.BackupName, error) {
	entries, err := os.ReadDir(e.replicaDir(replica))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []holdfast.BackupName
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), hideExt); ok {
			names = append(names, holdfast.BackupName(name))
		}
	}
	return names, nil
}

// hidden forgets that a backup is to be hidden.
func (e *Engine) hidden(replica Replica, name holdfast.BackupName) error {
	return e.o.FS.Remove(filepath.Join(e.replicaDir(replica), string(name)+hideExt))
}
