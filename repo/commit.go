package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

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
	tr, err := newTree(entries, m.CreatedAt.Time)
	if err != nil {
		return fail(err)
	}
	whole := &manifest{Format: holdfast.FormatVersion, Backup: p.name, Refs: refs, Entries: tr.explicit()}
	mf := whole.settled()
	if p.base != nil {
		m.Parent, m.Needs = p.base.name, needs(slices.Concat(whole.Refs, mf.Refs))
	} else {
		m.Chain = nil // the base turned out to be of no use
	}
	data, mk, err := p.describe(m, mf)
	if err != nil {
		return fail(err)
	}
	err = p.writeClear(ctx, holdfast.SumsFile, func(w io.Writer) error {
		return writeSums(w, expectedSums(mf, data))
	})
	if err != nil {
		return fail(err)
	}
	if err := p.r.noteRecent(ctx, p.name); err != nil {
		return fail(err)
	}
	if err := p.stage.Commit(ctx, data); err != nil {
		return fail(err)
	}
	p.remember(whole, mf, mk.ManifestSHA256)
	return Info{Name: p.name, Metadata: m}, nil
}

// describe writes the manifest and gives the commit marker, as bytes and as
// they are read.
func (p *Pending) describe(m *holdfast.Metadata, mf *manifest) (data []byte, mk *marker, err error) {
	p.fill(m, mf.Entries)
	mk = &marker{Metadata: m}
	mf.compaction = p.compaction
	if p.sealing != nil {
		mf.Encryption = encryptionAge
		m.Encrypted, m.Recipients = true, p.sealing.names
		if mk, err = p.splitMetadata(m); err != nil {
			return nil, nil, err
		}
	}
	mk.Compaction, mk.OriginSHA256 = p.compaction, p.origin
	if mf.sha256, err = p.writeObject(mk.manifestKey(), mf.write); err != nil {
		return nil, nil, err
	}
	mk.ManifestSHA256, mf.privateSHA256 = mf.sha256, mk.PrivateSHA256
	if mk.Encrypted {
		mk.SumsSHA256 = sumOfLines(storedSums(mf))
	}
	data, err = seal(mk)
	return data, mk, err
}

// splitMetadata stores m encrypted and gives a marker with what of it may lie in
// the open.
func (p *Pending) splitMetadata(m *holdfast.Metadata) (*marker, error) {
	data, err := seal(privateMetadata{Metadata: m})
	if err != nil {
		return nil, err
	}
	sum, err := p.writeObject(privateKey(p.compaction), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	return &marker{Metadata: clearMetadata(m), PrivateSHA256: sum}, err
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

// writeObject stores a file that the manifest does not list, encrypted if the
// backup is, and gives the SHA-256 of what is stored.
func (p *Pending) writeObject(key string, write func(io.Writer) error) (string, error) {
	f, err := p.newStoredFile(key, false)
	if err != nil {
		return "", err
	}
	if err := write(f); err != nil {
		return "", errors.Join(err, f.discard())
	}
	return f.end()
}

// writeClear stores a file that anybody may read.
func (p *Pending) writeClear(ctx context.Context, key string, write func(io.Writer) error) error {
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
func expectedSums(mf *manifest, metadata []byte) []sumLine {
	return append(storedSums(mf), sumLine{holdfast.MetadataFile, sumOf(metadata)})
}

// storedSums are those without the commit marker's.
func storedSums(mf *manifest) []sumLine {
	lines := make([]sumLine, 0, len(mf.Entries)+3)
	for _, e := range mf.Entries {
		if e.Payload != "" {
			lines = append(lines, sumLine{e.Payload, e.StoredSHA256})
		}
	}
	if mf.Encryption != "" {
		lines = append(lines, sumLine{privateKey(mf.compaction), mf.privateSHA256})
	}
	return append(lines, sumLine{manifestKey(mf.compaction, mf.Encryption != ""), mf.sha256})
}

// sumOfLines is the SHA-256 of SHA256SUMS with these lines.
func sumOfLines(lines []sumLine) string {
	sum := sha256.New()
	_ = writeSums(sum, lines) // a hash takes everything
	return hex.EncodeToString(sum.Sum(nil))
}
