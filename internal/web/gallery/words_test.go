package gallery

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// ofMachines chooses elements whose text is not the reader's: names, paths, commands,
// what the engine says.
func ofMachines(n *html.Node) bool {
	lang, _ := attr(n, "lang")
	return slices.Contains([]string{"bdi", "code", "pre", "kbd", "data", "option", "textarea", "script"}, n.Data) || lang != "" && n.Data != "html"
}

// texts are the texts of a page for its reader: between its elements, and in what is
// heard of them.
func texts(page *html.Node, take func(where *html.Node, text string)) {
	for n := range page.Descendants() {
		switch {
		case n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" && !inside(n, ofMachines):
			take(n.Parent, n.Data)
		case n.Type == html.ElementNode:
			for _, name := range []string{"aria-label", "title", "placeholder", "alt"} {
				if text, ok := attr(n, name); ok && !ofMachines(n) && !inside(n, ofMachines) {
					take(n, text)
				}
			}
		}
	}
}

// TestPages_ShowNoIDs finds sentences that are in no catalogue, and places in them that
// were not filled.
func TestPages_ShowNoIDs(t *testing.T) {
	groups := groupsOfWords(t)
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		texts(page, func(where *html.Node, text string) {
			text = strings.TrimSpace(text)
			group, idea, found := strings.Cut(text, ".")
			if found && groups[group] && !strings.ContainsAny(idea, " \u2068") {
				t.Errorf("%s shows the id %q", where.Data, text)
			}
			for _, left := range []string{"{{", "<no value>", "%!"} {
				if strings.Contains(text, left) {
					t.Errorf("%s shows %q", where.Data, text)
				}
			}
		})
	})
}

// groupsOfWords are the parts before the first dot of all ids.
func groupsOfWords(t *testing.T) map[string]bool {
	files, err := filepath.Glob("../../locale/messages/*.en.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no catalogues: %v", err)
	}
	groups := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)\.`).FindAllStringSubmatch(string(text), -1) {
			groups[m[1]] = true
		}
	}
	return groups
}

var automaticName = regexp.MustCompile(`[a-z_]+_\d{8}_\d{6}`)

// TestPages_IsolateNames keeps text of one direction from tearing apart that of the
// other.
func TestPages_IsolateNames(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		texts(page, func(where *html.Node, text string) {
			if open, closed := strings.Count(text, "\u2068")+strings.Count(text, "\u2066")+strings.Count(text, "\u2067"), strings.Count(text, "\u2069"); open != closed {
				t.Errorf("%d isolates are opened and %d closed in %q", open, closed, text)
			}
			if name := automaticName.FindString(isolated.ReplaceAllString(text, "")); name != "" {
				t.Errorf("%s shows the name %s without isolating it: %q", where.Data, name, text)
			}
		})
	})
}

var (
	isolated = regexp.MustCompile("[\u2066-\u2068][^\u2069]*\u2069")
	english  = regexp.MustCompile(`[A-Za-z]{2,}([ ,.']+[A-Za-z]{2,}){2,}`)
)

// TestPages_AreWhollyTranslated finds English sentences in pages of other languages that
// do not say that they are English.
func TestPages_AreWhollyTranslated(t *testing.T) {
	for _, s := range States() {
		if s.Page == "pieces" || s.Page == "gallery" {
			continue // for whoever works on the pages
		}
		for _, lang := range []locale.Lang{locale.Thai, locale.Persian} {
			t.Run(s.String()+"/"+string(lang), func(t *testing.T) {
				texts(drawn(t, s, lang), func(where *html.Node, text string) {
					if found := english.FindString(isolated.ReplaceAllString(text, " | ")); found != "" && found != "Enhanced RAG Memory" {
						t.Errorf("%s says in English: %q", where.Data, text)
					}
				})
			})
		}
	}
}
