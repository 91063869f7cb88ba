package contents

import (
	"fmt"
	"strings"
)

const (
	typeText  = "text/plain; charset=utf-8"
	typeBytes = "application/octet-stream"
)

// whole is a value as a file.
func whole(value any) (kind string, body []byte) {
	switch v := value.(type) {
	case nil:
		return typeText, nil
	case string:
		return typeText, []byte(v)
	case []byte:
		return typeBytes, v
	case []float32:
		var b strings.Builder
		for _, x := range v {
			fmt.Fprintln(&b, x)
		}
		return typeText, []byte(b.String())
	case []any:
		var b strings.Builder
		for _, one := range v {
			fmt.Fprintln(&b, plain(one))
		}
		return typeText, []byte(b.String())
	}
	return typeText, []byte(plain(value))
}

// fileName is a name for the file of a field, which is safe on every system.
func fileName(field, kind string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, clipped(field, 60))
	if kind == typeBytes {
		return safe + ".bin"
	}
	return safe + ".txt"
}
