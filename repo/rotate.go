package repo

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// RotateKey gives the repository a new key of its own, to which backups are
// encrypted from now on. The former ones stay beside it, since older backups
// need them; passphrase opens all of them from now on. The caller holds the
// lease. A repository that is encrypted to configured recipients is refused.
func (r *Repository) RotateKey(ctx context.Context, passphrase string) error {
	fresh, err := newIdentity(time.Now())
	if err != nil {
		return &holdfast.Error{Op: "rotate key", Object: r.Location(), Err: err}
	}
	return r.replaceIdentity(ctx, "rotate key", fresh, passphrase)
}

// ChangePassphrase makes passphrase open the repository's own keys, instead of
// the former one. The caller holds the lease.
func (r *Repository) ChangePassphrase(ctx context.Context, passphrase string) error {
	return r.replaceIdentity(ctx, "change passphrase", "", passphrase)
}

// replaceIdentity puts the keys fresh in front of those of the repository.
//
// A cut leaves one of two identity files, both whole, and repository.json knows
// the sum of either; until its last step it names a recipient whose key is in
// both.
func (r *Repository) replaceIdentity(ctx context.Context, op, fresh, passphrase string) error {
	fail := func(err error) error { return &holdfast.Error{Op: op, Object: r.Location(), Err: err} }
	now := r.encryption()
	if now.Identity == "" {
		return &holdfast.Error{
			Op: op, Object: r.Location(), Err: holdfast.Kindf(holdfast.ErrRefused, "the repository has no key of its own that a passphrase opens"),
			Hint: "recipients are changed with encrypt_to: the next backup is encrypted to the new ones",
		}
	}
	before, err := r.Passphrase(ctx)
	if err != nil {
		return fail(err)
	}
	text, err := r.unlock(ctx, before)
	if err != nil {
		return fail(err)
	}
	text = strings.TrimRight(fresh+text, "\n") + "\n"
	stored, err := lockIdentities(text, passphrase)
	if err != nil {
		return fail(err)
	}
	next, err := ownEncryption(text, sumOf(stored))
	if err != nil {
		return fail(err)
	}
	next.Own = now.Own
	if fresh == "" {
		next.Recipients = now.Recipients
	}
	between := now
	between.IdentitySHA256 = append(slices.Clone(now.IdentitySHA256), next.IdentitySHA256...)
	if err := r.putEncryption(ctx, between); err != nil {
		return fail(err)
	}
	if err := r.b.Put(ctx, identityFile, stored, bucket.Replace); err != nil {
		return fail(err)
	}
	if err := r.putEncryption(ctx, next); err != nil {
		return fail(err)
	}
	ids, err := parseIdentities(text)
	if err != nil {
		return fail(err)
	}
	r.ring.know(ids)
	return nil
}
