package access

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModel_EachLineNamesTestsThatExist holds docs/security.md to the tests.
func TestThreatModel_EachLineNamesTestsThatExist(t *testing.T) {
	const root = "../.."
	data, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := testsBelow(t, root)
	line := regexp.MustCompile(`^\| (T\d+) \| (.+) \| (.*) \|$`)
	named := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	seen := map[string]bool{}
	for text := range strings.Lines(string(data)) {
		text = strings.TrimSpace(text)
		if !strings.HasPrefix(text, "| T") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("this line has no number, promise and tests: %s", text)
			continue
		}
		if seen[m[1]] {
			t.Errorf("%s is there twice", m[1])
		}
		seen[m[1]] = true
		tests := named.FindAllStringSubmatch(m[3], -1)
		if len(tests) == 0 || len(tests) != strings.Count(m[3], "`")/2 {
			t.Errorf("%s: %d tests in %q", m[1], len(tests), m[3])
		}
		for _, one := range tests {
			if !known[one[1]+"."+one[2]] {
				t.Errorf("%s names %s in %s, which is not there", m[1], one[2], one[1])
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("the threat model has only %d lines", len(seen))
	}
}

// testsBelow finds the test functions of the tree, as folder.Name.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`)
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != root):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(d.Name(), "_test.go"):
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range function.FindAllStringSubmatch(string(data), -1) {
			known[path.Dir(filepath.ToSlash(rel))+"."+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
