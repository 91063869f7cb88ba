// Package locale speaks to people: in English, Thai and Persian, with the plurals,
// dates, numbers and the direction of each.
//
// Start from [Match], which chooses a language for a reader, and [Of], which gives its
// [Locale]: [Locale.T] is a sentence of the catalogue, [Locale.N] one that counts, and
// Number, Bytes, Duration, Ago and Date write what a sentence is about. The catalogues
// are the files of messages/, one for each page and language; a test keeps them
// complete and finds what nobody uses. docs/words.md tells translators the rest.
//
// Names, paths and ids are isolated in every sentence, so that text of the other
// direction does not tear it apart: a plain string among the arguments is set between
// Unicode isolates; one of type [Said] was made by a Locale already and is not.
//
// The files: catalogue.go (the sentences), split.go (sentences with markup in them),
// sentence.go (sentences that are said often), number.go and size.go, span.go and
// relative.go (how long, how long ago), calendar.go and jalali.go (dates), zone.go,
// list.go.
package locale

import (
	"fmt"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// A Lang names a language.
type Lang string

// The languages.
const (
	English Lang = "en"
	Thai    Lang = "th"
	Persian Lang = "fa"
)

// Languages gives all of them, in the order in which people choose.
func Languages() []Lang { return []Lang{English, Thai, Persian} }

// Name is what the language calls itself.
func (l Lang) Name() string {
	switch l {
	case Thai:
		return "ไทย"
	case Persian:
		return "فارسی"
	}
	return "English"
}

// Said is text that a Locale made: it stands in a sentence as it is.
type Said string

// A Locale speaks one language. It does not change and may be shared.
type Locale struct {
	lang  Lang
	words *i18n.Localizer
	said  sync.Map // of sentences without arguments, which pages say again and again: id to text
	apart sync.Map // of those with arguments: id to *sentence
}

// Of gives the locale of a language; English for one that nobody speaks here.
func Of(lang Lang) *Locale {
	if l, ok := locales[lang]; ok {
		return l
	}
	return locales[English]
}

// Match chooses a language: the one that the reader chose, or else the best that his
// browser asks for.
func Match(chosen, acceptLanguage string) Lang {
	for _, lang := range Languages() {
		if string(lang) == chosen {
			return lang
		}
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return English
	}
	_, at, sure := matcher.Match(tags...)
	if sure == language.No {
		return English
	}
	return Languages()[at]
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Thai, language.Persian})

// Lang is the language.
func (l *Locale) Lang() Lang { return l.lang }

// Dir is the direction of its script, as HTML calls it.
func (l *Locale) Dir() string {
	if l.lang == Persian {
		return "rtl"
	}
	return "ltr"
}

// T gives the sentence with an id. Args are names and values in turn: the sentence
// "deleted.one: {{.name}} was deleted" is T("deleted.one", "name", name). A number among
// the values is written as [Locale.Number] does.
func (l *Locale) T(id string, args ...any) string {
	if len(args) > 0 {
		if s := l.sentence(id); s != nil {
			if text, ok := s.fill(l, args); ok {
				return text
			}
		}
		return l.tell(id, args)
	}
	if text, ok := l.said.Load(id); ok {
		return text.(string) //nolint:forcetypeassert // nothing else is stored
	}
	text := l.tell(id, nil)
	if l.Has(id) { // there are as many as the catalogue has
		l.said.Store(id, text)
	}
	return text
}

func (l *Locale) tell(id string, args []any) string {
	return l.say(&i18n.LocalizeConfig{MessageID: id, TemplateData: l.data(args)}, id)
}

// N gives the sentence with an id in the form that a number asks for; the number is
// {{.n}} in it.
func (l *Locale) N(id string, n int64, args ...any) string {
	args = append(args, "n", n)
	return l.say(&i18n.LocalizeConfig{MessageID: id, TemplateData: l.data(args), PluralCount: int(n)}, id)
}

func (l *Locale) say(c *i18n.LocalizeConfig, id string) string {
	text, err := l.words.Localize(c)
	if err != nil && text == "" {
		return id
	}
	return text
}

// Unicode isolates.
const (
	firstStrong = "\u2068"
	popIsolate  = "\u2069"
)

// isolate keeps a text of the other direction from tearing a sentence apart.
func isolate(text string) string { return firstStrong + closed(text) + popIsolate }

// closed gives a text that cannot leave its isolate, or write a part of itself the other
// way round: one from outside could put a sentence in another order.
func closed(text string) string {
	if !strings.ContainsAny(text, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
		return text
	}
	open := 0
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= '\u202a' && r <= '\u202e', r == '\u2069' && open == 0:
			return -1
		case r == '\u2069':
			open--
		case r >= '\u2066' && r <= '\u2068':
			open++
		}
		return r
	}, text)
	return text + strings.Repeat(popIsolate, open)
}

// data makes the values of a sentence of names and values in turn.
func (l *Locale) data(args []any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		out[fmt.Sprint(args[i])] = l.value(args[i+1])
	}
	return out
}

// value writes what stands in the place of a sentence.
func (l *Locale) value(v any) string {
	switch v := v.(type) {
	case Said:
		return string(v)
	case int:
		return l.Number(int64(v))
	case int64:
		return l.Number(v)
	case string:
		return isolate(v)
	}
	return isolate(fmt.Sprint(v))
}
