//go:build linux

package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
)

// Another application that does not let go of its database is waited for, but
// not for ever, and it is named.
func TestInput_LockedForMinutes(t *testing.T) {
	t.Parallel()
	bot, chroma := newMachine(t), newMachine(t)
	bot.sqlite("bot.db", "CREATE TABLE t(n);")
	if err := fixture.Unpack(chroma.path("chromadb")); err != nil {
		t.Fatal(err)
	}
	// Both wait at the same time.
	waits := []*wait{
		bot.backUpLocked("bot.db", "--sqlite", "bot.db"),
		chroma.backUpLocked("chromadb/chroma.sqlite3", "--chroma", "chromadb"),
	}
	for _, w := range waits {
		w.end()
	}
}

// A wait is a backup of a database that another application has locked.
type wait struct {
	m            *machine
	db           string
	source       []string
	owner        *bot
	backup       *exec.Cmd
	output, errs bytes.Buffer
}

func (m *machine) backUpLocked(db string, source ...string) *wait {
	m.t.Helper()
	w := &wait{m: m, db: db, source: append(source, "--repo", "backups"), owner: m.openBot(db)}
	w.owner.ask("BEGIN EXCLUSIVE;")
	w.backup = m.command(append(w.source, "backup")...)
	w.backup.Stdout, w.backup.Stderr = &w.output, &w.errs
	if err := w.backup.Start(); err != nil {
		m.t.Fatal(err)
	}
	return w
}

func (w *wait) end() {
	t := w.m.t
	t.Helper()
	_ = w.backup.Wait() // its exit code is what counts
	if code := w.backup.ProcessState.ExitCode(); code != 11 {
		t.Errorf("%s: exit %d, want 11\n%s%s", w.db, code, &w.output, &w.errs)
	}
	refusal(t, w.errs.String(), w.db, "locked", fmt.Sprint(w.owner.cmd.Process.Pid))
	if left, _ := filepath.Glob(w.m.path("backups", "*_backup_*")); len(left) > 0 {
		t.Errorf("%q left behind", left)
	}
	w.m.leftNothing("backups")
	stdout, _ := w.m.must(0, append(w.source, "doctor")...)
	contains(t, "doctor", stdout, "ok    source")
	w.owner.ask("COMMIT;")
	w.m.must(0, append(w.source, "backup")...)
}

// nobody is a user who owns nothing here.
const nobody = 65534

