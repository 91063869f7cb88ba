package botapi

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
)

// What is sent to a chat is encrypted by a passphrase that is derived from the token: it
// can be read again wherever the bot can run, and by nobody who only sees the chat.

// workFactor is low: the passphrase has 256 bits, so that nobody guesses it, however fast.
const workFactor = 10

// keyBytes is how long the derived key is.
const keyBytes = 32

// Passphrase is the passphrase, for `age -d`.
func Passphrase(token string) string {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "holdfast telegram v1", keyBytes)
	if err != nil {
		return "" // only for lengths that are out of bounds
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// Recipient encrypts with it.
func Recipient(token string) (age.Recipient, error) {
	if token == "" {
		return nil, errNoToken()
	}
	r, err := age.NewScryptRecipient(Passphrase(token))
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(workFactor)
	return r, nil
}

// Identity decrypts with it.
func Identity(token string) (age.Identity, error) {
	if token == "" {
		return nil, errNoToken()
	}
	i, err := age.NewScryptIdentity(Passphrase(token))
	if err != nil {
		return nil, err
	}
	i.SetMaxWorkFactor(workFactor)
	return i, nil
}

// errNoToken refuses the passphrase of no token: everybody can make that one.
func errNoToken() error {
	return &holdfast.Error{
		Op: "encrypt for telegram", Err: holdfast.Kindf(holdfast.ErrUsage, "there is no token to make the passphrase from"),
		Hint: "set HOLDFAST_TELEGRAM_TOKEN, or name the file that holds it: HOLDFAST_TELEGRAM_TOKEN_FILE",
	}
}
