package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
)

// newKeyFile makes a key: its public half, and the file with the private one.
func newKeyFile(t *testing.T) (public, file string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), written(t, id.String()+"\n")
}

// Keys of the repository open a replica only where that has none of its own, and
// never the other way round.
func TestReplicaOptions_KeysAreNotMixed(t *testing.T) {
	_, primary := newKeyFile(t)
	to, own := newKeyFile(t)
	const passphrase = "of the repository"
	base := config.Encryption{To: []string{"age1primary"}, IdentityFile: primary, PassphraseFile: written(t, passphrase)}
	for name, c := range map[string]struct {
		r          config.Replica
		own, by    bool
		to         int
		identity   string // the file that is read
		passphrase string
	}{
		"nothing said":    {config.Replica{}, false, false, 0, primary, passphrase},
		"decrypt":         {config.Replica{Decrypt: true}, true, false, 0, primary, passphrase},
		"to recipients":   {config.Replica{Encryption: config.Encryption{To: []string{to}}}, true, false, 1, "", ""},
		"and with a key":  {config.Replica{Encryption: config.Encryption{To: []string{to}, IdentityFile: own}}, true, false, 1, own, ""},
		"only with a key": {config.Replica{Encryption: config.Encryption{IdentityFile: own}}, false, false, 0, own, ""},
		"by a passphrase": {config.Replica{Encryption: config.Encryption{PassphraseFile: written(t, "of the replica")}}, true, true, 0, "", "of the replica"},
	} {
		o := replicaOptions(&config.Config{Encryption: base}, c.r)
		if o.Own != c.own || o.ByPassphrase != c.by || len(o.Recipients) != c.to {
			t.Errorf("%s: %+v", name, o)
		}
		if got := identityOf(t, o.Keys); got != identityIn(t, c.identity) {
			t.Errorf("%s: opened with another key", name)
		}
		if o.Keys.Passphrase == nil {
			if c.passphrase != "" {
				t.Errorf("%s: no passphrase", name)
			}
		} else if got, err := o.Keys.Passphrase(t.Context()); err != nil || got != c.passphrase {
			t.Errorf("%s: the passphrase %q, %v", name, got, err)
		}
	}
	o, err := repositoryOptions(&config.Config{
		Repository: t.TempDir(), State: t.TempDir(), Encryption: base,
		Replicas: []config.Replica{{Encryption: config.Encryption{To: []string{to}, IdentityFile: own}}},
	})
	if err != nil || identityOf(t, o.Keys) != identityIn(t, primary) || o.Own || len(o.Recipients) != 1 || o.Recipients[0] != "age1primary" {
		t.Errorf("the repository: %+v, %v", o, err)
	}
}

// identityOf gives the private key of keys; empty if there is none.
func identityOf(t *testing.T, keys repo.Keys) string {
	t.Helper()
	if keys.Identities == nil {
		return ""
	}
	ids, err := keys.Identities(t.Context())
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	return ids[0].(*age.X25519Identity).String()
}

func identityIn(t *testing.T, file string) string {
	t.Helper()
	if file == "" {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(data))
}

// The repository of a lost machine, made again from a replica, is encrypted from
// the start and with the keys that the copies need.
func TestCreateRepository_FromAReplicaKeepsItsKeys(t *testing.T) {
	to, _ := newKeyFile(t)
	for name, e := range map[string]config.Encryption{
		"passphrase": {PassphraseFile: written(t, "correct horse")},
		"recipients": {To: []string{to}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := &config.Config{Repository: filepath.Join(dir, "one"), State: filepath.Join(dir, "state"), Encryption: e}
			lost, _, err := CreateRepository(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			c.Replicas = []config.Replica{{Name: "usb", URL: filepath.Join(dir, "usb")}}
			usb, err := replicas(c, nil)[0].Make(t.Context(), lost.ID())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lost.ShareEncryption(t.Context(), usb); err != nil {
				t.Fatal(err)
			}
			c.Repository = filepath.Join(dir, "two")
			made, fresh, err := CreateRepository(t.Context(), c)
			if err != nil || !fresh || made.ID() != lost.ID() || !made.Encrypts() {
				t.Fatalf("made %t, %v", fresh, err)
			}
			before, after := lost.Encryption(), made.Encryption()
			if before.Recipients[0] != after.Recipients[0] || before.Identity != after.Identity {
				t.Errorf("encrypted to %v, then to %v", before, after)
			}
			if _, err := made.ShareEncryption(t.Context(), usb); err != nil {
				t.Errorf("the replica does not take it: %v", err)
			}
		})
	}
}
