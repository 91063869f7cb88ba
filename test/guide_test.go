//go:build linux

package test

import (
	"context"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // driver "sqlite"
)

// block gives the commands that stand indented below a heading of the guide.
func block(t *testing.T, heading string) string {
	t.Helper()
	return blockOf(t, "../docs/operate.md", heading)
}

// blockOf gives the commands that stand indented below a heading of a document.
func blockOf(t *testing.T, document, heading string) string {
	t.Helper()
	guide, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(guide), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", document, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var lines []string
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, command)
		}
	}
	if len(lines) == 0 {
		t.Fatalf("section %q has no commands", heading)
	}
	return strings.Join(lines, "")
}

// shell runs a script that must succeed.
func (m *machine) shell(script string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "bash", "-euc", script)
	cmd.Dir = m.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// database makes a database that is worth compressing.
func database(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
		WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
		INSERT INTO notes SELECT i, 'note ' || i || ' ' || hex(zeroblob(100)) FROM n`); err != nil {
		t.Fatal(err)
	}
}

// A machine with nothing but ordinary tools gets its data back by the commands
// of the guide, typed as they stand there.
func TestDisasterRecovery_NeedsOnlyOrdinaryTools(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	original := m.path("original", "chroma.sqlite3")
	if err := os.Mkdir(filepath.Dir(original), 0o755); err != nil {
		t.Fatal(err)
	}
	database(t.Context(), t, original)
	code, _, stderr := m.run("backup", "--repo", "rescue/data/chromadb_backup",
		"--name", "enhanced_backup_20241030_143000", "--sqlite", "chromadb=original/chroma.sqlite3")
	if code != 0 {
		t.Fatalf("backup ends with %d: %s", code, stderr)
	}

	script := strings.NewReplacer("/mnt/rescue", m.path("rescue"), "/srv/new", m.path("new")).
		Replace(block(t, "Disaster recovery without holdfast"))
	out := m.shell(script)
	for _, want := range []string{"chromadb/chroma.sqlite3.zst: OK", `"backup_name": "enhanced_backup_20241030_143000"`, "\nok\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the commands do not print %q:\n%s", want, out)
		}
	}
	want, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(m.path("new", "chromadb", "chroma.sqlite3"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("the database is not what it was, byte for byte")
	}
}

// A machine that lost everything gets its data back from a replica, by the
// commands of the guide, typed as they stand there.
func TestLosingTheMachine_AReplicaIsEnough(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	original := m.path("app", "bot.db")
	if err := os.Mkdir(filepath.Dir(original), 0o755); err != nil {
		t.Fatal(err)
	}
	database(t.Context(), t, original)
	want, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	replica := m.path("nas", "backups")
	config := "repository: data/backups\nsources:\n  bot: {type: sqlite, path: app/bot.db}\nreplicas: [" + replica + "]\n"
	if err := os.WriteFile(m.path("holdfast.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trigger := range map[string]string{"monday": "scheduled", "tuesday": "scheduled"} {
		if code, _, stderr := m.run("backup", "--name", name, "--trigger", trigger); code != 0 {
			t.Fatalf("backup ends with %d: %s", code, stderr)
		}
	}
	for _, lost := range []string{"app", "data"} {
		if err := os.RemoveAll(m.path(lost)); err != nil {
			t.Fatal(err)
		}
	}
	out := m.types(strings.ReplaceAll(block(t, "Losing the machine"), "/mnt/nas/backups", replica))
	for _, part := range []string{"(from the replica backups)", "Backed up to ", "replica      backups: up to date; 3 copies", "into ./rescued"} {
		if !strings.Contains(out, part) {
			t.Errorf("the commands do not print %q:\n%s", part, out)
		}
	}
	for _, path := range []string{original, m.path("rescued", "bot", "bot.db")} {
		if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what it was, byte for byte (%v)", path, err)
		}
	}
}
