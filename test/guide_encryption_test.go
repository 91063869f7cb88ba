//go:build linux

package test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// The commands of the guide encrypt, and what they wrote opens with what the
// guide says.
func TestGuide_Encryption(t *testing.T) {
	t.Parallel()
	toKey, byPassphrase, ok := strings.Cut(block(t, "Encryption"), "HOLDFAST_PASSPHRASE_FILE")
	if !ok {
		t.Fatal("the guide no longer tells how to encrypt by a passphrase")
	}
	for _, tt := range []struct {
		name, commands, opens string
	}{
		{"to a key", strings.ReplaceAll(toKey, "age1…", `"$(age-keygen -y key.txt)"`), "HOLDFAST_IDENTITY_FILE=key.txt"},
		{"by a passphrase", strings.ReplaceAll("HOLDFAST_PASSPHRASE_FILE"+byPassphrase, "/etc/holdfast/passphrase", "passphrase"), "HOLDFAST_PASSPHRASE_FILE=passphrase"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.file("holdfast.yaml", "sources: {bot: {type: sqlite, path: bot.db}}\n")
			m.file("passphrase", passphrase+"\n")
			m.sqlite("bot.db", "create table canarytable(x); insert into canarytable values('canarycontent');")
			m.types(tt.commands)
			noCanary(t, m.path("data"))
			_, stderr := m.must(13, "restore", "latest", "--to", "out")
			refusal(t, stderr, "encrypted")
			m.with(tt.opens).must(0, "verify")
			m.must(0, "restore", "latest", "--to", "out")
			if m.sum("out/bot/bot.db") != m.sum("bot.db") {
				t.Error("another database came back")
			}
		})
	}
}

// The rescue page, typed as it stands there, gives back what lay in a bucket.
func TestGuide_Rescue(t *testing.T) {
	t.Parallel()
	page := "../docs/rescue/README.md"
	script, err := filepath.Abs("../docs/rescue/restore.py")
	if err != nil {
		t.Fatal(err)
	}
	var check, open, withKey string
	for line := range strings.Lines(blockOf(t, page, "Steps")) {
		switch {
		case strings.HasPrefix(line, "cd "):
			check = line
		case strings.Contains(line, "# not encrypted"):
			open = line
		case strings.Contains(line, "-i key.txt"):
			withKey = line
		}
	}
	byHand := blockOf(t, page, "By hand")
	for _, tt := range []struct {
		name, encrypt, commands string
	}{
		{"in the open", "", open},
		{"encrypted", "encrypt_to: [%s]\n", withKey + byHand + "cmp bot_database.db bot.db\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			m := newMachine(t)
			m.with(s3test.Environment()...)
			config := fmt.Sprintf("repository: %q\nsources: {bot: {type: sqlite, path: bot.db}}\n", s.at("vault"))
			if public := m.ageKey("key.txt"); tt.encrypt != "" {
				config += fmt.Sprintf(tt.encrypt, public)
			}
			m.file("holdfast.yaml", config)
			m.grow("bot.db", 300)
			made := m.backup()
			s.download("vault/", m.path("copy"))
			commands := strings.NewReplacer("REPOSITORY", m.path("copy"), "BACKUP", made.Name, " DIR", " restored", "restore.py", script).
				Replace("(" + strings.TrimSpace(strings.Split(check, "#")[0]) + ")\n" + tt.commands)
			m.types(commands)
			if m.sum("restored/bot/bot.db") != m.sum("bot.db") {
				t.Error("another database came back")
			}
		})
	}
}
