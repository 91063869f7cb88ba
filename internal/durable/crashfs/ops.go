package crashfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Create implements durable.FS.
func (d *Disk) Create(name string, perm fs.FileMode) (durable.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("create", name); err != nil {
		return nil, err
	}
	parent, base, path, err := d.lookup(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, perm)
	if err != nil {
		return nil, err
	}
	n := &node{dirty: true}
	parent.now[base] = n
	return d.handle(f, n, name), nil
}

// OpenWrite implements durable.FS. It changes nothing and is not counted.
func (d *Disk) OpenWrite(name string) (durable.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.alive(); err != nil {
		return nil, err
	}
	n, path, err := d.existing(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return d.handle(f, n, name), nil
}

// existing gives the node of a path, following a link at its end.
func (d *Disk) existing(name string) (*node, string, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, "", err
	}
	if n, err := d.lookupDir(real); err == nil {
		return n, real, nil
	}
	parent, base, path, err := d.lookup(real)
	if err != nil {
		return nil, "", err
	}
	n, err := d.child(parent, base, path)
	if err == nil && n == nil {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return n, path, err
}

// Mkdir implements durable.FS.
func (d *Disk) Mkdir(name string, perm fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	parent, base, path, err := d.lookup(name)
	if err != nil {
		return err
	}
	if err := durable.OS.Mkdir(path, perm); err != nil {
		return err
	}
	parent.now[base] = newDir()
	return nil
}

// Symlink implements durable.FS.
func (d *Disk) Symlink(oldname, newname string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("symlink", newname); err != nil {
		return err
	}
	parent, base, path, err := d.lookup(newname)
	if err != nil {
		return err
	}
	if err := durable.OS.Symlink(oldname, path); err != nil {
		return err
	}
	parent.now[base] = &node{}
	return nil
}

// Rename implements durable.FS.
func (d *Disk) Rename(oldname, newname string) error {
	return d.rename(oldname, newname, durable.OS.Rename)
}

// RenameNew implements durable.FS.
func (d *Disk) RenameNew(oldname, newname string) error {
	return d.rename(oldname, newname, durable.OS.RenameNew)
}

func (d *Disk) rename(oldname, newname string, rename func(a, b string) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", oldname, newname); err != nil {
		return err
	}
	from, oldbase, oldpath, err := d.lookup(oldname)
	if err != nil {
		return err
	}
	to, newbase, newpath, err := d.lookup(newname)
	if err != nil {
		return err
	}
	moved, err := d.child(from, oldbase, oldpath)
	if err != nil {
		return err
	}
	replaced, err := d.child(to, newbase, newpath)
	if err != nil {
		return err
	}
	undo := func() error { return nil }
	if replaced != nil && !replaced.dir && replaced != moved {
		// A second name keeps the replaced file, so that the rename itself
		// stays atomic for whoever reads beside us.
		replaced.grave = d.newGrave()
		if err := os.Link(newpath, replaced.grave); err != nil {
			return err
		}
		undo = func() error { return os.Remove(replaced.grave) }
	}
	if err := rename(oldpath, newpath); err != nil {
		return errors.Join(err, undo())
	}
	delete(from.now, oldbase)
	to.now[newbase] = moved
	return nil
}

// Exchange implements durable.FS. Where the names lie in two directories, the
// sync of either makes both durable, since the swap is one entry in the
// journals of the file systems that have it.
func (d *Disk) Exchange(a, b string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("exchange", a, b); err != nil {
		return err
	}
	da, basea, patha, err := d.lookup(a)
	if err != nil {
		return err
	}
	db, baseb, pathb, err := d.lookup(b)
	if err != nil {
		return err
	}
	na, err := d.child(da, basea, patha)
	if err != nil {
		return err
	}
	nb, err := d.child(db, baseb, pathb)
	if err != nil {
		return err
	}
	if err := durable.OS.Exchange(patha, pathb); err != nil {
		return err
	}
	da.now[basea], db.now[baseb] = nb, na
	if da != db {
		da.pair(db, baseb)
		db.pair(da, basea)
	}
	return nil
}

// Remove implements durable.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.remove(name)
}

func (d *Disk) remove(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	parent, base, path, err := d.lookup(name)
	if err != nil {
		return err
	}
	n, err := d.child(parent, base, path)
	if err != nil {
		return err
	}
	if n == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if n.dir {
		err = n.removeEmpty(path)
	} else {
		n.grave = d.newGrave()
		err = os.Rename(path, n.grave)
	}
	if err != nil {
		return err
	}
	delete(parent.now, base)
	return nil
}

// removeEmpty removes a directory and remembers how it looked.
func (n *node) removeEmpty(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	n.remember(info)
	if err := os.Remove(path); err != nil {
		if entries, rerr := os.ReadDir(path); rerr == nil && len(entries) > 0 {
			return &fs.PathError{Op: "remove", Path: path, Err: syscall.ENOTEMPTY}
		}
		return err
	}
	return nil
}

// RemoveAll implements durable.FS; each entry counts.
func (d *Disk) RemoveAll(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.alive(); err != nil {
		return err
	}
	return d.removeAll(name)
}

func (d *Disk) removeAll(name string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := d.removeAll(filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return d.remove(name)
}

// Chmod implements durable.FS.
func (d *Disk) Chmod(name string, mode fs.FileMode) error {
	return d.setMeta("chmod", name, func(n *node, path string, info fs.FileInfo) error {
		n.remember(info)
		return durable.OS.Chmod(path, mode)
	})
}

// Chtimes implements durable.FS.
func (d *Disk) Chtimes(name string, mtime time.Time) error {
	return d.setMeta("chtimes", name, func(n *node, path string, info fs.FileInfo) error {
		n.remember(info)
		return durable.OS.Chtimes(path, mtime)
	})
}

func (d *Disk) setMeta(op, name string, set func(*node, string, fs.FileInfo) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(op, name); err != nil {
		return err
	}
	n, path, err := d.existing(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return set(n, path, info)
}

// SyncFile implements durable.FS.
func (d *Disk) SyncFile(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("sync", name); err != nil {
		return err
	}
	n, _, err := d.existing(name)
	if err != nil {
		return err
	}
	n.settle()
	return nil
}

// SyncDir implements durable.FS.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("syncdir", name); err != nil {
		return err
	}
	n, err := d.lookupDir(name)
	if err != nil {
		return err
	}
	n.settleNames()
	return nil
}

func (d *Disk) newGrave() string {
	d.buried++
	return filepath.Join(d.graves, strconv.Itoa(d.buried))
}
