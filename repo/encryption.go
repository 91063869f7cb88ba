package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Encryption tells to whom new backups of a repository are encrypted.
type Encryption struct {
	// Recipients are public keys; none: new backups are not encrypted.
	Recipients []string `json:"recipients"`
	// Own tells of a replica that this is not the encryption of the
	// repository whose copies it holds.
	Own bool `json:"own,omitempty"`
	// Identity is the file with the repository's own private keys, if a
	// passphrase opens it.
	Identity string `json:"identity,omitempty"`
	// IdentitySHA256 are the sums that the file may have: two while it is
	// being replaced.
	IdentitySHA256 []string `json:"identity_sha256,omitempty"`
	// Former are the public keys of the others that the file holds: it can take
	// the place of a file with one of these.
	Former []string `json:"former,omitempty"`
}

// Encryption tells to whom new backups are encrypted, as far as repository.json
// says.
func (r *Repository) Encryption() Encryption {
	e := r.encryption()
	e.Recipients, e.IdentitySHA256, e.Former = slices.Clone(e.Recipients), slices.Clone(e.IdentitySHA256), slices.Clone(e.Former)
	return e
}

func (r *Repository) encryption() Encryption {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.head.Encryption == nil {
		return Encryption{}
	}
	return *r.head.Encryption
}

// recipients are those of the next backup: the configured ones, else those of
// repository.json.
func (r *Repository) recipients() []string {
	if to := canonical(r.o.Recipients); len(to) > 0 || r.o.inTheOpen() {
		return to
	}
	return canonical(r.encryption().Recipients)
}

// encryptsOtherwise tells whether the next backup is encrypted to others than m
// is. Blocks of the one must then not be needed by the other: whoever reads the
// new one may not be able to read the old one.
func (r *Repository) encryptsOtherwise(m *holdfast.Metadata) bool {
	to := r.recipients()
	return !slices.Equal(to, canonical(m.Recipients)) || len(to) == 0 && r.o.ByPassphrase
}

// Encrypts tells whether the next backup will be encrypted.
func (r *Repository) Encrypts() bool { return r.o.ByPassphrase || len(r.recipients()) > 0 }

// Readable tells whether what is encrypted to the recipients of the next backup
// can be read here. Without a key it cannot, and that is no error.
func (r *Repository) Readable(ctx context.Context) (bool, error) {
	to, err := newSealing(r.recipients())
	if to == nil || err != nil {
		return err == nil, err
	}
	if r.o.Keys.Interactive && r.o.Keys.Identities == nil && !r.ring.asked() {
		return false, nil
	}
	keys, err := r.identities(ctx)
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var probe strings.Builder
	w, _, err := to.encrypt(&probe)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return false, err
	}
	_, err = age.Decrypt(strings.NewReader(probe.String()), keys...)
	return err == nil, nil
}

// fitEncryption brings repository.json in line with what the repository was
// opened with, under the lease: encryption turned on, or other recipients. What
// changed is told once.
func (r *Repository) fitEncryption(ctx context.Context) (*sealing, []holdfast.Problem, error) {
	now := r.encryption()
	want := now
	want.Own = now.Own || r.o.Own
	switch to := canonical(r.o.Recipients); {
	case len(to) > 0 || r.o.inTheOpen():
		want.Recipients = to
	case r.o.Own && r.o.ByPassphrase && (!now.Own || now.Identity == ""):
		made, err := r.ownIdentity(ctx, now)
		if err != nil {
			return nil, nil, err
		}
		want = made
	case r.o.ByPassphrase && len(now.Recipients) == 0:
		made, err := r.makeIdentity(ctx)
		if err != nil {
			return nil, nil, err
		}
		want = made
	}
	s, err := newSealing(want.Recipients)
	changed := !slices.Equal(want.Recipients, now.Recipients)
	if err != nil || !changed && want.Own == now.Own {
		return s, nil, err
	}
	if err := r.putEncryption(ctx, want); err != nil {
		return nil, nil, err
	}
	if !changed {
		return s, nil, nil
	}
	return s, []holdfast.Problem{changedEncryption(now, want)}, nil
}

// changedEncryption tells that backups are encrypted otherwise from now on.
func changedEncryption(before, now Encryption) holdfast.Problem {
	if len(now.Recipients) == 0 {
		return holdfast.Problem{
			Object: repositoryFile, Severity: holdfast.Warning,
			Message: "copies lie in the open from this one on; earlier ones stay encrypted to " + strings.Join(before.Recipients, ", "),
			Hint:    "keep the former key as long as backups need it",
		}
	}
	if len(before.Recipients) == 0 {
		return holdfast.Problem{
			Object: repositoryFile, Severity: holdfast.Warning,
			Message: "backups are encrypted from this one on; earlier ones stay as they are, not encrypted",
			Hint:    "delete the earlier ones when you no longer want them in the open; keep the key where this machine's loss cannot take it: `holdfast rescue` tells how",
		}
	}
	return holdfast.Problem{
		Object: repositoryFile, Severity: holdfast.Warning,
		Message: "backups are encrypted to other recipients from this one on; earlier ones stay encrypted to " + strings.Join(before.Recipients, ", "),
		Hint:    "keep the former key as long as backups need it",
	}
}

