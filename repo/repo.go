// Package repo is the repository format over any bucket: backups as trees that
// people can read with ls, committed by their metadata, described by a
// manifest. FORMAT.md beside this file specifies every byte of it.
//
// Start from [Init] or [Open], then [Repository.Create] to write a backup and
// [Repository.Backup] to read one. A [Backup] is an fs.FS whose files are
// io.ReaderAt, whatever their storage form: verify, export, restore and browse
// are written once, on that.
package repo

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A Repository is a set of backups in a bucket.
type Repository struct{ b bucket.Bucket }

// Init makes b a repository and opens it. An existing repository is opened
// as it is. A bucket that holds foreign objects but no repository.json is
// refused.
func Init(ctx context.Context, b bucket.Bucket) (*Repository, error) { panic("skeleton") }

// Open opens the repository in b. Without one the error matches ErrNotFound; a
// newer format matches ErrRefused and says which version is needed.
func Open(ctx context.Context, b bucket.Bucket) (*Repository, error) { panic("skeleton") }

// ID identifies the repository for ever.
func (r *Repository) ID() string { panic("skeleton") }

// Location tells people where the repository is.
func (r *Repository) Location() string { panic("skeleton") }

// Free tells how many bytes can still be stored, if that is known.
func (r *Repository) Free(ctx context.Context) (int64, bool, error) { panic("skeleton") }

// Lock takes the writer's lease, then removes what crashes left behind.
// Create, Delete, SetPinned and AddProof must be called under it.
func (r *Repository) Lock(ctx context.Context, purpose string) (bucket.Lease, error) {
	panic("skeleton")
}

// Info is one backup as a list shows it.
type Info struct {
	Name     holdfast.BackupName
	Metadata *holdfast.Metadata // nil if Err is set
	Pinned   bool
	Proofs   []holdfast.Proof // oldest first, bounded
	// Err tells why the metadata cannot be used: damaged, or of a newer
	// format. Such a backup is listed, never pruned.
	Err error
}

// Proven gives the newest successful proof, and false if the newest proof of
// all failed or there is none.
func (i Info) Proven() (holdfast.Proof, bool) { panic("skeleton") }

// List gives all committed backups, newest first (by CreatedAt, then name).
func (r *Repository) List(ctx context.Context) ([]Info, error) { panic("skeleton") }

// Stat gives one backup by name or "latest" (the newest readable one).
// ErrNotFound names the nearest existing names in its hint.
func (r *Repository) Stat(ctx context.Context, ref string) (Info, error) { panic("skeleton") }

// Delete removes a backup: at once invisible, then its objects.
func (r *Repository) Delete(ctx context.Context, name holdfast.BackupName) error { panic("skeleton") }

// SetPinned keeps a backup from pruning, or no longer.
func (r *Repository) SetPinned(ctx context.Context, name holdfast.BackupName, pinned bool) error {
	panic("skeleton")
}

// AddProof records a proof beside the backup.
func (r *Repository) AddProof(ctx context.Context, name holdfast.BackupName, p holdfast.Proof) error {
	panic("skeleton")
}

// CreateOptions are the optional parts of Create.
type CreateOptions struct {
	// Compress stores payloads as seekable zstd; files that it does not
	// shrink, or that are tiny, are stored raw anyway.
	Compress bool
	// MaxStored refuses (ErrRefused) as soon as more bytes are stored.
	MaxStored int64
	// Progress is told the bytes taken in; it must be fast.
	Progress func(source, path string, written int64)
}

// Create begins a backup. If name is taken, automatic names get _2, _3 …;
// exact asks for precisely this name and fails (ErrRefused) if it is taken.
func (r *Repository) Create(ctx context.Context, name holdfast.BackupName, exact bool, o CreateOptions) (*Pending, error) {
	panic("skeleton")
}

// Pending is a backup being written. Nobody sees it before Commit.
type Pending struct{}

// Name is the name that the backup will have.
func (p *Pending) Name() holdfast.BackupName { panic("skeleton") }

// Sink takes the capture of one source.
func (p *Pending) Sink(source string) holdfast.Sink { panic("skeleton") }

// WriteFile adds a file at a path from the backup's root (memory_info.json,
// memory_collection/…), stored raw and literally.
func (p *Pending) WriteFile(path string, write func(w io.Writer) error) error { panic("skeleton") }

// FS reads back what was captured so far: files whose writers were closed.
func (p *Pending) FS() fs.FS { panic("skeleton") }

// SourceTotals sums what one source has written.
func (p *Pending) SourceTotals(source string) (files, logical, stored int64) { panic("skeleton") }

// Stored is the number of bytes stored so far.
func (p *Pending) Stored() int64 { panic("skeleton") }

// Commit writes manifest, sums and, last, the metadata. It fills in the
// fields of m that it knows: BackupName, Format, Repository, LogicalBytes,
// StoredBytes and the sizes of the sources.
func (p *Pending) Commit(ctx context.Context, m *holdfast.Metadata) (Info, error) { panic("skeleton") }

// Abort removes everything. After Commit it does nothing. It works on a
// cancelled context.
func (p *Pending) Abort(ctx context.Context) error { panic("skeleton") }

// Backup opens a backup for reading. A hidden, absent or uncommitted one
// matches ErrNotFound, a damaged manifest ErrDamaged.
func (r *Repository) Backup(ctx context.Context, name holdfast.BackupName) (*Backup, error) {
	panic("skeleton")
}

// A Backup is an open backup: an fs.FS (with ReadDir, Stat and Sub) of the
// manual's tree, every file whole and an io.ReaderAt and io.Seeker.
type Backup struct{}

// Close releases what the backup holds open.
func (b *Backup) Close() error { panic("skeleton") }

// Metadata is what the backup says about itself.
func (b *Backup) Metadata() *holdfast.Metadata { panic("skeleton") }

// Open implements fs.FS.
func (b *Backup) Open(name string) (fs.File, error) { panic("skeleton") }

// File describes one file of a backup.
type File struct {
	Path    string // from the backup's root
	Source  string // "" for metadata and memory files
	Mode    fs.FileMode
	ModTime time.Time
	Size    int64 // logical
	Stored  int64
	Form    string // "full" or "delta"
	Digest  string
	Link    string
}

// Files lists every entry of the backup by path.
func (b *Backup) Files() []File { panic("skeleton") }

// Verify reads every stored byte and compares it with what was recorded:
// payloads, sums, manifest, metadata. Damage is returned as problems named by
// stored file; the error is for a verification that could not be made.
func (b *Backup) Verify(ctx context.Context, progress func(done, total int64)) ([]holdfast.Problem, error) {
	panic("skeleton")
}

// Extract writes the entries below prefix (a source, or "." for all) into the
// directory dir, which must not exist or be empty: modes, times, links and
// holes as they were, every byte checked against its digest, everything
// synced. A mismatch is a *DamagedError naming the file.
func (b *Backup) Extract(ctx context.Context, prefix, dir string, fsys durable.FS, progress func(path string, done, total int64)) error {
	panic("skeleton")
}

// WriteTar writes the whole tree, every file in full, as a tar stream.
func (b *Backup) WriteTar(ctx context.Context, w io.Writer) error { panic("skeleton") }
