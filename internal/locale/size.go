package locale

import "github.com/dustin/go-humanize"

// Bytes writes a size as the command line does, in binary units: 12 MiB. Its digits are
// ASCII in every language, so that sizes look the same wherever they are compared; the
// sentence or the element around it isolates it.
func (l *Locale) Bytes(n int64) string {
	if n < 0 {
		return "?"
	}
	return humanize.IBytes(uint64(n))
}
