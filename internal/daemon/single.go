package daemon

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// lockFile, in the state directory, is locked as long as a daemon lives. The system
// lets go of the lock with the process, however that ends, so that nobody waits for
// a daemon that was killed.
const lockFile = "serve.lock"

// purpose is what a daemon says that it does with what it holds.
const purpose = "holdfast serve"

// A single is the right to be the one daemon of a state directory.
type single struct {
	lock *flock.Flock
	path string
	tag  tag
}

// A tag is what the lock's file says: who holds it, and under which name the daemon of this
// state directory is known in the repository, over all its lives.
type tag struct {
	ID string `json:"id"`
	holdfast.Owner
}

// takeSingle takes the right, or fails with a LockedError that names the holder.
func takeSingle(dir, object string, now time.Time) (*single, error) {
	path := filepath.Join(dir, lockFile)
	fail := func(err error) (*single, error) {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return nil, &holdfast.Error{Op: "lock", Object: path, Err: err, Hint: "make the state directory writable, or name another with state (HOLDFAST_STATE)"}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err != nil {
		return fail(err)
	}
	before := readTag(path)
	if !free {
		return nil, &holdfast.Error{
			Op: "serve", Err: &holdfast.LockedError{Object: object, Owner: before.Owner},
			Hint: "one daemon serves a repository: use that one, or stop it first",
		}
	}
	host, _ := os.Hostname() // without a name it is known by its process
	s := &single{lock: lock, path: path, tag: tag{ID: before.ID, Owner: holdfast.Owner{Host: host, PID: os.Getpid(), Purpose: purpose, Since: now.UTC().Truncate(time.Second)}}}
	if repo.CheckInstanceID(s.tag.ID) != nil {
		s.tag.ID = strings.ToLower(rand.Text())
	}
	return s, nil
}

// sign writes who holds the lock into it, for people and for those that find it taken.
// The lock holds without.
func (s *single) sign() error {
	data, err := json.Marshal(s.tag)
	if err == nil {
		err = os.WriteFile(s.path, append(data, '\n'), 0o600) // in place: another file would be another lock
	}
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return &holdfast.Error{Op: "write", Object: s.path, Err: err}
	}
	return nil
}

// release gives the right back. The file stays: it holds the name.
func (s *single) release() error { return s.lock.Close() }

// readTag reads what a lock says. One that says nothing has a holder without a name.
func readTag(path string) (t tag) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &t) != nil {
		return tag{}
	}
	return t
}
