package repo

import "github.com/holdfast-backup/holdfast"

// Keep records a file beside the sources (memory_collection/…) as it is in the
// base, and tells whether there is one. If not, nothing has happened.
func (p *Pending) Keep(path string) (bool, error) {
	f := p.base.file(path)
	if f == nil || f.source != "" {
		return false, nil
	}
	if err := p.remove(path); err != nil {
		return false, err
	}
	n := newEntry(path, holdfast.Entry{Mode: f.perm, ModTime: f.modTime})
	p.refer(n, f)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false, &holdfast.Error{Op: "store", Object: path, Err: errEnded}
	}
	p.entries[path] = n
	return true, nil
}
