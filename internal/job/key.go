package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/holdfast-backup/holdfast"
)

// mostKey bounds idempotency keys.
const mostKey = 200

// mostRequest bounds what is recorded of a request.
const mostRequest = 1 << 20

// keyOf keeps the keys of different callers apart.
func keyOf(by, key string) string { return by + "\x00" + key }

// checkKey refuses a key that is no key.
func checkKey(key string) error {
	bad := len(key) > mostKey
	for i := range len(key) {
		bad = bad || key[i] <= ' ' || key[i] > '~'
	}
	if bad {
		return &holdfast.Error{Op: "idempotency key", Err: holdfast.Kindf(holdfast.ErrUsage, "it must be at most %d visible ASCII characters", mostKey), Hint: "a random UUID is a good key"}
	}
	return nil
}

// fingerprint writes a request down, and gives a hash of what it asks for that does
// not depend on how it is written.
func fingerprint(kind string, request any) (raw json.RawMessage, hash string, err error) {
	if raw, err = json.Marshal(request); err != nil {
		return nil, "", err
	}
	if len(raw) > mostRequest {
		return nil, "", holdfast.Kindf(holdfast.ErrUsage, "the request is larger than %d bytes", mostRequest)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, "", err
	}
	canonical, err := json.Marshal([]any{kind, value})
	if err != nil {
		return nil, "", err
	}
	if value == nil {
		raw = nil
	}
	sum := sha256.Sum256(canonical)
	return raw, hex.EncodeToString(sum[:]), nil
}

// repeated gives the job that a key stands for, nil if none.
func (r *Runner) repeated(by, key, hash string) (*entry, error) {
	if key == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.keys[keyOf(by, key)]
	if e != nil && e.hash != hash {
		return nil, &holdfast.Error{
			Op: "idempotency key", Object: key, Err: holdfast.Kindf(holdfast.ErrRefused, "it was used for another request: job %s", e.id),
			Hint: "a new request needs a new key",
		}
	}
	return e, nil
}
