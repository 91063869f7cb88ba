package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// InitReplica makes b a replica of the repository of this id and opens it; a
// replica is a repository that has the same id. An existing one is opened as it
// is; one of another id is refused, whatever it holds.
func InitReplica(ctx context.Context, b bucket.Bucket, id string, o Options) (*Repository, error) {
	if !o.Own {
		// To whom its backups are encrypted is that of the repository: see
		// ShareEncryption.
		o.Recipients, o.ByPassphrase = nil, false
	}
	return openOr(ctx, b, id, o, func() (*Repository, error) { return initAt(ctx, b, o, id, time.Now()) })
}

// InitFrom makes b the repository whose replica r is, in place of one that is
// gone: with its id and, unless the replica has an encryption of its own, with its
// encryption and its keys, which the copies need.
func (r *Repository) InitFrom(ctx context.Context, b bucket.Bucket, o Options) (*Repository, error) {
	before := r.Encryption()
	if r.OwnEncryption() || len(before.Recipients) == 0 {
		return openOr(ctx, b, r.id, o, func() (*Repository, error) { return initAt(ctx, b, o, r.id, time.Now()) })
	}
	return openOr(ctx, b, r.id, o, func() (*Repository, error) {
		return initWith(ctx, b, o, r.id, time.Now(), func() (*Encryption, error) {
			if before.Identity == "" {
				return &before, nil
			}
			keys, err := r.storedKeys(ctx)
			if err == nil {
				err = b.Put(ctx, identityFile, keys, bucket.Replace)
			}
			return &before, err
		})
	})
}

// openOr opens the repository of this id in b, or makes it.
func openOr(ctx context.Context, b bucket.Bucket, id string, o Options, make func() (*Repository, error)) (*Repository, error) {
	r, err := Open(ctx, b, o)
	if errors.Is(err, holdfast.ErrNotFound) {
		r, err = make()
	}
	if err != nil {
		return nil, err
	}
	return r, r.MustBe(id)
}

// MustBe refuses a repository that has another id.
func (r *Repository) MustBe(id string) error {
	if r.id == id {
		return nil
	}
	return &holdfast.Error{
		Op: "open replica", Object: r.Location(),
		Err:  holdfast.Kindf(holdfast.ErrRefused, "it is another repository (id %s, not %s)", r.id, id),
		Hint: "name an empty or new place; backups of different repositories are never mixed",
	}
}

// OwnEncryption tells whether the copies here are encrypted otherwise than the
// repository whose replica this is.
func (r *Repository) OwnEncryption() bool { return r.o.Own || r.encryption().Own }

// ShareEncryption prepares a replica for copies of r, and tells what its owner
// should know. If it has an encryption of its own, that is put into effect; else
// it learns to whom the backups of r are encrypted, and gets the keys that a
// passphrase opens, as they lie in r: without them the copies would open for
// nobody once r is lost. The caller holds the lease of to.
func (r *Repository) ShareEncryption(ctx context.Context, to *Repository) ([]holdfast.Problem, error) {
	var notes []holdfast.Problem
	var err error
	if to.OwnEncryption() {
		_, notes, err = to.fitEncryption(ctx)
	} else {
		err = r.shareKeys(ctx, to)
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "prepare the encryption of", Object: to.Location(), Err: err}
	}
	return notes, nil
}

// shareKeys gives a replica the encryption of r.
func (r *Repository) shareKeys(ctx context.Context, to *Repository) error {
	from, before := r.Encryption(), to.Encryption()
	from.Own = false
	if len(from.Recipients) == 0 || reflect.DeepEqual(from, before) {
		return nil
	}
	if from.Identity == "" {
		from.Identity, from.IdentitySHA256 = before.Identity, before.IdentitySHA256 // earlier copies may need them
		return to.putEncryption(ctx, from)
	}
	if err := mayReplaceKeys(from, before); err != nil {
		return err
	}
	keys, err := r.storedKeys(ctx)
	if err != nil {
		return err
	}
	// While the file is being replaced either one is right.
	either := from
	either.IdentitySHA256 = slices.Concat(from.IdentitySHA256, before.IdentitySHA256)
	if err := to.putEncryption(ctx, either); err != nil {
		return err
	}
	if err := to.b.Put(ctx, identityFile, keys, bucket.Replace); err != nil {
		return err
	}
	return to.putEncryption(ctx, from)
}

// storedKeys gives the keys that a passphrase opens, as they lie in r.
func (r *Repository) storedKeys(ctx context.Context) ([]byte, error) {
	keys, err := readSmall(ctx, r.b, identityFile)
	if err == nil && !slices.Contains(r.Encryption().IdentitySHA256, sumOf(keys)) {
		err = fmt.Errorf("%s: %w", identityFile, &damage{"", errors.New("its bytes are not those that were stored")})
	}
	return keys, err
}

// mayReplaceKeys refuses to put keys in the place of others that they do not
// include: the copies there would open for nobody.
func mayReplaceKeys(from, before Encryption) error {
	known := slices.Concat(from.Recipients, from.Former)
	same := func(sum string) bool { return slices.Contains(from.IdentitySHA256, sum) }
	missing := func(key string) bool { return !slices.Contains(known, key) }
	if before.Identity == "" || slices.ContainsFunc(before.IdentitySHA256, same) || !slices.ContainsFunc(before.Recipients, missing) {
		return nil
	}
	return &holdfast.Error{
		Op: "replace", Object: identityFile,
		Err:  holdfast.Kindf(holdfast.ErrRefused, "the copies there need keys that this repository does not have"),
		Hint: "name a new place for the copies; the ones there are opened with --repo and the passphrase they were made with",
	}
}

// ownIdentity makes the key of a replica that is to be encrypted by a passphrase
// of its own. The keys of the repository, if they are there for earlier copies,
// are not taken for it.
func (r *Repository) ownIdentity(ctx context.Context, now Encryption) (Encryption, error) {
	_, err := readSmall(ctx, r.b, identityFile)
	switch {
	case now.Identity != "" && !errors.Is(err, fs.ErrNotExist):
		return Encryption{}, &holdfast.Error{
			Op: "encrypt", Object: r.Location(),
			Err:  holdfast.Kindf(holdfast.ErrRefused, "its copies so far are opened by the passphrase of the repository, and cannot get another one"),
			Hint: "name a new place for copies with a passphrase of their own, or encrypt to recipients (encrypt_to)",
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Encryption{}, err
	}
	made, err := r.makeIdentity(ctx)
	made.Own = true
	return made, err
}
