package repo

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast"
)

// references number the files of other backups that the entries of a pending
// one refer to, in the order in which they are met. The manifest numbers those
// that are left at the end again.
type references struct {
	mu    sync.Mutex
	list  []reference
	index map[reference]int
}

// number gives to's number, from 1 on.
func (r *references) number(to reference) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.index[to]; n > 0 {
		return n
	}
	if r.index == nil {
		r.index = map[reference]int{}
	}
	r.list = append(r.list, to)
	r.index[to] = len(r.list)
	return len(r.list)
}

// to gives the file of a number.
func (r *references) to(n int) reference {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list[n-1]
}

// count is how many there are.
func (r *references) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// settle numbers what entries refer to in the order of backups and paths. The
// entries given back say so; those given are left as they are, for somebody may
// be reading by them.
func (r *references) settle(entries []*entry) ([]reference, []*entry) {
	used := map[int]bool{0: true}
	for _, e := range entries {
		used[e.Same] = true
		for _, x := range e.Extents {
			used[x.ref] = true
		}
	}
	refs := []reference{}
	for n := range r.list {
		if used[n+1] {
			refs = append(refs, r.list[n])
		}
	}
	slices.SortFunc(refs, func(a, b reference) int {
		return cmp.Or(strings.Compare(string(a.Backup), string(b.Backup)), strings.Compare(a.Path, b.Path))
	})
	now := make([]int, len(r.list)+1)
	for i, to := range refs {
		now[r.index[to]] = i + 1
	}
	settled := make([]*entry, len(entries))
	for i, e := range entries {
		settled[i] = e
		if e.Form != formDelta {
			continue
		}
		again := *e
		again.Same = now[e.Same]
		again.Extents = slices.Clone(e.Extents)
		for k := range again.Extents {
			again.Extents[k].ref = now[again.Extents[k].ref]
		}
		settled[i] = &again
	}
	return refs, settled
}

// needs names the backups that refs refer to.
func needs(refs []reference) []holdfast.BackupName {
	var names []holdfast.BackupName
	for _, to := range refs {
		names = append(names, to.Backup)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
