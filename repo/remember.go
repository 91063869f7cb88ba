package repo

import (
	"context"
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

// remembers tells whether the next backup may be based on this one.
func (p *Pending) remembers() bool { return p.o.Remember && p.r.o.Cache != "" }

// rememberHashes keeps the list of a file that was completed. That it could
// not is no reason to fail.
func (p *Pending) rememberHashes(e *entry, list *spool) {
	if list == nil || !p.remembers() || e.Size <= frameSize {
		return
	}
	if err := p.r.memory().keepHashes(e.Digest, e.Size, list); err != nil {
		p.notice(holdfast.Problem{
			Source: e.source, Object: e.Path, Severity: holdfast.Warning,
			Message: fmt.Sprintf("the hashes of its blocks could not be kept: %v", err),
			Hint:    "the next backup may store the file whole; see that the cache folder can be written",
		})
	}
}

// remember makes the backup that was committed with mf the one that the next
// can be based on. whole is mf with the extents of all files.
func (p *Pending) remember(whole, mf *manifest, manifestSHA256 string) {
	if !p.remembers() {
		return
	}
	x := memoryIndex{
		Repository: p.r.id, Backup: p.name, ManifestSHA256: manifestSHA256,
		Stamps: map[string]string{}, Same: mf.definers(),
	}
	for _, e := range mf.Entries {
		if e.stamp != "" {
			x.Stamps[e.Path] = e.stamp
		}
	}
	whole.Encryption = mf.Encryption
	if err := p.r.memory().save(x, whole); err != nil {
		p.notice(holdfast.Problem{
			Severity: holdfast.Warning,
			Message:  fmt.Sprintf("the backup is complete, but what the next one needs to store only changes could not be kept: %v", err),
			Hint:     "the next backup may be larger; see that the cache folder can be written",
		})
	}
}

// hashesOfBase gives the list of a file of the base: as it was remembered, or
// else made again from the backup where that can be read cheaply. Without one
// the file must be stored whole.
func (p *Pending) hashesOfBase(f *entry) *hashList {
	l, err := p.base.memory.hashes(p.ctx, f.Digest, f.Size)
	if err == nil {
		return l
	}
	if p.ctx.Err() == nil && !p.r.remote() {
		if l, err = p.hashAgain(p.ctx, f); err == nil {
			return l
		}
	}
	p.notice(holdfast.Problem{
		Source: f.source, Object: f.Path, Severity: holdfast.Warning,
		Message: fmt.Sprintf("the file is stored whole, because the hashes of its blocks in the backup %s are not at hand: %v", p.base.name, err),
	})
	return nil
}

// hashAgain makes the list of a file of the base from the backup itself.
func (p *Pending) hashAgain(ctx context.Context, f *entry) (_ *hashList, err error) {
	b, err := p.other(p.base.name)
	if err != nil {
		return nil, err
	}
	there := b.view.tree.entries[f.Path]
	if there == nil || there.Digest != f.Digest {
		return nil, errList
	}
	n := newNotes(newList())
	c, err := newContent(there, b, b.view.cache)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.scan(ctx, false, n.note); err != nil {
		return nil, fmt.Errorf("%w (and %v)", err, n.list.close())
	}
	return newHashList(n.list, f.Size, f.Digest), nil
}
