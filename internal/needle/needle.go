// Package needle finds a text in others, whatever the case of either, in any script
// that has cases. Everything that can be searched here is searched by it, so that one
// query finds the same everywhere.
//
// Start from [New]; [Needle.Find] looks in a text, by its rarest letter (pivot.go), [Needle.In]
// also cuts out what is around it, and [Needle.Read] looks in a stream without holding it in
// memory.
package needle

import (
	"unicode"
	"unicode/utf8"
)

// A Needle is a text that is searched for.
type Needle struct {
	text  string
	runes []rune // folded
	pivot pivot
}

// New makes a needle of a text. An empty one is in nothing.
func New(text string) *Needle {
	n := &Needle{text: text}
	for _, r := range text {
		n.runes = append(n.runes, fold(r))
	}
	n.pivot = pivotOf(n.runes)
	return n
}

// fold gives the one letter that stands for all cases of r.
func fold(r rune) rune {
	if r < utf8.RuneSelf && r != 'k' && r != 's' && r != 'K' && r != 'S' {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}

// Find gives the first place in text where the needle is, in bytes; at is negative if
// it is not there.
func (n *Needle) Find(text string) (at, length int) {
	if len(n.runes) == 0 {
		return -1, 0
	}
	if n.pivot.letters != nil {
		return n.findByPivot(text)
	}
	for at = 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if fold(r) == n.runes[0] {
			if end, ok := n.follows(text, at+size, 1); ok {
				return at, end - at
			}
		}
		at += size
	}
	return -1, 0
}

// follows tells whether the letters from one on follow at a place, and where they end.
func (n *Needle) follows(text string, at, from int) (end int, ok bool) {
	for _, want := range n.runes[from:] {
		if at >= len(text) {
			return 0, false
		}
		r, size := utf8.DecodeRuneInString(text[at:])
		if fold(r) != want {
			return 0, false
		}
		at += size
	}
	return at, true
}
