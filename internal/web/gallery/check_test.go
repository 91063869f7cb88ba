package gallery

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

func TestStates_AreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range States() {
		if seen[s.String()] {
			t.Errorf("%s is there twice", s)
		}
		seen[s.String()] = true
	}
}

func TestPages_SayTheirLanguageAndDirection(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, lang locale.Lang, page *html.Node) {
		root := elements(page, "html")[0]
		if got, _ := attr(root, "lang"); got != string(lang) {
			t.Errorf("lang is %q", got)
		}
		if got, _ := attr(root, "dir"); got != locale.Of(lang).Dir() {
			t.Errorf("dir is %q", got)
		}
		if title := elements(elements(page, "head")[0], "title"); len(title) != 1 || strings.HasPrefix(words(title[0]), "·") {
			t.Error("the page has no title")
		}
	})
}

func TestPages_HaveOneHeadingAndTheOthersInOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		before := 0
		for _, h := range elements(page, "h1", "h2", "h3", "h4", "h5", "h6") {
			level := int(h.Data[1] - '0')
			if words(h) == "" {
				t.Errorf("a %s says nothing", h.Data)
			}
			if level == 1 && before != 0 {
				t.Errorf("h1 %q is not the first and only one", words(h))
			}
			if level > before+1 {
				t.Errorf("%s %q follows h%d", h.Data, words(h), before)
			}
			before = level
		}
		if before == 0 {
			t.Error("there is no heading")
		}
	})
}

func TestPages_NameWhatIsClickedAndTypedIn(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		ids := byID(page)
		labelled := map[string]bool{}
		for _, l := range elements(page, "label") {
			if id, ok := attr(l, "for"); ok {
				labelled[id] = words(l) != ""
			}
		}
		for _, n := range elements(page, "input", "select", "textarea", "progress", "meter") {
			kind, _ := attr(n, "type")
			id, _ := attr(n, "id")
			if kind == "hidden" || labelled[id] || named(n, ids) ||
				inside(n, func(up *html.Node) bool { return up.Data == "label" && words(up) != "" }) {
				continue
			}
			t.Errorf("a %s has no label: %v", n.Data, n.Attr)
		}
		for _, n := range elements(page, "button", "a", "summary") {
			if words(n) == "" && !named(n, ids) {
				t.Errorf("a %s has no name: %v", n.Data, n.Attr)
			}
		}
		for _, n := range elements(page, "fieldset") {
			if l := elements(n, "legend"); len(l) == 0 || words(l[0]) == "" {
				t.Error("a fieldset has no legend")
			}
		}
		for _, n := range elements(page, "nav", "dialog") {
			if !named(n, ids) {
				t.Errorf("a %s has no name", n.Data)
			}
		}
	})
}

// named tells whether an element is named by its attributes.
func named(n *html.Node, ids map[string][]*html.Node) bool {
	if label, _ := attr(n, "aria-label"); strings.TrimSpace(label) != "" {
		return true
	}
	by, _ := attr(n, "aria-labelledby")
	for id := range strings.FieldsSeq(by) {
		if len(ids[id]) == 1 && words(ids[id][0]) != "" {
			return true
		}
	}
	return false
}

func TestPages_IDsAreUniqueAndFound(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		ids := byID(page)
		for id, nodes := range ids {
			if len(nodes) > 1 || strings.ContainsAny(id, " \t\n") || id == "" {
				t.Errorf("the id %q is there %d times", id, len(nodes))
			}
		}
		for _, n := range elements(page) {
			for _, name := range []string{"for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "form", "list"} {
				value, ok := attr(n, name)
				if !ok {
					continue
				}
				for id := range strings.FieldsSeq(value) {
					if len(ids[id]) == 0 {
						t.Errorf("%s=%q of a %s leads nowhere", name, id, n.Data)
					}
				}
			}
			if href, _ := attr(n, "href"); n.Data == "a" && strings.HasPrefix(href, "#") && len(href) > 1 && len(ids[href[1:]]) == 0 && !strings.HasPrefix(href, "#main") {
				if !inside(n, isPieces) {
					t.Errorf("the link %q leads nowhere", href)
				}
			}
		}
	})
}

// isPieces chooses the page that shows pieces without their pages.
func isPieces(n *html.Node) bool {
	return n.Data == "html" && strings.Contains(words(n), "What few look for.")
}

func TestTables_HaveCaptionsAndScopes(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		for _, table := range elements(page, "table") {
			if c := elements(table, "caption"); len(c) != 1 || words(c[0]) == "" {
				t.Error("a table has no caption")
			}
			for _, th := range elements(table, "th") {
				if scope, _ := attr(th, "scope"); !slices.Contains([]string{"col", "row", "colgroup", "rowgroup"}, scope) {
					t.Errorf("the heading %q has no scope", words(th))
				}
				if words(th) == "" {
					t.Error("a heading of a table says nothing")
				}
			}
		}
	})
}

// TestPages_HoldWhatThePolicyAllows finds what browsers would refuse: nothing in a page
// may be written in place, or come from elsewhere.
func TestPages_HoldWhatThePolicyAllows(t *testing.T) {
	everywhere(t, func(t *testing.T, _ State, _ locale.Lang, page *html.Node) {
		for _, n := range elements(page) {
			if n.Data == "style" || n.Data == "script" && n.FirstChild != nil || n.Data == "iframe" || n.Data == "object" {
				t.Errorf("there is a %s in the page", n.Data)
			}
			for _, a := range n.Attr {
				if rel, _ := attr(n, "rel"); n.Data == "a" && a.Key == "href" && rel == "noreferrer" && strings.HasPrefix(a.Val, documentation) {
					continue // the only way out, taken by the reader's own click
				}
				if why := forbidden(a.Key, a.Val); why != "" {
					t.Errorf("%s %s=%q: %s", n.Data, a.Key, a.Val, why)
				}
			}
		}
	})
}

// documentation is where the footer leads.
const documentation = "https://github.com/holdfast-backup/holdfast/blob/main/docs/"

func forbidden(name, value string) string {
	switch {
	case name == "style":
		return "style in place"
	case strings.HasPrefix(name, "on"), strings.Contains(name, "hx-on"), strings.HasPrefix(value, "js:"), strings.HasPrefix(strings.ToLower(value), "javascript:"):
		return "script in place"
	case name == "target":
		return "opens another window"
	case slices.Contains([]string{"href", "src", "action", "formaction", "poster", "data-hx-get", "data-hx-post", "data-hx-sse:connect"}, name):
		if value == "" || strings.HasPrefix(value, "//") || strings.Contains(value, ":") && !strings.ContainsAny(strings.SplitN(value, ":", 2)[0], "/?#") {
			return "leads elsewhere"
		}
	}
	return ""
}
