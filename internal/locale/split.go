package locale

import (
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// A Piece is a part of a sentence: either text, or a place where markup stands.
type Piece struct {
	Text string
	// Slot is the name of the place: for {{.name}} it is "name". Text is empty then.
	Slot string
}

// Split takes a sentence apart whose places are filled with markup: a name in an element
// of its own, a link. Args are as for [Locale.T]; every place of the sentence that they
// do not name is a piece with its Slot, in the order of the reader's language.
func (l *Locale) Split(id string, args ...any) []Piece {
	return l.split(id, nil, args)
}

// SplitN does the same for a sentence that counts, as [Locale.N].
func (l *Locale) SplitN(id string, n int64, args ...any) []Piece {
	return l.split(id, int(n), append(args, "n", n))
}

// mark is what stands for a place in a text that is taken apart; it is in no sentence.
const mark = "\x00"

func (l *Locale) split(id string, count any, args []any) []Piece {
	if s := l.sentence(id); s != nil && count == nil {
		return s.split(l, args)
	}
	data := l.data(args)
	if m := words.texts[l.lang][id]; m != nil {
		for _, name := range slots(m.One + m.Other) {
			if _, ok := data[name]; !ok {
				data[name] = mark + name + mark
			}
		}
	}
	text := l.say(&i18n.LocalizeConfig{MessageID: id, TemplateData: data, PluralCount: count}, id)
	var pieces []Piece
	for i, part := range strings.Split(text, mark) {
		switch {
		case i%2 == 1:
			pieces = append(pieces, Piece{Slot: part})
		case part != "":
			pieces = append(pieces, Piece{Text: part})
		}
	}
	return pieces
}
