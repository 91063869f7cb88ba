package repo

import (
	"context"
	"errors"
	"fmt"
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
	// To whom its backups are encrypted is that of the repository: see
	// ShareEncryption.
	o.Recipients, o.ByPassphrase = nil, false
	r, err := Open(ctx, b, o)
	if errors.Is(err, holdfast.ErrNotFound) {
		r, err = initAt(ctx, b, o, id, time.Now())
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

// ShareEncryption tells a replica to whom the backups of r are encrypted, and
// copies the keys that a passphrase opens, as they lie in r: without them the
// copies would open for nobody once r is lost. The caller holds the lease of to.
func (r *Repository) ShareEncryption(ctx context.Context, to *Repository) error {
	fail := func(err error) error {
		return &holdfast.Error{Op: "share the encryption with", Object: to.Location(), Err: err}
	}
	from, before := r.Encryption(), to.Encryption()
	if len(from.Recipients) == 0 || reflect.DeepEqual(from, before) {
		return nil
	}
	if from.Identity == "" {
		from.Identity, from.IdentitySHA256 = before.Identity, before.IdentitySHA256 // earlier copies may need them
		return to.putEncryption(ctx, from)
	}
	keys, err := readSmall(ctx, r.b, identityFile)
	if err != nil {
		return fail(err)
	}
	if sum := sumOf(keys); !slices.Contains(from.IdentitySHA256, sum) {
		return fail(fmt.Errorf("%s: %w", identityFile, &damage{"", errors.New("its bytes are not those that were stored")}))
	}
	// While the file is being replaced either one is right.
	either := from
	either.IdentitySHA256 = slices.Concat(from.IdentitySHA256, before.IdentitySHA256)
	if err := to.putEncryption(ctx, either); err != nil {
		return err
	}
	if err := to.b.Put(ctx, identityFile, keys, bucket.Replace); err != nil {
		return fail(err)
	}
	return to.putEncryption(ctx, from)
}
