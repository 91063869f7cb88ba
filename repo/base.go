package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
)

// Base tells which backup the next one can be based on: the last that was made
// with Remember from this machine, if it is still there as it was. Without one
// the name is empty and why says why, in a few words.
func (r *Repository) Base(ctx context.Context) (name holdfast.BackupName, why string, err error) {
	m := r.memory()
	if m == nil {
		return "", "nothing is remembered of earlier backups", nil
	}
	x, err := m.index()
	if err != nil {
		return "", notRemembered(err), nil
	}
	needs, why, err := r.unusable(ctx, x)
	if why == "" && err == nil {
		why, err = r.lacking(ctx, needs)
	}
	if why != "" || err != nil {
		return "", why, err
	}
	return x.Backup, "", nil
}

// notRemembered says why there is no index of a base.
func notRemembered(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "nothing is remembered of an earlier backup"
	}
	return fmt.Sprintf("what was remembered of the last backup cannot be used: %v", err)
}

// unusable says why no backup can be based on the one that was remembered, or
// gives the backups that it needs. The error is for a cancelled context.
func (r *Repository) unusable(ctx context.Context, x *memoryIndex) (needs []holdfast.BackupName, why string, err error) {
	not := func(format string, args ...any) ([]holdfast.BackupName, string, error) {
		return nil, fmt.Sprintf(format, args...), context.Cause(ctx)
	}
	if x.Repository != r.id {
		return not("what is remembered belongs to another repository")
	}
	hidden, err := r.isHidden(ctx, x.Backup)
	if err != nil {
		return not("the backup %s cannot be read: %v", x.Backup, err)
	}
	mk, err := readMarker(ctx, r.b, x.Backup)
	switch {
	case hidden || errors.Is(err, fs.ErrNotExist):
		return not("the backup %s is gone", x.Backup)
	case err != nil:
		return not("the backup %s cannot be read: %v", x.Backup, err)
	case mk.ManifestSHA256 != x.ManifestSHA256:
		return not("the backup %s is not as it was when it was remembered", x.Backup)
	case r.encryptsOtherwise(mk.Metadata):
		return not("the backup %s is not encrypted to the recipients that new ones are", x.Backup)
	}
	if r.failed(ctx, x.Backup) {
		return not("the last check of the backup %s failed", x.Backup)
	}
	return mk.Needs, "", context.Cause(ctx)
}

// lacking says which of the backups that the base needs is not there, or not
// good. Hidden ones are as good as others: whatever refers to them keeps them.
func (r *Repository) lacking(ctx context.Context, needs []holdfast.BackupName) (why string, err error) {
	bad := make([]bool, len(needs))
	var g errgroup.Group
	g.SetLimit(readAtOnce) // from far away each answer takes its time
	for i, name := range needs {
		g.Go(func() error {
			_, err := readMarker(ctx, r.b, name)
			bad[i] = err != nil || r.failed(ctx, name)
			return nil
		})
	}
	_ = g.Wait() // what failed is in bad
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	if i := slices.Index(bad, true); i >= 0 {
		return fmt.Sprintf("the backup %s, which the last one needs, is gone, damaged or failed its last check", needs[i]), nil
	}
	return "", nil
}

// readAtOnce bounds the small objects read side by side.
const readAtOnce = 8

// failed tells whether the newest proof that tells anything says that the
// backup is bad. A state that cannot be read says nothing.
func (r *Repository) failed(ctx context.Context, name holdfast.BackupName) bool {
	s, err := r.readState(ctx, name)
	return err == nil && Info{Proofs: s.Proofs}.Disproven()
}

// A base is the backup that a new one stores only the changes of, as it is
// remembered on this machine: nothing of it needs to be read.
type base struct {
	name     holdfast.BackupName
	memory   *memory
	refs     []reference // of its manifest
	files    map[string]*entry
	byDigest map[string]*entry
	stamps   map[string]string
	definers map[string]reference // of its files whose extents another backup has
}

