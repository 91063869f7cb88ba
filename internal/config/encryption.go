package config

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Encryption tells to whom backups are encrypted, and where the keys are that
// open them. The keys themselves are read when they are needed.
type Encryption struct {
	// To are the public keys (age1…) of recipients.
	To []string
	// IdentityFile holds private keys, as age-keygen writes it.
	IdentityFile string

	// At most one of these gives the passphrase.
	PassphraseFile    string
	PassphraseCommand string
	Passphrase        string // of the environment; never shown

	// Prompt asks a person, where there is one and nothing else gives the
	// passphrase.
	Prompt func(context.Context) (string, error)
}

// HasPassphrase tells whether a passphrase is configured.
func (e Encryption) HasPassphrase() bool {
	return e.PassphraseFile != "" || e.PassphraseCommand != "" || e.Passphrase != ""
}

// WritesOnly tells whether backups are made here that cannot be read here: to
// recipients, without any key of theirs.
func (e Encryption) WritesOnly() bool {
	return len(e.To) > 0 && e.IdentityFile == "" && !e.HasPassphrase()
}

// The keys of the configuration about encryption.
const (
	keyEncryptTo         = "encrypt_to"
	keyIdentityFile      = "identity_file"
	keyPassphraseFile    = "passphrase_file"
	keyPassphraseCommand = "passphrase_command"
	keyPassphrase        = "passphrase"
)

// encryptionKeys lists the settings of encryption.
func encryptionKeys() []Key {
	return []Key{
		{
			Name: keyEncryptTo, list: true,
			Doc:    "Public keys (age1…) to which new backups are encrypted; whoever has one of the private keys can read.",
			assign: words(func(c *Config) *[]string { return &c.Encryption.To }),
		},
		{
			Name: keyIdentityFile, path: true,
			Doc:    "File with private keys that open encrypted backups, as age-keygen writes it; a host that only makes backups needs none.",
			assign: text(func(c *Config) *string { return &c.Encryption.IdentityFile }),
		},
		{
			Name: keyPassphraseFile, path: true,
			Doc:    "File with the passphrase that encrypts the repository and opens it.",
			assign: text(func(c *Config) *string { return &c.Encryption.PassphraseFile }),
		},
		{
			Name:   keyPassphraseCommand,
			Doc:    "Command that prints the passphrase, such as that of a password manager; its first line counts.",
			assign: text(func(c *Config) *string { return &c.Encryption.PassphraseCommand }),
		},
		{
			Name: keyPassphrase, EnvOnly: true,
			Doc:    "The passphrase itself, in the environment only.",
			assign: text(func(c *Config) *string { return &c.Encryption.Passphrase }),
		},
	}
}

// words reads a list: separated by commas or spaces.
func words(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		*field(c) = strings.FieldsFunc(raw, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
		return nil
	}
}

// settleEncryption judges the settings together.
func (c *Config) settleEncryption(faults *layer) {
	e := &c.Encryption
	e.IdentityFile, e.PassphraseFile = expandHome(e.IdentityFile), expandHome(e.PassphraseFile)
	var given []string
	for key, value := range map[string]string{
		keyPassphraseFile: e.PassphraseFile, keyPassphraseCommand: e.PassphraseCommand, "HOLDFAST_PASSPHRASE": e.Passphrase,
	} {
		if value != "" {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		faults.fault(keyPassphrase, "keep one of them", "the passphrase is given by several: %s", strings.Join(slices.Sorted(slices.Values(given)), ", "))
	}
	c.warnOfOpenSecrets(e)
}

// warnOfOpenSecrets warns of files with keys that others may read.
func (c *Config) warnOfOpenSecrets(e *Encryption) {
	for _, file := range []string{e.IdentityFile, e.PassphraseFile} {
		if info, err := os.Stat(file); err == nil && open(info.Mode()) {
			c.Warnings = append(c.Warnings, holdfast.Problem{
				Object: file, Severity: holdfast.Warning,
				Message: fmt.Sprintf("it holds a secret, and other users may read it (mode %04o)", info.Mode().Perm()), Hint: "chmod 600 " + file,
			})
		}
	}
}

// open tells whether others than the owner may read a file.
func open(m fs.FileMode) bool {
	return runtime.GOOS != "windows" && m.IsRegular() && m.Perm()&0o077 != 0
}
