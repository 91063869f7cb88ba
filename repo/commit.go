package repo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-backup/holdfast"
)

// Commit writes manifest, sums and, last, the metadata. It fills in the
// fields of m that it knows: BackupName, Format, Repository, LogicalBytes,
// StoredBytes and the sizes of the sources.
func (p *Pending) Commit(ctx context.Context, m *holdfast.Metadata) (Info, error) {
	fail := func(err error) (Info, error) {
		return Info{}, &holdfast.Error{Op: "commit", Object: string(p.name), Err: err}
	}
	if err := p.end(); err != nil {
		return fail(err)
	}
	refs, entries := p.refs.settle(p.list())
	mf := &manifest{Format: holdfast.FormatVersion, Backup: p.name, Refs: refs, Entries: entries}
	tr, err := newTree(mf.Entries, m.CreatedAt.Time)
	if err != nil {
		return fail(err)
	}
	mf.Entries = tr.explicit()
	if err := p.writeObject(ctx, holdfast.ManifestFile, mf.write); err != nil {
		return fail(err)
	}
	p.fill(m, mf.Entries)
	if p.base != nil {
		m.Parent, m.Needs = p.base.name, needs(refs)
	}
	data, err := seal(marker{Metadata: m, ManifestSHA256: mf.sha256})
	if err != nil {
		return fail(err)
	}
	err = p.writeObject(ctx, holdfast.SumsFile, func(w io.Writer) error {
		return writeSums(w, expectedSums(mf, data))
	})
	if err != nil {
		return fail(err)
	}
	if err := p.stage.Commit(ctx, data); err != nil {
		return fail(err)
	}
	p.remember(mf, mf.sha256)
	return Info{Name: p.name, Metadata: m}, nil
}

// end closes the door for writers; one that is still open is an error.
func (p *Pending) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path := range p.writers {
		return fmt.Errorf("%s is still being written", path)
	}
	if p.ended {
		return errEnded
	}
	p.ended = true
	return nil
}

// fill sets what the repository knows of the metadata.
func (p *Pending) fill(m *holdfast.Metadata, entries []*entry) {
	m.BackupName, m.Format, m.Repository = p.name, holdfast.FormatVersion, p.r.id
	m.LogicalBytes, m.StoredBytes = 0, 0
	for _, e := range entries {
		if e.Type == typeFile {
			m.LogicalBytes += e.Size
			m.StoredBytes += e.StoredSize
		}
	}
	for i := range m.Sources {
		s := &m.Sources[i]
		s.Files, s.LogicalBytes, s.StoredBytes = totals(entries, s.Name)
	}
	if m.Sources == nil {
		m.Sources = []holdfast.SourceMetadata{}
	}
}

// writeObject stores a file that the manifest does not list.
func (p *Pending) writeObject(ctx context.Context, key string, write func(io.Writer) error) error {
	w, err := p.stage.Create(ctx, key)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// expectedSums are the lines of SHA256SUMS for a backup.
func expectedSums(m *manifest, metadata []byte) []sumLine {
	lines := make([]sumLine, 0, len(m.Entries)+2)
	for _, e := range m.Entries {
		if e.Payload != "" {
			lines = append(lines, sumLine{e.Payload, e.StoredSHA256})
		}
	}
	return append(lines, sumLine{holdfast.ManifestFile, m.sha256}, sumLine{holdfast.MetadataFile, sumOf(metadata)})
}
