package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// Sizes of a chunk, in what a reader takes for one letter.
const (
	chunkSize    = 600
	chunkOverlap = 100
)

// A border is a place between two letters (grapheme clusters) where a text can be
// cut, and how good a place that is.
type border struct {
	at   int // bytes
	rank int
}

// Ranks of a border: never within a letter, so that no vowel or tone mark loses
// the consonant that it stands on.
const (
	betweenLetters = iota
	betweenWords
	betweenSentences
	betweenParagraphs
)

// split cuts a text into chunks of at most size letters. A chunk ends where a
// paragraph or a sentence ends, else at white space, which is where Thai breaks
// its phrases, else between any two letters; the next one begins again up to
// overlap letters before.
func split(text string, size, overlap int) []string {
	var out []string
	for _, s := range spans(text, size, overlap) {
		out = append(out, text[s.from:s.to])
	}
	return out
}

// A span is a part of a text, in bytes.
type span struct{ from, to int }

// spans is split, with where the chunks are.
func spans(text string, size, overlap int) []span {
	borders := bordersOf(text)
	last := len(borders) - 1
	var out []span
	for from := 0; from < last; {
		to := last
		if last-from > size {
			to = best(borders, from+size/2, from+size)
		}
		s, n := trimmed(text, borders[from:to+1]), len(out)-1
		switch {
		case s.from == s.to, n >= 0 && s.to <= out[n].to: // nothing new
		case n >= 0 && s.from == out[n].from:
			out[n] = s
		default:
			out = append(out, s)
		}
		if to == last {
			break
		}
		from = again(borders, max(from+1, to-overlap), to)
	}
	return out
}

// trimmed gives what is between the first border and the last, without the white
// space at both ends. A space that carries an accent is none.
func trimmed(text string, borders []border) span {
	letter := func(i int) string { return text[borders[i].at:borders[i+1].at] }
	from, to := 0, len(borders)-1
	for from < to && isSpace(letter(from)) {
		from++
	}
	for from < to && isSpace(letter(to-1)) {
		to--
	}
	return span{borders[from].at, borders[to].at}
}

// best gives the last border of the highest rank between two.
func best(borders []border, from, to int) int {
	found := to
	for i := to; i >= max(from, 1); i-- {
		if borders[i].rank > borders[found].rank {
			found = i
		}
	}
	return found
}

// again gives the first border at which a chunk can begin well.
func again(borders []border, from, to int) int {
	for i := from; i < to; i++ {
		if borders[i].rank > betweenLetters {
			return i
		}
	}
	return from
}

// bordersOf gives all borders of a text, its beginning and its end among them.
func bordersOf(text string) []border {
	out := []border{{0, betweenParagraphs}}
	state, at, before := -1, 0, ""
	for rest := text; rest != ""; {
		var letter string
		var breaks int
		letter, rest, breaks, state = uniseg.StepString(rest, state)
		at += len(letter)
		rank := betweenLetters
		switch white := isSpace(letter); {
		case white && letter == "\n" && before == "\n":
			rank = betweenParagraphs
		case breaks&uniseg.MaskSentence != 0:
			rank = betweenSentences
		case white:
			rank = betweenWords
		}
		out = append(out, border{at, rank})
		before = letter
	}
	return out
}

// isSpace tells whether a letter is white space and nothing else.
func isSpace(letter string) bool { return strings.TrimSpace(letter) == "" }

// saraAm writes a Thai vowel that PDFs take apart in one piece, with its tone mark
// where it belongs.
var saraAm = strings.NewReplacer(
	"\u0e48\u0e4d\u0e32", "\u0e48\u0e33", "\u0e49\u0e4d\u0e32", "\u0e49\u0e33", "\u0e4a\u0e4d\u0e32", "\u0e4a\u0e33", "\u0e4b\u0e4d\u0e32", "\u0e4b\u0e33",
	"\u0e4d\u0e48\u0e32", "\u0e48\u0e33", "\u0e4d\u0e49\u0e32", "\u0e49\u0e33", "\u0e4d\u0e4a\u0e32", "\u0e4a\u0e33", "\u0e4d\u0e4b\u0e32", "\u0e4b\u0e33",
	"\u0e4d\u0e32", "\u0e33",
)

// reflow undoes the lines of a page: paragraphs stay apart by an empty line, what
// ends well before the margin keeps its end, and within a paragraph a line goes on
// with a space, or in Thai without.
func reflow(page string) string {
	page = saraAm.Replace(norm.NFC.String(strings.ToValidUTF8(page, "\uFFFD")))
	var lines []string
	longest := 0
	for line := range strings.Lines(page) {
		line = strings.Join(strings.Fields(printable(line)), " ")
		lines = append(lines, line)
		longest = max(longest, utf8.RuneCountInString(line))
	}
	var out strings.Builder
	between := ""
	for i, line := range lines {
		if line == "" {
			between = "\n\n"
			continue
		}
		if out.Len() > 0 {
			out.WriteString(between)
		}
		out.WriteString(line)
		end, _ := utf8.DecodeLastRuneInString(line)
		var first rune
		if i+1 < len(lines) {
			first, _ = utf8.DecodeRuneInString(lines[i+1])
		}
		switch {
		case utf8.RuneCountInString(line) < longest*2/3:
			between = "\n"
		case unspaced(end) && unspaced(first):
			between = ""
		default:
			between = " "
		}
	}
	return out.String()
}

// printable drops what only steers a printer or the direction of a line. Joiners
// within words stay.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFEFF' {
			return -1
		}
		return r
	}, line)
}
