// Package rowkey names rows of SQLite tables: [Text] and [Parse] as people and requests
// do, [AppendSort] so that the order of bytes is the order of the rows.
//
// A value is nil, an int64, a float64, a string or bytes, as SQLite stores it.
package rowkey

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Key is what names a row: the values of its key columns. A row with a NULL in its key
// has its row id too, since SQLite allows any number of equal ones.
type Key struct {
	Values []any
	Rowid  *int64
}

// The members of the objects that stand in an array for what JSON does not have.
const (
	blobMember  = "x"     // bytes, in hexadecimal
	textMember  = "text"  // a text that is not UTF-8, in hexadecimal
	rowidMember = "rowid" // the row id
)

// Text writes a key. A single value is written as SQL or plain: 42, 1.5, x'00ff', or the
// text itself where it cannot be taken for one of these, else as a JSON string. Several
// are a JSON array.
func (k Key) Text() string {
	if len(k.Values) == 1 && k.Rowid == nil {
		if text, ok := plain(k.Values[0]); ok {
			return text
		}
	}
	b := []byte{'['}
	for i, v := range k.Values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	if k.Rowid != nil {
		if len(k.Values) > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{%q:%d}`, rowidMember, *k.Rowid)
	}
	return string(append(b, ']'))
}

// plain writes a single value without an array, where that is unambiguous.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return FormatFloat(v), true
	case []byte:
		return "x'" + hex.EncodeToString(v) + "'", true
	case string:
		if !utf8.ValidString(v) {
			return "", false
		}
		if isPlain(v) {
			return v, true
		}
		return string(appendJSON(nil, v)), true
	}
	return "", false
}

// isPlain tells that a text stands for itself.
func isPlain(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	if s[0] == '[' || s[0] == '"' {
		return false
	}
	if _, ok := number(s); ok {
		return false
	}
	_, ok := blob(s)
	return !ok
}

// number reads an integer or a float; ok tells that it looks like one, also where it
// has too many digits.
func number(s string) (v any, ok bool) {
	if i := strings.TrimLeft(s, "+-0123456789.eE"); i != "" {
		return nil, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, false
	}
	return f, true
}

func blob(s string) ([]byte, bool) {
	if len(s) < 3 || s[0] != 'x' && s[0] != 'X' || s[1] != '\'' || s[len(s)-1] != '\'' {
		return nil, false
	}
	b, err := hex.DecodeString(s[2 : len(s)-1])
	return b, err == nil
}

// FormatFloat writes a float so that it is not taken for an integer.
func FormatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "1e999"
	case math.IsInf(f, -1):
		return "-1e999"
	}
	form := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	s := strconv.FormatFloat(f, form, -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(b, FormatFloat(v)...)
	case []byte:
		return fmt.Appendf(b, `{%q:"%x"}`, blobMember, v)
	case string:
		if !utf8.ValidString(v) {
			return fmt.Appendf(b, `{%q:"%x"}`, textMember, v)
		}
		var out strings.Builder
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // a string always encodes
		return append(b, strings.TrimSuffix(out.String(), "\n")...)
	}
	return append(b, "null"...)
}
