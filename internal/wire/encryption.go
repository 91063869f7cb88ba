package wire

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/hook"
	"github.com/holdfast-backup/holdfast/repo"
)

// maxSecret bounds the files that hold keys and passphrases.
const maxSecret = 1 << 20

// askTimeout is how long the command that prints the passphrase may take: a
// password manager may wait for a person.
const askTimeout = time.Minute

// encrypted completes the options of a repository by the configured encryption.
func encrypted(o repo.Options, c config.Encryption) repo.Options {
	o.Recipients = c.To
	o.ByPassphrase = len(c.To) == 0 && c.HasPassphrase()
	if c.IdentityFile != "" {
		o.Keys.Identities = func(context.Context) ([]age.Identity, error) { return identities(c.IdentityFile) }
	}
	switch {
	case c.HasPassphrase():
		o.Keys.Passphrase = func(ctx context.Context) (string, error) { return passphrase(ctx, c) }
	case c.Prompt != nil:
		o.Keys.Passphrase, o.Keys.Interactive = c.Prompt, true
	}
	return o
}

func passphrase(ctx context.Context, c config.Encryption) (string, error) {
	switch {
	case c.PassphraseFile != "":
		return PassphraseIn(c.PassphraseFile)
	case c.PassphraseCommand != "":
		line, err := hook.FirstLine(ctx, hook.Command{Line: c.PassphraseCommand, Timeout: askTimeout})
		if err != nil {
			return "", &holdfast.Error{Op: "ask for the passphrase with", Err: err, Hint: "passphrase_command names the command"}
		}
		return present(line, "passphrase_command")
	}
	return present(c.Passphrase, "HOLDFAST_PASSPHRASE")
}

// PassphraseIn gives the passphrase in the first line of a file.
func PassphraseIn(file string) (string, error) {
	data, err := secretFile(file)
	if err != nil {
		return "", &holdfast.Error{Op: "read the passphrase from", Object: file, Err: err, Hint: "name a file whose first line is the passphrase"}
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return present(strings.TrimSuffix(line, "\r"), file)
}

// present refuses a passphrase that is none.
func present(passphrase, where string) (string, error) {
	if passphrase == "" {
		return "", &holdfast.Error{Op: "read the passphrase from", Object: where, Err: holdfast.Kindf(holdfast.ErrUsage, "its first line is empty")}
	}
	return passphrase, nil
}

// identities reads private keys.
func identities(file string) ([]age.Identity, error) {
	fail := func(err error, hint string) ([]age.Identity, error) {
		return nil, &holdfast.Error{Op: "read keys from", Object: file, Err: err, Hint: hint}
	}
	data, err := secretFile(file)
	if err != nil {
		return fail(err, "identity_file names the file")
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil { // the error of age might quote a line
		return fail(holdfast.Kindf(holdfast.ErrUsage, "it holds no private keys of age"), "age-keygen writes such a file; its keys begin with AGE-SECRET-KEY-")
	}
	return ids, nil
}

// secretFile reads a small file. The error names no path: whoever asks does.
func secretFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	var data []byte
	switch {
	case err == nil && info.Size() > maxSecret:
		err = errors.New("it is too large to hold a key")
	case err == nil:
		data, err = os.ReadFile(name)
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	if err != nil {
		return nil, holdfast.Kindf(holdfast.ErrUsage, "%w", err)
	}
	return data, nil
}

// encrypts tells whether what is remembered of the repository must not lie in
// it: because backups are encrypted, by the configuration or by what the
// repository says of itself.
func encrypts(c *config.Config) bool {
	if len(c.Encryption.To) > 0 || c.Encryption.HasPassphrase() {
		return true
	}
	b, err := dir.New(c.Repository, dir.Options{})
	if err != nil {
		return false // told by whoever opens it
	}
	r, err := repo.Open(context.Background(), b, repo.Options{})
	return err == nil && r.Encrypts()
}

// unfinished tells whether a restore was cut while its journal still lay in the
// repository: it is settled from there.
func unfinished(folder string) bool {
	_, err := os.Lstat(filepath.Join(folder, "restore-journal.json"))
	return err == nil
}
