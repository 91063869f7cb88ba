// Package archtest holds the shape of the module: who may import whom, and
// which versions belong together. It has tests only.
package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/holdfast-backup/holdfast"

// root stands for the root package in the table.
const root = "."

// A row says what the packages of one folder may import of this module beside
// packages of their own unit. A trailing "/..." covers a folder and all below it.
type row struct {
	folder string
	may    []string
	why    string
}

// rows is the direction of imports; the first row that covers a package is its
// own. Arrows point towards the root package.
var rows = []row{
	{root, nil, "the domain knows nothing but the standard library"},
	{"internal/durable/...", nil, "a leaf that anyone may use"},
	{"internal/inode", nil, "a leaf that anyone may use"},
	{"internal/needle", nil, "a leaf that anyone may use"},
	{"internal/nearest", nil, "a leaf that anyone may use"},
	{"internal/planted", []string{root}, "a leaf that anyone may use"},

	{"bucket", []string{root}, "the interface speaks of the domain only"},
	{"bucket/telegram", []string{root, "bucket", "internal/botapi", "internal/durable", "internal/nearest", "internal/volume"}, "a chat is a bucket, too; how it is talked to is the client's"},
	{"bucket/...", []string{root, "bucket", "internal/durable", "internal/nearest", "internal/volume"}, "buckets do not know each other"},

	{"repo/retention", []string{root}, "deciding is pure"},
	{"repo/...", []string{root, "bucket", "repo/...", "internal/durable"}, "the format works over any bucket"},

	{"source/chroma/...", []string{root, "source/sqlite", "internal/durable", "internal/inode", "internal/needle"}, "sources do not know each other; only chroma builds on sqlite"},
	{"source/...", []string{root, "internal/durable", "internal/inode", "internal/needle"}, "sources do not know each other; only chroma builds on sqlite"},

	{"engine/...", []string{root, "engine/...", "bucket", "repo", "repo/retention", "internal/durable", "internal/hook", "internal/nearest", "internal/planted", "internal/procs", "internal/volume"}, "the engine names no concrete source or bucket; they plug in from internal/wire"},

	{"internal/wire", []string{"..."}, "the one place where concrete things meet"},
	{"internal/probe", []string{root, "source/sqlite", "internal/durable", "internal/volume"}, "a probe tries what a database needs of a directory"},
	{"internal/survival", []string{root, "repo", "internal/durable", "internal/planted"}, "markers lie beside the data and in the repository"},
	{"internal/startup", []string{root, "engine", "repo", "source/sqlite", "internal/durable", "internal/planted", "internal/procs", "internal/volume"}, "the start-up decides about data, by the engine's verbs"},
	{"internal/keeper", []string{root, "engine", "repo", "repo/retention", "internal/config", "internal/wire", "internal/schedule"}, "backups while a program runs, by the engine's verbs"},
	{"internal/report/...", []string{root, "engine", "repo", "repo/retention", "internal/autoswitch", "internal/config", "internal/wire"}, "what surfaces show: made of what the engine tells"},
	{"internal/around", []string{root, "engine", "internal/config", "internal/hook", "internal/redact"}, "who is told before and after the engine's verbs"},
	{"internal/alarm", []string{root, "repo", "internal/report", "internal/config", "internal/durable", "internal/redact", "internal/schedule"}, "what is wrong is judged from a report"},
	{"internal/access", []string{root, "internal/config", "internal/durable", "internal/planted", "internal/redact"}, "who may do what is decided before any verb is called"},
	{"internal/metrics", []string{root, "engine", "internal/report"}, "numbers of a report"},
	{"internal/job", []string{root, "internal/durable", "internal/report"}, "work that outlives a connection; it does not know what the work is"},
	{"internal/operation", []string{root, "engine", "repo", "repo/retention", "internal/around", "internal/autoswitch", "internal/config", "internal/job", "internal/keeper", "internal/report", "internal/wire"}, "the engine's verbs as jobs, and a try of what is called around them"},
	{"internal/api", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "a surface calls the engine's verbs and has no logic of its own"},
	{"internal/history", []string{root, "engine", "internal/config", "internal/durable", "internal/report", "internal/schedule"}, "what happened when, from what the engine tells"},
	{"internal/locale", []string{root}, "words know the domain and nobody who shows them"},
	{"internal/web/gallery", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "pages in every state, for tests and pictures; the program does not link it"},
	{"internal/web/webtest", []string{root, "repo", "source/sourcetest", "internal/..."}, "the pages over a real repository of a real database, for tests"},
	{"internal/web/...", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "a surface calls the engine's verbs and has no logic of its own"},
	{"internal/lookout", []string{root, "engine", "repo", "internal/alarm", "internal/config", "internal/keeper", "internal/report", "internal/wire"}, "looks, again and again, for programs that go on"},
	{"internal/desk", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "what a chat needs to work on, for programs without a daemon"},
	{"internal/panel/...", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "a surface calls the engine's verbs and has no logic of its own"},
	{"telegram", []string{root, "boot", "internal/..."}, "the panel, for bots written in Go"},
	{"internal/botapi", []string{root, "internal/redact", "internal/schedule"}, "it talks to Telegram and does not know about what"},
	{"internal/telegramtest/...", []string{"internal/telegramtest", "internal/web/assets"}, "it plays Telegram for tests, and as a program; its page has our fonts"},
	{"internal/daemon", []string{root, "engine", "repo", "repo/retention", "internal/..."}, "it wires the surfaces and the care that go on by themselves"},
	{"internal/supervise", []string{root, "engine", "repo", "repo/retention", "source/sqlite", "internal/..."}, "a surface for programs in any language: it has no logic of its own about backups"},
	{"boot/...", []string{root, "boot/internal/...", "engine", "repo", "source/sqlite", "internal/..."}, "the surface for bots written in Go: it has no logic of its own about backups"},
	{"internal/demo", []string{"..."}, "it makes a world of its own to show"},
	{"internal/cli/...", []string{root, "bucket", "docs/rescue", "engine", "repo", "repo/retention", "internal/..."}, "a surface calls the engine's verbs and has no logic of its own"},
	{"internal/chromatest", []string{root, "internal/testserver"}, "it runs servers for tests"},
	{"internal/s3test", []string{root, "internal/testserver"}, "it runs servers for tests"},
	{"internal/config", []string{root, "repo/retention", "internal/durable", "internal/nearest"}, "settings are data for whoever wires them"},
	{"internal/hook", []string{root, "internal/child"}, "a mechanism knows nothing of the product"},
	{"internal/...", []string{root, "internal/durable"}, "a mechanism knows nothing of the product"},

	{"docs/rescue", nil, "a script that works without us, and is printed by whoever embeds it"},
	{"cmd/holdfast", []string{root, "internal/cli"}, "main only"},
	{"bench", []string{"..."}, "a program beside the product"},
	{"bench/startbot", []string{"boot"}, "the bot whose start bench measures"},
	{"examples/...", []string{"..."}, "what a user of the library would write"},
	{"test/...", []string{"..."}, "end to end"},
}

