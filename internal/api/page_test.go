package api

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page lists the operations that the document has, with their scopes.
func TestPage_ListsEveryOperation(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| (GET|POST|PUT|PATCH|DELETE) \\| `([^`]+)` \\| ([a-z, ]*)\\|").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, fmt.Sprintf("%s %s%s %s", m[1], Root, m[2], strings.ReplaceAll(strings.TrimSpace(m[3]), ", ", ",")))
	}
	w := newWorld(t, nil)
	for path, operations := range w.spec.Paths {
		for method, op := range operations {
			documented = append(documented, fmt.Sprintf("%s %s %s", strings.ToUpper(method), path, *op.Scope))
		}
	}
	slices.Sort(listed)
	slices.Sort(documented)
	for _, one := range documented {
		if !slices.Contains(listed, one) {
			t.Errorf("not on the page: %s", one)
		}
	}
	for _, one := range listed {
		if !slices.Contains(documented, one) {
			t.Errorf("only on the page: %s", one)
		}
	}
}

// The page tells every status and every code that the document has.
func TestPage_TellsEveryFailure(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	properties := w.spec.Components.Schemas["Problem"]["properties"].(map[string]any)
	for _, code := range properties["code"].(map[string]any)["enum"].([]any) {
		if !strings.Contains(string(page), "`"+code.(string)+"` |") {
			t.Errorf("the code %s is not on the page", code)
		}
	}
	_, op, _ := w.spec.of("POST", Root+"/backups")
	for status := range op.Responses {
		if !regexp.MustCompile(`(?m)^\| .*` + status).Match(page) {
			t.Errorf("the status %s is not on the page", status)
		}
	}
}
