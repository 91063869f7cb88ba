package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// world is a directory in which commands run, in this process, at a fixed
// time.
type world struct {
	t   *testing.T
	dir string
	now time.Time
}

// newWorld makes a directory with a database, a tree of files and a
// configuration for both.
func newWorld(t *testing.T) *world {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	// In a process of its own, as an application would be.
	if out, err := exec.Command("sql", "bot.db", "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT)",
		"INSERT INTO users(name) VALUES ('a'),('b'),('c')").CombinedOutput(); err != nil {
		t.Fatalf("sql: %v\n%s", err, out)
	}
	for name, body := range map[string]string{
		"docs/a.txt":    "precious\n",
		"holdfast.yaml": "repository: backups\nsources:\n  bot: {type: sqlite, path: bot.db}\n  docs: {type: files, path: docs}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod("docs", 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return &world{t: t, dir: dir, now: time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)}
}

// run runs one command and gives what it printed and how it ended.
func (w *world) run(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	var out, errs bytes.Buffer
	code = Main(context.Background(), System{
		Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Now: func() time.Time { return w.now }, Version: "1.2.3",
	})
	return out.String(), errs.String(), code
}

// changing is what differs from run to run and machine to machine.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`"(duration_ms|restore_ms|writer_stall_ms|free_bytes)":[0-9.e-]+`), `"$1":0`},
	{regexp.MustCompile(`"(repository|host|go|os|arch|operation)":"[^"/]*"`), `"$1":"…"`},
	{regexp.MustCompile(`took .*`), "took …"},
	{regexp.MustCompile(`restored in [0-9.]+ ?[µm]?s`), "restored in …"},
	{regexp.MustCompile(`made by .*`), "made by …"},
	{regexp.MustCompile(`free space .*`), "free space …"},
	{regexp.MustCompile(`"path":"backup_metadata.json","bytes":\d+,"stored_bytes":\d+`), `"path":"backup_metadata.json","bytes":0,"stored_bytes":0`},
	{regexp.MustCompile(`[0-9.]+ KiB +[0-9.]+ KiB +full +backup_metadata`), "… … full  backup_metadata"},
	{regexp.MustCompile(`(?m)^[✓✗–…] .*\n`), ""}, // the engine's own words
	{regexp.MustCompile(`optimistic|shared lock`), "…"},
	{regexp.MustCompile(`  +`), "  "}, // columns are as wide as DIR really is
	{regexp.MustCompile(`\(repository format 1, .*\)`), "(repository format 1, …)"},
	{regexp.MustCompile(`\([0-9.]+ [KM]?i?B in [0-9.]+ m?s\)`), "(…)"},
	{regexp.MustCompile(`holdfast-(stage|aside|before)-[A-Z0-9-]+`), "holdfast-$1-…"},
}

func (w *world) steady(s string) string {
	s = strings.ReplaceAll(s, w.dir, "DIR")
	for _, c := range changing {
		s = c.pattern.ReplaceAllString(s, c.by)
	}
	return s
}

