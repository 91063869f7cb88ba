package wire

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
)

// written makes a private file.
func written(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPassphrase_FromEverywhere(t *testing.T) {
	const secret = "correct horse  "
	for name, c := range map[string]config.Encryption{
		"file":          {PassphraseFile: written(t, secret+"\nsecond line\n")},
		"file, windows": {PassphraseFile: written(t, secret+"\r\n")},
		"file, no end":  {PassphraseFile: written(t, secret)},
		"command":       {PassphraseCommand: "printf 'correct horse  \\nsecond'"},
		"environment":   {Passphrase: secret},
	} {
		o := encrypted(repo.Options{}, c)
		if !o.ByPassphrase || o.Keys.Interactive {
			t.Errorf("%s: %+v", name, o)
		}
		if got, err := o.Keys.Passphrase(t.Context()); err != nil || got != secret {
			t.Errorf("%s gives %q, %v", name, got, err)
		}
	}
}

func TestPassphrase_Errors(t *testing.T) {
	for name, c := range map[string]struct {
		c    config.Encryption
		want string
	}{
		"no file":         {config.Encryption{PassphraseFile: filepath.Join(t.TempDir(), "nothing")}, "no such file"},
		"empty file":      {config.Encryption{PassphraseFile: written(t, "\nsecret\n")}, "empty"},
		"folder":          {config.Encryption{PassphraseFile: t.TempDir()}, "directory"},
		"failing command": {config.Encryption{PassphraseCommand: "echo secret; exit 3"}, "exit status 3"},
		"silent command":  {config.Encryption{PassphraseCommand: "true"}, "empty"},
	} {
		_, err := encrypted(repo.Options{}, c.c).Keys.Passphrase(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if name != "failing command" && err != nil && strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "secret.txt") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func TestIdentities_AreReadAndNeverQuoted(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o := encrypted(repo.Options{}, config.Encryption{IdentityFile: written(t, "# comment\n"+id.String()+"\n")})
	if ids, err := o.Keys.Identities(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("%d identities, %v", len(ids), err)
	}
	broken := strings.Replace(id.String(), "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1X", 1)
	o = encrypted(repo.Options{}, config.Encryption{IdentityFile: written(t, broken)})
	if _, err := o.Keys.Identities(t.Context()); !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error()+holdfast.HintOf(err), broken[17:40]) {
		t.Errorf("a broken key: %v", err)
	}
}

// A person is asked only where nothing is configured.
func TestPrompt_IsTheLastResort(t *testing.T) {
	prompt := func(context.Context) (string, error) { return "asked", nil }
	if o := encrypted(repo.Options{}, config.Encryption{Prompt: prompt}); !o.Keys.Interactive || o.ByPassphrase {
		t.Errorf("only a prompt: %+v", o)
	}
	o := encrypted(repo.Options{}, config.Encryption{Prompt: prompt, Passphrase: "known"})
	if got, err := o.Keys.Passphrase(t.Context()); got != "known" || err != nil || o.Keys.Interactive {
		t.Errorf("prompt before %q, %v", got, err)
	}
}

// What is remembered of an encrypted repository tells names: it must not lie in
// it, whether the configuration says that it is encrypted or only the repository.
func TestStateDir_OfAnEncryptedRepositoryLiesOutside(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "repository")
	c := &config.Config{Repository: root, Encryption: config.Encryption{To: []string{id.Recipient().String()}}}
	outside := func(when string, c *config.Config) {
		t.Helper()
		dir, err := StateDir(c)
		o, optErr := repositoryOptions(c)
		if err != nil || optErr != nil || !strings.HasPrefix(dir, state) || !strings.HasPrefix(o.Cache, state) {
			t.Errorf("%s: state in %s, cache in %s, %v, %v", when, dir, o.Cache, err, optErr)
		}
	}
	outside("before the first backup", c)
	if _, _, err := CreateRepository(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	plain := &config.Config{Repository: root}
	outside("by the word of the repository", plain)

	// A restore that was cut before encryption was turned on is settled from
	// its journal; nothing else goes there.
	if err := os.MkdirAll(filepath.Join(root, stateFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, stateFolder, "restore-journal.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := StateDir(plain)
	o, optErr := repositoryOptions(plain)
	if err != nil || optErr != nil || dir != filepath.Join(root, stateFolder) || !strings.HasPrefix(o.Cache, state) {
		t.Errorf("with a journal: state in %s, cache in %s, %v, %v", dir, o.Cache, err, optErr)
	}
}