// firstEncryption is that of a repository that is being made.
func firstEncryption(ctx context.Context, b bucket.Bucket, o Options) (*Encryption, error) {
	to, err := newSealing(o.Recipients)
	switch {
	case err != nil:
		return nil, err
	case to != nil && o.ByPassphrase:
		return nil, &holdfast.Error{
			Op: "encrypt", Err: holdfast.Kindf(holdfast.ErrUsage, "both recipients and a passphrase are given"),
			Hint: "a new repository takes one of them: encrypt_to, or a passphrase",
		}
	case to != nil:
		return &Encryption{Recipients: to.names, Own: o.Own}, nil
	case o.ByPassphrase:
		e, err := (&Repository{b: b, o: o, ring: &keyring{}}).makeIdentity(ctx)
		e.Own = o.Own
		return &e, err
	case o.Own:
		return &Encryption{Recipients: []string{}, Own: true}, nil
	}
	return nil, nil
}

// foundEncryption is that of a repository whose repository.json was lost, as
// its newest backup tells it.
func foundEncryption(ctx context.Context, b bucket.Bucket, newest *marker) (*Encryption, error) {
	// A copy of another form tells that this is a replica with its own.
	e := Encryption{Recipients: append([]string{}, newest.Recipients...), Own: newest.OriginSHA256 != ""}
	data, err := readSmall(ctx, b, identityFile)
	switch {
	case err == nil:
		e.Identity, e.IdentitySHA256 = identityFile, []string{sumOf(data)}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, &holdfast.Error{Op: "read", Object: identityFile, Err: err}
	case len(e.Recipients) == 0 && !e.Own:
		return nil, nil
	}
	return &e, nil
}

// putEncryption writes repository.json with another encryption.
func (r *Repository) putEncryption(ctx context.Context, e Encryption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := r.head
	head.Encryption, head.Checksum = &e, ""
	data, err := seal(head)
	if err == nil {
		err = r.b.Put(ctx, repositoryFile, data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: repositoryFile, Err: err}
	}
	r.head = head
	return nil
}

// Passphrase asks for the passphrase of the repository.
func (r *Repository) Passphrase(ctx context.Context) (string, error) {
	if r.o.Keys.Passphrase == nil {
		return "", &holdfast.Error{Op: "encrypt", Err: holdfast.Kindf(holdfast.ErrUsage, "no passphrase was given"), Hint: hintKey}
	}
	return r.o.Keys.Passphrase(ctx)
}

// makeIdentity makes the repository's own key and stores it encrypted by the
// passphrase. A file that is there already, of a repository.json that was lost
// or never written, is taken over: backups may need it.
func (r *Repository) makeIdentity(ctx context.Context) (Encryption, error) {
	passphrase, err := r.Passphrase(ctx)
	if err != nil {
		return Encryption{}, err
	}
	stored, err := readSmall(ctx, r.b, identityFile)
	if err == nil {
		text, err := r.unlock(ctx, passphrase)
		if err != nil {
			return Encryption{}, err
		}
		return ownEncryption(text, sumOf(stored))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Encryption{}, &holdfast.Error{Op: "read", Object: identityFile, Err: err}
	}
	key, err := newIdentity(time.Now())
	if err != nil {
		return Encryption{}, err
	}
	stored, err = lockIdentities(key, passphrase)
	if err == nil {
		err = r.b.Put(ctx, identityFile, stored, bucket.IfAbsent)
	}
	if err != nil {
		return Encryption{}, &holdfast.Error{Op: "write", Object: identityFile, Err: err}
	}
	return ownEncryption(key, sumOf(stored))
}

// newIdentity makes a private key, written as age-keygen would.
func newIdentity(now time.Time) (string, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), key.Recipient(), key), nil
}

// ownEncryption is that of a repository with these private keys of its own: to
// the first.
func ownEncryption(text, sum string) (Encryption, error) {
	ids, err := parseIdentities(text)
	if err != nil {
		return Encryption{}, &holdfast.Error{Op: "open", Object: identityFile, Err: &damage{"", err}}
	}
	e := Encryption{Identity: identityFile, IdentitySHA256: []string{sum}}
	for i, id := range ids {
		var public string
		switch key := id.(type) {
		case *age.X25519Identity:
			public = key.Recipient().String()
		case *age.HybridIdentity:
			public = key.Recipient().String()
		}
		switch {
		case i == 0 && public == "":
			return Encryption{}, &holdfast.Error{Op: "open", Object: identityFile, Err: &damage{"", errors.New("it does not begin with a key that can be encrypted to")}}
		case i == 0:
			e.Recipients = []string{public}
		case public != "":
			e.Former = append(e.Former, public)
		}
	}
	return e, nil
}

// checkIdentity compares the identity file with its sum.
func (r *Repository) checkIdentity(ctx context.Context) error {
	e := r.encryption()
	if e.Identity == "" {
		return nil
	}
	data, err := readSmall(ctx, r.b, identityFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &damage{"", errors.New("is missing; without it the passphrase opens nothing")}
	case err != nil:
		return err
	case !slices.Contains(e.IdentitySHA256, sumOf(data)):
		return &damage{"", errors.New("its bytes are not those that were stored")}
	}
	return nil
}
