package locale

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
)

// A said is one text of the catalogue, and where it is written.
type said struct {
	file, id, form, text string
	lang                 Lang
}

func (s said) String() string {
	if s.form != "" {
		return s.file + ": " + s.id + " (" + s.form + ")"
	}
	return s.file + ": " + s.id
}

// written reads the catalogue as the files have it: page → language → id → form → text.
// The form of a text that does not count is empty.
func written(t *testing.T) map[string]map[Lang]map[string]map[string]said {
	t.Helper()
	files, err := fs.Glob(messages, "messages/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^messages/([a-z]+)\.(en|th|fa)\.yaml$`)
	pages := map[string]map[Lang]map[string]map[string]said{}
	for _, file := range files {
		parts := name.FindStringSubmatch(file)
		if parts == nil {
			t.Errorf("%s: it is called neither <page>.en.yaml, <page>.th.yaml nor <page>.fa.yaml", file)
			continue
		}
		data, err := messages.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var entries map[string]any
		if err := yaml.Unmarshal(data, &entries); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		page, lang := parts[1], Lang(parts[2])
		if pages[page] == nil {
			pages[page] = map[Lang]map[string]map[string]said{}
		}
		pages[page][lang] = map[string]map[string]said{}
		for id, value := range entries {
			forms := map[string]said{}
			switch v := value.(type) {
			case map[string]any:
				for form, text := range v {
					forms[form] = said{file, id, form, fmt.Sprint(text), lang}
				}
			default:
				forms[""] = said{file, id, "", fmt.Sprint(v), lang}
			}
			pages[page][lang][id] = forms
		}
	}
	return pages
}

// each calls f with every text of the catalogue.
func each(t *testing.T, f func(said)) {
	t.Helper()
	for _, langs := range written(t) {
		for _, ids := range langs {
			for _, forms := range ids {
				for _, s := range forms {
					f(s)
				}
			}
		}
	}
}

// forms are those that a sentence that counts has in each language.
var forms = map[Lang][]string{English: {"one", "other"}, Thai: {"other"}, Persian: {"one", "other"}}

func TestCatalogue_EveryLanguageSaysEverything(t *testing.T) {
	owner := map[string]string{}
	for page, langs := range written(t) {
		all := map[string]bool{}
		for _, ids := range langs {
			for id := range ids {
				all[id] = true
			}
		}
		for id := range all {
			if other, ok := owner[id]; ok {
				t.Errorf("%s is in the files of %s and of %s", id, other, page)
			}
			owner[id] = page
			counts := len(langs[English][id]) > 1
			for _, lang := range Languages() {
				file := fmt.Sprintf("messages/%s.%s.yaml", page, lang)
				got, ok := langs[lang][id]
				switch want := []string{""}; {
				case !ok:
					t.Errorf("%s: %s is missing", file, id)
				case counts:
					want = forms[lang]
					fallthrough
				default:
					if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, want) {
						t.Errorf("%s: %s has the forms %q, want %q", file, id, have, want)
					}
				}
			}
		}
	}
}

