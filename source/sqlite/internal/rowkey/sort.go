package rowkey

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
)

// A Collation is how texts are ordered.
type Collation string

// The collations that SQLite has of its own. The two of UTF-16 are BINARY of a database
// that keeps its texts so: it compares their bytes.
const (
	Binary   Collation = "BINARY"
	NoCase   Collation = "NOCASE"
	RTrim    Collation = "RTRIM"
	BinaryLE Collation = "BINARY of UTF-16le"
	BinaryBE Collation = "BINARY of UTF-16be"
)

// The first byte of a value gives the order of the types.
const (
	tagNull byte = 1 + iota
	tagNumber
	tagText
	tagBlob
)

// AppendSort appends a value in a form whose bytes are ordered as SQLite orders the
// values, also where other values follow. With desc the order is the reverse.
func AppendSort(b []byte, v any, c Collation, desc bool) []byte {
	from := len(b)
	switch v := v.(type) {
	case int64:
		b = appendInteger(append(b, tagNumber), v)
	case float64:
		b = appendFloat(append(b, tagNumber), v)
	case string:
		b = appendText(append(b, tagText), v, c)
	case []byte:
		b = appendBytes(append(b, tagBlob), v)
	default:
		b = append(b, tagNull)
	}
	if desc {
		for i := from; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}

// appendInteger writes an integer as the greatest float that is not above it and the
// rest, so that integers and floats have one exact order.
func appendInteger(b []byte, n int64) []byte {
	f := float64(n)
	if f >= 1<<63 || int64(f) > n {
		f = math.Nextafter(f, math.Inf(-1))
	}
	b = appendFloatBits(b, f)
	return binary.BigEndian.AppendUint16(b, uint16(n-int64(f)))
}

func appendFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint16(appendFloatBits(b, f), 0)
}

func appendFloatBits(b []byte, f float64) []byte {
	if f == 0 {
		f = 0 // there are two zeros, which are equal
	}
	bits := math.Float64bits(f)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(b, bits)
}

// appendBytes writes bytes so that no value is the beginning of another.
func appendBytes(b, v []byte) []byte {
	for {
		i := bytes.IndexByte(v, 0)
		if i < 0 {
			b = append(b, v...)
			return append(b, 0, 1)
		}
		b = append(append(b, v[:i]...), 0, 0xff)
		v = v[i+1:]
	}
}

func appendText(b []byte, s string, c Collation) []byte {
	switch c {
	case NoCase:
		return appendNoCase(b, s)
	case RTrim:
		return appendBytes(b, []byte(strings.TrimRight(s, " ")))
	case BinaryLE, BinaryBE:
		var wide []byte
		for _, u := range utf16.Encode([]rune(s)) {
			if c == BinaryLE {
				wide = binary.LittleEndian.AppendUint16(wide, u)
			} else {
				wide = binary.BigEndian.AppendUint16(wide, u)
			}
		}
		return appendBytes(b, wide)
	}
	return appendBytes(b, []byte(s))
}

// appendNoCase writes a text as NOCASE compares it: letters of ASCII are equal in both
// cases, nothing counts after a zero byte but how long the texts are.
func appendNoCase(b []byte, s string) []byte {
	zero := strings.IndexByte(s, 0)
	counts := s
	if zero >= 0 {
		counts = s[:zero]
	}
	lower := slices.Clone([]byte(counts))
	for i, x := range lower {
		if 'A' <= x && x <= 'Z' {
			lower[i] = x + 'a' - 'A'
		}
	}
	b = append(b, lower...)
	if zero >= 0 {
		// The length follows, in place of what does not count.
		b = append(b, 0, 0xff)
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	}
	return append(b, 0, 1)
}
