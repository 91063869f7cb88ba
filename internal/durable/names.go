package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Rename renames and makes the new name durable before the loss of the old
// one, so that a power cut leaves at least one of them.
func Rename(fsys FS, oldname, newname string) error {
	if err := fsys.Rename(oldname, newname); err != nil {
		return err
	}
	return syncParents(fsys, newname, oldname)
}

// RenameNew is Rename for a name that must not exist yet; otherwise the error
// matches fs.ErrExist.
func RenameNew(fsys FS, oldname, newname string) error {
	if err := fsys.RenameNew(oldname, newname); err != nil {
		return err
	}
	return syncParents(fsys, newname, oldname)
}

// Exchange swaps two names and makes the swap durable. The error matches
// errors.ErrUnsupported where the system cannot swap; then nothing happened.
func Exchange(fsys FS, a, b string) error {
	if err := fsys.Exchange(a, b); err != nil {
		return err
	}
	return syncParents(fsys, a, b)
}

// Remove removes one name durably. An absent name is success.
func Remove(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// RemoveAll removes a tree durably. An absent one is success.
func RemoveAll(fsys FS, name string) error {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := fsys.RemoveAll(name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// MkdirAll makes a directory with all its missing parents, each of them
// durable. Directories that exist keep their mode.
func MkdirAll(fsys FS, name string, perm fs.FileMode) error {
	info, err := os.Stat(name)
	if err == nil {
		if info.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: name, Err: errNotDirectory}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := MkdirAll(fsys, parent, perm); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(name, perm); err != nil {
		if info, serr := os.Stat(name); serr == nil && info.IsDir() {
			return nil // somebody else was faster
		}
		return err
	}
	return fsys.SyncDir(parent)
}

var errNotDirectory = errors.New("is not a directory")

func syncParents(fsys FS, first, second string) error {
	a, b := filepath.Dir(first), filepath.Dir(second)
	if err := fsys.SyncDir(a); err != nil || a == b {
		return err
	}
	return fsys.SyncDir(b)
}
