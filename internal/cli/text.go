package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/rivo/uniseg"

	"github.com/holdfast-backup/holdfast"
)

// painter colours text, or leaves it alone.
type painter bool

func (p painter) paint(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) red(s string) string    { return p.paint("31", s) }
func (p painter) green(s string) string  { return p.paint("32", s) }
func (p painter) yellow(s string) string { return p.paint("33", s) }
func (p painter) bold(s string) string   { return p.paint("1", s) }

// clean makes a text from outside safe to show: control characters and those
// that turn the direction of writing could make a terminal lie.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return '\ufffd'
		}
		return r
	}, s)
}

// size shows bytes in binary units.
func size(n int64) string {
	if n < 0 {
		return "?"
	}
	return humanize.IBytes(uint64(n))
}

// number shows a count with separators.
func number(n int64) string { return humanize.Comma(n) }

// moment shows a time exactly.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// span shows a duration with two digits that matter.
func span(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// plural counts a thing in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(int64(n)) + " " + many
}

// records shows what a source holds, or "?" if it was not counted.
func records(f holdfast.Facts) string {
	n, ok := f.Records()
	if !ok {
		return "?"
	}
	return number(n)
}

// table lays out rows under headings. Columns are as wide as people see them:
// Thai marks take no room, and Persian letters join.
type table struct {
	head  []string
	right map[int]bool // columns that are aligned to the right
	rows  [][]string
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// render gives the table; the last column is not padded.
func (t *table) render(p painter) string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	var b strings.Builder
	line := func(row []string, style func(string) string) {
		var cells []string
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell))
			switch {
			case t.right[i]:
				cell = pad + cell
			case i < len(row)-1:
				cell += pad
			}
			cells = append(cells, cell)
		}
		b.WriteString(style(strings.TrimRight(strings.Join(cells, "  "), " ")) + "\n")
	}
	line(t.head, p.bold)
	for _, row := range t.rows {
		line(row, func(s string) string { return s })
	}
	return b.String()
}

// facts lays out lines of "name  value".
func facts(pairs ...[2]string) string {
	width := 0
	for _, p := range pairs {
		width = max(width, uniseg.StringWidth(p[0]))
	}
	var b strings.Builder
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		b.WriteString(p[0] + strings.Repeat(" ", width-uniseg.StringWidth(p[0])+2) + clean(p[1]) + "\n")
	}
	return b.String()
}
