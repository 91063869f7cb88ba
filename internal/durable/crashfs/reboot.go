package crashfs

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Reboot leaves on the real disk what a crash of the given mode leaves now,
// whether or not the cut was reached. The disk starts afresh from there, with
// neither cut nor faults to come.
func (d *Disk) Reboot(mode Mode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closeFiles()
	err := d.adoptAll(d.tree, d.root)
	if err == nil {
		switch mode {
		case Kill:
		case DataLost:
			err = d.loseData(d.tree, d.root)
		case PowerCut:
			err = d.loseAll()
		}
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(d.graves); err != nil {
		return err
	}
	d.left, d.ops, d.cutAt, d.inject = Never, 0, "", nil
	return d.start()
}

// loseData reverts the data of every file to its last sync.
func (d *Disk) loseData(n *node, path string) error {
	for name, c := range n.now {
		at := filepath.Join(path, name)
		var err error
		if c.dir {
			err = d.loseData(c, at)
		} else {
			err = c.revert(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// revert gives a file the data that was durable.
func (n *node) revert(path string) (err error) {
	if !n.dirty {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(n.size); err != nil {
		return err
	}
	if n.tail != nil {
		if _, err := f.WriteAt(n.tail, n.tailAt); err != nil {
			return err
		}
	}
	for _, r := range n.ranges {
		if _, err := f.WriteAt(make([]byte, r.to-r.from), r.from); err != nil {
			return err
		}
	}
	return os.Chmod(path, info.Mode())
}

// loseAll builds the durable tree beside the root and puts it in place.
func (d *Disk) loseAll() error {
	fresh, err := os.MkdirTemp(filepath.Dir(d.root), ".crashfs-")
	if err != nil {
		return err
	}
	b := &builder{
		homes:  map[*node]string{},
		looks:  map[*node]fs.FileInfo{},
		placed: map[*node]string{},
		chosen: map[*node]place{},
	}
	if err := b.locate(d.tree, d.root); err != nil {
		return err
	}
	b.choose(d.tree, map[*node]bool{})
	if err := b.build(d.tree, fresh); err != nil {
		return err
	}
	old, err := os.ReadDir(d.root)
	if err != nil {
		return err
	}
	for _, e := range old {
		if err := os.RemoveAll(filepath.Join(d.root, e.Name())); err != nil {
			return err
		}
	}
	made, err := os.ReadDir(fresh)
	if err != nil {
		return err
	}
	for _, e := range made {
		if err := os.Rename(filepath.Join(fresh, e.Name()), filepath.Join(d.root, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(fresh)
}

type builder struct {
	homes  map[*node]string      // where each file lies on the real disk now
	looks  map[*node]fs.FileInfo // how each directory looks now
	placed map[*node]string      // where it lies in the new tree
	chosen map[*node]place       // the one durable name of each directory
}

type place struct {
	parent *node
	name   string
}

func (b *builder) locate(n *node, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	b.looks[n] = info
	for name, c := range n.now {
		at := filepath.Join(path, name)
		if !c.dir {
			b.homes[c] = at
		} else if err := b.locate(c, at); err != nil {
			return err
		}
	}
	return nil
}

// choose settles where a directory goes that a rename across directories left
// with two durable names: a file can have both, a directory only one, and the
// journal of any file system keeps the newer.
func (b *builder) choose(n *node, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	for name, c := range n.synced {
		if !c.dir {
			continue
		}
		if _, taken := b.chosen[c]; !taken || n.now[name] == c {
			b.chosen[c] = place{n, name}
		}
		b.choose(c, seen)
	}
}

func (b *builder) build(n *node, at string) error {
	b.placed[n] = at
	for _, name := range slices.Sorted(maps.Keys(n.synced)) {
		c, path := n.synced[name], filepath.Join(at, name)
		var err error
		switch earlier := b.placed[c]; {
		case c.dir && (earlier != "" || b.chosen[c] != place{n, name}):
			continue
		case c.dir:
			if err = os.Mkdir(path, 0o700); err == nil {
				err = b.build(c, path)
			}
		case earlier != "":
			err = os.Link(earlier, path)
		default:
			err = b.move(c, path)
		}
		if err != nil {
			return err
		}
		if err := b.setMeta(c, path); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) move(n *node, path string) error {
	home := b.homes[n]
	if home == "" {
		home = n.grave
	}
	if err := n.revert(home); err != nil {
		return err
	}
	b.placed[n] = path
	return os.Rename(home, path)
}

// setMeta gives an entry of the new tree its durable mode and time.
func (b *builder) setMeta(n *node, path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	if n.dir && b.looks[n] != nil {
		info = b.looks[n]
	}
	if n.meta != nil {
		info = n.meta
	}
	if err := os.Chmod(path, info.Mode()); err != nil {
		return err
	}
	return os.Chtimes(path, info.ModTime(), info.ModTime())
}
