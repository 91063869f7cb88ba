package cli

import (
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write generated documents and golden files anew")

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(&root{}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// golden compares got with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current; -update writes it anew\ngot:\n%s", file, got)
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	golden(t, "../../docs/cli.md", reference(model(t)))
}

func TestEveryCommandHasExamplesAndAGroup(t *testing.T) {
	for _, n := range leaves(model(t)) {
		d := aboutOf(n)
		if len(d.examples) == 0 || d.text == "" {
			t.Errorf("%s has no examples or no text", nodePath(n))
		}
		for _, e := range d.examples {
			if !strings.Contains(e.line, "holdfast "+nodePath(n)) {
				t.Errorf("%s: the example %q is of another command", nodePath(n), e.line)
			}
		}
		if n.ClosestGroup() == nil {
			t.Errorf("%s is in no group of the overview", nodePath(n))
		}
	}
}

// quotedWord is a word of a shell that has blanks in it.
var quotedWord = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// TestExamplesParse holds the help to what the parser takes.
func TestExamplesParse(t *testing.T) {
	for _, n := range leaves(model(t)) {
		for _, e := range aboutOf(n).examples {
			_, line, _ := strings.Cut(e.line, "holdfast ")
			line = quotedWord.ReplaceAllString(strings.ReplaceAll(line, ")", ""), "quoted")
			var args []string
			for _, word := range strings.Fields(line) {
				if strings.ContainsAny(word, "|<>") {
					break
				}
				args = append(args, word)
			}
			parser, err := newParser(&root{}, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(args); err != nil {
				t.Errorf("%s: %v", e.line, err)
			}
		}
	}
}

func TestHelpIsGolden(t *testing.T) {
	m := model(t)
	var b strings.Builder
	overview(&b, m)
	for _, n := range leaves(m) {
		b.WriteString("\n== holdfast " + nodePath(n) + " --help\n")
		helpFor(&b, n)
	}
	for _, group := range m.Children {
		if len(group.Children) > 0 {
			b.WriteString("\n== holdfast " + nodePath(group) + " --help\n")
			helpFor(&b, group)
		}
	}
	golden(t, "testdata/help.golden", b.String())
}
