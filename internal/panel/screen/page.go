package screen

import (
	"html"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// Most is how long a text may be, in the units that Telegram counts: those of UTF-16,
// without the markup.
const Most = 4096

// kept is what is left free for the mark of a cut and for the last line.
const kept = 96

// A Name is a name, a path or an id in a sentence: it stands in isolated code.
type Name string

// marked is HTML, and how many units of it are read.
type marked struct {
	html  string
	units int
}

func (m marked) and(others ...marked) marked {
	for _, o := range others {
		m.html += o.html
		m.units += o.units
	}
	return m
}

// within puts text into an element.
func (m marked) within(tag string) marked {
	return marked{"<" + tag + ">" + m.html + "</" + tag + ">", m.units}
}

// text is text as it is.
func text(s string) marked { return marked{html.EscapeString(s), units(s)} }

// units counts the units of UTF-16.
func units(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// Unicode isolates, and the mark that makes a line one of the right-to-left scripts.
const (
	firstStrong = "\u2068"
	popIsolate  = "\u2069"
	rightToLeft = "\u200f"
)

// mostName bounds a name in a text; names of backups are shorter.
const mostName = 200

// code is a name that keeps its own direction.
func code(name string) marked {
	name = clip(plain(name), mostName)
	return text(firstStrong).and(text(name).within("code"), text(popIsolate))
}

// plain takes out what would tear a line apart: breaks, control characters, and the marks
// that turn the direction of what follows.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ', r == 0x7f, r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// clip bounds a text.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// A page is a text that is being written, line by line.
type page struct {
	l     *locale.Locale
	lines []string
	used  int
	cut   bool
}

// put writes a line. What does not fit any more is left out, and a mark tells so.
func (p *page) put(m marked) {
	if p.l.Dir() == "rtl" && m.units > 0 {
		m = text(rightToLeft).and(m)
	}
	if p.cut || p.used+m.units+1 > Most-kept {
		if !p.cut {
			p.lines = append(p.lines, "…")
			p.cut = true
		}
		return
	}
	p.lines = append(p.lines, m.html)
	p.used += m.units + 1
}

// gap leaves a line free, unless one is.
func (p *page) gap() {
	if n := len(p.lines); n > 0 && p.lines[n-1] != "" && !p.cut {
		p.lines = append(p.lines, "")
		p.used++
	}
}

// title writes the heading of the screen.
func (p *page) title(icon, words string) {
	p.put(text(icon + " ").and(text(words).within("b")))
	p.gap()
}

// heading begins a part.
func (p *page) heading(icon, words string) {
	p.gap()
	p.put(text(icon + " ").and(text(words).within("b")))
}

// text gives all that was written.
func (p *page) text() string { return strings.TrimRight(strings.Join(p.lines, "\n"), "\n") }

// say writes a sentence of the catalogue on a line.
func (p *page) say(id string, args ...any) { p.put(sentence(p.l, id, args...)) }

// icon writes a sentence behind a picture.
func (p *page) icon(icon, id string, args ...any) {
	p.put(text(icon + " ").and(sentence(p.l, id, args...)))
}

// fact writes what something is called, and what it is.
func (p *page) fact(label string, value ...marked) {
	p.put(text(label + ": ").and(value...))
}

// english writes what the engine said, which is English in every language.
func (p *page) english(s string) {
	if s = strings.TrimSpace(plain(s)); s != "" {
		p.put(text(firstStrong).and(text(clip(s, mostEnglish)).within("i"), text(popIsolate)))
	}
}

// mostEnglish bounds what the engine said.
const mostEnglish = 600

// sentence is one of the catalogue, with the names in it marked.
func sentence(l *locale.Locale, id string, args ...any) marked {
	names, rest := apart(args)
	if len(names) == 0 {
		return text(l.T(id, rest...))
	}
	return fill(l.Split(id, rest...), names)
}

// counted is a sentence that counts.
func counted(l *locale.Locale, id string, n int64, args ...any) marked {
	names, rest := apart(args)
	if len(names) == 0 {
		return text(l.N(id, n, rest...))
	}
	return fill(l.SplitN(id, n, rest...), names)
}

// apart takes the names out of the values of a sentence.
func apart(args []any) (names map[string]string, rest []any) {
	names = map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		if name, ok := args[i+1].(Name); ok {
			names[args[i].(string)] = string(name) //nolint:forcetypeassert // it names a place
			continue
		}
		rest = append(rest, args[i], args[i+1])
	}
	return names, rest
}

// fill puts names into the places of a sentence.
func fill(pieces []locale.Piece, names map[string]string) (out marked) {
	for _, piece := range pieces {
		if piece.Slot != "" {
			out = out.and(code(names[piece.Slot]))
			continue
		}
		out = out.and(text(piece.Text))
	}
	return out
}

// row puts parts beside each other.
func row(parts ...marked) (out marked) {
	for _, part := range parts {
		if part.units == 0 {
			continue
		}
		if out.units > 0 {
			out = out.and(text(" · "))
		}
		out = out.and(part)
	}
	return out
}
