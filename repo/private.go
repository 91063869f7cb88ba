package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Names of the encrypted files at the top of an encrypted backup.
const (
	privateFile        = "private_metadata.json" + sealedExt
	sealedManifestFile = holdfast.ManifestFile + sealedExt
)

// untold stands for what the clear metadata of an encrypted backup leaves out.
const untold = "encrypted, told only to whoever has a key"

// privateMetadata is private_metadata.json.age, decrypted: the metadata whole.
type privateMetadata struct {
	*holdfast.Metadata
	Checksum string `json:"checksum"`
}

// clearMetadata is what of m may lie in the open beside an encrypted backup:
// what it is, when and how large, and numbers. Names that come from the content,
// paths, notes and the machine stay private.
func clearMetadata(m *holdfast.Metadata) *holdfast.Metadata {
	c := *m
	c.DatabaseInfo.DatabasePath = ""
	c.Note, c.Host = "", ""
	c.Sources = make([]holdfast.SourceMetadata, len(m.Sources))
	for i, s := range m.Sources {
		c.Sources[i] = holdfast.SourceMetadata{
			Name: s.Name, Kind: s.Kind, Files: s.Files, LogicalBytes: s.LogicalBytes, StoredBytes: s.StoredBytes,
			DurationMS: s.DurationMS, WriterStallMS: s.WriterStallMS, Facts: clearFacts(s.Facts),
		}
	}
	c.Problems = clearProblems(m.Problems)
	return &c
}

// clearFacts keeps the numbers that retention and lists compare.
func clearFacts(f holdfast.Facts) holdfast.Facts {
	switch {
	case f.SQLite != nil:
		return holdfast.Facts{SQLite: &holdfast.SQLiteFacts{Rows: f.SQLite.Rows, QuickCheck: f.SQLite.QuickCheck}}
	case f.Chroma != nil:
		return holdfast.Facts{Chroma: &holdfast.ChromaFacts{Records: f.Chroma.Records, QuickCheck: f.Chroma.QuickCheck}}
	case f.Files != nil:
		return f
	}
	return holdfast.Facts{}
}

// clearProblems keeps how severe problems are and in which source.
func clearProblems(list []holdfast.Problem) []holdfast.Problem {
	var out []holdfast.Problem
	for _, p := range list {
		out = append(out, holdfast.Problem{Source: p.Source, Severity: p.Severity, Message: untold})
	}
	return out
}

// clearCompared keeps of which sources something was compared, and whether it was
// as it should be.
func clearCompared(list []holdfast.Comparison) []holdfast.Comparison {
	var out []holdfast.Comparison
	for _, c := range list {
		if short := (holdfast.Comparison{Source: c.Source, What: untold, OK: c.OK}); !slices.Contains(out, short) {
			out = append(out, short)
		}
	}
	return out
}

// loadPrivate reads the full metadata of an encrypted backup, and the bytes of
// the file as they were before encryption.
func (r *Repository) loadPrivate(ctx context.Context, name holdfast.BackupName, m *marker, keys []age.Identity) ([]byte, *holdfast.Metadata, error) {
	data, sum, err := r.readSealed(ctx, string(name)+"/"+m.privateKey(), keys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = &damage{"", errors.New("is missing")}
	case sum != "" && sum != m.PrivateSHA256:
		err = &damage{"", errors.New("is not the metadata that the backup was committed with")}
	case errors.Is(err, errOtherKey):
		return nil, nil, wrongKey(name, m, err)
	}
	full := &privateMetadata{Metadata: new(holdfast.Metadata)}
	if err == nil {
		err = unseal(data, full)
	}
	if err == nil && full.BackupName != name {
		err = &damage{"", errors.New("it belongs to another backup")}
	}
	if err != nil {
		return nil, nil, damagedOr(name, m.privateKey(), err)
	}
	return data, full.Metadata, nil
}

// readSealed reads a small age file whole: its plaintext, and the SHA-256 of
// what is stored as soon as that is known.
func (r *Repository) readSealed(ctx context.Context, key string, keys []age.Identity) (data []byte, sum string, err error) {
	stored, err := readSmall(ctx, r.b, key)
	if err != nil {
		return nil, "", err
	}
	sum = sumOf(stored)
	plain, err := decrypt(bytes.NewReader(stored), keys)
	if err == nil {
		data, err = io.ReadAll(plain)
	}
	if err != nil && !errors.Is(err, errOtherKey) {
		err = &damage{"", err}
	}
	return data, sum, err
}

// sumObject gives the SHA-256 of a stored file.
func sumObject(ctx context.Context, obj bucket.Object, progress func(int64)) (string, error) {
	sum := sha256.New()
	in := io.NewSectionReader(obj, 0, obj.Size())
	for {
		n, err := io.CopyN(sum, in, frameSize)
		if progress != nil {
			progress(n)
		}
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", err
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
	}
}
