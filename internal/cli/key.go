package cli

import (
	"context"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

type keyCmd struct {
	Show       keyShowCmd       `cmd:"" help:"Show to whom backups are encrypted."`
	Rotate     keyRotateCmd     `cmd:"" help:"Give the repository a new key for new backups."`
	Passphrase keyPassphraseCmd `cmd:"" help:"Change the passphrase."`
	Telegram   keyTelegramCmd   `cmd:"" help:"Show the passphrase of what is sent to Telegram."`
}

type keyShowCmd struct{}

func (keyShowCmd) about() about {
	return about{
		text: `Shows to whom new backups are encrypted, and which keys the backups there need.
No secret is asked for, and none shown.`,
		examples: []example{{"holdfast key show", "the public keys"}},
		exits:    []int{holdfast.ExitNotFound},
	}
}

// keyObject is the outcome of key show.
type keyObject struct {
	Type       string   `json:"type"` // key
	Repository string   `json:"repository"`
	Encrypts   bool     `json:"encrypts"`
	Recipients []string `json:"recipients"`
	// Passphrase tells that a passphrase opens keys that lie in the repository.
	Passphrase bool `json:"passphrase"`
	// Backups counts backups by what opens them: a public key, or "" for those
	// in the open.
	Backups map[string]int `json:"backups"`
}

// Run shows recipients.
func (c *keyShowCmd) Run(ctx context.Context, a *app) error {
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	list, err := r.List(ctx)
	if err != nil {
		return err
	}
	e := r.Encryption()
	out := keyObject{
		Type: "key", Repository: r.Location(), Encrypts: r.Encrypts(), Recipients: e.Recipients,
		Passphrase: e.Identity != "", Backups: backupsByKey(list),
	}
	if out.Recipients == nil {
		out.Recipients = []string{}
	}
	a.ui.tell(out, func() { c.print(a.ui, out) })
	return nil
}

// backupsByKey counts backups by the keys that open them.
func backupsByKey(list []repo.Info) map[string]int {
	count := map[string]int{}
	for _, i := range list {
		switch {
		case i.Metadata == nil:
		case !i.Metadata.Encrypted:
			count[""]++
		default:
			for _, to := range i.Metadata.Recipients {
				count[to]++
			}
		}
	}
	return count
}

func (c *keyShowCmd) print(u *ui, out keyObject) {
	switch {
	case len(out.Recipients) == 0 && out.Encrypts:
		u.print("Backups of %s are encrypted from the next one on.\n", clean(out.Repository))
	case !out.Encrypts:
		u.print("Backups of %s are not encrypted.\n", clean(out.Repository))
	default:
		u.print("New backups of %s are encrypted to\n", clean(out.Repository))
	}
	for _, to := range out.Recipients {
		u.print("  %s\n", clean(to))
	}
	if out.Passphrase {
		u.print("A passphrase opens the keys in identity.age.\n")
	}
	t := table{head: []string{"BACKUPS", "OPENED BY"}, right: map[int]bool{0: true}}
	for _, key := range sortedKeys(out.Backups) {
		word := key
		if key == "" {
			word = "anybody (not encrypted)"
		}
		t.add(plural(out.Backups[key], "backup", "backups"), word)
	}
	if len(out.Backups) > 0 {
		u.print("\n%s", t.render(u.outPaint))
	}
}

// newPassphrase is the flag of commands that set one.
type newPassphrase struct {
	NewPassphraseFile string `value:"FILE" help:"File whose first line is the new passphrase; otherwise it is asked for."`
}

// read gives the new passphrase.
func (n newPassphrase) read(ctx context.Context, a *app) (string, error) {
	if n.NewPassphraseFile != "" {
		line, err := wire.PassphraseIn(n.NewPassphraseFile)
		if err != nil {
			return "", err
		}
		return line, nil
	}
	if !a.ui.canAsk() {
		return "", usagef("name a file with --new-passphrase-file", "a new passphrase is needed, and there is no terminal to ask on")
	}
	return a.ui.askNewSecret(ctx, "passphrase")
}

type keyRotateCmd struct{ newPassphrase }

func (keyRotateCmd) about() about {
	return about{
		text: `Gives a repository that a passphrase opens a new key. New backups are encrypted
to it; the first one is full. The former keys stay beside it in identity.age,
since older backups need them, and the passphrase opens all of them. Without
--new-passphrase-file the passphrase stays as it is.

Where recipients are configured there is nothing to rotate here: put the new
public key into encrypt_to, and keep the former private key as long as backups
need it.`,
		examples: []example{
			{"holdfast key rotate", "a new key under the same passphrase"},
			{"holdfast key rotate --new-passphrase-file new.txt", "and a new passphrase"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// keyChangeObject is the outcome of key rotate and key passphrase.
type keyChangeObject struct {
	Type       string   `json:"type"` // key_change
	Repository string   `json:"repository"`
	Recipients []string `json:"recipients"`
	Passphrase bool     `json:"passphrase_changed"`
}

// Run rotates the key.
func (c *keyRotateCmd) Run(ctx context.Context, a *app) error {
	return a.changeKey(ctx, func(e *engine.Engine, r *repo.Repository) (bool, error) {
		if c.NewPassphraseFile == "" {
			same, err := presentPassphrase(ctx, r)
			if err != nil {
				return false, err
			}
			return false, e.RotateKey(ctx, same)
		}
		fresh, err := c.read(ctx, a)
		if err != nil {
			return false, err
		}
		return true, e.RotateKey(ctx, fresh)
	})
}

type keyPassphraseCmd struct{ newPassphrase }

func (keyPassphraseCmd) about() about {
	return about{
		text: `Changes the passphrase of a repository. The present one is taken as configured,
or asked for. Backups stay as they are: the passphrase opens identity.age, and
the keys in it open the backups. Copies of identity.age elsewhere keep the
former passphrase; replace them, and rotate the key too if somebody has learnt it.`,
		examples: []example{
			{"holdfast key passphrase", "asks for the new one twice"},
			{"holdfast key passphrase --new-passphrase-file new.txt", "for scripts"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// Run changes the passphrase.
func (c *keyPassphraseCmd) Run(ctx context.Context, a *app) error {
	return a.changeKey(ctx, func(e *engine.Engine, r *repo.Repository) (bool, error) {
		if _, err := presentPassphrase(ctx, r); err != nil { // a person is asked for it first
			return false, err
		}
		fresh, err := c.read(ctx, a)
		if err != nil {
			return false, err
		}
		return true, e.ChangePassphrase(ctx, fresh)
	})
}

// presentPassphrase gives the passphrase of a repository that has one, and
// nothing where the change is going to be refused.
func presentPassphrase(ctx context.Context, r *repo.Repository) (string, error) {
	if r.Encryption().Identity == "" {
		return "", nil
	}
	return r.Passphrase(ctx)
}

// changeKey runs a change of the repository's key and tells its outcome.
func (a *app) changeKey(ctx context.Context, change func(*engine.Engine, *repo.Repository) (passphrase bool, err error)) error {
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		changed, err := change(e, r)
		if err != nil {
			return err
		}
		out := keyChangeObject{Type: "key_change", Repository: r.Location(), Recipients: r.Encryption().Recipients, Passphrase: changed}
		a.ui.tell(out, func() {
			a.ui.print("%s new backups are encrypted to %s\n", a.ui.outPaint.green("Done:"), clean(strings.Join(out.Recipients, ", ")))
			if changed {
				a.ui.print("The new passphrase opens the repository; configure it where the former one was.\n")
			}
			a.ui.print("Keep a copy of identity.age of the repository elsewhere: `holdfast rescue` tells more.\n")
		})
		return nil
	})
}
