package cli

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/holdfast-backup/holdfast"
)

// What a table of rows shows: cells are cut, and columns beyond the last that fits are
// only named.
const (
	cellWidth  = 40
	gridWidth  = 160
	shownBytes = 10 // of a value that is no text
	wholeBytes = 64 // of one in a row that is shown whole
)

// grid lays out rows, the key first, and names the columns that are left out.
func grid(rows []holdfast.Row) (t *table, left []string) {
	var names []string
	for _, row := range rows {
		at := 0
		for _, f := range row.Fields {
			// What only some rows have comes after what it follows there.
			if i := slices.Index(names, f.Name); i >= 0 {
				at = i + 1
				continue
			}
			names = slices.Insert(names, at, f.Name)
			at++
		}
	}
	columns := [][]string{{"KEY"}}
	for _, row := range rows {
		columns[0] = append(columns[0], middle(row.Key, cellWidth))
	}
	width := columnWidth(columns[0])
	for i, name := range names {
		column := []string{middle(strings.ToUpper(name), cellWidth)}
		for _, row := range rows {
			cell := ""
			for _, f := range row.Fields {
				if f.Name == name {
					cell = cellOf(f)
				}
			}
			column = append(column, cell)
		}
		if width += 2 + columnWidth(column); width > gridWidth && i > 0 {
			left = names[i:]
			break
		}
		columns = append(columns, column)
	}
	t = &table{right: map[int]bool{}}
	for _, column := range columns {
		t.head = append(t.head, column[0])
	}
	for r := range rows {
		cells := make([]string, len(columns))
		for c := range columns {
			cells[c] = columns[c][r+1]
		}
		t.add(cells...)
	}
	return t, left
}

func columnWidth(cells []string) int {
	width := 0
	for _, c := range cells {
		width = max(width, uniseg.StringWidth(clean(c)))
	}
	return width
}

// cellOf shows a value in one short line.
func cellOf(f holdfast.Field) string {
	text := valueText(f)
	short := cut(text, cellWidth)
	if short == text && f.Length > 0 {
		if _, isText := f.Value.(string); isText {
			return text + "…"
		}
	}
	return short
}

// valueText shows a value as people write it.
func valueText(f holdfast.Field) string {
	switch v := f.Value.(type) {
	case nil:
		if f.Length > 0 {
			return plural(int(f.Length), "number", "numbers")
		}
		return "NULL"
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case bool:
		return strconv.FormatBool(v)
	case []byte:
		return bytesText(v, max(f.Length, int64(len(v))), shownBytes)
	case []float32:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
		}
		return "[" + strings.Join(words, " ") + "]"
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = valueText(holdfast.Field{Value: x})
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return "?"
}

// bytesText shows the beginning of bytes, and how many there are.
func bytesText(b []byte, total int64, shown int) string {
	text := "x'" + hex.EncodeToString(b[:min(len(b), shown)])
	if total > int64(shown) {
		return text + "…' (" + size(total) + ")"
	}
	return text + "'"
}

// wholeField shows a field with nothing left out but the rest of long bytes, which JSON
// has; a text of several lines keeps them.
func wholeField(p painter, f holdfast.Field) string {
	name := "  " + p.bold(clean(f.Name)) + "  "
	if b, ok := f.Value.([]byte); ok {
		return name + bytesText(b, int64(len(b)), wholeBytes) + "\n"
	}
	text, several := valueText(f), false
	if _, ok := f.Value.(string); ok {
		several = strings.ContainsRune(strings.TrimRight(text, "\n"), '\n')
	}
	if !several {
		return name + clean(text) + "\n"
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(name, " ") + "\n")
	for line := range strings.Lines(text) {
		b.WriteString("    " + clean(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

// cut shortens a text to a width as people see it.
func cut(s string, width int) string {
	s = clean(s)
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var b strings.Builder
	room := width - 1
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if room -= g.Width(); room < 0 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// middle shortens a text to a width as cut does, but keeps its end: names and keys often
// differ there.
func middle(s string, width int) string {
	s = clean(s)
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var letters []string
	var widths []int
	for g := uniseg.NewGraphemes(s); g.Next(); {
		letters, widths = append(letters, g.Str()), append(widths, g.Width())
	}
	from, to := 0, len(letters)
	begin, end := width/2, (width-1)/2 // an ellipsis between them
	for ; from < to && begin >= widths[from]; from++ {
		begin -= widths[from]
	}
	for ; to > from && end >= widths[to-1]; to-- {
		end -= widths[to-1]
	}
	return strings.Join(letters[:from], "") + "…" + strings.Join(letters[to:], "")
}

// nameWidth is how much of a long name is shown on a terminal.
const nameWidth = 60

// name shows a name from outside: whole, unless it would fill the terminal of a person.
func (u *ui) name(s string) string {
	if u.narrow {
		return middle(s, nameWidth)
	}
	return clean(s)
}

// indented moves lines to the right.
func indented(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// pad fills a text up to a width as people see it.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-uniseg.StringWidth(s), 0))
}
