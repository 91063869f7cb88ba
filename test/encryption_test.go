//go:build linux

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// canaries are words that stand in the data, in the names of files and in what
// people say of backups: none may be found in what is stored.
var canaries = []string{"canarycontent", "canaryfile", "canaryfolder", "canarynote", "canarytable"}

// An encrypted repository in a bucket opens with age, zstd and the script of the
// rescue page, deltas and what compact has rewritten too, and holds no word of
// the data in the open.
func TestEncryption_OpensWithoutHoldfast(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("sealed"))
	public, other := m.ageKey("key.txt"), m.ageKey("second.txt")
	m.with("HOLDFAST_ENCRYPT_TO=" + public + "," + other)
	m.file("holdfast.yaml", fmt.Sprintf("repository: %q\nsources: {bot: {type: sqlite, path: bot.db}, docs: {type: files, path: docs}}\n", s.at("sealed")))
	m.grow("bot.db", 800)
	m.sqlite("bot.db", "create table canarytable(x); insert into canarytable values('canarycontent');")
	m.file("docs/canaryfolder/canaryfile.txt", strings.Repeat("canarycontent ", 4000))

	m.must(0, "backup", "--name", "full", "--note", "canarynote")
	m.touch("bot.db")
	made := m.backup("--trigger", "scheduled", "--name", "delta")
	if made.Form != "delta" {
		t.Errorf("a host without a private key made a %s", made.Form)
	}
	states := map[string]string{"delta": m.sum("bot.db")}

	// The host reads nothing of what it wrote, and says what is missing.
	for _, args := range [][]string{{"restore", "delta", "--to", "out"}, {"export", "delta", "out"}, {"--yes", "restore", "delta"}} {
		_, stderr := m.must(holdfast.ExitRefused, args...)
		refusal(t, stderr, "encrypted", "identity_file")
	}
	if m.sum("bot.db") != states["delta"] {
		t.Error("a refused restore has changed the data")
	}
	stdout, _ := m.must(0, "verify", "--all")
	if n := strings.Count(stdout, "intact "); n != 2 || strings.Contains(stdout, "proven ") {
		t.Errorf("verify without a key:\n%s", stdout)
	}

	// With either of the two keys everything is proven.
	for _, key := range []string{"key.txt", "second.txt"} {
		stdout, _ = m.with("HOLDFAST_IDENTITY_FILE="+key).must(0, "verify", "--all")
		if n := strings.Count(stdout, "proven "); n != 2 {
			t.Errorf("verify with %s:\n%s", key, stdout)
		}
	}
	ledger(states).restores(m, "delta")

	byHand(t, s, m, "full", states)
	m.must(0, "--yes", "delete", "full")
	m.must(0, "compact")
	byHand(t, s, m, "", states)
	ledger(states).restores(m, "delta")
}

// byHand downloads the bucket and opens it with ordinary tools: one payload of
// a backup, if one is named, by age and zstd, and the delta by the script.
func byHand(t *testing.T, s *store, m *machine, backup string, states map[string]string) {
	t.Helper()
	dir := m.path("copy-of-" + backup)
	s.download("sealed/", dir)
	noCanary(t, dir)
	m.shell(fmt.Sprintf("for b in '%s'/*/; do (cd \"$b\" && sha256sum -c --strict --quiet SHA256SUMS); done", dir))
	if backup != "" {
		var manifest struct {
			Entries []struct{ Path, Payload string }
		}
		if err := json.Unmarshal([]byte(m.shell(fmt.Sprintf("age -d -i key.txt '%s/%s/manifest.json.age'", dir, backup))), &manifest); err != nil {
			t.Fatal(err)
		}
		for _, f := range manifest.Entries {
			if strings.HasSuffix(f.Path, "canaryfile.txt") {
				path := filepath.Join(dir, backup, f.Payload)
				if got := m.shell(fmt.Sprintf("age -d -i second.txt '%s' | zstd -d", path)); got != m.read("docs/canaryfolder/canaryfile.txt") {
					t.Errorf("age and zstd make %d bytes of %s", len(got), f.Payload)
				}
				backup = ""
			}
		}
		if backup != "" {
			t.Errorf("the manifest names no payload of the note: %+v", manifest)
		}
	}
	out := dir + "-restored"
	script, err := filepath.Abs("../docs/rescue/restore.py")
	if err != nil {
		t.Fatal(err)
	}
	m.shell(fmt.Sprintf("python3 '%s' -i key.txt '%s' delta '%s'", script, dir, out))
	if rel, err := filepath.Rel(m.dir, filepath.Join(out, "bot", "bot.db")); err != nil || m.sum(rel) != states["delta"] {
		t.Errorf("the script restores another database: %v", err)
	}
}

// noCanary looks into every file, and at its name, for words of the data.
func noCanary(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var data []byte
		if d.Type().IsRegular() {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		for _, word := range canaries {
			if strings.Contains(d.Name(), word) || bytes.Contains(data, []byte(word)) {
				t.Errorf("%s is in the open: %s", word, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A passphrase opens a bucket, and only the right one does; it is never told.
func TestEncryption_PassphraseInABucket(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("sealed"))
	m.grow("bot.db", 300)
	m.file("passphrase", passphrase+"\n")
	m.file("wrong", "not it\n")
	right, wrong := "HOLDFAST_PASSPHRASE_FILE=passphrase", "HOLDFAST_PASSPHRASE_FILE=wrong"
	m.with(right)
	m.must(0, "backup", "--name", "monday")
	m.touch("bot.db")
	if made := m.backup("--trigger", "scheduled", "--name", "tuesday"); made.Form != "delta" {
		t.Errorf("a backup under a passphrase is a %s", made.Form)
	}
	sum := m.sum("bot.db")
	m.with(wrong)
	_, stderr := m.must(holdfast.ExitRefused, "restore", "tuesday", "--to", "out")
	refusal(t, stderr, "passphrase")
	m.with(right)
	ledger{"tuesday": sum}.restores(m, "tuesday")

	m.must(0, "key", "rotate")
	m.must(0, "backup", "--name", "wednesday")
	ledger{"wednesday": sum, "tuesday": sum}.restores(m, "tuesday")
	m.must(0, "verify", "--all", "--quiet")
}
