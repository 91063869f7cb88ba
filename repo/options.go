package repo

import (
	"context"

	"filippo.io/age"
)

// Options are what a repository is opened with.
type Options struct {
	// Cache is a folder of this machine that remembers what the last backup
	// looked like, so that the next one stores only what changed. Losing it
	// costs time or space, never a backup. Empty: nothing is remembered,
	// and every backup is full.
	Cache string
	// Recipients (age1…) are those to whom new backups are encrypted; none:
	// as repository.json says.
	Recipients []string
	// ByPassphrase encrypts a repository that is not encrypted yet to a key of
	// its own, which lies in it under the passphrase of Keys.
	ByPassphrase bool
	// Own is for a replica: its copies are encrypted to the recipients or by
	// the passphrase that are given here and, if there is neither, lie in the
	// open. Without it copies are stored as they come, or as repository.json
	// says.
	Own bool
	// Keys opens what is encrypted.
	Keys Keys
}

// inTheOpen tells of a replica that its copies are to lie in the open.
func (o Options) inTheOpen() bool {
	return o.Own && !o.ByPassphrase && len(canonical(o.Recipients)) == 0
}

// Keys opens what is encrypted. Each function is asked at most once, and only
// when something that needs it is to be read; nil means that there is none.
type Keys struct {
	// Identities are the private keys of recipients.
	Identities func(context.Context) ([]age.Identity, error)
	// Passphrase opens the repository's own key.
	Passphrase func(context.Context) (string, error)
	// Interactive tells that Passphrase asks a person, who must not be
	// bothered where it can be done without.
	Interactive bool
}
