package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A memory is what this machine remembers of the last backup of a repository,
// in a folder of its own:
//
//	base.json             which backup, bound to its commit marker, and stamps
//	<sha256>.manifest     its manifest, in the open
//	<digest>.hashes       the hashes of the blocks of a file of that digest
//
// Nothing of it is believed unchecked, and nothing in it is made durable: what
// is lost, damaged, old or of another place makes the next backup larger, not
// wrong. The backup before is still remembered until the new index is in place.
type memory struct{ dir string }

const (
	indexFile   = "base.json"
	manifestExt = ".manifest"
	hashesExt   = ".hashes"

	// maxIndex bounds the index that is read whole: the stamps of a million
	// files.
	maxIndex = 256 << 20
)

// memoryIndex is base.json.
type memoryIndex struct {
	Format     int                 `json:"format"`
	Repository string              `json:"repository"`
	Backup     holdfast.BackupName `json:"backup"`
	// ManifestSHA256 is what the marker of the backup says: a backup that
	// was replaced or rewritten is not the one remembered.
	ManifestSHA256 string `json:"manifest_sha256"`
	// Manifest is the SHA-256 of the copy beside the index. It is another
	// one if the backup is encrypted.
	Manifest string            `json:"manifest"`
	Stamps   map[string]string `json:"stamps"`
	// Same names the definers of files. The copy of the manifest has the
	// extents of all files.
	Same     map[string]reference `json:"same,omitempty"`
	Checksum string               `json:"checksum"`
}

// memory is that of the repository; nil if nothing is remembered.
func (r *Repository) memory() *memory {
	if r.o.Cache == "" {
		return nil
	}
	return &memory{filepath.Join(r.o.Cache, r.id)}
}

func (m *memory) file(name string) string { return filepath.Join(m.dir, name) }

// index reads which backup is remembered.
func (m *memory) index() (*memoryIndex, error) {
	f, err := os.Open(m.file(indexFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndex))
	if err != nil {
		return nil, err
	}
	x := new(memoryIndex)
	if err := unseal(data, x); err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	if !isHex(x.Manifest) {
		return nil, fmt.Errorf("%s names no manifest", indexFile)
	}
	return x, nil
}

// manifest reads the copy of the manifest that the index names.
func (m *memory) manifest(x *memoryIndex) (*manifest, error) {
	f, err := os.Open(m.file(x.Manifest + manifestExt))
	if err != nil {
		return nil, errors.New("the copy of its manifest is missing")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	mf, err := readManifest(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("the copy of its manifest: %w", err)
	}
	if mf.sha256 != x.Manifest || mf.Backup != x.Backup {
		return nil, errors.New("the copy of its manifest is that of another backup")
	}
	return mf, nil
}

// hashes opens the list of a file of size bytes. A list that is not that of
// the digest is removed, so that the next one takes its place.
func (m *memory) hashes(ctx context.Context, digest string, size int64) (*hashList, error) {
	name := m.file(hashesOf(digest))
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := newHashList(spoolOf(f, info.Size()), size, digest)
	if info.Size() != listLength(size) {
		err = errList
	} else {
		err = l.finish(ctx)
	}
	if err != nil {
		err = errors.Join(err, l.close())
		if ctx.Err() == nil {
			err = errors.Join(err, os.Remove(name))
		}
		return nil, err
	}
	l.rewind()
	return l, nil
}

// hashesOf names the list of the file with digest.
func hashesOf(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex + hashesExt
}

// keepHashes keeps the list of a file.
func (m *memory) keepHashes(digest string, size int64, list *spool) error {
	name := m.file(hashesOf(digest))
	if info, err := os.Stat(name); err == nil && info.Size() == listLength(size) {
		return nil
	}
	return m.write(name, list.copyTo)
}

// write makes a file, whole or not at all.
func (m *memory) write(name string, fill func(*os.File) error) (err error) {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	temp := m.file(durable.TempName(filepath.Base(name)))
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	if err := errors.Join(fill(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// save makes mf, the manifest of a backup that was committed, the one that is
// remembered, and removes what only earlier ones needed.
func (m *memory) save(x memoryIndex, mf *manifest) error {
	copied := *mf
	temp := m.file(durable.TempName("manifest"))
	if err := m.write(temp, func(f *os.File) error { return copied.write(f) }); err != nil {
		return err
	}
	x.Format, x.Manifest = holdfast.FormatVersion, copied.sha256
	if err := os.Rename(temp, m.file(x.Manifest+manifestExt)); err != nil {
		return err
	}
	data, err := seal(x)
	if err != nil {
		return err
	}
	err = m.write(m.file(indexFile), func(f *os.File) error { _, err := f.Write(data); return err })
	if err != nil {
		return err
	}
	keep := map[string]bool{indexFile: true, x.Manifest + manifestExt: true}
	for _, e := range mf.Entries {
		if e.Type == typeFile {
			keep[hashesOf(e.Digest)] = true
		}
	}
	return m.clean(keep)
}

// clean removes all files but those to keep.
func (m *memory) clean(keep map[string]bool) error {
	list, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range list {
		ours := durable.IsTemp(e.Name()) || strings.HasSuffix(e.Name(), manifestExt) || strings.HasSuffix(e.Name(), hashesExt)
		if !ours || keep[e.Name()] {
			continue
		}
		if err := os.Remove(m.file(e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
