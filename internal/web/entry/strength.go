package entry

import (
	"strings"
	"unicode"
)

// A strength is how easily a password is guessed, in a word.
type strength string

// The strengths.
const (
	weak   strength = "weak"
	fair   strength = "fair"
	strong strength = "strong"
)

// common are beginnings of what is guessed first.
var common = []string{"password", "passw0rd", "holdfast", "qwerty", "letmein", "welcome", "iloveyou", "admin", "chroma", "backup", "1q2w3e"}

// strengthOf judges a password. It is advice: what counts for the rest is its length.
func strengthOf(password string) strength {
	low := strings.ToLower(password)
	for _, word := range common {
		low = strings.ReplaceAll(low, word, "")
	}
	kinds, runes := map[rune]bool{}, []rune(low)
	steps := 0 // to the same character, or the next one
	for i, r := range runes {
		kinds[r] = true
		if i > 0 && (r-runes[i-1] >= -1 && r-runes[i-1] <= 1) {
			steps++
		}
	}
	digits := len(runes) > 0 && !strings.ContainsFunc(low, func(r rune) bool { return !unicode.IsDigit(r) })
	switch n := len(runes) - steps; {
	case n < 8 || len(kinds) < 6 || digits && n < 16:
		return weak
	case n < 12:
		return fair
	}
	return strong
}