// covers tells whether pattern takes in the folder.
func covers(pattern, folder string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return folder == base || strings.HasPrefix(folder, base+"/")
	}
	return pattern == folder
}

// rowOf finds the row of a folder.
func rowOf(folder string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return covers(r.folder, folder) })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// allowed tells whether a package in folder may import a package in target.
func (r row) allowed(folder, target string) bool {
	return unit(folder) == unit(target) ||
		slices.ContainsFunc(r.may, func(p string) bool { return covers(p, target) })
}

// unit is the folder whose packages belong together and import each other as
// they like: source/chroma and all below it, internal/durable and all below it.
func unit(folder string) string {
	parts := strings.Split(folder, "/")
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// A pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

// listPackages asks go list for the module's packages as one system builds
// them.
func listPackages(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(out); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// folderOf gives the folder of a package of this module, false for others.
func folderOf(importPath string) (string, bool) {
	if importPath == module {
		return root, true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// isStandard tells whether an import is of the standard library: its first
// element is no domain name.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// violations gives a sentence for everything that a package imports and must
// not.
func violations(p pkg) []string {
	folder, ok := folderOf(p.ImportPath)
	if !ok {
		return nil
	}
	r, ok := rowOf(folder)
	if !ok {
		return []string{fmt.Sprintf("%s has no row in the table of internal/archtest: say what it may import", folder)}
	}
	var found []string
	for _, imp := range p.Imports {
		target, ours := folderOf(imp)
		switch {
		case ours && !r.allowed(folder, target):
			found = append(found, fmt.Sprintf("%s imports %s; %s", name(folder), name(target), r.why))
		case !ours && folder == root && !isStandard(imp):
			found = append(found, fmt.Sprintf("the root package imports %s; %s", imp, r.why))
		case imp == "testing" && !forTests(folder):
			found = append(found, fmt.Sprintf("%s imports testing outside its tests; test support lives in packages named …test", name(folder)))
		case ours && forTests(target) && !forTests(folder):
			found = append(found, fmt.Sprintf("%s imports %s, which is for tests only", name(folder), name(target)))
		}
	}
	return found
}

// forTests tells whether a package is no part of the product: support for
// tests, programs that show it, and the benchmarks.
func forTests(folder string) bool {
	return folder == "bench" || strings.HasSuffix(path.Base(folder), "test") || strings.HasSuffix(path.Dir(folder), "test") || strings.HasPrefix(folder, "test/") || folder == "internal/durable/crashfs"
}

func name(folder string) string {
	if folder == root {
		return "the root package"
	}
	return folder
}

func TestImports_PointToTheRoot(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		all := listPackages(t, goos)
		if len(all) < 10 {
			t.Fatalf("go list found only %d packages", len(all))
		}
		for _, p := range all {
			for _, v := range violations(p) {
				t.Errorf("%s: %s", goos, v)
			}
		}
	}
}

// The rule itself must be able to fail.
func TestViolations(t *testing.T) {
	for _, c := range []struct {
		folder, imports, want string
	}{
		{"", "fmt", ""},
		{"", "golang.org/x/sys/unix", "the root package imports golang.org/x/sys/unix; the domain knows nothing but the standard library"},
		{"", module + "/bucket", "the root package imports bucket; the domain knows nothing but the standard library"},
		{"/engine", module + "/source/sqlite", "engine imports source/sqlite; the engine names no concrete source or bucket; they plug in from internal/wire"},
		{"/engine", module + "/bucket/dir", "engine imports bucket/dir; the engine names no concrete source or bucket; they plug in from internal/wire"},
		{"/engine", module + "/bucket", ""},
		{"/engine/journal", module + "/engine", ""},
		{"/engine", module + "/engine/journal", ""},
		{"/source/chroma", module + "/source/sqlite", ""},
		{"/source/chroma/disk", module + "/source/chroma", ""},
		{"/source/sqlite", module + "/source/chroma", "source/sqlite imports source/chroma; sources do not know each other; only chroma builds on sqlite"},
		{"/source/files", module + "/source/sqlite", "source/files imports source/sqlite; sources do not know each other; only chroma builds on sqlite"},
		{"/bucket/dir", module + "/bucket/mem", "bucket/dir imports bucket/mem; buckets do not know each other"},
		{"/repo/retention", module + "/repo", "repo/retention imports repo; deciding is pure"},
		{"/internal/durable", module, "internal/durable imports the root package; a leaf that anyone may use"},
		{"/internal/durable/crashfs", module + "/internal/durable", ""},
		{"/internal/wire", module + "/bucket/dir", ""},
		{"/internal/cli", module + "/source/files", "internal/cli imports source/files; a surface calls the engine's verbs and has no logic of its own"},
		{"/internal/hook", module + "/engine", "internal/hook imports engine; a mechanism knows nothing of the product"},
		{"/internal/hook", "testing", "internal/hook imports testing outside its tests; test support lives in packages named …test"},
		{"/internal/wire", module + "/source/sourcetest", "internal/wire imports source/sourcetest, which is for tests only"},
		{"/cmd/holdfast", module + "/engine", "cmd/holdfast imports engine; main only"},
		{"/nowhere", "fmt", "nowhere has no row in the table of internal/archtest: say what it may import"},
	} {
		got := strings.Join(violations(pkg{ImportPath: module + c.folder, Imports: []string{c.imports}}), "\n")
		if got != c.want {
			t.Errorf("%s with %s:\n got %q\nwant %q", c.folder, c.imports, got, c.want)
		}
	}
}
