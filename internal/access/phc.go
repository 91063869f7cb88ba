package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// The cost of a password: what OWASP asks of Argon2id at least, so that the daemon
// stays as small as it is.
const (
	hashMemory  = 19 << 10 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
	// What a file may ask for, so that it cannot have us take all memory.
	mostHashMemory = 64 << 10
	mostHashPasses = 10
)

// A passwordHash is a password as it is kept: derived by Argon2id, written in the PHC
// string format.
type passwordHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

// hashing bounds how many passwords are derived at the same time, and with that the
// memory that guessing costs us.
type hashing chan struct{}

// derive gives the hash of a password with a salt.
func (h hashing) derive(ctx context.Context, password string, salt []byte) (passwordHash, error) {
	p := passwordHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: salt}
	err := h.fill(ctx, &p, password, keyBytes)
	return p, err
}

// fresh gives the hash of a password with a salt of its own.
func (h hashing) fresh(ctx context.Context, password string) (passwordHash, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // it never fails
	return h.derive(ctx, password, salt)
}

// matches compares a password in constant time.
func (h hashing) matches(ctx context.Context, p passwordHash, password string) (bool, error) {
	other := p
	if err := h.fill(ctx, &other, password, len(p.key)); err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(p.key, other.key) == 1, nil
}

func (h hashing) fill(ctx context.Context, p *passwordHash, password string, n int) error {
	select {
	case h <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-h }()
	p.key = argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(n)) //nolint:gosec // n is small
	return nil
}

var phcCode = base64.RawStdEncoding.Strict()

// String writes it as it is stored.
func (p passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads, phcCode.EncodeToString(p.salt), phcCode.EncodeToString(p.key))
}

var errNoHash = errors.New("its hash is not one of ours")

// parseHash reads what String has written, of another cost, too, within bounds.
func parseHash(s string) (passwordHash, error) {
	var p passwordHash
	var version int
	var rest string
	if _, err := fmt.Sscanf(s, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &p.memory, &p.passes, &p.threads, &rest); err != nil {
		return passwordHash{}, errNoHash
	}
	for i := range len(rest) {
		if rest[i] != '$' {
			continue
		}
		var bad, worse error
		p.salt, bad = phcCode.DecodeString(rest[:i])
		p.key, worse = phcCode.DecodeString(rest[i+1:])
		if bad != nil || worse != nil {
			return passwordHash{}, errNoHash
		}
		break
	}
	switch {
	case version != argon2.Version, p.String() != s, // one way to write it, and no other
		p.memory < hashMemory, p.memory > mostHashMemory, p.passes < 1, p.passes > mostHashPasses, p.threads != hashThreads,
		len(p.salt) < saltBytes || len(p.salt) > 2*keyBytes, len(p.key) < keyBytes || len(p.key) > 2*keyBytes:
		return passwordHash{}, errNoHash
	}
	return p, nil
}
