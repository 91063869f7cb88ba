package locale

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// avoided reads from docs/words.md which Persian words have another one for the same
// thing: avoided word → the one to say.
func avoided(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/words.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## One word for one thing, in Persian\n")
	if !ok {
		t.Fatal("docs/words.md has no section of one word for one thing")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[3]) == "نه" {
			continue
		}
		for word := range strings.SplitSeq(cells[3], "،") {
			out[strings.TrimSpace(word)] = strings.TrimSpace(cells[2])
		}
	}
	if len(out) < 10 {
		t.Fatalf("docs/words.md names only %d words", len(out))
	}
	return out
}

// begins finds a word where one begins: «گونه» is not in «این‌گونه».
func begins(word string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^\p{Arabic}\x{200C}])` + regexp.QuoteMeta(word))
}

func TestPersian_OneWordForOneThing(t *testing.T) {
	words := map[*regexp.Regexp][2]string{}
	for word, say := range avoided(t) {
		words[begins(word)] = [2]string{word, say}
	}
	look := func(where, text string) {
		for form, word := range words {
			if form.MatchString(text) {
				t.Errorf("%s says %s where docs/words.md says %s: %s", where, word[0], word[1], text)
			}
		}
	}
	each(t, func(s said) {
		if s.lang == Persian {
			look(s.String(), s.text)
		}
	})
	pages, err := filepath.Glob("../../docs/*.fa.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d documents in Persian: %v", len(pages), err)
	}
	for _, page := range slices.Concat(pages, []string{"../../README.fa.md"}) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			look(filepath.Base(page), strings.TrimSpace(line))
		}
	}
}
