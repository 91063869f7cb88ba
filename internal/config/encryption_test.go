package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestEncryption_RecipientsAsAListOrAText(t *testing.T) {
	want := []string{"age1one", "age1two"}
	for name, yaml := range map[string]string{
		"list":   "encrypt_to: [age1one, age1two]\n",
		"lines":  "encrypt_to:\n  - age1one\n  - age1two\n",
		"text":   "encrypt_to: age1one, age1two\n",
		"spaces": "encrypt_to: age1one age1two\n",
	} {
		at(t, map[string]string{FileName: yaml})
		if c := load(t, Flags{}); !slices.Equal(c.Encryption.To, want) {
			t.Errorf("%s: %v", name, c.Encryption.To)
		}
	}
	at(t, nil)
	if c := load(t, Flags{}, "HOLDFAST_ENCRYPT_TO=age1one,age1two"); !slices.Equal(c.Encryption.To, want) {
		t.Errorf("environment: %v", c.Encryption.To)
	}
}

func TestEncryption_PassphraseIsNeverShown(t *testing.T) {
	const secret = "correct horse"
	at(t, nil)
	c := load(t, Flags{}, "HOLDFAST_PASSPHRASE="+secret)
	if c.Encryption.Passphrase != secret || !c.Encryption.HasPassphrase() {
		t.Errorf("the passphrase was not read: %+v", c.Encryption)
	}
	shown := false
	for _, v := range c.Values {
		shown = shown || v.Key == keyPassphrase && v.Shown() == "***"
		if strings.Contains(v.Shown(), secret) {
			t.Errorf("%s shows the passphrase", v.Key)
		}
	}
	if !shown {
		t.Error("that there is a passphrase is not shown")
	}
}

func TestEncryption_SecretsDoNotBelongIntoTheFile(t *testing.T) {
	at(t, map[string]string{FileName: "passphrase: correct horse\n"})
	_, err := Load(Flags{}, nil)
	if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(holdfast.HintOf(err), "passphrase_file") || strings.Contains(err.Error(), "horse") {
		t.Errorf("got %v, hint %q", err, holdfast.HintOf(err))
	}
}

func TestEncryption_OnePassphraseOnly(t *testing.T) {
	at(t, map[string]string{FileName: "passphrase_file: p.txt\npassphrase_command: pass show x\n"})
	_, err := Load(Flags{}, []string{"HOLDFAST_PASSPHRASE=horse"})
	if !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error(), "horse") ||
		!strings.Contains(err.Error(), "HOLDFAST_PASSPHRASE, passphrase_command, passphrase_file") {
		t.Errorf("got %v", err)
	}
}

func TestEncryption_OpenSecretsAreTold(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes tell nothing there
	}
	at(t, map[string]string{"key.txt": "x", "pass.txt": "x", FileName: "identity_file: key.txt\npassphrase_file: pass.txt\n"})
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 2, 0o604: 2} {
		for _, name := range []string{"key.txt", "pass.txt"} {
			if err := os.Chmod(filepath.Join(".", name), mode); err != nil {
				t.Fatal(err)
			}
		}
		if c := load(t, Flags{}); len(c.Warnings) != want {
			t.Errorf("mode %o: warnings %+v, want %d", mode, c.Warnings, want)
		}
	}
}