// A sentence names the same things in every language. Only the form for one may leave the
// number out.
func TestCatalogue_TheSamePlacesInEveryLanguage(t *testing.T) {
	for _, langs := range written(t) {
		for id, english := range langs[English] {
			want := places(english)
			for _, lang := range Languages() {
				for _, s := range langs[lang][id] {
					got := places(map[string]said{"": s})
					if s.form == "one" {
						got["n"] = want["n"]
					}
					if !maps.Equal(got, want) {
						t.Errorf("%s has places for %v, want %v", s, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
					}
				}
			}
		}
	}
}

// places are the names of all places of a sentence.
func places(forms map[string]said) map[string]bool {
	out := map[string]bool{}
	for _, s := range forms {
		for _, name := range slots(s.text) {
			out[name] = true
		}
	}
	if forms["one"].text != "" || forms["other"].text != "" {
		out["n"] = out["n"] || strings.Contains(forms["other"].text, "{{.n}}")
	}
	for name, in := range out {
		if !in {
			delete(out, name)
		}
	}
	return out
}

// faults are what no text may have.
var faults = []struct {
	why  string
	form *regexp.Regexp
	in   []Lang // nil: every language
}{
	{"is empty", regexp.MustCompile(`^\s*$`), nil},
	{"begins or ends with a space", regexp.MustCompile(`^\s|\s$`), nil},
	{"has two spaces", regexp.MustCompile(`\s\s`), nil},
	{"shouts", regexp.MustCompile(`[!！]`), nil},
	{"has three dots in place of …", regexp.MustCompile(`\.\.\.`), nil},
	{"has markup", regexp.MustCompile(`<[a-z/]`), nil},
	{"has a broken place", regexp.MustCompile(`\{\{[^.]|\{\{\.\w+[^\w}]|[^{]\{[^{]|\{\{\.\w+\}[^}]`), nil},
	{"has an Arabic letter in place of the Persian ی or ک", regexp.MustCompile(`[\x{064A}\x{0649}\x{0643}]`), []Lang{Persian}},
	{"has Arabic digits", regexp.MustCompile(`[\x{0660}-\x{0669}]`), []Lang{Persian}},
	{"has Latin punctuation", regexp.MustCompile(`\p{Arabic}\s?[,;?]|[,;?]\s?\p{Arabic}`), []Lang{Persian}},
	{"has a space where می is joined to its verb", regexp.MustCompile(`(^|\s)ن?می\s`), []Lang{Persian}},
	{"has a space before ها, which is joined", regexp.MustCompile(`\p{Arabic} ها(ی|یی|یش|یشان)?($|[\s.،:؛])`), []Lang{Persian}},
	{"has a joiner that joins nothing", regexp.MustCompile(`(^|[^\p{Arabic}]|[اآدذرزژو])\x{200C}|\x{200C}([^\p{Arabic}]|$)`), []Lang{Persian}},
	{"has an ezafe in one letter", regexp.MustCompile(`[ۀة]`), []Lang{Persian}},
	{"ends as no Thai sentence does", regexp.MustCompile(`[^.\x{0E00}-\x{0E7F}]*[\x{0E01}-\x{0E4F}]{4,}\.$`), []Lang{Thai}},
	{"writes ำ in two letters", regexp.MustCompile(`\x{0E4D}\x{0E32}`), []Lang{Thai}},
}

func TestCatalogue_WellWritten(t *testing.T) {
	each(t, func(s said) {
		for _, f := range faults {
			if (f.in == nil || slices.Contains(f.in, s.lang)) && f.form.MatchString(s.text) {
				t.Errorf("%s %s: %q", s, f.why, s.text)
			}
		}
	})
}

// scripts are those in which languages are written.
var scripts = map[Lang]*unicode.RangeTable{English: unicode.Latin, Thai: unicode.Thai, Persian: unicode.Arabic}

// foreign are words that every language writes in Latin letters.
var foreign = regexp.MustCompile(`(?i)holdfast|chroma|sqlite|webhooks?|hooks?|ping|api|json|yaml|collections?|https?|url|tls|cron|utc|iso|ok|html|css|zip|tar|rag|memory|enhanced|english|id\b`)

func TestCatalogue_InTheScriptOfItsLanguage(t *testing.T) {
	each(t, func(s said) {
		text := slot.ReplaceAllString(s.text, "")
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(scripts[s.lang], r) }) {
			return
		}
		if strings.ContainsFunc(foreign.ReplaceAllString(text, ""), unicode.IsLetter) {
			t.Errorf("%s is not translated: %q", s, s.text)
		}
	})
}

// The letters of another language in a text are a slip of whoever pasted it.
func TestCatalogue_NoLettersOfAnotherLanguage(t *testing.T) {
	names := map[string]bool{}
	for _, lang := range Languages() {
		names[lang.Name()] = true
	}
	each(t, func(s said) {
		if names[s.text] {
			return // languages call themselves what they do
		}
		for lang, script := range scripts {
			if lang != s.lang && lang != English && strings.ContainsFunc(s.text, func(r rune) bool { return unicode.Is(script, r) && unicode.IsLetter(r) }) {
				t.Errorf("%s has letters of %s: %q", s, lang, s.text)
			}
		}
	})
}

func TestCatalogue_EverySentenceCanBeSaid(t *testing.T) {
	each(t, func(s said) {
		args := []any{}
		for _, name := range slots(s.text) {
			args = append(args, name, "x")
		}
		l := Of(s.lang)
		got := l.T(s.id, args...)
		if s.form != "" {
			got = l.N(s.id, 7, args...)
		}
		if got == s.id || strings.Contains(got, "{{") || strings.Contains(got, "<no value>") {
			t.Errorf("%s says %q", s, got)
		}
	})
}
