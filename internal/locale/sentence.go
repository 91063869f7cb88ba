package locale

import (
	"strconv"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// A sentence is a text of the catalogue that was taken apart once, so that pages with
// hundreds of times and sizes do not have each of them made by a template: before has
// the text before each place, and places their names; after is the text that remains.
type sentence struct {
	before, places []string
	after          string
}

// sentence gives the one with an id; nil if there is none, or if it has more in it than
// places.
func (l *Locale) sentence(id string) *sentence {
	if s, ok := l.apart.Load(id); ok {
		return s.(*sentence) //nolint:forcetypeassert // nothing else is stored
	}
	m := words.texts[l.lang][id]
	if m == nil {
		return nil
	}
	s := takeApart(m)
	l.apart.Store(id, s) // there are as many as the catalogue has
	return s
}

func takeApart(m *i18n.Message) *sentence {
	var s sentence
	from := 0
	for _, at := range slot.FindAllStringSubmatchIndex(m.Other, -1) {
		s.before = append(s.before, m.Other[from:at[0]])
		s.places = append(s.places, m.Other[at[2]:at[3]])
		from = at[1]
	}
	s.after = m.Other[from:]
	if m.Other == "" || strings.Contains(strings.Join(s.before, "")+s.after, "{{") {
		return nil
	}
	return &s
}

// fill says the sentence of names and values in turn; false if one has no value.
func (s *sentence) fill(l *Locale, args []any) (string, bool) {
	var b strings.Builder
	for i, place := range s.places {
		v, ok := valueOf(args, place)
		if !ok {
			return "", false
		}
		b.WriteString(s.before[i])
		b.WriteString(l.value(v))
	}
	b.WriteString(s.after)
	return b.String(), true
}

// split fills the sentence as far as there are values.
func (s *sentence) split(l *Locale, args []any) (pieces []Piece) {
	text := ""
	said := func() {
		if text != "" {
			pieces = append(pieces, Piece{Text: text})
		}
		text = ""
	}
	for i, place := range s.places {
		text += s.before[i]
		if v, ok := valueOf(args, place); ok {
			text += l.value(v)
			continue
		}
		said()
		pieces = append(pieces, Piece{Slot: place})
	}
	text += s.after
	said()
	return pieces
}

// valueOf finds the value of a name; the last one, if it is there twice.
func valueOf(args []any, name string) (any, bool) {
	for i := len(args) - len(args)%2 - 2; i >= 0; i -= 2 {
		if args[i] == name {
			return args[i+1], true
		}
	}
	return nil, false
}

// twoDigits are the numbers of a clock.
var twoDigits = func() (out [60]string) {
	for i := range out {
		out[i] = strconv.Itoa(i)
		if i < 10 {
			out[i] = "0" + out[i]
		}
	}
	return out
}()
