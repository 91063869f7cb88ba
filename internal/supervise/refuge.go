package supervise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/probe"
)

// A refuge is the folder in memory of a database whose storage cannot hold it:
// /dev/shm/holdfast-<uid>/<hash of the path>. /dev/shm is open to all users, so
// the folder for all refuges is one that nobody else owns or can look into. Where
// somebody else has taken its name, it gets another one. Systems without /dev/shm
// (macOS, Windows) have the folder for temporary files instead, on some disk.

const sharedMem = "/dev/shm"

// refugeBases are the directories that a refuge can lie in, the best first.
func refugeBases() []string { return []string{sharedMem, os.TempDir()} }

// meanwhile says what a refuge is.
func meanwhile(path string) string {
	if strings.HasPrefix(path, sharedMem+"/") {
		return "in memory"
	}
	return "in the folder for temporary files"
}

// refuge is the folder in memory for a database, made if it is not there.
func (s *supervisor) refuge(ctx context.Context, p *place) (string, error) {
	var errs []error
	for _, base := range refugeBases() {
		above, err := refugeAbove(base)
		if errors.Is(err, fs.ErrNotExist) {
			above, err = makeAbove(base)
		}
		folder := filepath.Join(above, refugeName(p.conf.Path))
		if err == nil {
			if err = os.Mkdir(folder, 0o700); errors.Is(err, fs.ErrExist) {
				err = owned(folder)
			}
		}
		if err == nil {
			found := probe.Dir(ctx, folder, probe.Options{FS: osFS, SQLite: true})
			if found.Usable {
				return folder, nil
			}
			err = errors.New(whyUnusable(&found))
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// refugeName names the folder for a database.
func refugeName(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// aboveName names the folder for all refuges of this user.
func aboveName() string { return fmt.Sprintf("holdfast-%d", os.Getuid()) }

// refugeAbove finds the folder for all refuges of this user in a directory that
// others can write to; one that is not there matches fs.ErrNotExist.
func refugeAbove(base string) (string, error) {
	name := filepath.Join(base, aboveName())
	if owned(name) == nil {
		return name, nil
	}
	others, err := filepath.Glob(filepath.Join(base, aboveName()+"-*"))
	if err != nil {
		return "", err
	}
	for _, other := range others {
		if owned(other) == nil {
			return other, nil
		}
	}
	return "", &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}

// makeAbove makes the folder for all refuges, under another name if somebody
// else has its own.
func makeAbove(base string) (string, error) {
	name := filepath.Join(base, aboveName())
	err := os.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return os.MkdirTemp(base, aboveName()+"-")
	}
	return name, err
}

// owned refuses a folder that does not belong to this user, or is none; and makes
// sure that nobody else can look into it. What lies in another's could be
// anything.
func owned(folder string) error {
	info, err := os.Lstat(folder)
	switch {
	case err != nil:
		return err
	case !info.IsDir() || !isOurs(info):
		return holdfast.Kindf(holdfast.ErrRefused, "%s belongs to somebody else", folder)
	case info.Mode().Perm() == 0o700:
		return nil
	}
	return os.Chmod(folder, 0o700)
}

// departureFile, in a refuge, tells what was left behind on the disk.
const departureFile = "left-behind"

// noteDeparture notes what lies where the database belongs, once the refuge has
// been filled: SQLite may tidy up there when it is read.
func noteDeparture(home, folder string) error {
	return durable.PublishFile(osFS, filepath.Join(folder, departureFile), []byte(look(home)), 0o600)
}

// writtenSince tells whether something else was written to the disk since the
// database left it. What was noted then decides; without it, the times do, by a
// clock that may have been set.
func writtenSince(home, folder, away string) bool {
	noted, err := os.ReadFile(filepath.Join(folder, departureFile))
	if err == nil && len(noted) > 0 {
		return string(noted) != look(home)
	}
	return written(home).After(written(away))
}

// look describes the files of a database without opening them.
func look(path string) string {
	var out strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Lstat(path + suffix); err == nil && info.Size() > 0 {
			fmt.Fprintf(&out, "%q: %d bytes of %d\n", suffix, info.Size(), info.ModTime().UnixNano())
		} else {
			fmt.Fprintf(&out, "%q: none\n", suffix)
		}
	}
	return out.String()
}

// written is when a database was last written to; zero if there is none.
func written(path string) time.Time {
	var last time.Time
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Lstat(path + suffix); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// lockSuffix names the lock of a folder in memory, beside it.
const lockSuffix = ".lock"

// shareRefuge keeps a folder in memory from being cleared away by another
// instance; several may work with the database in it, as they may on a disk.
func shareRefuge(folder string) (*flock.Flock, error) {
	lock := flock.New(folder+lockSuffix, flock.SetPermissions(0o600))
	shared, err := lock.TryRLock()
	if err == nil && !shared {
		err = holdfast.Kindf(holdfast.ErrLocked, "another instance is about to leave it")
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "lock", Object: folder, Err: err, Hint: "start again"}
	}
	return lock, nil
}

// turnSuffix names the lock of whoever finds out whether he is alone, beside that.
const turnSuffix = ".turn"

// alone tries to have a folder in memory for this instance alone, and goes on sharing it
// if others do. Asking for more gives up the share for a moment; so only one asks at a
// time, for he would find himself alone while another one works there.
func alone(lock *flock.Flock) (ok bool, err error) {
	turn := flock.New(lock.Path()+turnSuffix, flock.SetPermissions(0o600))
	defer func() { err = errors.Join(err, turn.Close()) }()
	if mine, err := turn.TryLock(); err != nil || !mine {
		return false, err
	}
	shared := lock.RLocked()
	ok, err = lock.TryLock()
	if ok || !shared {
		return ok, err
	}
	again := false
	if uerr := lock.Unlock(); uerr == nil { // else it believes to have what is gone
		again, uerr = lock.TryRLock()
		err = errors.Join(err, uerr)
	}
	if !again {
		err = errors.Join(err, errors.New("the lock that is shared is lost"))
	}
	return false, err
}

// shareAgain lets others share a folder in memory that this instance had alone.
func shareAgain(lock *flock.Flock) error {
	if err := lock.Unlock(); err != nil {
		return err
	}
	if shared, err := lock.TryRLock(); err != nil || !shared {
		return errors.Join(holdfast.Kindf(holdfast.ErrLocked, "another instance is about to leave it"), err)
	}
	return nil
}

// goneSuffix names a refuge that is being removed.
const goneSuffix = ".gone"

// dropRefuge removes a folder in memory, and what it lay in if that is empty. It
// is gone at once: a start after a cut must not take half of it for the database.
func dropRefuge(folder string) error {
	gone := folder + goneSuffix
	err := os.RemoveAll(gone) // of an earlier one that was cut
	if err == nil {
		err = os.Rename(folder, gone)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, os.RemoveAll(gone), os.RemoveAll(folder+lockSuffix), os.RemoveAll(folder+lockSuffix+turnSuffix))
	_ = os.Remove(filepath.Dir(folder))
	return err
}
