package repo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"github.com/holdfast-backup/holdfast"
)

// Every JSON file of a repository ends with a field "checksum": the SHA-256 of
// all bytes of the file before its 64 digits. The rule holds for all format
// versions, so a damaged file is told from one of a newer format.

// sealTail follows the digits of the checksum.
const sealTail = "\"\n}\n"

// sealSize is the length of what follows the bytes under the checksum.
const sealSize = 2*sha256.Size + len(sealTail)

var errSeal = errors.New("its bytes do not match its checksum")

// seal encodes v, a struct whose last field is an empty "checksum", as
// indented JSON and fills the checksum in.
func seal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	open := bytes.TrimSuffix(b.Bytes(), []byte(sealTail))
	h := sha256.New()
	h.Write(open)
	return append(open, sealEnd(h)...), nil
}

// sealEnd is the end of a file whose bytes so far went into h.
func sealEnd(h hash.Hash) []byte {
	return append(hex.AppendEncode(nil, h.Sum(nil)), sealTail...)
}

// unseal checks checksum and format of data and decodes it into v. Bytes that
// were changed match ErrDamaged, a newer format ErrRefused.
func unseal(data []byte, v any) error {
	n := len(data) - sealSize
	if n < 0 {
		return &damage{"", errSeal}
	}
	h := sha256.New()
	h.Write(data[:n])
	if !bytes.Equal(sealEnd(h), data[n:]) {
		return &damage{"", errSeal}
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return &damage{"", err}
	}
	switch {
	case head.Format > holdfast.FormatVersion:
		return newerFormat(head.Format)
	case head.Format < 1:
		return &damage{"", fmt.Errorf("format %d", head.Format)}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &damage{"", err}
	}
	return nil
}

// sumOf is the SHA-256 of b in hexadecimal.
func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
