package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainSigns are the signs that mean nothing to a shell, beside letters and
// digits of any script.
const plainSigns = "/._-=:,@%+"

// Quoted is a word as a shell reads it as one. What a terminal would obey or swallow in
// place of showing it is spelled out, as bash, zsh and ksh understand it, so that the word
// that is shown is the word that was meant.
func Quoted(word string) string {
	special := func(r rune) bool {
		return r < 0x80 && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(plainSigns, r)
	}
	switch {
	case strings.ContainsFunc(word, unseen) || !utf8.ValidString(word):
		return spelled(word)
	case word != "" && !strings.ContainsFunc(word, special):
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// unseen tells characters that no terminal shows: controls, and what has no shape of its
// own, such as a mark that turns the direction of writing. The joiners are part of words.
func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
}

// spelled quotes a word with the bytes of what is unseen as numbers.
func spelled(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for rest := word; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + rest[:n])
		case unseen(r), r == utf8.RuneError && n == 1:
			for _, c := range []byte(rest[:n]) {
				fmt.Fprintf(&b, `\%03o`, c) // three digits, so that what follows is not taken for more
			}
		default:
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	b.WriteString("'")
	return b.String()
}
