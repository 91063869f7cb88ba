package needle

import (
	"errors"
	"io"
	"unicode/utf8"
)

// window is how much of a stream is looked at at once.
const window = 64 << 10

// Read finds the needle in a stream. It reads no further than a little after the
// first place. What stops it before is an error of the stream, or of wanted, which sees each
// piece before it is searched and may end the search by an error of its own.
func (n *Needle) Read(r io.Reader, wanted func(piece []byte) error) (Snippet, bool, error) {
	// Letters that straddle two windows, and what is shown before and after.
	overlap := len(n.runes)*utf8.UTFMax + 2*around
	buf := make([]byte, 0, window+overlap+utf8.UTFMax)
	for {
		had := len(buf)
		read, err := io.ReadFull(r, buf[had:had+window])
		buf = buf[:had+read]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return Snippet{}, false, err
		}
		if err := wanted(buf[had:]); err != nil {
			return Snippet{}, false, err
		}
		text := string(buf)
		// Near the end of the window there is more to show: the next one has it whole.
		if at, length := n.Find(text); at >= 0 && (last || at+length+around <= len(text)) {
			found, _ := n.In(text)
			return found, true, nil
		}
		if last {
			return Snippet{}, false, nil
		}
		keep := min(len(buf), overlap)
		for keep < len(buf) && keep < overlap+utf8.UTFMax && !utf8.RuneStart(buf[len(buf)-keep]) {
			keep++
		}
		copy(buf[:keep], buf[len(buf)-keep:])
		buf = buf[:keep]
	}
}
