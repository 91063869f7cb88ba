package sourcetest

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/holdfast-backup/holdfast"
)

// isValue tells whether a field may have such a value.
func isValue(v any) bool {
	switch v := v.(type) {
	case nil, string, int64, float64, bool, []byte, []float32:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(v any) bool { return !isValue(v) })
	}
	return false
}

func fieldsByKey(rows []holdfast.Row) map[string][]holdfast.Field {
	m := map[string][]holdfast.Field{}
	for _, r := range rows {
		m[r.Key] = r.Fields
	}
	return m
}

// wantCut holds a field to the whole one.
func wantCut(t *testing.T, what string, got, whole holdfast.Field, limit int) {
	t.Helper()
	full, cut := "", ""
	switch v := whole.Value.(type) {
	case string:
		full = v
		cut, _ = got.Value.(string)
	case []byte:
		b, _ := got.Value.([]byte)
		full, cut = string(v), string(b)
	default:
		return
	}
	switch {
	case got.Length == 0 && whole.Length == 0:
		if cut != full {
			t.Errorf("%s: %q is said to be whole, %q is", what, cut, full)
		}
	case len(cut) > limit || !strings.HasPrefix(full, cut) || whole.Length == 0 && got.Length != int64(len(full)):
		t.Errorf("%s: %q of %d bytes, cut from %q", what, cut, got.Length, full)
	}
}

// piece is a part of a text in the other case.
func piece(s string) string {
	letters := []rune(s)
	letters = letters[len(letters)/3 : len(letters)/3+min(len(letters)-len(letters)/3, 12)]
	for i, r := range letters {
		if other := unicode.SimpleFold(r); unicode.ToUpper(other) == unicode.ToUpper(r) {
			letters[i] = other
		}
	}
	return string(letters)
}
