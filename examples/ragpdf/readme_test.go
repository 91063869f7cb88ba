package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The ids, classes and attributes that README.md promises to programs are on the
// pages.
func TestReadme_ElementsAreThere(t *testing.T) {
	template := readText(t, "page.html")
	for _, section := range (&page{}).Sections() {
		template = strings.ReplaceAll(template+`id="nav-`+section.Name+`"`, `id="nav-{{.Name}}"`, "")
	}
	_, table, found := strings.Cut(readText(t, "README.md"), "## For programs and tests")
	if !found {
		t.Fatal("README.md does not tell of the elements")
	}
	names := regexp.MustCompile("`(?:tr)?([#.])([a-z-]+)`|`(data-[a-z]+)`").FindAllStringSubmatch(table, -1)
	if len(names) < 40 {
		t.Fatalf("README.md names only %d elements", len(names))
	}
	tones := map[string]bool{good: true, warn: true, bad: true} // put together in the template
	for _, n := range names {
		wanted := regexp.MustCompile(`id="` + n[2] + `"`)
		switch {
		case n[3] != "":
			wanted = regexp.MustCompile(" " + n[3] + `="`)
		case n[1] == "." && tones[n[2]]:
			continue
		case n[1] == ".":
			wanted = regexp.MustCompile(`class="([^"]* )?` + n[2] + `[ "]`)
		}
		if !wanted.MatchString(template) {
			t.Errorf("no page has %s", n[0])
		}
	}
}

// Every flag of main.go is in README.md, and no other.
func TestReadme_FlagsAreThere(t *testing.T) {
	readme, code := readText(t, "README.md"), readText(t, "main.go")
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`flag\.\w+Var\(&o\.\w+, "([a-z-]+)"`).FindAllStringSubmatch(code, -1) {
		known[m[1]] = true
		if !strings.Contains(readme, "`--"+m[1]) {
			t.Errorf("README.md does not tell of --%s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(readme, -1) {
		if !known[m[1]] {
			t.Errorf("README.md tells of --%s", m[1])
		}
	}
}
