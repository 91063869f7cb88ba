package repo

import (
	"fmt"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// A file that did not change has the extents that it had before. Where these
// are many, its entry does not repeat them but names the entry of another
// backup that has them, its definer: so a backup in which nothing changed is
// small, however often the file changed before. The definer has its extents
// itself, so reading takes one step; and needs names all that they lead to, so
// nobody has to read the definer to know what must stay.

// sameFrom is the number of extents from which on the definer is named: fewer
// are no longer than that. It is a variable for tests.
var sameFrom = 4

// settled gives the manifest of the entries, all with extents of their own, and
// in the same order what is written of them: where sameFrom says so, the definer.
func (m *manifest) settled() *manifest {
	short := *m
	short.Refs, short.Entries = []reference{}, make([]*entry, len(m.Entries))
	var r references
	for i, e := range m.Entries {
		again := *e
		if e.named() {
			again.Extents, again.Same = nil, r.number(e.definer)
		} else {
			again.Extents = slices.Clone(e.Extents)
			for k, x := range again.Extents {
				if x.ref > 0 {
					again.Extents[k].ref = r.number(m.Refs[x.ref-1])
				}
			}
		}
		short.Entries[i] = &again
	}
	short.Refs, short.Entries = r.settle(short.Entries)
	return &short
}

// named tells whether an entry is written with its definer.
func (e *entry) named() bool {
	return e.definer != reference{} && len(e.Extents) >= sameFrom
}

// definers are the definers of the files of a manifest, by path.
func (m *manifest) definers() map[string]reference {
	list := map[string]reference{}
	for _, e := range m.Entries {
		if e.Same > 0 {
			list[e.Path] = m.Refs[e.Same-1]
		}
	}
	return list
}

// extents gives where the blocks of e are: what it says itself, or what its
// definer says, of which the own payload is a reference like others here.
func (b *Backup) extents(e *entry) ([]extent, error) {
	if e.Same == 0 {
		return e.Extents, nil
	}
	to := b.reference(e.Same)
	other, err := b.other(to.Backup)
	if err != nil {
		return nil, fmt.Errorf("%s is as in the backup %s: %w", e.Path, to.Backup, err)
	}
	there := other.view.tree.entries[to.Path]
	switch where := string(to.Backup) + "/" + other.mark.manifestKey(); {
	case there == nil || there.Type != typeFile:
		return nil, damagedFile(where, fmt.Errorf("has no file %s", to.Path))
	case there.Same != 0 || there.Digest != e.Digest || there.Size != e.Size:
		return nil, damagedFile(where, fmt.Errorf("does not say where the blocks of %s are", to.Path))
	}
	xs := slices.Clone(there.Extents)
	for i, x := range xs {
		from := to
		if x.ref > 0 {
			from = other.reference(x.ref)
		}
		xs[i].ref = b.number(from)
	}
	return xs, nil
}

// reference gives the file of a number: those of the manifest, and after them
// what definers refer to.
func (b *Backup) reference(n int) reference {
	if n <= len(b.manifest.Refs) {
		return b.manifest.Refs[n-1]
	}
	return b.taken.to(n - len(b.manifest.Refs))
}

// number gives the number of a file that a definer refers to.
func (b *Backup) number(to reference) int { return len(b.manifest.Refs) + b.taken.number(to) }

// extents gives where the blocks of an entry of a pending backup are.
func (p *Pending) extents(e *entry) ([]extent, error) { return e.Extents, nil }

// needed names the backups that this one refers to, also by way of definers
// that can be read.
func (b *Backup) needed() []holdfast.BackupName {
	refs := slices.Clone(b.manifest.Refs)
	for _, e := range b.manifest.Entries {
		if e.Same == 0 {
			continue
		}
		xs, err := b.extents(e)
		if err != nil {
			continue // whoever reads the file says so
		}
		for _, x := range xs {
			refs = append(refs, b.reference(x.ref))
		}
	}
	return needs(refs)
}
