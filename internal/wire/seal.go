package wire

import (
	"context"
	"strings"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// SealTo gives those to whom a file is encrypted that leaves the repository for somewhere
// else: the recipients of the configuration, or whoever knows its passphrase. It gives
// nobody if backups are not encrypted here.
func SealTo(ctx context.Context, c config.Encryption) (to []age.Recipient, byPassphrase bool, err error) {
	for _, name := range c.To {
		list, err := age.ParseRecipients(strings.NewReader(name))
		if err != nil {
			// What is named may be the private key: neither it nor what quotes it is told.
			return nil, false, &holdfast.Error{Op: "encrypt to", Object: "a key", Err: holdfast.Kindf(holdfast.ErrUsage, "this is no public key of age"), Hint: "encrypt_to names public keys; age-keygen prints one as `public key: age1…`"}
		}
		to = append(to, list...)
	}
	if len(to) > 0 || !c.HasPassphrase() {
		return to, false, nil
	}
	words, err := passphrase(ctx, c)
	if err != nil {
		return nil, true, err
	}
	one, err := age.NewScryptRecipient(words)
	if err != nil {
		return nil, true, &holdfast.Error{Op: "encrypt by the passphrase", Err: err}
	}
	return []age.Recipient{one}, true, nil
}
