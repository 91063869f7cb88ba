package access

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// A stateFile is a value that several processes share by a file of JSON in the state
// directory. Changes are made under a lock and replace the whole file; reading looks
// whether the file is another one by now.
type stateFile[T any] struct {
	name  string
	limit int64 // bytes
	hint  string
	check func(*T) error // refuses what this program has not written
	now   func() time.Time

	mu     sync.Mutex
	known  *T
	seen   fs.FileInfo // of the file that known was read from
	readAt time.Time
	err    error
}

// errVanished is what became of a file that was read before.
var errVanished = errors.New("it was there and has vanished")

// get gives the value, and nil where there is no file. It is shared: nobody changes it.
func (f *stateFile[T]) get() (*T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Lstat(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		if f.seen != nil {
			return nil, f.unreadable(errVanished)
		}
		return nil, nil
	}
	if err != nil {
		return nil, f.unreadable(err)
	}
	now := f.now()
	same := f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size()
	if age := now.Sub(f.readAt); same && age >= 0 && age < lookAgain {
		return f.known, f.err
	}
	f.known, f.err = f.read()
	f.seen, f.readAt = info, now
	return f.known, f.err
}

// read reads the file; there is no value where there is none.
func (f *stateFile[T]) read() (*T, error) {
	data, err := planted.Read(f.name, f.limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, f.unreadable(err)
	}
	if info, err := os.Lstat(f.name); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, f.unreadable(errors.New("others may write it"))
	}
	v := new(T)
	if json.Unmarshal(data, v) != nil { // what it says may quote the file
		return nil, f.unreadable(errors.New("it is torn, or not one of ours"))
	}
	if err := f.check(v); err != nil {
		return nil, f.unreadable(err)
	}
	return v, nil
}

func (f *stateFile[T]) unreadable(err error) error {
	return &holdfast.Error{Op: "read", Object: f.name, Err: err, Hint: f.hint}
}

// replace replaces the value: edit gets the present one, an empty one where there is
// none, and changes it. A file that cannot be read is left alone, unless edit is to
// replace whatever it holds.
func (f *stateFile[T]) replace(patience time.Duration, whatever bool, edit func(*T) error) error {
	release, err := lockFile(f.name+".lock", patience)
	if err != nil {
		return err
	}
	defer release()
	v, err := f.read()
	if err != nil && !whatever {
		return err
	}
	if v == nil {
		v = new(T)
	}
	if err := edit(v); err != nil {
		return err
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := planted.Check(f.name); err != nil {
		return err
	}
	if err := durable.WriteFile(durable.OS, f.name, append(data, '\n'), 0o600); err != nil {
		return &holdfast.Error{Op: "write", Object: filepath.Base(f.name), Err: err}
	}
	// Whoever asks next, even within the second, sees what was written.
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Lstat(f.name)
	f.known, f.seen, f.readAt, f.err = v, info, f.now(), nil
	return err
}
