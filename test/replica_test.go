//go:build linux

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// types runs commands of the guide in a shell, as they stand there.
func (m *machine) types(commands string) string {
	m.t.Helper()
	out, err := m.typed(commands)
	if err != nil {
		m.t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return out
}

// typesBesides is types for one command that may meet a backup of a running program:
// who is told that the repository is in use tries again.
func (m *machine) typesBesides(command string) string {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		out, err := m.typed(command)
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == holdfast.ExitLocked && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			m.t.Fatalf("%s\n%v\n%s", command, err, out)
		}
		return out
	}
}

func (m *machine) typed(commands string) (out string, err error) {
	cmd := exec.CommandContext(m.t.Context(), "bash", "-euc", commands)
	cmd.Dir = m.dir
	cmd.Env = append([]string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "HOME=" + m.dir, "TMPDIR=" + os.TempDir()}, m.env...)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// ageKey makes a key with age-keygen and gives its public half.
func (m *machine) ageKey(file string) string {
	m.t.Helper()
	m.shell("age-keygen -o " + file + " 2>/dev/null")
	return strings.TrimSpace(m.shell("age-keygen -y " + file))
}

// status gives what status --json says of the replicas.
func (m *machine) status() map[string]replicaTold {
	m.t.Helper()
	stdout, _ := m.must(0, "--json", "status")
	var out struct{ Replicas []replicaTold }
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		m.t.Fatalf("%v: %s", err, stdout)
	}
	byName := map[string]replicaTold{}
	for _, r := range out.Replicas {
		byName[r.Name] = r
	}
	return byName
}

// A machine is lost with its disk: repository, state, data. An empty one, with
// the commands of the guide, gets everything back from a bucket or from a
// directory, and goes on where the lost one stopped.
func TestLosingTheMachine(t *testing.T) {
	t.Parallel()
	for _, by := range []struct {
		name string
		// made gives the lines of holdfast.yaml with which backups are made,
		// and the safe what is needed to read them.
		made func(m *machine) (lines string, safe []string)
		// found gives the lines with which the new machine reads.
		found string
	}{
		{
			"encrypted by a passphrase",
			func(m *machine) (string, []string) {
				m.file("passphrase", passphrase+"\n")
				return "passphrase_file: passphrase", []string{"passphrase"}
			},
			"passphrase_file: passphrase",
		},
		{
			"encrypted to a key that the machine has not",
			func(m *machine) (string, []string) {
				public := m.ageKey("safe/key.txt")
				return fmt.Sprintf("encrypt_to: [%s]", public), []string{"safe/key.txt"}
			},
			"identity_file: safe/key.txt",
		},
	} {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			safe := newMachine(t) // what is elsewhere: the key, and the disk of the second replica
			safe.file("safe/.keep", "")
			lines, keys := by.made(safe)
			lost := lostMachine(t, s, safe, lines, keys)
			written := lost.life(t)
			if err := os.RemoveAll(lost.dir); err != nil {
				t.Fatal(err)
			}
			recoverBy(t, s, safe, by.found, keys, written)
		})
	}
}

// replicated is the configuration of a machine with two replicas, one with
// rules of its own.
func replicated(s *store, usb, encryption string) string {
	return fmt.Sprintf(`repository: ./data/backups
sources:
  bot: {type: sqlite, path: bot.db}
  notes: {type: files, path: notes}
retention: {days: 7}
replicas:
  - {url: %q, name: offsite, retention: {days: 0, keep_last: 2}}
  - {url: %q, name: usb}
%s
`, s.at("vault"), usb, encryption)
}

func lostMachine(t *testing.T, s *store, safe *machine, lines string, keys []string) *machine {
	t.Helper()
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.file("holdfast.yaml", replicated(s, safe.path("usb"), lines))
	for _, key := range keys {
		if strings.Contains(lines, key) {
			m.file(key, safe.read(key))
		}
	}
	return m
}

