package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
)

// ErrNoKey tells that something is encrypted and that no key was given to open
// it. Stored bytes can still be checked: see Repository.VerifyStored.
var ErrNoKey = errors.New("no key was given")

// ErrWrongPassphrase tells that the passphrase that was given opens no private keys.
var ErrWrongPassphrase = errors.New("the passphrase is wrong")

// identityFile holds the private keys of a repository that a passphrase opens,
// encrypted by that passphrase.
const identityFile = "identity.age"

// maxIdentity bounds the identity file: a thousand rotations.
const maxIdentity = 256 << 10

// maxWork bounds the work that the identity file may ask for, as a power of
// two.
const maxWork = 20

// scryptWork is the work that guessing a passphrase costs, as a power of two. It
// is paid once per process. Tests want less.
var scryptWork = 18

// hintKey says how a key is given.
const hintKey = "give the private key with identity_file, or the passphrase with passphrase_file, passphrase_command or HOLDFAST_PASSPHRASE"

// A keyring opens what is encrypted. It asks for keys once, when something is
// to be read for the first time.
type keyring struct {
	mu   sync.Mutex
	done bool
	ids  []age.Identity
	err  error
}

// asked tells whether the keys are known.
func (k *keyring) asked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.done
}

// know adds keys that need not be asked for.
func (k *keyring) know(ids []age.Identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done, k.ids, k.err = true, append(slices.Clone(ids), k.ids...), nil
}

// identities gives the keys that open backups.
func (r *Repository) identities(ctx context.Context) ([]age.Identity, error) {
	k := r.ring
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done {
		return k.ids, k.err
	}
	ids, err := r.askKeys(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // not the answer: the next one may ask again
	}
	k.done, k.ids, k.err = true, ids, err
	return ids, err
}

// askKeys asks for the keys: those of recipients, and the passphrase of the
// repository's own.
func (r *Repository) askKeys(ctx context.Context) ([]age.Identity, error) {
	var ids []age.Identity
	if r.o.Keys.Identities != nil {
		given, err := r.o.Keys.Identities(ctx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, given...)
	}
	enc := r.encryption()
	if enc.Identity != "" && r.o.Keys.Passphrase != nil {
		passphrase, err := r.o.Keys.Passphrase(ctx)
		if err != nil {
			return nil, err
		}
		text, err := r.unlock(ctx, passphrase)
		if err != nil {
			return nil, err
		}
		own, err := parseIdentities(text)
		if err != nil {
			return nil, &holdfast.Error{Op: "open", Object: identityFile, Err: &damage{"", err}}
		}
		ids = append(ids, own...)
	}
	if len(ids) == 0 {
		hint := hintKey
		if enc.Identity == "" {
			hint = "give the private key of one of its recipients with identity_file (HOLDFAST_IDENTITY_FILE)"
		}
		return nil, &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "it is encrypted, and %w", ErrNoKey), Hint: hint}
	}
	return ids, nil
}

// parseIdentities reads private keys. The error never quotes them.
func parseIdentities(text string) ([]age.Identity, error) {
	ids, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return nil, errors.New("it does not hold private keys of age")
	}
	return ids, nil
}

// unlock decrypts the identity file.
func (r *Repository) unlock(ctx context.Context, passphrase string) (string, error) {
	fail := func(err error, hint string) (string, error) {
		return "", &holdfast.Error{Op: "open", Object: identityFile, Err: err, Hint: hint}
	}
	data, err := readSmall(ctx, r.b, identityFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(&damage{"", errors.New("is missing")}, "put the copy from a replica or from your rescue card's place back: without it the passphrase opens nothing")
	case err != nil:
		return fail(err, "")
	case len(data) > maxIdentity:
		return fail(&damage{"", fmt.Errorf("has %d bytes, more than it ever can", len(data))}, "")
	}
	key, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return fail(holdfast.Kindf(holdfast.ErrRefused, "the passphrase is empty"), hintKey)
	}
	key.SetMaxWorkFactor(maxWork)
	plain, err := age.Decrypt(strings.NewReader(string(data)), key)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return fail(holdfast.Kindf(holdfast.ErrRefused, "%w", ErrWrongPassphrase), "it is the one given when the repository was encrypted, or last changed with `holdfast key passphrase`")
	}
	if err != nil {
		return fail(&damage{"", err}, "put a copy of the file back")
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return fail(&damage{"", err}, "put a copy of the file back")
	}
	return string(text), nil
}

// lockIdentities encrypts private keys by a passphrase.
func lockIdentities(text, passphrase string) ([]byte, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrUsage, "the passphrase is empty"), Hint: hintKey}
	}
	to.SetWorkFactor(scryptWork)
	var b strings.Builder
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
