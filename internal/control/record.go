package control

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

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// programsFolder, in the state directory, holds the records.
const programsFolder = "programs"

// What the files of a program are called after its id.
const (
	recordSuffix = ".json"
	lockSuffix   = ".lock"
	statusSuffix = ".status.json"
)

// What lies in the private directory of a program.
const (
	privatePrefix = "holdfast-"
	socketFile    = "s"
	statusFile    = "status.json"
)

// strayAge is how old a lock without a record must be to be of no use: a program
// makes the one just before the other.
const strayAge = time.Hour

// A record is what a program leaves for others to find it by.
type record struct {
	Version int           `json:"version"`
	PID     int           `json:"pid"`
	Host    string        `json:"host"`
	Started holdfast.Time `json:"started"`
	Socket  string        `json:"socket"`
	Status  string        `json:"status"`
	Token   string        `json:"token"`
	Sources []place       `json:"sources"`
}

// name is the program for people.
func (r record) name() string { return fmt.Sprintf("process %d on %s", r.PID, r.Host) }

// write puts the record where others find it. Only the lock makes it mean
// something, and no lock outlives a power cut.
func (r record) write(dir, id string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return durable.PublishFile(durable.OS, filepath.Join(dir, id+recordSuffix), append(data, '\n'), 0o600)
}

// living reads the records of the programs of this host that live, and removes
// what dead ones left.
func living(stateDir string) ([]record, error) {
	dir := filepath.Join(stateDir, programsFolder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "look for programs in", Object: dir, Err: pathless(err)}
	}
	host := hostname()
	var out []record
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), recordSuffix)
		if !ok || strings.HasSuffix(e.Name(), statusSuffix) {
			removeStray(dir, e)
			continue
		}
		r, err := readRecord(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if r.Host != "" && r.Host != host {
			forget(dir, id)
			continue
		}
		dead, lockErr := isDead(dir, id)
		switch {
		case lockErr != nil:
			return nil, &holdfast.Error{Op: "look for programs in", Object: dir, Err: pathless(lockErr)}
		case dead:
			bury(dir, id, r)
		case err != nil:
			return nil, &holdfast.Error{
				Op: "read", Object: filepath.Join(dir, e.Name()), Err: pathless(err),
				Hint: "a program that lives has written it: stop that program, or update holdfast if the program is of a newer version",
			}
		default:
			out = append(out, r)
		}
	}
	return out, nil
}

// maxFile bounds what is read of a record or a status.
const maxFile = 4 << 20

// readSmall reads a file that a program has published, which a later one may have
// replaced by then.
func readSmall(name string) (_ []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = holdfast.Kindf(holdfast.ErrRefused, "it has more than %d bytes", maxFile)
	}
	return data, err
}

func readRecord(name string) (record, error) {
	data, err := readSmall(name)
	if err != nil {
		return record{}, err
	}
	return parseRecord(data)
}

func parseRecord(data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, holdfast.Kindf(holdfast.ErrDamaged, "it is no record of a program: %w", err)
	}
	if r.Version != version {
		return r, holdfast.Kindf(holdfast.ErrRefused, "it is of version %d, and this holdfast knows version %d", r.Version, version)
	}
	for _, p := range r.Sources {
		if !filepath.IsAbs(p.Path) {
			return r, holdfast.Kindf(holdfast.ErrDamaged, "it says that its source %q lies at %q, which is no place", p.Name, p.Path)
		}
	}
	return r, nil
}

// isDead tells whether nobody holds the lock of a program. The look is a shared
// lock, so that two who look at once do not take each other for the program.
func isDead(dir, id string) (bool, error) {
	lock := flock.New(filepath.Join(dir, id+lockSuffix), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil || !free:
		return false, err
	}
	return true, lock.Unlock()
}

// bury removes what a dead program left. What cannot be removed is met again by
// the next that looks.
func bury(dir, id string, r record) {
	for _, suffix := range []string{recordSuffix, statusSuffix, lockSuffix} {
		_ = os.Remove(filepath.Join(dir, id+suffix))
	}
	private := filepath.Dir(r.Socket)
	if filepath.Base(r.Socket) != socketFile || !strings.HasPrefix(filepath.Base(private), privatePrefix) {
		return // not a path that Serve makes
	}
	_ = os.Remove(r.Socket)
	_ = os.Remove(filepath.Join(private, statusFile))
	_ = os.Remove(private)
}

// forgetAge is how long the program of another host says nothing before its
// record is of no use: each container has a name of its own, and one that was
// killed clears nothing away.
const forgetAge = 30 * 24 * time.Hour

// forget removes the record of a program of another host that has died long ago.
// What it names lies on that host.
func forget(dir, id string) {
	for _, suffix := range []string{recordSuffix, statusSuffix} {
		info, err := os.Lstat(filepath.Join(dir, id+suffix))
		if err == nil && time.Since(info.ModTime()) < forgetAge || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	if dead, err := isDead(dir, id); !dead || err != nil {
		return
	}
	bury(dir, id, record{})
}

// removeStray removes what is left of a record that was never finished.
func removeStray(dir string, e fs.DirEntry) {
	id, isLock := strings.CutSuffix(e.Name(), lockSuffix)
	info, err := e.Info()
	if err != nil || time.Since(info.ModTime()) < strayAge || (!isLock && !durable.IsTemp(e.Name())) {
		return
	}
	if isLock {
		if _, err := os.Lstat(filepath.Join(dir, id+recordSuffix)); !errors.Is(err, fs.ErrNotExist) {
			return
		}
		if dead, err := isDead(dir, id); !dead || err != nil {
			return
		}
	}
	_ = os.Remove(filepath.Join(dir, e.Name()))
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return host
}

// pathless takes the path out of an error that names it beside.
func pathless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
