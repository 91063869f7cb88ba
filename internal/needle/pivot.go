package needle

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pivot is the letter of a needle by which it is looked for: the processor finds the places
// of one letter many times faster than letters can be decoded one by one, and the rarer it is
// in texts the fewer of them have to be looked at.
type pivot struct {
	at      int      // which letter it is
	letters []string // it, in each of its cases; nil if none will do
}

// byRarity are the letters of most texts, the most frequent first.
const byRarity = " etaoinshrdlcumwfgypbvkjxqz"

// pivotOf chooses the rarest letter with the fewest cases. A letter that stands for bytes
// that are none is not found by its own bytes.
func pivotOf(folded []rune) (p pivot) {
	best := 0
	for i, r := range folded {
		if r == utf8.RuneError {
			continue
		}
		cases := []string{string(r)}
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			cases = append(cases, string(next))
		}
		rare := strings.IndexRune(byRarity, unicode.ToLower(r))
		if rare < 0 {
			rare = len(byRarity)
		}
		if worth := 2*rare - 8*len(cases); p.letters == nil || worth > best {
			p, best = pivot{i, cases}, worth
		}
	}
	return p
}

// findByPivot is Find for a needle with a pivot. Of two places of the needle the first has
// its pivot first, so the first that is found is the first.
func (n *Needle) findByPivot(text string) (at, length int) {
	var space [4]int
	next := space[:0] // where each case comes next; the length of the text: nowhere
	for _, letter := range n.pivot.letters {
		next = append(next, indexFrom(text, letter, 0))
	}
	for {
		least := 0
		for i := range next {
			if next[i] < next[least] {
				least = i
			}
		}
		place := next[least]
		if place == len(text) {
			return -1, 0
		}
		letter := n.pivot.letters[least]
		if begin, ok := n.precedes(text, place); ok {
			if end, ok := n.follows(text, place+len(letter), n.pivot.at+1); ok {
				return begin, end - begin
			}
		}
		next[least] = indexFrom(text, letter, place+len(letter))
	}
}

// precedes tells whether the letters before the pivot lie before a place, and where they
// begin.
func (n *Needle) precedes(text string, at int) (begin int, ok bool) {
	for i := n.pivot.at - 1; i >= 0; i-- {
		r, size := utf8.DecodeLastRuneInString(text[:at])
		if size == 0 || fold(r) != n.runes[i] {
			return 0, false
		}
		at -= size
	}
	return at, true
}

// indexFrom is where a letter comes next.
func indexFrom(text, letter string, from int) int {
	if i := strings.Index(text[from:], letter); i >= 0 {
		return from + i
	}
	return len(text)
}
