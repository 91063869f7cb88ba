package repo

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// An entry is one line of the manifest: a file, directory or symbolic link,
// and how it is stored.
type entry struct {
	Path    string `json:"path"` // from the backup's root
	Type    string `json:"type"` // file, dir, symlink
	Mode    string `json:"mode"` // permissions in octal, with setuid, setgid and sticky
	ModTime string `json:"mtime"`
	Link    string `json:"link,omitempty"`

	Size         int64    `json:"size,omitempty"`
	Form         string   `json:"form,omitempty"`     // full, delta
	Encoding     string   `json:"encoding,omitempty"` // raw, zstd
	Payload      string   `json:"payload,omitempty"`  // key below the backup; a delta may have none
	StoredSize   int64    `json:"stored_size,omitempty"`
	StoredSHA256 string   `json:"stored_sha256,omitempty"`
	PayloadSize  int64    `json:"payload_size,omitempty"` // of an encrypted payload, before encryption
	Digest       string   `json:"digest,omitempty"`
	Same         int      `json:"same,omitempty"` // the reference whose entry has the extents
	Extents      []extent `json:"extents,omitempty"`
	Groups       []byte   `json:"groups,omitempty"` // checks of a raw payload's frames

	perm    fs.FileMode // decoded from Mode and Type
	modTime time.Time   // decoded from ModTime
	source  string      // first element of the path, "" for memory and metadata
	stamp   string      // by what the content is known, see holdfast.FileWriter
	definer reference   // the entry that has the same extents, of a backup being written

	sealed bool           // the payload is an age file
	keys   []age.Identity // that open it
}

// The words of the manifest.
const (
	typeFile    = "file"
	typeDir     = "dir"
	typeSymlink = "symlink"

	formFull  = "full"
	formDelta = "delta"

	encodingRaw  = "raw"
	encodingZstd = "zstd"
)

// modeBits are the bits of a mode that are kept.
const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// newEntry begins an entry for e at path.
func newEntry(path string, e holdfast.Entry) *entry {
	mode := e.Mode & modeBits
	octal := uint32(mode.Perm())
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&flag != 0 {
			octal |= bit
		}
	}
	n := &entry{
		Path:    path,
		Type:    typeFile,
		Mode:    fmt.Sprintf("%04o", octal),
		ModTime: e.ModTime.UTC().Format(time.RFC3339Nano),
		perm:    mode,
		modTime: e.ModTime.UTC(),
		source:  sourceOf(path),
	}
	switch {
	case e.Mode.IsDir():
		n.Type, n.perm = typeDir, mode|fs.ModeDir
	case e.Mode&fs.ModeSymlink != 0:
		n.Type, n.perm, n.Link = typeSymlink, mode|fs.ModeSymlink, e.Link
		n.Size = int64(len(e.Link))
	}
	return n
}

// sourceOf names the source whose folder holds path.
func sourceOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	switch first {
	case holdfast.MetadataFile, holdfast.ManifestFile, holdfast.SumsFile, holdfast.MemoryInfoFile, holdfast.MemoryDir, holdfast.QuestionsDir:
		return ""
	}
	return first
}

