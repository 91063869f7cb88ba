package gallery

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

const goldenDir = "testdata/golden"

// TestStates_LookAsTheyDid compares what stands in each page with what stood there when
// somebody last looked at it.
func TestStates_LookAsTheyDid(t *testing.T) {
	want := map[string]bool{} // of all states, also those that -run leaves out
	for _, s := range States() {
		for _, lang := range locale.Languages() {
			want[s.String()+"."+string(lang)+".html"] = true
		}
	}
	everywhere(t, func(t *testing.T, s State, lang locale.Lang, page *html.Node) {
		name := filepath.Join(goldenDir, s.String()+"."+string(lang)+".html")
		got := indented(elements(page, "main")[0])
		if *update {
			if err := os.MkdirAll(goldenDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%v; -update writes it", err)
		}
		if got != string(before) {
			t.Errorf("%s is another page now; look at it, then -update\n%s", name, firstDifference(string(before), got))
		}
	})
	files, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if want[f.Name()] {
			continue
		}
		if *update {
			if err := os.Remove(filepath.Join(goldenDir, f.Name())); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s belongs to no state", f.Name())
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "want " + a[i] + "\n got " + b[i]
		}
	}
	return "one is longer"
}

var version = regexp.MustCompile(`\?v=[0-9a-f]+`)

// indented writes a node with one element a line, so that differences read well. What
// changes with every release of an asset is left out, and so is what only draws: an icon
// is its name, a chart what is said of it.
func indented(n *html.Node) string {
	var b strings.Builder
	indent(&b, n, 0)
	return b.String()
}

func indent(b *strings.Builder, n *html.Node, depth int) {
	pad := strings.Repeat(" ", depth)
	if n.Type == html.TextNode {
		if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
			b.WriteString(pad + html.EscapeString(text) + "\n")
		}
		return
	}
	if n.Type != html.ElementNode {
		return
	}
	if n.Data == "svg" {
		b.WriteString(pad + "(" + picture(n) + ")\n")
		return
	}
	b.WriteString(pad + "<" + n.Data)
	for _, a := range n.Attr {
		b.WriteString(" " + a.Key + `="` + html.EscapeString(version.ReplaceAllString(a.Val, "")) + `"`)
	}
	if text := n.FirstChild; text != nil && text.Type == html.TextNode && text.NextSibling == nil {
		b.WriteString("> " + html.EscapeString(strings.Join(strings.Fields(text.Data), " ")) + "\n")
		return
	}
	b.WriteString(">\n")
	children := slices.Collect(n.ChildNodes())
	for i, child := range children {
		// Of a long list its ends tell how it looks.
		if len(children) > longList && i >= listHead && i < len(children)-1 {
			if i == listHead {
				fmt.Fprintf(b, "%s (and %d more)\n", pad, len(children)-1-listHead)
			}
			continue
		}
		indent(b, child, depth+1)
	}
}

// Lists of more than so many are shortened to so many at their head, and the last.
const (
	longList = 24
	listHead = 4
)

// picture is what a drawing says.
func picture(svg *html.Node) string {
	for _, use := range elements(svg, "use") {
		href, _ := attr(use, "href")
		_, icon, _ := strings.Cut(href, "#")
		return icon
	}
	label, _ := attr(svg, "aria-label")
	return strings.TrimSpace(label + " " + words(svg))
}
