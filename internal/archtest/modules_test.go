package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goMod reads a go.mod file through the go command.
func goMod(t *testing.T, args ...string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"mod", "edit", "-json"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	versions := map[string]string{}
	for _, r := range mod.Require {
		versions[r.Path] = r.Version
	}
	return versions
}

// SQLite here is C translated to Go against one version of its C library. The
// translation and the library must be the pair that their maintainers test;
// another module in our graph can raise the library silently.
func TestModules_SQLiteHasItsOwnLibc(t *testing.T) {
	const sqlite, libc = "modernc.org/sqlite", "modernc.org/libc"
	ours := goMod(t)
	if ours[sqlite] == "" || ours[libc] == "" {
		t.Fatalf("go.mod names %s %q and %s %q", sqlite, ours[sqlite], libc, ours[libc])
	}

	cmd := exec.Command("go", "mod", "download", "-json", sqlite+"@"+ours[sqlite])
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download: %v", err)
	}
	var downloaded struct{ GoMod string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		t.Fatalf("go mod download: %v", err)
	}
	if theirs := goMod(t, downloaded.GoMod)[libc]; ours[libc] != theirs {
		t.Errorf("%s %s is built on %s %s, go.mod has %s: go get %s@%s", sqlite, ours[sqlite], libc, theirs, ours[libc], libc, theirs)
	}

	// What is linked must be what go.mod says, whatever other modules ask for.
	cmd = exec.Command("go", "list", "-m", "-f", "{{.Version}}", libc)
	cmd.Dir = "../.."
	linked, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	if got := string(linked); got != ours[libc]+"\n" {
		t.Errorf("the build takes %s %q, go.mod has %s", libc, got, ours[libc])
	}
}

// A dependency without a reason is a dependency too many.
func TestModules_EachHasItsReason(t *testing.T) {
	const document = "docs/adr/0001-dependencies.md"
	reasons, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	modules = slices.DeleteFunc(slices.Compact(modules), func(m string) bool { return m == module })
	if len(modules) < 5 {
		t.Fatalf("go list found only the modules %v", modules)
	}
	for _, m := range modules {
		if !regexp.MustCompile(`[| ]` + regexp.QuoteMeta(m) + `[,| ]`).Match(reasons) {
			t.Errorf("%s says nothing of %s: what is it for?", document, m)
		}
	}
}