// openBase gives what is remembered of the backup name, if it can still be
// used; else why not. What the backup needs is looked at by Base alone.
func (r *Repository) openBase(ctx context.Context, name holdfast.BackupName) (*base, error) {
	m := r.memory()
	if m == nil {
		return nil, errors.New("nothing is remembered of earlier backups")
	}
	x, err := m.index()
	if err != nil {
		return nil, errors.New(notRemembered(err))
	}
	if x.Backup != name {
		return nil, fmt.Errorf("what is remembered is the backup %s", x.Backup)
	}
	if _, why, err := r.unusable(ctx, x); why != "" || err != nil {
		return nil, cmp.Or(err, errors.New(why))
	}
	mf, err := m.manifest(x)
	if err != nil {
		return nil, errors.New(notRemembered(err))
	}
	b := &base{name: name, memory: m, refs: mf.Refs, files: map[string]*entry{}, byDigest: map[string]*entry{}, stamps: x.Stamps, definers: x.Same}
	for _, e := range mf.Entries {
		b.files[e.Path] = e
		if e.Type == typeFile {
			b.byDigest[e.Digest] = e
		}
	}
	return b, nil
}

// file gives the file that the base has at path; nil if it has none.
func (b *base) file(path string) *entry {
	if b == nil || b.files[path] == nil || b.files[path].Type != typeFile {
		return nil
	}
	return b.files[path]
}

// same gives a file of the base with the same bytes as one at path, at best
// the one that was there; nil if there is none.
func (b *base) same(path, digest string) *entry {
	if f := b.file(path); f != nil && f.Digest == digest {
		return f
	}
	if b == nil {
		return nil
	}
	return b.byDigest[digest]
}

// extents are those of a file of the base, as the pending backup that has refs
// refers to them: each directly to where the blocks lie.
func (b *base) extents(f *entry, refs *references) []extent {
	numbers := map[int]int{}
	xs := make([]extent, len(f.Extents))
	for i, x := range f.Extents {
		n, ok := numbers[x.ref]
		if !ok {
			to := reference{Backup: b.name, Path: f.Path}
			if x.ref > 0 {
				to = b.refs[x.ref-1]
			}
			n = refs.number(to)
			numbers[x.ref] = n
		}
		x.ref = n
		xs[i] = x
	}
	return xs
}

// definer names the entry that has the extents of a file of the base.
func (b *base) definer(f *entry) reference {
	if to, ok := b.definers[f.Path]; ok {
		return to
	}
	return reference{Backup: b.name, Path: f.Path}
}

// refer makes e a file whose bytes are those of f in the base. Nothing is left
// of what was said about a payload.
func (p *Pending) refer(e, f *entry) {
	*e = entry{
		Path: e.Path, Type: e.Type, Mode: e.Mode, ModTime: e.ModTime,
		Form: formDelta, Size: f.Size, Digest: f.Digest, Extents: p.base.extents(f, &p.refs),
		perm: e.perm, modTime: e.modTime, source: e.source, stamp: e.stamp, definer: p.base.definer(f),
	}
}

// reuse records e with the content that the base has for it, if that was
// captured under the same stamp.
func (p *Pending) reuse(path string, e holdfast.Entry, stamp string) (bool, error) {
	f := p.base.file(path)
	if f == nil || stamp == "" || p.base.stamps[path] != stamp {
		return false, nil
	}
	if err := p.remove(path); err != nil {
		return false, err
	}
	n := newEntry(path, e)
	p.refer(n, f)
	n.stamp = stamp
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false, &holdfast.Error{Op: "store", Object: path, Err: errEnded}
	}
	p.entries[path] = n
	return true, nil
}

// Unchanged tells whether everything captured from a source is what the base
// has for it: the same paths, and each with the same bytes or the same target.
// Modes and times may differ.
func (p *Pending) Unchanged(source string) bool {
	if p.base == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for path, e := range p.entries {
		if e.source != source {
			continue
		}
		count++
		f := p.base.files[path]
		if f == nil || f.Type != e.Type || f.Digest != e.Digest || f.Link != e.Link {
			return false
		}
	}
	for _, f := range p.base.files {
		if f.source == source {
			count--
		}
	}
	return count == 0
}
