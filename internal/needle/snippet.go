package needle

import "unicode/utf8"

// around is how many bytes of a text are shown on either side of what was found, at
// most.
const around = 60

// A Snippet is a piece of a text with the needle in it, from byte At on for Length
// bytes.
type Snippet struct {
	Text       string
	At, Length int
}

// In finds the needle in text and gives it with what is around it.
func (n *Needle) In(text string) (Snippet, bool) {
	at, length := n.Find(text)
	if at < 0 {
		return Snippet{}, false
	}
	from, to := max(0, at-around), min(len(text), at+length+around)
	for from > 0 && from < at && !utf8.RuneStart(text[from]) {
		from++
	}
	for to < len(text) && to > at+length && !utf8.RuneStart(text[to]) {
		to--
	}
	return Snippet{Text: text[from:to], At: at - from, Length: length}, true
}
