package needle

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Looking for the rarest letter first finds what looking letter by letter finds.
func TestFind_ByPivotIsAsLetterByLetter(t *testing.T) {
	letters := []string{"a", "A", "e", "k", "K", "\u212a", "s", "\u017f", "S", "ß", "ẞ", "σ", "ς", "Σ", "д", "Д", "ก", "ี", "ه", "z", " ", "1", "%", "\x00", "\xff", "\xe0", "\x80", "\ufffd", "😀", "ǆ", "ǅ"}
	rnd := rand.New(rand.NewPCG(1, 1))
	some := func(most int) string {
		var b strings.Builder
		from := rnd.IntN(len(letters))
		for range rnd.IntN(most + 1) {
			b.WriteString(letters[(from+rnd.IntN(5))%len(letters)])
		}
		return b.String()
	}
	found := 0
	for range 60_000 {
		n, text := New(some(4)), some(24)
		at, length := n.Find(text)
		plain := Needle{text: n.text, runes: n.runes}
		wantAt, wantLength := plain.Find(text)
		if at != wantAt || length != wantLength {
			t.Fatalf("%q in %q: %d, %d, want %d, %d", n.text, text, at, length, wantAt, wantLength)
		}
		if at >= 0 {
			found++
		}
	}
	if found < 3000 {
		t.Errorf("only %d were found", found)
	}
}