// TestOutputIsGolden holds what each command prints, for people and as JSON,
// in the order of a story.
func TestOutputIsGolden(t *testing.T) {
	w := newWorld(t)
	golden := goldenAt(t)
	for _, step := range []struct {
		name string
		code int
		args []string
		only string // text or json; both if the command changes nothing
	}{
		{name: "status-never", code: 3, args: []string{"status"}},
		{name: "config-show", args: []string{"config", "show"}},
		{name: "version", args: []string{"version"}},
		{name: "list-missing", code: 10, args: []string{"list"}},
		{name: "backup", only: "text", args: []string{"backup", "--name", "monday", "--note", "before the import"}},
		{name: "backup-json", only: "json", args: []string{"backup", "--name", "tuesday"}},
		{name: "backup-taken", code: 13, args: []string{"backup", "--name", "tuesday"}},
		{name: "verify", only: "text", args: []string{"verify", "monday"}},
		{name: "verify-json", only: "json", args: []string{"verify", "--all"}},
		{name: "drill", only: "text", args: []string{"drill", "tuesday"}},
		{name: "drill-json", only: "json", args: []string{"drill"}},
		{name: "list", args: []string{"list"}},
		{name: "show", args: []string{"show", "monday", "--tree"}},
		{name: "show-missing", code: 10, args: []string{"show", "mondya"}},
		{name: "status", args: []string{"status"}},
		{name: "pin", only: "text", args: []string{"pin", "monday"}},
		{name: "unpin-json", only: "json", args: []string{"unpin", "monday"}},
		{name: "restore-plan", args: []string{"restore", "monday", "--dry-run"}},
		{name: "restore-unconfirmed", code: 2, args: []string{"restore", "monday"}},
		{name: "restore", only: "text", args: []string{"restore", "monday", "--yes"}},
		{name: "restore-json", only: "json", args: []string{"restore", "tuesday", "--yes"}},
		{name: "rollback-plan", args: []string{"rollback", "--dry-run"}},
		{name: "rollback-json", only: "json", args: []string{"rollback", "--yes"}},
		{name: "recover", args: []string{"recover"}},
		{name: "export-json", only: "json", args: []string{"export", "monday", "out"}},
		{name: "prune", args: []string{"prune", "--dry-run"}},
		{name: "delete-json", only: "json", args: []string{"delete", "monday", "--yes"}},
		{name: "init-exists", code: 13, args: []string{"init"}},
		{name: "usage", code: 2, args: []string{"bakcup"}},
	} {
		for _, form := range []string{"text", "json"} {
			if step.only != "" && step.only != form {
				continue
			}
			args := step.args
			if form == "json" {
				args = append([]string{"--json"}, args...)
			}
			stdout, stderr, code := w.run(args...)
			if code != step.code {
				t.Errorf("%s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, step.code, stdout, stderr)
			}
			if form == "json" {
				checkObjects(t, step.name, stdout, stderr, code)
			}
			golden(step.name+"."+form, w.steady("$ holdfast "+strings.Join(args, " ")+"\n"+stdout+"-- stderr --\n"+stderr))
		}
	}
}

// TestDoctorIsGolden holds what doctor prints; what it finds depends on the
// machine, so its checks are given.
func TestDoctorIsGolden(t *testing.T) {
	x := examination{out: doctorObject{Type: "doctor"}}
	x.add("repository", "backups", checkOK, "", "can be written, synced and renamed in")
	x.add("backups", "", checkWarn, "`holdfast verify` proves the newest", "2 backups, none proven yet")
	x.add("source", "bot", checkFail, "name the right path", "bot.db does not exist")
	var out bytes.Buffer
	u := newUI(System{Stdout: &out, Stderr: &out}, &globals{})
	(&doctorCmd{}).print(u, x.out)
	u.object(x.out)
	goldenAt(t)("doctor", out.String())
}

// goldenAt remembers where the golden files are, before the working directory
// changes.
func goldenAt(t *testing.T) func(name, got string) {
	t.Helper()
	return func(name, got string) {
		t.Helper()
		golden(t, filepath.Join(packageDir, "testdata", "golden", name), got)
	}
}

// packageDir is where the tests were started.
var packageDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// checkObjects holds --json to its promise: one object with a type on standard
// output, or one error on standard error.
func checkObjects(t *testing.T, name, stdout, stderr string, code int) {
	t.Helper()
	text := stdout
	if stdout == "" {
		text = stderr
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 1 {
		t.Errorf("%s prints %d lines, want one object:\n%s", name, len(lines), text)
	}
	var o struct {
		Type string `json:"type"`
		Exit int    `json:"exit"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &o); err != nil || o.Type == "" {
		t.Errorf("%s: no object with a type: %v\n%s", name, err, lines[0])
	}
	if (o.Type == "error") != (stdout == "") || (o.Type == "error" && o.Exit != code) {
		t.Errorf("%s ended with %d and printed %s", name, code, lines[0])
	}
}