// asNobody runs holdfast without root's power over permissions.
func (m *machine) asNobody(want int, args ...string) (stdout, stderr string) {
	m.t.Helper()
	for dir := m.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	c := m.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	err := c.Run()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		m.t.Fatalf("holdfast %q: %v (this test needs root)", args, err)
	}
	if code != want {
		m.t.Fatalf("as nobody: holdfast %q: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", args, code, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// mine makes a directory that belongs to nobody.
func (m *machine) mine(name string) {
	m.t.Helper()
	err := os.Mkdir(m.path(name), 0o755)
	if err == nil {
		err = os.Chown(m.path(name), nobody, nobody)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// What may not be read or written is named with what to do, and stays as it is.
func TestInput_NoPermission(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if err := fixture.Unpack(m.path("chromadb")); err != nil {
		t.Fatal(err)
	}
	m.sqlite("bot.db", "CREATE TABLE t(n); INSERT INTO t VALUES (1);")
	m.must(0, "--chroma", "chromadb", "--sqlite", "bot.db", "--repo", "roots", "backup", "--name", "monday")
	m.mine("mine")
	before := m.sum("bot.db")

	t.Run("a repository of somebody else", func(t *testing.T) {
		for _, command := range [][]string{{"list"}, {"verify"}, {"backup", "--name", "x"}, {"restore", "monday", "--to", "mine/copy"}} {
			_, stderr := m.asNobody(1, append([]string{"--chroma", "chromadb", "--repo", "roots"}, command...)...)
			refusal(t, stderr, "roots", "permission denied")
		}
	})
	t.Run("a Chroma directory that may not be read", func(t *testing.T) {
		if err := os.Chmod(m.path("chromadb"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, stderr := m.asNobody(1, "--chroma", "chromadb", "--repo", "mine/backups", "backup")
		refusal(t, stderr, "chromadb", "permission denied")
	})
	t.Run("a database that may not be replaced", func(t *testing.T) {
		m.asNobody(0, "--sqlite", "bot.db", "--repo", "mine/backups", "backup", "--name", "monday")
		_, stderr := m.asNobody(1, "--sqlite", "bot.db", "--repo", "mine/backups", "--yes", "restore", "monday")
		refusal(t, stderr, m.dir, "permission denied")
		if m.sum("bot.db") != before {
			t.Error("a refused restore changed the target")
		}
		stdout, _ := m.asNobody(0, "--repo", "mine/backups", "--sqlite", "bot.db", "recover")
		contains(t, "recover", stdout, "Nothing to recover")
	})
}

// A repository on a medium that cannot be written is good for what a rescue
// needs: everything that reads.
func TestInput_ReadOnlyRepository(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("medium", "20m")
	m.sqlite("bot.db", "CREATE TABLE t(n); INSERT INTO t VALUES (1);")
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		return m.must(want, append([]string{"--sqlite", "bot.db", "--repo", "medium/backups", "--yes"}, args...)...)
	}
	run(0, "backup", "--name", "monday")
	if out, err := exec.Command("mount", "-o", "remount,ro", m.path("medium")).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s(this test needs root)", err, out)
	}
	before := m.sum("bot.db")

	run(0, "list")
	run(0, "show", "monday")
	run(0, "status")
	run(0, "export", "monday", "exported")
	run(0, "restore", "monday", "--to", "copy")
	if got := m.sqlite("copy/bot/bot.db", "SELECT n FROM t;"); got != "1" {
		t.Errorf("the copy holds %q", got)
	}
	stdout, stderr := run(1, "verify", "monday")
	contains(t, "verify", stdout, "every byte is as recorded", "the proof was not kept")
	contains(t, "the warning", stderr, "read-only file system")
	for _, command := range [][]string{{"backup"}, {"restore", "monday"}, {"delete", "monday"}, {"pin", "monday"}, {"prune"}} {
		_, stderr := run(1, command...)
		refusal(t, stderr, "medium/backups", "read-only file system")
	}
	stdout, _ = run(3, "doctor")
	contains(t, "doctor", stdout, "FAIL  repository medium/backups", "read-only file system")
	if strings.Contains(stdout, "remove ") {
		t.Errorf("doctor tells of its own attempts:\n%s", stdout)
	}
	if m.sum("bot.db") != before {
		t.Error("a refused restore changed the target")
	}
}

// A link that leads to the data, here on another disk, stays; what it leads to
// is replaced there.
func TestInput_LinkToAnotherDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("disk2", "40m")
	if err := fixture.Unpack(m.path("disk2", "ข้อมูล chroma")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("disk2/ข้อมูล chroma", m.path("chromadb")); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		m.must(0, append([]string{"--chroma", "chromadb", "--repo", "backups", "--yes"}, args...)...)
	}
	count := func() string { return m.sqlite("chromadb/chroma.sqlite3", "SELECT count(*) FROM embeddings;") }
	run("backup", "--name", "monday")
	monday := count()
	m.sqlite("chromadb/chroma.sqlite3", "DELETE FROM embeddings;")
	run("restore", "monday")
	if to, err := os.Readlink(m.path("chromadb")); to != "disk2/ข้อมูล chroma" || err != nil {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if got := count(); got != monday || got == "0" {
		t.Errorf("%s records after the restore, want %s", got, monday)
	}
	run("verify", "monday")
	run("rollback")
	if got := count(); got != "0" {
		t.Errorf("%s records after the rollback, want 0", got)
	}
	m.leftNothing("disk2")
	m.leftNothing(".")
}

// leftNothing wants no stage and no temporary file in a directory.
func (m *machine) leftNothing(dir string) {
	m.t.Helper()
	for _, pattern := range []string{".holdfast-stage*", ".tmp-*"} {
		if left, _ := filepath.Glob(m.path(dir, pattern)); len(left) != 0 {
			m.t.Errorf("%q left behind", left)
		}
	}
}

// Files that a process reads are not pulled from under it.
func TestInput_DirectoryInUse(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if err := os.Mkdir(m.path("เอกสาร"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(m.path("เอกสาร", "a b.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("monday's")
	global := []string{"--files", "เอกสาร", "--repo", "backups", "--yes"}
	m.must(0, append(global, "backup", "--name", "monday")...)
	write("later")
	reader := exec.Command("tail", "-f", m.path("เอกสาร", "a b.txt"))
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = reader.Process.Kill()
		_ = reader.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil { // it has the file open now
		t.Fatal(err)
	}
	stdout, _ := m.must(0, append(global, "restore", "monday", "--dry-run")...)
	contains(t, "the plan", stdout, fmt.Sprintf("process %d", reader.Process.Pid), "a b.txt")
	_, stderr := m.must(13, append(global, "restore", "monday")...)
	refusal(t, stderr, "เอกสาร", fmt.Sprintf("process %d (tail", reader.Process.Pid))
	if got, _ := os.ReadFile(m.path("เอกสาร", "a b.txt")); string(got) != "later" {
		t.Errorf("a refused restore changed the target to %q", got)
	}
	m.must(0, append(global, "restore", "monday", "--force")...)
	if got, _ := os.ReadFile(m.path("เอกสาร", "a b.txt")); string(got) != "monday's" {
		t.Errorf("with --force the file holds %q", got)
	}
}
