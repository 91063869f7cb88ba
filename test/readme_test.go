//go:build linux

package test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
)

var update = flag.Bool("update", false, "write what the commands of README.md print into it")

const (
	tourBegin = "<!-- tour: begin -->\n"
	tourEnd   = "<!-- tour: end -->\n"
)

// varying is what differs from run to run: moments, sizes, durations, names
// of this machine.
var varying = regexp.MustCompile(`just now|\d+ (second|minute)s? ago|\d+(\.\d+)?( (KiB|MiB|GiB|ms|s|B))?\b| on \S+$| {2,}`)

func comparable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(varying.ReplaceAllString(strings.ReplaceAll(l, "_2 ", " "), "#"), " #")
	}
	return strings.Join(lines, "\n")
}

// The tour in the README shows what its commands really print, on a machine
// with a Chroma directory and a bot's database.
func TestReadme_TourIsReal(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), tourBegin)
	tour, after, ended := strings.Cut(rest, tourEnd)
	if !ok || !ended {
		t.Fatalf("README.md has no tour between %q and %q", tourBegin, tourEnd)
	}

	m := &machine{t: t, dir: sameLength(t, "/srv/assistant")}
	if err := fixture.Unpack(m.path("data", "chromadb")); err != nil {
		t.Fatal(err)
	}
	m.sqlite("bot_database.db", `pragma journal_mode = wal;
		create table users(id integer primary key, name text);
		insert into users(name) values ('Somchai'), ('Parisa'), ('Robin');
		create table messages(id integer primary key, text text);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) insert into messages select i, 'message number ' || i from n;`)

	var real strings.Builder
	commands := 0
	for line := range strings.Lines(tour) {
		command, isCommand := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		switch {
		case isCommand:
			commands++
			if !strings.HasSuffix(real.String(), "```console\n") {
				real.WriteString("\n")
			}
			real.WriteString(line)
			cmd := exec.CommandContext(t.Context(), "bash", "-c", command)
			cmd.Dir = m.dir
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("$ %s: %v\n%s", command, err, out)
			}
			if shown := bytes.TrimRight(out, "\n"); len(shown) > 0 {
				real.WriteString(strings.ReplaceAll(string(shown), m.dir, "/srv/assistant") + "\n")
			}
		case strings.HasPrefix(line, "```") || !inBlock(real.String()):
			real.WriteString(line)
		}
	}
	if commands < 5 {
		t.Fatalf("the tour has %d commands", commands)
	}
	if *update {
		if err := os.WriteFile("../README.md", []byte(before+tourBegin+real.String()+tourEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := comparable(real.String()), comparable(tour); got != want {
		t.Errorf("the tour in README.md is not what the commands print; go test ./test -run Readme -update writes it anew.\ngot:\n%s\nwant:\n%s", got, want)
	}
}

// sameLength makes a directory whose path has as many letters as the one that
// readers see instead, so that tables stay aligned.
func sameLength(t *testing.T, shown string) string {
	t.Helper()
	for range 100 {
		dir := "/tmp/" + strings.ToLower(rand.Text())[:len(shown)-len("/tmp/")]
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			t.Cleanup(func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
			return dir
		}
		if !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	t.Fatal("no free name in /tmp")
	return ""
}

// inBlock tells whether text ends inside a fenced block.
func inBlock(text string) bool { return strings.Count("\n"+text, "\n```")%2 == 1 }