// decode checks every field of an entry that was read and fills in what is
// derived. refs is the number of references the manifest has, sealed tells
// that the payloads are age files.
func (e *entry) decode(refs int, sealed bool) error {
	e.sealed = sealed
	if !fs.ValidPath(e.Path) || e.Path == "." || strings.ContainsRune(e.Path, 0) {
		return fmt.Errorf("%q is not a path inside a backup", e.Path)
	}
	switch e.Path {
	case holdfast.MetadataFile, holdfast.ManifestFile, holdfast.SumsFile:
		return fmt.Errorf("%s cannot be an entry", e.Path)
	}
	octal, err := strconv.ParseUint(e.Mode, 8, 12)
	if err != nil || len(e.Mode) != 4 {
		return fmt.Errorf("%s: mode %q", e.Path, e.Mode)
	}
	e.perm = fs.FileMode(octal & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if octal&bit != 0 {
			e.perm |= flag
		}
	}
	if e.modTime, err = time.Parse(time.RFC3339Nano, e.ModTime); err != nil {
		return fmt.Errorf("%s: mtime %q", e.Path, e.ModTime)
	}
	e.source = sourceOf(e.Path)
	switch e.Type {
	case typeFile:
		if err := e.decodeFile(refs); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		return nil
	case typeDir:
		e.perm |= fs.ModeDir
	case typeSymlink:
		e.perm |= fs.ModeSymlink
		if e.Link == "" || strings.ContainsRune(e.Link, 0) {
			return fmt.Errorf("%s: a symbolic link to nowhere", e.Path)
		}
		e.Size = int64(len(e.Link))
	default:
		return fmt.Errorf("%s: unknown type %q", e.Path, e.Type)
	}
	if e.Form != "" || e.Payload != "" || e.Same != 0 || len(e.Extents) > 0 {
		return fmt.Errorf("%s: a %s with content", e.Path, e.Type)
	}
	return nil
}

func (e *entry) decodeFile(refs int) error {
	if e.Size < 0 || e.Size > maxSize || e.StoredSize < 0 || e.StoredSize > maxSize {
		return fmt.Errorf("impossible size")
	}
	if hash, ok := strings.CutPrefix(e.Digest, "blake3:"); !ok || !isHex(hash) {
		return fmt.Errorf("digest %q", e.Digest)
	}
	full := e.Form == formFull
	if !full && e.Form != formDelta {
		return fmt.Errorf("unknown form %q", e.Form)
	}
	if full || e.Payload != "" {
		if err := e.decodePayload(full); err != nil {
			return err
		}
	} else if e.Encoding != "" || e.StoredSize != 0 || e.PayloadSize != 0 || e.StoredSHA256 != "" || len(e.Groups) > 0 {
		return fmt.Errorf("no payload, but described as if")
	}
	if e.Same != 0 && (full || e.Payload != "" || len(e.Extents) > 0 || e.Same < 0 || e.Same > refs) {
		return fmt.Errorf("cannot be the same as reference %d of %d", e.Same, refs)
	}
	return checkExtents(e.Extents, e.Size, refs, full)
}

func (e *entry) decodePayload(full bool) error {
	if err := bucket.CheckKey(e.Payload); err != nil {
		return err
	}
	switch e.Payload {
	case holdfast.MetadataFile, holdfast.ManifestFile, holdfast.SumsFile, sealedManifestFile, privateFile:
		return fmt.Errorf("payload cannot be %s", e.Payload)
	}
	if !isHex(e.StoredSHA256) {
		return fmt.Errorf("stored_sha256 %q", e.StoredSHA256)
	}
	if e.PayloadSize < 0 || e.PayloadSize > e.StoredSize || e.PayloadSize > 0 && !e.sealed {
		return fmt.Errorf("payload_size %d of %d stored bytes", e.PayloadSize, e.StoredSize)
	}
	switch size := e.payloadSize(); e.Encoding {
	case encodingZstd:
	case encodingRaw:
		if full && size != e.Size {
			return fmt.Errorf("raw payload of %d bytes for a file of %d", size, e.Size)
		}
		if n := (size + frameSize - 1) / frameSize; int64(len(e.Groups)) != n*groupSize {
			return fmt.Errorf("%d bytes of group checks for %d groups", len(e.Groups), n)
		}
	default:
		return fmt.Errorf("unknown encoding %q", e.Encoding)
	}
	return nil
}

// payloadSize is the size of the payload as it was before encryption.
func (e *entry) payloadSize() int64 {
	if e.sealed {
		return e.PayloadSize
	}
	return e.StoredSize
}

// isHex tells whether s is 32 bytes in lower-case hexadecimal.
func isHex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}

// file is the entry as readers outside see it.
func (e *entry) file() File {
	return File{
		Path: e.Path, Source: e.source, Mode: e.perm, ModTime: e.modTime, Size: e.Size,
		Stored: e.StoredSize, Form: e.Form, Digest: e.Digest, Link: e.Link,
	}
}