// read gives the content of a file.
func (m *machine) read(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// A state is the data at one backup.
type state struct{ bot, note string }

// life is what the machine did before it was lost: it gives every backup with
// the data that it was made of.
func (m *machine) life(t *testing.T) map[string]state {
	t.Helper()
	m.grow("bot.db", 800)
	written := map[string]state{}
	run := func(text string, args ...string) told {
		m.file("notes/day.txt", text)
		made := m.backup(args...)
		written[made.Name] = state{m.sum("bot.db"), text}
		m.touch("bot.db")
		return made
	}
	run("monday, a full", "--name", "monday")
	run("tuesday", "--trigger", "scheduled")
	run("wednesday", "--trigger", "scheduled")
	for name, r := range m.status() {
		if len(r.Behind) != 0 || r.Error != "" {
			t.Errorf("backup has copied to %s: %+v", name, r)
		}
	}
	late := run("thursday", "--trigger", "scheduled", "--no-replicate")
	for name, r := range m.status() {
		if !slices.Equal(r.Behind, []string{late.Name}) {
			t.Errorf("%s is one backup behind: %+v", name, r)
		}
	}
	stdout, _ := m.must(0, "status")
	contains(t, "status", stdout, "1 backup behind")
	m.must(0, "replicate")
	for name, r := range m.status() {
		if len(r.Behind) != 0 {
			t.Errorf("replicate has copied to %s: %+v", name, r)
		}
		if want := map[string]int{"offsite": 2, "usb": 4}[name]; r.Backups != want {
			t.Errorf("%s holds %d backups, its retention keeps %d", name, r.Backups, want)
		}
	}
	for _, b := range m.list().Backups {
		want := []string{"repository", "usb"}
		if b.Name == late.Name || b.Parent != "" && b.Name == late.Parent {
			want = []string{"offsite", "repository", "usb"}
		}
		if slices.Sort(b.Copies); !slices.Equal(b.Copies, want) {
			t.Errorf("%s is said to be in %q, want %q", b.Name, b.Copies, want)
		}
	}
	stdout, _ = m.must(0, "verify", "--replica", "all", "--all")
	if n := strings.Count(stdout, "(from the replica"); n != 6 {
		t.Errorf("verify --replica told of %d copies, want 6:\n%s", n, stdout)
	}
	return written
}

// recoverBy follows the guide on empty machines.
func recoverBy(t *testing.T, s *store, safe *machine, encryption string, keys []string, written map[string]state) {
	t.Helper()
	section := block(t, "Losing the machine")
	withConfig, withPlace, ok := strings.Cut(section, "holdfast list --repo")
	if !ok {
		t.Fatalf("the guide has changed:\n%s", section)
	}
	withPlace = "holdfast list --repo" + withPlace

	// With the configuration file, which lay in the safe, too.
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.file("holdfast.yaml", replicated(s, safe.path("usb"), encryption))
	for _, key := range keys {
		m.file(key, safe.read(key))
	}
	out := m.types(withConfig)
	contains(t, "the commands", out, "there is no repository", "from the replica offsite", "created the repository")
	newest := m.newest(t, written)
	m.holds(t, newest)
	for name, r := range m.status() {
		if len(r.Behind) != 0 || r.Error != "" {
			t.Errorf("the new machine goes on copying to %s: %+v", name, r)
		}
	}
	// Every older copy is of use, too.
	for name, want := range written {
		m.must(0, "restore", name, "--to", "copy")
		if m.sum("copy/bot/bot.db") != want.bot || m.read("copy/notes/day.txt") != want.note {
			t.Errorf("%s is not what it was", name)
		}
		if err := os.RemoveAll(m.path("copy")); err != nil {
			t.Fatal(err)
		}
	}

	// With nothing but the place of the disk, and what opens it.
	bare := newMachine(t)
	for _, key := range keys {
		bare.file(key, safe.read(key))
	}
	if name, file, ok := strings.Cut(encryption, ": "); ok {
		bare.with("HOLDFAST_" + strings.ToUpper(name) + "=" + file)
	}
	bare.types(strings.ReplaceAll(withPlace, "/mnt/nas/backups", safe.path("usb")))
	if bare.sum("rescued/bot/bot.db") != newest.bot || bare.read("rescued/notes/day.txt") != newest.note {
		t.Error("the disk alone gives back something else")
	}
	// And with nothing but the bucket.
	bare.with(s3test.Environment()...)
	bare.types(strings.NewReplacer("/mnt/nas/backups", "'"+s.at("vault")+"'", "./rescued", "./again").Replace(withPlace))
	if bare.sum("again/bot/bot.db") != newest.bot {
		t.Error("the bucket alone gives back something else")
	}
}

// newest gives the last state that was written before the machine was lost.
func (m *machine) newest(t *testing.T, written map[string]state) state {
	t.Helper()
	for _, name := range m.list().names() {
		if s, ok := written[name]; ok {
			return s
		}
	}
	t.Fatal("no backup of the lost machine is known any more")
	return state{}
}

// holds compares the data in its place.
func (m *machine) holds(t *testing.T, want state) {
	t.Helper()
	if m.sum("bot.db") != want.bot || m.read("notes/day.txt") != want.note {
		t.Error("the restored data is not what was lost")
	}
}
