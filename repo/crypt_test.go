package repo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

func init() { scryptWork = 10 } // a second each time tells nothing more

// newKey makes a key pair.
func newKey(t testing.TB) (age.Identity, string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, id.Recipient().String()
}

// keysOf opens with these identities.
func keysOf(ids ...age.Identity) Keys {
	return Keys{Identities: func(context.Context) ([]age.Identity, error) { return ids, nil }}
}

// passphraseOf opens with this passphrase.
func passphraseOf(s string) Keys {
	return Keys{Passphrase: func(context.Context) (string, error) { return s, nil }}
}

// opened opens the repository in b as another process would.
func opened(t testing.TB, b bucket.Bucket, o Options) *Repository {
	t.Helper()
	r, err := Open(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sealedFiles is content of every kind.
func sealedFiles() map[string][]byte {
	return map[string][]byte{
		"empty":     {},
		"tiny":      []byte("tiny"),
		"text":      text(5*frameSize+4321, 1),
		"noise":     noise(3*frameSize+99, 2),
		"exact":     noise(2*sealedChunk, 3),
		"sub/holes": append(make([]byte, 3*frameSize), text(100_000, 4)...),
	}
}

// writeSealed makes a backup of sealedFiles with memory.
func writeSealed(t testing.TB, r *Repository, name holdfast.BackupName, compress bool) *Pending {
	t.Helper()
	p := create(t, r, name, CreateOptions{Compress: compress})
	for path, data := range sealedFiles() {
		put(t, p.Sink("bot"), path, data)
	}
	for _, path := range []string{holdfast.MemoryInfoFile, holdfast.MemoriesFile} {
		err := p.WriteFile(path, func(w io.Writer) error {
			_, err := io.WriteString(w, "{\"of\": \""+path+"\"}\n")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// same fails the test unless fsys has the files of writeSealed.
func same(t testing.TB, fsys fs.FS) {
	t.Helper()
	got := contents(t, fsys)
	for path, want := range sealedFiles() {
		if !bytes.Equal(got["bot/"+path], want) {
			t.Errorf("%s came back as %d other bytes, not %d", path, len(got["bot/"+path]), len(want))
		}
	}
	if want := "{\"of\": \"" + holdfast.MemoriesFile + "\"}\n"; string(got[holdfast.MemoriesFile]) != want {
		t.Errorf("memories are %q", got[holdfast.MemoriesFile])
	}
}

func TestEncrypted_ComesBack(t *testing.T) {
	id, to := newKey(t)
	other, second := newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		write Options
		read  []Keys
	}{
		"one recipient":  {Options{Recipients: []string{to}}, []Keys{keysOf(id)}},
		"two recipients": {Options{Recipients: []string{to, second}}, []Keys{keysOf(id), keysOf(other)}},
		"post-quantum":   {Options{Recipients: []string{hybrid.Recipient().String()}}, []Keys{keysOf(hybrid)}},
		"passphrase":     {Options{ByPassphrase: true, Keys: passphraseOf("correct horse")}, []Keys{passphraseOf("correct horse")}},
	} {
		for _, compress := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				b := mem.New()
				w, err := Init(t.Context(), b, c.write)
				if err != nil {
					t.Fatal(err)
				}
				p := writeSealed(t, w, "monday", compress)
				same(t, p.FS()) // the writer reads its own stage, whoever the recipients are
				commit(t, p)
				for _, keys := range c.read {
					back := open(t, opened(t, b, Options{Keys: keys}), "monday")
					verify(t, back)
					same(t, back)
				}
			})
		}
	}
}

// Whoever writes for recipients cannot read, and is told what to do.
func TestEncrypted_NeedsTheKey(t *testing.T) {
	_, to := newKey(t)
	stranger, _ := newKey(t)
	b := mem.New()
	w, err := Init(t.Context(), b, Options{Recipients: []string{to}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, writeSealed(t, w, "monday", true))

	_, err = w.Backup(t.Context(), "monday")
	if !errors.Is(err, ErrNoKey) || !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "identity_file") {
		t.Errorf("without a key: %v, hint %q", err, holdfast.HintOf(err))
	}
	_, err = opened(t, b, Options{Keys: keysOf(stranger)}).Backup(t.Context(), "monday")
	if errors.Is(err, ErrNoKey) || !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), to) {
		t.Errorf("with a stranger's key: %v, hint %q", err, holdfast.HintOf(err))
	}
	list, err := w.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Metadata.Encrypted || !slices.Equal(list[0].Metadata.Recipients, []string{to}) {
		t.Errorf("the list needs no key: %v %+v", err, list)
	}
}

func TestPassphrase_Errors(t *testing.T) {
	b := mem.New()
	w, err := Init(t.Context(), b, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, writeSealed(t, w, "monday", true))
	for name, c := range map[string]struct {
		keys Keys
		text string
	}{
		"wrong": {passphraseOf("incorrect horse"), "the passphrase is wrong"},
		"empty": {passphraseOf(""), "the passphrase is empty"},
		"none":  {Keys{}, "no key was given"},
	} {
		_, err := opened(t, b, Options{Keys: c.keys}).Backup(t.Context(), "monday")
		if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), c.text) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, holdfast.HintOf(err))
		}
		if err != nil && strings.Contains(err.Error()+holdfast.HintOf(err), "horse") {
			t.Errorf("%s: the error tells the passphrase: %v", name, err)
		}
	}
}

// A key is asked for when something is to be read, and once.
func TestKeys_AreAskedOnce(t *testing.T) {
	asked := 0
	keys := Keys{Passphrase: func(context.Context) (string, error) { asked++; return "correct horse", nil }}
	b := mem.New()
	if _, err := Init(t.Context(), b, Options{ByPassphrase: true, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	asked = 0
	r := opened(t, b, Options{Keys: keys})
	commit(t, writeSealed(t, r, "monday", true))
	commit(t, writeSealed(t, r, "tuesday", true))
	if _, err := r.List(t.Context()); err != nil || asked != 0 {
		t.Errorf("writing and listing asked %d times: %v", asked, err)
	}
	same(t, open(t, r, "monday"))
	same(t, open(t, r, "tuesday"))
	if asked != 1 {
		t.Errorf("two backups were read and the passphrase asked %d times", asked)
	}
}

func TestRecipients_AreChecked(t *testing.T) {
	id, to := newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	private := id.(*age.X25519Identity).String()
	for name, list := range map[string][]string{
		"nonsense":      {"age1nonsense"},
		"private key":   {private},
		"cannot be mix": {to, hybrid.Recipient().String()},
	} {
		_, err := Init(t.Context(), mem.New(), Options{Recipients: list})
		if !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%s: %v, want ErrUsage", name, err)
		}
		if err != nil && strings.Contains(err.Error()+holdfast.HintOf(err), private[16:]) {
			t.Errorf("%s: the error tells the private key", name)
		}
	}
	_, err = Init(t.Context(), mem.New(), Options{Recipients: []string{to}, ByPassphrase: true, Keys: passphraseOf("x")})
	if !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("both: %v, want ErrUsage", err)
	}
}
