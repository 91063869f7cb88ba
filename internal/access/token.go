package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Token is what is known of a token; the token itself is shown once, when it
// is made, and never kept.
type Token struct {
	Name      string         `json:"name"`
	ID        string         `json:"id"`
	Scopes    Scopes         `json:"scopes"`
	CreatedAt holdfast.Time  `json:"created_at"`
	ExpiresAt *holdfast.Time `json:"expires_at,omitempty"`
	// LastUsedAt is right to an hour.
	LastUsedAt *holdfast.Time `json:"last_used_at,omitempty"`
}

// Expired tells whether the token's time is over.
func (t Token) Expired(now time.Time) bool {
	return t.ExpiresAt != nil && !now.Before(t.ExpiresAt.Time)
}

// The form of a token is hf_ID_SECRET: the id finds it, the secret proves it.
const (
	tokenPrefix = "hf_"
	idBytes     = 8
	secretBytes = 32
)

// secretCode writes secrets so that a double click takes the whole.
var secretCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes the id and the secret of a token.
func newSecret() (id, secret string) {
	random := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random[:idBytes]), secretCode.EncodeToString(random[idBytes:])
}

// form gives the token that is sent.
func form(id, secret string) string { return tokenPrefix + id + "_" + secret }

// tokenForm matches a token, also one that was cut. The prefix alone says nothing: people
// search for words such as hf_hub_download.
var tokenForm = regexp.MustCompile(`\b` + tokenPrefix + `[0-9a-f]{16}_[a-z2-7]`)

// looksLikeToken tells whether there is a token in a text.
func looksLikeToken(s string) bool { return tokenForm.MatchString(s) }

// splitToken takes a token apart.
func splitToken(token string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", "", false
	}
	id, secret, ok = strings.Cut(rest, "_")
	return id, secret, ok && len(id) == hex.EncodedLen(idBytes) && len(secret) == secretCode.EncodedLen(secretBytes)
}

// digest is what is kept of a secret. It is random and long, so it needs no salt
// and no slow hash.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// matches compares in constant time.
func (r record) matches(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(digest(secret)), []byte(r.Hash)) == 1
}

// record is a token as it is kept.
type record struct {
	Token
	Hash string `json:"hash"` // SHA-256 of the secret
}

// check refuses a record that this program has not written.
func (r record) check() error {
	// Before there was a password a token could have its name.
	if _, err := tokenName(r.Name); err != nil && r.Name != Owner {
		return err
	}
	if len(r.ID) != hex.EncodedLen(idBytes) || len(r.Hash) != hex.EncodedLen(sha256.Size) {
		return fmt.Errorf("token %s has no id or no digest", r.Name)
	}
	if _, err := hex.DecodeString(r.ID + r.Hash); err != nil || r.CreatedAt.IsZero() {
		return fmt.Errorf("token %s has a field that is not one of ours", r.Name)
	}
	words := make([]string, len(r.Scopes))
	for i, one := range r.Scopes {
		words[i] = string(one)
	}
	_, err := ParseScopes(words)
	return err
}

// tokenName accepts a name for a token.
func tokenName(name string) (string, error) {
	_, err := holdfast.ParseSourceName(name)
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		e.Op, e.Object = "", "" // it is no source
	}
	if err == nil && name == Local {
		err = holdfast.Kindf(holdfast.ErrUsage, "%q stands for whoever needs no token", name)
	}
	if err == nil && name == Owner {
		err = holdfast.Kindf(holdfast.ErrUsage, "%q stands for whoever has the password", name)
	}
	if err == nil && name == ChromaProxy {
		err = holdfast.Kindf(holdfast.ErrUsage, "%q stands for the proxies in front of Chroma servers", name)
	}
	if err != nil {
		return "", &holdfast.Error{Op: "token", Object: fmt.Sprintf("%q", name), Err: err}
	}
	return name, nil
}
