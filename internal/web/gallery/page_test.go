package gallery

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// drawn is a state as a browser reads it.
func drawn(t *testing.T, s State, lang locale.Lang) *html.Node {
	t.Helper()
	var out bytes.Buffer
	if err := s.Draw(t.Context(), &out, lang, "light"); err != nil {
		t.Fatal(err)
	}
	page, err := html.Parse(&out)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return page
}

// everywhere runs a check on every state in every language.
func everywhere(t *testing.T, check func(t *testing.T, s State, lang locale.Lang, page *html.Node)) {
	for _, s := range States() {
		for _, lang := range locale.Languages() {
			t.Run(s.String()+"/"+string(lang), func(t *testing.T) { check(t, s, lang, drawn(t, s, lang)) })
		}
	}
}

// elements are those in a node with one of the names, or all.
func elements(in *html.Node, names ...string) (found []*html.Node) {
	for n := range in.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, name := range names {
			if n.Data == name {
				found = append(found, n)
			}
		}
		if len(names) == 0 {
			found = append(found, n)
		}
	}
	return found
}

// attr is an attribute; false if it is not there.
func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// words are the text in a node, with single spaces.
func words(n *html.Node) string {
	var b strings.Builder
	for one := range n.Descendants() {
		if one.Type == html.TextNode {
			b.WriteString(one.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// inside tells whether a node stands in one that is chosen.
func inside(n *html.Node, chosen func(*html.Node) bool) bool {
	for up := range n.Ancestors() {
		if up.Type == html.ElementNode && chosen(up) {
			return true
		}
	}
	return false
}

// byID are the elements with an id.
func byID(page *html.Node) map[string][]*html.Node {
	out := map[string][]*html.Node{}
	for _, n := range elements(page) {
		if id, ok := attr(n, "id"); ok {
			out[id] = append(out[id], n)
		}
	}
	return out
}
