package locale

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed messages/*.yaml
var messages embed.FS

// catalogue is the sentences of all languages: bundle chooses and fills them in, texts
// has them as they were written.
type catalogue struct {
	bundle *i18n.Bundle
	texts  map[Lang]map[string]*i18n.Message
}

var words, locales = load()

// load reads the catalogue. What is wrong in a file that is compiled in is found by
// whoever starts the program for the first time, and by every test.
func load() (*catalogue, map[Lang]*Locale) {
	c := &catalogue{i18n.NewBundle(language.English), map[Lang]map[string]*i18n.Message{}}
	c.bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	files, err := fs.Glob(messages, "messages/*.yaml")
	if err != nil {
		panic(err) // the pattern is ours
	}
	for _, lang := range Languages() {
		c.texts[lang] = map[string]*i18n.Message{}
	}
	for _, file := range files {
		text, err := messages.ReadFile(file)
		if err != nil {
			panic(err) // it is embedded
		}
		parsed, err := c.bundle.ParseMessageFileBytes(text, path.Base(file))
		if err != nil {
			panic(fmt.Sprintf("%s: %v", file, err))
		}
		for _, m := range parsed.Messages {
			c.texts[Lang(parsed.Tag.String())][m.ID] = m
		}
	}
	out := map[Lang]*Locale{}
	for _, lang := range Languages() {
		out[lang] = &Locale{lang: lang, words: i18n.NewLocalizer(c.bundle, string(lang))}
	}
	return c, out
}

// slot finds what a sentence has places for.
var slot = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

// slots are the names of the places of a text.
func slots(text string) []string {
	var names []string
	for _, m := range slot.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// Has tells whether there is a sentence with an id.
func (l *Locale) Has(id string) bool { return words.texts[l.lang][id] != nil }

// Word gives the word for a value of an enumeration, such as ("trigger", "auto"); the
// value itself, isolated, if a newer part of the program has one that no translator
// knows yet.
func (l *Locale) Word(group, value string) string {
	if id := group + "." + value; l.Has(id) {
		return l.T(id)
	}
	return isolate(value)
}
