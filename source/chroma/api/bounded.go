package api

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// errTooLong is an answer that is not read to its end.
var errTooLong = fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)

// errNotUTF8 is an answer whose texts would be read as others: a decoder of JSON puts
// a sign of its own in the place of what it cannot read.
var errNotUTF8 = errors.New("the answer is not UTF-8")

// A bounded reader fails where too much comes, or what is no text.
type bounded struct {
	from io.Reader
	left int64

	torn    [utf8.UTFMax]byte // the beginning of a character that goes on in what comes next
	tornLen int
}

// Read implements io.Reader. It fills p: a decoder looks at white space from its beginning
// with each thing that comes, and would do that for hours where it comes in small pieces.
func (b *bounded) Read(p []byte) (n int, err error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	p = p[:min(int64(len(p)), b.left)]
	for n < len(p) && err == nil {
		var more int
		more, err = b.from.Read(p[n:])
		n += more
	}
	b.left -= int64(n)
	if !b.text(p[:n]) || errors.Is(err, io.EOF) && b.tornLen > 0 {
		return 0, errNotUTF8
	}
	return n, err
}

// text tells whether what has come so far is text, but for a last character that may go on.
func (b *bounded) text(p []byte) bool {
	for b.tornLen > 0 && len(p) > 0 {
		b.torn[b.tornLen] = p[0]
		b.tornLen++
		p = p[1:]
		if head := b.torn[:b.tornLen]; utf8.FullRune(head) {
			if !utf8.Valid(head) {
				return false
			}
			b.tornLen = 0
		}
	}
	for i := max(0, len(p)-utf8.UTFMax+1); i < len(p); i++ {
		if utf8.RuneStart(p[i]) && !utf8.FullRune(p[i:]) {
			b.tornLen = copy(b.torn[:], p[i:])
			p = p[:i]
		}
	}
	return utf8.Valid(p)
}
