package records

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// Path is where the files of a collection lie, without their endings.
func Path(tenant, database, collection string) string {
	return element(tenant) + "/" + element(database) + "/" + element(collection)
}

// mostElement bounds an element of a path, in bytes: file systems allow 255, and an
// ending and what encryption adds need some.
const mostElement = 120

// element makes a safe element of a path out of any name. Lower-case letters, digits and
// ._- stay as they are. What some file system could mistake for another name (capitals,
// other scripts) or does not allow is kept where it can be read, and a part of the name's
// digest follows after a tilde, which is in no name that stays as it is.
func element(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)), r == '.', r == '_', r == '-':
			return r
		case r >= 0x80 && r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)):
			return r
		}
		return '_'
	}, name)
	plain = strings.TrimRight(strings.TrimLeft(plain, "."), ".")
	if len(plain) > mostElement {
		plain = strings.TrimRight(strings.ToValidUTF8(plain[:mostElement], ""), ".")
	}
	if plain == name && name == asciiLower(name) && !reserved(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return plain + "~" + hex.EncodeToString(sum[:6])
}

// asciiLower is the name with what is not a small letter of ASCII made another one.
func asciiLower(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 || r >= 'A' && r <= 'Z' {
			return '~'
		}
		return r
	}, name)
}

// reserved tells names that Windows keeps for itself, with any ending, and that of the
// file beside the tenants' folders.
func reserved(name string) bool {
	if name == ServerFile {
		return true
	}
	base, _, _ := strings.Cut(name, ".")
	switch base {
	case "", "con", "prn", "aux", "nul":
		return true
	}
	return len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && base[3] >= '0' && base[3] <= '9'
}
