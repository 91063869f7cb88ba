//go:build linux

package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// The repository lies in the open beside the bot; what leaves the machine does
// not. It is lost, and an empty one gets everything back from the bucket, to whose
// key the lost one could only write, or from the disk, by its passphrase.
func TestLosingTheMachine_EncryptedReplicasOfAnOpenRepository(t *testing.T) {
	t.Parallel()
	const secret = "what_only_the_bot_knows"
	s := newStore(t)
	safe := newMachine(t)
	safe.file("safe/passphrase", passphrase+"\n")
	public := safe.ageKey("safe/key.txt")
	config := func(key string) string {
		return fmt.Sprintf(`repository: ./data/backups
sources:
  bot: {type: sqlite, path: bot.db}
  notes: {type: files, path: notes}
replicas:
  - {url: %q, name: offsite, encrypt_to: [%s]%s}
  - {url: %q, name: usb, passphrase_file: safe/passphrase}
`, s.at("vault"), public, key, safe.path("usb"))
	}

	lost := newMachine(t)
	lost.with(s3test.Environment()...)
	lost.file("holdfast.yaml", config(""))
	lost.file("safe/passphrase", safe.read("safe/passphrase"))
	lost.grow("bot.db", 800)
	written := map[string]state{}
	for _, args := range [][]string{{"--name", "monday"}, {"--trigger", "scheduled"}, {"--trigger", "scheduled"}} {
		text := fmt.Sprint(secret, len(written))
		lost.file("notes/"+secret+".txt", text)
		made := lost.backup(args...)
		written[made.Name] = state{lost.sum("bot.db"), text}
		lost.touch("bot.db")
	}
	for name, r := range lost.status() {
		if len(r.Behind) != 0 || r.Error != "" || r.Backups != 3 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	deltas := 0
	for _, b := range lost.list().Backups {
		if slices.Sort(b.Copies); !slices.Equal(b.Copies, []string{"offsite", "repository", "usb"}) {
			t.Errorf("%s is said to be in %q", b.Name, b.Copies)
		}
		if b.Parent != "" {
			deltas++
		}
	}
	if deltas != 2 {
		t.Errorf("%d of the backups are deltas, want 2", deltas)
	}
	// Without the key of the bucket its bytes are checked, with the passphrase
	// everything.
	stdout, _ := lost.must(0, "verify", "--replica", "all", "--all")
	if n := strings.Count(stdout, "(from the replica"); n != 6 {
		t.Errorf("verify --replica told of %d copies, want 6:\n%s", n, stdout)
	}
	s.download("vault", safe.path("vault"))
	for _, place := range []string{"vault", "usb"} {
		tellsNothing(t, safe.path(place), secret)
	}
	card, _ := lost.must(0, "rescue")
	contains(t, "the rescue card", card, "with an encryption of their own: age, to "+public, "a passphrase of its own")
	if err := os.RemoveAll(lost.dir); err != nil {
		t.Fatal(err)
	}

	// An empty machine, with the file and the key out of the safe.
	withConfig, withPlace, _ := strings.Cut(block(t, "Losing the machine"), "holdfast list --repo")
	withPlace = "holdfast list --repo" + withPlace
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.file("holdfast.yaml", config(", identity_file: safe/key.txt"))
	m.file("safe/key.txt", safe.read("safe/key.txt"))
	m.file("safe/passphrase", safe.read("safe/passphrase"))
	contains(t, "the commands", m.types(withConfig), "there is no repository", "from the replica offsite", "created the repository")
	newest := m.newest(t, written)
	text, err := os.ReadFile(m.path("notes", secret+".txt"))
	if m.sum("bot.db") != newest.bot || err != nil || string(text) != newest.note {
		t.Errorf("the restored data is not what was lost (%v)", err)
	}
	for name, r := range m.status() {
		if len(r.Behind) != 0 || r.Error != "" {
			t.Errorf("the new machine goes on copying to %s: %+v", name, r)
		}
	}
	for name, want := range written {
		m.must(0, "restore", name, "--to", "copy")
		if m.sum("copy/bot/bot.db") != want.bot || m.read("copy/notes/"+secret+".txt") != want.note {
			t.Errorf("%s is not what it was", name)
		}
		if err := os.RemoveAll(m.path("copy")); err != nil {
			t.Fatal(err)
		}
	}

	// With nothing but the disk and its passphrase.
	bare := newMachine(t)
	bare.file("safe/passphrase", safe.read("safe/passphrase"))
	bare.with("HOLDFAST_PASSPHRASE_FILE=safe/passphrase")
	bare.types(strings.ReplaceAll(withPlace, "/mnt/nas/backups", safe.path("usb")))
	if bare.sum("rescued/bot/bot.db") != newest.bot {
		t.Error("the disk alone gives back something else")
	}
}

// tellsNothing looks for a secret in every name and byte below a folder.
func tellsNothing(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if strings.Contains(path, secret) || strings.Contains(string(data), secret) {
			t.Errorf("%s tells it", path)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%d files in %s, %v", files, dir, err)
	}
}

// An encrypted repository and a disk in the drawer that anybody in the house may
// read: its copies are decrypted on their way, for which the key must be there.
func TestReplica_InTheOpen(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	public := m.ageKey("key.txt")
	config := func(more string) string {
		return fmt.Sprintf("repository: backups\nsources:\n  notes: {type: files, path: notes}\nencrypt_to: [%s]\nreplicas: [{url: drawer, decrypt: true}]\n%s", public, more)
	}
	m.file("notes/day.txt", "monday")
	m.file("holdfast.yaml", config(""))
	_, stderr := m.must(3, "backup", "--name", "monday")
	contains(t, "without the key", stderr, "no key was given", "identity_file")
	m.file("holdfast.yaml", config("identity_file: key.txt\n"))
	m.must(0, "replicate")
	if got := m.read("drawer/monday/notes/day.txt"); got != "monday" {
		t.Errorf("the copy holds %q", got)
	}
	m.shell("cd drawer/monday && sha256sum --quiet -c SHA256SUMS")
	m.must(0, "verify", "--replica", "drawer", "monday")
}
