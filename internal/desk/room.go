package desk

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
)

// folder, in the state directory, holds jobs and alarms of such a program; lockFile in it
// is locked as long as the program lives.
const (
	folder   = "desk"
	lockFile = "desk.lock"
)

// A room is a directory that is one program's alone: another instance may live beside it
// for a while.
type room struct {
	dir  string
	lock *flock.Flock // nil: the folder is another program's, and dir a temporary one
}

// enter takes the folder in a state directory, or else a temporary one.
func enter(state string, log *slog.Logger) (room, error) {
	dir := filepath.Join(state, folder)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
		var free bool
		if free, err = lock.TryLock(); free {
			return room{dir, lock}, nil
		}
	}
	if err != nil {
		log.Warn("what is asked for in the chat is not remembered over a restart", "object", dir, "error", err)
	}
	if dir, err = os.MkdirTemp("", "holdfast-desk-"); err != nil {
		return room{}, &holdfast.Error{Op: "telegram panel", Object: os.TempDir(), Err: err, Hint: "make the state directory writable (HOLDFAST_STATE), or the temporary one"}
	}
	return room{dir: dir}, nil
}

// leave gives the directory back.
func (r room) leave(log *slog.Logger) {
	var err error
	if r.lock != nil {
		err = r.lock.Close()
	} else {
		err = os.RemoveAll(r.dir)
	}
	if err != nil {
		log.Debug("the folder of the panel was not given back", "object", r.dir, "error", err)
	}
}
