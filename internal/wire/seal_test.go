package wire_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// What leaves the repository is encrypted to those whom the configuration names, or by its
// passphrase.
func TestSealTo_WhomTheConfigurationNames(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	phrase, err := age.NewScryptIdentity("eight words")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config       config.Encryption
		opens        age.Identity
		byPassphrase bool
	}{
		"nobody":     {},
		"recipients": {config.Encryption{To: []string{key.Recipient().String()}}, key, false},
		"passphrase": {config.Encryption{Passphrase: "eight words"}, phrase, true},
		"both":       {config.Encryption{To: []string{key.Recipient().String()}, Passphrase: "eight words"}, key, false},
	} {
		to, byPassphrase, err := wire.SealTo(t.Context(), c.config)
		if err != nil || byPassphrase != c.byPassphrase || (len(to) == 0) != (c.opens == nil) {
			t.Errorf("%s: to %d, by passphrase %t: %v", name, len(to), byPassphrase, err)
			continue
		}
		if c.opens == nil {
			continue
		}
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, to...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "data"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(&sealed, c.opens)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if data, err := io.ReadAll(r); err != nil || string(data) != "data" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, _, err := wire.SealTo(t.Context(), config.Encryption{To: []string{"nobody"}}); holdfast.ExitCode(err) != holdfast.ExitUsage || strings.Contains(err.Error(), "nobody") { // it may be a private key
		t.Errorf("a key that is none: %v", err)
	}
}
