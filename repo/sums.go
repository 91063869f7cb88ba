package repo

import (
	"io"
	"slices"
	"strings"
)

// A sumLine is one line of SHA256SUMS.
type sumLine struct{ name, sha256 string }

// writeSums writes lines in the order of their names, as sha256sum would:
// names with a backslash, newline or carriage return are escaped and their
// line begins with a backslash.
func writeSums(w io.Writer, lines []sumLine) error {
	slices.SortFunc(lines, func(a, b sumLine) int { return strings.Compare(a.name, b.name) })
	for _, l := range lines {
		if _, err := io.WriteString(w, l.String()); err != nil {
			return err
		}
	}
	return nil
}

var escapeSumName = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")

// String is the line with its newline.
func (l sumLine) String() string {
	name := escapeSumName.Replace(l.name)
	if name != l.name {
		return "\\" + l.sha256 + "  " + name + "\n"
	}
	return l.sha256 + "  " + name + "\n"
}
