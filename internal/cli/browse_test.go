package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// That nothing was found must not be taken for nothing being there.
func TestSearch_TellsWhatItCannotRead(t *testing.T) {
	w := newWorld(t)
	if out, err := exec.Command("sql", "bot.db", "CREATE VIRTUAL TABLE box USING rtree(id, a, b)").CombinedOutput(); err != nil {
		t.Fatalf("sql: %v\n%s", err, out)
	}
	w.run("backup", "--name", "monday")
	stdout, stderr, code := w.run("search", "monday", "shark")
	if code != holdfast.ExitIncomplete || !strings.Contains(stdout, "no row of monday") || !strings.Contains(stderr, "table box") || !strings.Contains(stderr, "not searched") {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	stdout, _, code = w.run("--json", "search", "monday", "shark")
	if code != holdfast.ExitIncomplete || !strings.Contains(stdout, `"object":"table box","severity":"incomplete"`) {
		t.Errorf("it ended with %d\n%s", code, stdout)
	}
	if stdout, stderr, code := w.run("search", "monday", "shark", "--table", "users"); code != 0 {
		t.Errorf("one table was searched, and it ended with %d\n%s%s", code, stdout, stderr)
	}
}

// TestInsideIsGolden holds what is shown of the inside of backups, for people and as
// JSON, with values of every kind and texts of every width.
func TestInsideIsGolden(t *testing.T) {
	w := newWorld(t)
	golden := goldenAt(t)
	sql := func(statements ...string) {
		t.Helper()
		if out, err := exec.Command("sql", append([]string{"bot.db"}, statements...)...).CombinedOutput(); err != nil {
			t.Fatalf("sql: %v\n%s", err, out)
		}
	}
	sql("CREATE TABLE notes(id TEXT PRIMARY KEY, body TEXT, score REAL, seen BLOB) WITHOUT ROWID",
		"INSERT INTO notes VALUES('-1', 'สวัสดีชาวโลก', 2.0, x'00ff'), ('ب', 'سلام', NULL, NULL)",
		"INSERT INTO notes VALUES('whale', 'It' || char(39) || 's a blue Whale' || char(10) || 'on two lines, of which the second one is far too long for a cell', 1e100, zeroblob(5000))",
		"CREATE TABLE empty(a, b)")
	written := w.now.Add(-time.Hour)
	if err := os.Chtimes("docs/a.txt", written, written); err != nil {
		t.Fatal(err)
	}
	w.run("backup", "--name", "monday")
	sql("UPDATE notes SET body='a green whale', score=3 WHERE id='whale'", "DELETE FROM notes WHERE id='-1'", "INSERT INTO users(name) VALUES('d')",
		"DROP TABLE empty", "CREATE TABLE extra(x)", "ALTER TABLE users ADD COLUMN mail TEXT")
	w.run("backup", "--name", "tuesday")
	for _, step := range []struct {
		name string
		code int
		args []string
	}{
		{"browse", 0, []string{"browse", "monday"}},
		{"browse-source", 0, []string{"browse", "tuesday", "bot"}},
		{"browse-rows", 0, []string{"browse", "monday", "bot/notes"}},
		{"browse-page", 0, []string{"browse", "monday", "bot/users", "--limit", "2"}},
		{"browse-empty", 0, []string{"browse", "monday", "bot/empty"}},
		{"browse-row", 0, []string{"browse", "monday", "bot/notes", "--key", "whale"}},
		{"browse-row-flaglike", 0, []string{"browse", "monday", "bot/notes", "--key=-1"}},
		{"browse-files", 0, []string{"browse", "monday", "docs/files"}},
		{"browse-no-source", 10, []string{"browse", "monday", "bto"}},
		{"browse-no-table", 10, []string{"browse", "monday", "bot/note"}},
		{"browse-no-row", 10, []string{"browse", "monday", "bot/users", "--key", "33"}},
		{"browse-no-backup", 10, []string{"browse", "mondya"}},
		{"search", 0, []string{"search", "monday", "WHALE"}},
		{"search-limit", 0, []string{"search", "monday", "a", "--source", "bot", "--table", "users", "--limit", "1"}},
		{"search-nothing", 0, []string{"search", "monday", "shark"}},
		{"diff", 0, []string{"diff", "monday", "tuesday"}},
		{"diff-details", 0, []string{"diff", "monday", "tuesday", "--details", "--table", "notes", "--table", "users"}},
		{"diff-exit", 1, []string{"diff", "monday", "--exit-code", "--source", "bot"}},
		{"diff-same", 0, []string{"diff", "tuesday", "live", "--exit-code"}},
	} {
		for _, form := range []string{"text", "json"} {
			args := step.args
			if form == "json" {
				args = append([]string{"--json"}, args...)
			}
			stdout, stderr, code := w.run(args...)
			if code != step.code {
				t.Errorf("%s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, step.code, stdout, stderr)
			}
			if form == "json" {
				checkLines(t, step.name, stdout)
			}
			golden("inside-"+step.name+"."+form, w.steady("$ holdfast "+strings.Join(args, " ")+"\n"+stdout+"-- stderr --\n"+stderr))
		}
	}
}

// checkLines holds each line to its promise: an object with a type.
func checkLines(t *testing.T, name, stdout string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var o struct{ Type string }
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Type == "" {
			t.Errorf("%s: %v: %s", name, err, line)
		}
	}
}

func TestBrowse_WrongUsage(t *testing.T) {
	w := newWorld(t)
	w.run("backup", "--name", "monday")
	for _, args := range [][]string{
		{"browse", "monday", "--key", "1"},
		{"browse", "monday", "bot", "--after", "x"},
		{"browse", "monday", "bot/users", "--key", "1", "--after", "x"},
		{"browse", "monday", "bot/users", "--limit", "0"},
		{"search", "monday", "a", "--limit", "-1"},
		{"search", "monday", "  "},
		{"diff", "monday", "--limit", "-1"},
		{"diff", "live", "monday"},
		{"diff", "monday", "live", "--source", "bto"},
		{"browse", "monday", "bot/users", "--after", "nonsense"},
	} {
		if stdout, stderr, code := w.run(args...); code != holdfast.ExitUsage || stdout != "" || !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%v: %d %s%s", args, code, stdout, stderr)
		}
	}
}

// What a backup holds may be made to deceive a terminal.
func TestCells_AreCutByWhatPeopleSeeAndLieToNobody(t *testing.T) {
	for in, want := range map[string]string{
		"short":                       "short",
		"\x1b[31mred\x07":             "\ufffd[31mred\ufffd",
		"a\nb\tc":                     "a b c",
		strings.Repeat("x", 41):       strings.Repeat("x", 39) + "…",
		strings.Repeat("漢", 21):       strings.Repeat("漢", 19) + "…",
		strings.Repeat("กำ", 50):      strings.Repeat("กำ", 19) + "…",
		"\u202eevil":                  "\ufffdevil",
		strings.Repeat("e\u0301", 40): strings.Repeat("e\u0301", 40),
		strings.Repeat("👩‍👩‍👧", 30)[:250]: strings.Repeat("👩‍👩‍👧", 30)[:250],
	} {
		got := cut(in, cellWidth)
		if columnWidth([]string{got}) > cellWidth {
			t.Errorf("%q is %d wide", got, columnWidth([]string{got}))
		}
		if len(in) < 200 && got != want {
			t.Errorf("%q is cut to %q, want %q", in, got, want)
		}
	}
}
