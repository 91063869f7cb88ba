//go:build linux

package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	rtl    = "<div dir=\"rtl\">"
	rtlEnd = "</div>"
)

// codeOf gives everything in a document that is code and stands alone: fenced
// blocks, and commands that are indented below an empty line.
func codeOf(text string) []string {
	out := fence.FindAllString(text, -1)
	empty := true
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		if strings.HasPrefix(line, "    ") && strings.TrimSpace(line) != "" && (empty || strings.HasPrefix(last(out), "    ")) {
			out = append(out, line)
		}
		empty = strings.TrimSpace(line) == ""
	}
	return out
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// without drops sections of a document.
func without(text string, headings ...string) string {
	for _, h := range headings {
		before, after, ok := strings.Cut(text, "\n## "+h+"\n")
		if _, rest, more := strings.Cut(after, "\n## "); ok && more {
			text = before + "\n## " + rest
		}
	}
	return text
}

var (
	heading = regexp.MustCompile(`(?m)^#+ `)
	link    = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	inline  = regexp.MustCompile("`[^`\n]+`")
)

// A translation has the sections and the code of its original, reads from right to
// left, and keeps code out of that.
func TestPersian_SaysTheSame(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		english, persian string
		left             []string // sections that stay in English
	}{
		{"../README.md", "../README.fa.md", []string{"Five minutes", "For your application"}},
		{botsPage, botsPageF, nil},
	} {
		t.Run(filepath.Base(tt.persian), func(t *testing.T) {
			t.Parallel()
			english, persian := without(readText(t, tt.english), tt.left...), readText(t, tt.persian)
			if e, p := codeOf(english), codeOf(persian); !slices.Equal(e, p) {
				for i := range max(len(e), len(p)) {
					if i >= len(e) || i >= len(p) || e[i] != p[i] {
						t.Errorf("block %d of code is another one (%d and %d of them)", i, len(e), len(p))
						break
					}
				}
			}
			prose := fence.ReplaceAllString(persian, "")
			if e, p := len(heading.FindAllString(fence.ReplaceAllString(english, ""), -1)), len(heading.FindAllString(prose, -1)); e != p {
				t.Errorf("%d headings, the original has %d", p, e)
			}
			if e, p := strings.Count(english, "\n| "), strings.Count(prose, "\n| "); e != p {
				t.Errorf("%d rows of tables, the original has %d", p, e)
			}
			readsRightToLeft(t, persian)
		})
	}
}

// readsRightToLeft wants prose inside and code outside of what reads from right to
// left, and what is code in a line isolated.
func readsRightToLeft(t *testing.T, text string) {
	t.Helper()
	within, fenced := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			if within {
				t.Errorf("code inside of what reads from right to left: %s", line)
			}
		case fenced:
		case line == rtl || line == rtlEnd:
			if within == (line == rtl) {
				t.Errorf("%s comes twice", line)
			}
			within = line == rtl
		case line == "", strings.HasPrefix(line, "<!--"):
		case strings.HasPrefix(line, "    "):
			if within {
				t.Errorf("commands inside of what reads from right to left: %s", line)
			}
		default:
			if !within {
				t.Errorf("prose outside of what reads from right to left: %s", line)
			}
			if n := len(inline.FindAllString(line, -1)); n != strings.Count(line, "<bdi>`") {
				t.Errorf("code that is not isolated: %s", line)
			}
			for _, wrong := range []string{"ي", "ك", "ة", " ،", " ؛", " .", " می ", " ها "} {
				if strings.Contains(inline.ReplaceAllString(line, ""), wrong) {
					t.Errorf("%q in: %s", wrong, line)
				}
			}
		}
	}
	if within || fenced {
		t.Error("something is not closed")
	}
}

// Links between the documents lead somewhere.
func TestPages_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md", "../README.fa.md", "../ARCHITECTURE.md", "../CONTRIBUTING.md", "../SECURITY.md", "../contrib/README.md", "../docs/rescue/README.md", "../examples/ragpdf/README.md") {
		for _, l := range link.FindAllStringSubmatch(fence.ReplaceAllString(readText(t, page), ""), -1) {
			target := filepath.Join(filepath.Dir(page), l[1])
			if _, err := fs.Stat(os.DirFS(filepath.Dir(target)), filepath.Base(target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, l[1])
			} else if l[2] != "" && !slices.Contains(anchors(readText(t, target)), l[2]) {
				t.Errorf("%s links to %s, which has no section %s", page, l[1], l[2])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are the names of the sections of a page in a link.
func anchors(text string) []string {
	var out []string
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := strings.ToLower(notInAnchor.ReplaceAllString(strings.TrimSpace(title), ""))
			out = append(out, "#"+strings.ReplaceAll(name, " ", "-"))
		}
	}
	return out
}
