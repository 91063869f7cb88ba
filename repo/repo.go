// Package repo is the repository format over any bucket: backups as trees that
// people can read with ls, committed by their metadata, described by a
// manifest. FORMAT.md beside this file specifies every byte of it.
//
// Start from [Init] or [Open], then [Repository.Create] to write a backup and
// [Repository.Backup] to read one. A [Backup] is an fs.FS whose files are
// io.ReaderAt, whatever their storage form: verify, export, restore and browse
// are written once, on that.
//
// The ideas lie in files of their own: seal.go (checksums of the JSON files),
// manifest.go and entry.go, extent.go, seekable.go, digest.go for the format;
// pending.go, sink.go, filewriter.go, payloadwriter.go and secondpass.go for
// writing; base.go, deltawriter.go, blockpacker.go, hashlist.go and memory.go
// for storing only what changed, and same.go for what did not; tree.go,
// fsys.go, content.go, openings.go, inorder.go, ahead.go and payload.go for
// reading; verify.go, extract.go and tar.go for what is built on reading;
// delete.go and hidden.go for what goes, and compact.go, compactblocks.go,
// compactsame.go, compactrewrite.go and compactjournal.go for what makes it go
// sooner;
// encryption.go (to whom), keys.go and rotate.go (what opens), crypt.go and
// sealedobject.go (age files) and private.go (what does not lie in the open) for
// encrypted backups; replica.go, copy.go, copyform.go, copystream.go and recode.go
// for copies in other repositories; list.go and known.go for what there is;
// instances.go for who keeps data here.
package repo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// repositoryFile lies at the root of every repository.
const repositoryFile = "repository.json"

// A Repository is a set of backups in a bucket.
type Repository struct {
	b    bucket.Bucket
	o    Options
	id   string
	ring *keyring

	mu   sync.Mutex
	head repositoryInfo // as it is stored
}

// repositoryInfo is repository.json.
type repositoryInfo struct {
	Format    int           `json:"format"`
	ID        string        `json:"id"`
	CreatedAt holdfast.Time `json:"created_at"`
	// Encryption is that of new backups; each one says for itself whether it
	// is encrypted.
	Encryption *Encryption `json:"encryption,omitempty"`
	Checksum   string      `json:"checksum"`
}

// Init makes b a repository and opens it. An existing repository is opened
// as it is. A bucket that holds foreign objects but no repository.json is
// refused; one that holds backups gets a repository.json with their id again.
func Init(ctx context.Context, b bucket.Bucket, o Options) (*Repository, error) {
	return initAt(ctx, b, o, strings.ToLower(rand.Text()), time.Now())
}

func initAt(ctx context.Context, b bucket.Bucket, o Options, id string, now time.Time) (*Repository, error) {
	return initWith(ctx, b, o, id, now, func() (*Encryption, error) { return firstEncryption(ctx, b, o) })
}

// initWith is initAt with the encryption that a new repository begins with.
func initWith(ctx context.Context, b bucket.Bucket, o Options, id string, now time.Time, first func() (*Encryption, error)) (*Repository, error) {
	r, err := Open(ctx, b, o)
	if !errors.Is(err, holdfast.ErrNotFound) {
		return r, err
	}
	head := repositoryInfo{Format: holdfast.FormatVersion, ID: id, CreatedAt: holdfast.At(now)}
	found, foreign, err := survey(ctx, b)
	switch {
	case err != nil:
		return nil, &holdfast.Error{Op: "make repository", Object: b.Location(), Err: err}
	case found != nil:
		head.ID = found.Repository
		if head.Encryption, err = foundEncryption(ctx, b, found); err != nil {
			return nil, err
		}
	case foreign != "":
		return nil, &holdfast.Error{
			Op: "make repository", Object: b.Location(),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "it is not empty (%s) and no repository", foreign),
			Hint: "choose an empty or new place",
		}
	}
	if err == nil && head.Encryption == nil {
		head.Encryption, err = first()
	}
	var data []byte
	if err == nil {
		data, err = seal(head)
	}
	if err == nil {
		err = b.Put(ctx, repositoryFile, data, bucket.IfAbsent)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) { // existing: another Init was first
		return nil, &holdfast.Error{Op: "make repository", Object: b.Location(), Err: err}
	}
	return Open(ctx, b, o)
}

// survey looks into a bucket without repository.json: the newest backup in it,
// which names the repository, or the first object that is not ours.
func survey(ctx context.Context, b bucket.Bucket) (newest *marker, foreign string, err error) {
	for name, err := range folders(ctx, b) {
		if err != nil {
			return nil, "", err
		}
		m, err := readMarker(ctx, b, name)
		if err == nil && (newest == nil || m.CreatedAt.After(newest.CreatedAt.Time)) {
			newest = m
		}
	}
	if newest != nil {
		return newest, "", nil
	}
	for info, err := range b.List(ctx, "") {
		if err != nil {
			return nil, "", err
		}
		if !strings.HasPrefix(info.Key, ".") && info.Key != identityFile {
			return nil, info.Key, nil
		}
	}
	return nil, "", nil
}

// Open opens the repository in b. Without one the error matches ErrNotFound; a
// newer format matches ErrRefused and says which version is needed.
func Open(ctx context.Context, b bucket.Bucket, o Options) (*Repository, error) {
	fail := func(err error, hint string) (*Repository, error) {
		return nil, &holdfast.Error{Op: "open repository", Object: b.Location(), Err: err, Hint: hint}
	}
	data, err := readSmall(ctx, b, repositoryFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "there is no repository"), "`holdfast init` makes one, and so does the first backup")
	}
	if err != nil {
		return fail(err, "")
	}
	var info repositoryInfo
	if err := unseal(data, &info); err != nil {
		return fail(fmt.Errorf("%s: %w", repositoryFile, err),
			"if it is damaged, move it away: the next `holdfast backup` makes it again from the backups, which are not touched")
	}
	return &Repository{b: b, o: o, id: info.ID, ring: &keyring{}, head: info}, nil
}

// ID identifies the repository for ever.
func (r *Repository) ID() string { return r.id }

// Location tells people where the repository is.
func (r *Repository) Location() string { return r.b.Location() }

// Free tells how many bytes can still be stored, if that is known.
func (r *Repository) Free(ctx context.Context) (int64, bool, error) { return r.b.Free(ctx) }

// Lock takes the writer's lease, then removes what crashes left behind and
// finishes what they cut.
// Create, Delete, Compact, SetPinned and AddProof must be called under it.
func (r *Repository) Lock(ctx context.Context, purpose string) (bucket.Lease, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host" // the name only helps people
	}
	lease, err := r.b.Lock(ctx, holdfast.Owner{Host: host, PID: os.Getpid(), Purpose: purpose, Since: time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	if _, err := r.b.Clean(ctx); err != nil {
		err = &holdfast.Error{Op: "clean repository", Object: r.Location(), Err: err}
		return nil, errors.Join(err, lease.Release())
	}
	if err := r.settle(ctx); err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	return lease, nil
}

// readSmall reads a whole small object.
func readSmall(ctx context.Context, b bucket.Bucket, key string) ([]byte, error) {
	obj, err := b.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer obj.Close()
	if obj.Size() > maxSmall {
		return nil, &damage{"", fmt.Errorf("%s has %d bytes, more than it ever can", key, obj.Size())}
	}
	data := make([]byte, obj.Size())
	if err := readFull(obj, data, 0); err != nil {
		return nil, err
	}
	return data, nil
}
