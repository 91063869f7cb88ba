package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// encryptionAge is the word of the manifest for backups whose files are age
// files.
const encryptionAge = "age"

// sealedExt ends the name of every age file.
const sealedExt = ".age"

// A sealing encrypts the files of one backup to its recipients.
type sealing struct {
	names      []string // public keys, sorted
	recipients []age.Recipient
}

// newSealing reads public keys (age1…); none give nil, which encrypts nothing.
func newSealing(names []string) (*sealing, error) {
	names = canonical(names)
	if len(names) == 0 {
		return nil, nil
	}
	s := &sealing{names: names}
	for _, name := range names {
		list, err := age.ParseRecipients(strings.NewReader(name))
		if err != nil || len(list) != 1 {
			return nil, &holdfast.Error{
				Op: "encrypt to", Object: shortKey(name), Err: holdfast.Kindf(holdfast.ErrUsage, "this is no public key of age"),
				Hint: "age-keygen prints it as `public key: age1…`",
			}
		}
		s.recipients = append(s.recipients, list[0])
	}
	if _, _, err := s.encrypt(io.Discard); err != nil { // keys that cannot be mixed
		return nil, &holdfast.Error{Op: "encrypt to", Object: strings.Join(names, ", "), Err: holdfast.Kindf(holdfast.ErrUsage, "%w", err)}
	}
	return s, nil
}

// shortKey cuts what was given for a public key, lest it was the private one.
func shortKey(s string) string {
	const shown = 12
	if len(s) <= shown || strings.HasPrefix(strings.ToUpper(s), "AGE-") {
		return "a key"
	}
	return s[:shown] + "…"
}

// canonical sorts public keys and leaves doubles out, so that lists compare.
func canonical(names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// encrypt begins an age file on w. The key gives the file back to whoever
// holds it, so that a host can read what it has just written although it is no
// recipient; it is never stored.
func (s *sealing) encrypt(w io.Writer) (io.WriteCloser, age.Identity, error) {
	first := &keyKeeper{Recipient: s.recipients[0]}
	out, err := age.Encrypt(w, append([]age.Recipient{first}, s.recipients[1:]...)...)
	if err != nil {
		return nil, nil, err
	}
	return out, age.NewInjectedFileKeyIdentity(first.key), nil
}

// A keyKeeper is a recipient that remembers the key of the file which is
// encrypted to it. The file itself names the recipient alone.
type keyKeeper struct {
	age.Recipient
	key []byte
}

// WrapWithLabels implements age.RecipientWithLabels, whatever the recipient is.
func (k *keyKeeper) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	k.key = bytes.Clone(fileKey)
	if r, ok := k.Recipient.(age.RecipientWithLabels); ok {
		return r.WrapWithLabels(fileKey)
	}
	stanzas, err := k.Recipient.Wrap(fileKey)
	return stanzas, nil, err
}

// openSealed gives random access to the plaintext of the age file in obj. The
// file is closed with what is returned, or at an error at once.
func openSealed(obj bucket.Object, keys []age.Identity) (bucket.Object, error) {
	ahead := &readAhead{obj: obj}
	plain, size, err := age.DecryptReaderAt(ahead, obj.Size(), keys...)
	if err != nil {
		return nil, errors.Join(sealedError(err, keys), obj.Close())
	}
	return &sealedObject{ahead: ahead, plain: plain, size: size}, nil
}

// decrypt reads an age file in order.
func decrypt(r io.Reader, keys []age.Identity) (io.Reader, error) {
	plain, err := age.Decrypt(r, keys...)
	return plain, sealedError(err, keys)
}

// errOtherKey tells that an age file is whole as far as one can see, but none
// of the keys at hand opens it.
var errOtherKey = errors.New("no key fits")

// sealedError says in our words that no key fits.
func sealedError(err error, keys []age.Identity) error {
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); !ok {
		return err
	}
	if len(keys) == 1 {
		return fmt.Errorf("it is not encrypted to the key that was given: %w", errOtherKey)
	}
	return fmt.Errorf("it is not encrypted to any of the %d keys that were given: %w", len(keys), errOtherKey)
}
