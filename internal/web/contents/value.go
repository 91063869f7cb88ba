package contents

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// How much of a value stands in a list, and on the page of its row.
const (
	mostInList = 240
	mostWhole  = 64 << 10
	mostHex    = 64 // bytes
)

// A Shown is a value as a page shows it.
type Shown struct {
	// Kind: null, text, number, truth, bytes, vector, list.
	Kind string
	Text string
	// Length is how many bytes a text or bytes have, and how many numbers an embedding.
	Length int64
	// Cut tells that Text is not all of it.
	Cut bool
}

// Show makes text of a value, of which so many bytes are shown at most.
func Show(f holdfast.Field, most int) Shown {
	switch v := f.Value.(type) {
	case nil:
		if f.Name == holdfast.FieldEmbedding && f.Length > 0 {
			return Shown{Kind: "vector", Length: f.Length, Cut: true}
		}
		return Shown{Kind: "null"}
	case string:
		out := Shown{Kind: "text", Length: max(f.Length, int64(len(v)))}
		short := clipped(v, most)
		out.Cut = int64(len(short)) < out.Length
		out.Text = Visible(short)
		return out
	case []byte:
		out := Shown{Kind: "bytes", Length: max(f.Length, int64(len(v)))}
		out.Cut = out.Length > mostHex
		out.Text = hex.EncodeToString(v[:min(len(v), mostHex)])
		return out
	case []float32:
		out := Shown{Kind: "vector", Length: int64(len(v))}
		out.Text, out.Cut = numbers(v, most)
		return out
	case []any:
		var items []string
		for _, one := range v {
			items = append(items, plain(one))
		}
		text := "[" + strings.Join(items, ", ") + "]"
		short := clipped(text, most)
		return Shown{Kind: "list", Text: Visible(short), Length: int64(len(text)), Cut: len(short) < len(text)}
	case bool:
		return Shown{Kind: "truth", Text: plain(v)}
	default:
		return Shown{Kind: "number", Text: plain(v)}
	}
}

// plain writes a value in one line; a float is told from a whole number.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case []byte:
		return "x'" + hex.EncodeToString(v) + "'"
	}
	return fmt.Sprint(v)
}

// numbers writes as many numbers of an embedding as there is room for.
func numbers(v []float32, most int) (text string, cut bool) {
	var b strings.Builder
	for i, x := range v {
		if b.Len() > most {
			return b.String(), true
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatFloat(float64(x), 'g', -1, 32))
	}
	return b.String(), false
}

// clipped cuts a text after so many bytes, between two characters.
func clipped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// The pictures of control characters, and where the explicit marks of direction begin and
// end: unseen they could make a page say what it does not.
const (
	pictures     = '\u2400'
	pictureOfDel = '\u2421'
)

// Visible makes characters seen that would not be, or that would change how what follows
// reads: controls, marks of direction, what is no text at all. Line ends and tabs stay,
// and the joiners that scripts need.
func Visible(text string) string {
	if !strings.ContainsFunc(text, hidden) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune(pictures + r)
		case r == 0x7f:
			b.WriteRune(pictureOfDel)
		default:
			fmt.Fprintf(&b, "⟨%U⟩", r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == '\u061c', r == '\u200e', r == '\u200f', r == '\u2028', r == '\u2029', r == '\ufeff':
		return true
	}
	return unicode.IsControl(r)
}
