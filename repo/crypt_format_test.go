package repo

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

// sealedGoldenPath is the example, encrypted by a passphrase. No two encryptions
// are the same, so it was written once; -update writes it anew.
var sealedGoldenPath = filepath.Join("testdata", "format1-encrypted")

const goldenPassphrase = "correct horse battery staple"

func TestFormat_EncryptedGoldenReads(t *testing.T) {
	if *update {
		writeSealedGolden(t)
	}
	root := filepath.Join(t.TempDir(), "repository")
	if err := os.CopyFS(root, os.DirFS(sealedGoldenPath)); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := opened(t, b, Options{Keys: passphraseOf(goldenPassphrase)})
	for _, name := range []holdfast.BackupName{exampleFull, exampleDelta} {
		back := open(t, r, name)
		verify(t, back)
		for path, want := range exampleFiles(name) {
			if got := readAll(t, back, path); !bytes.Equal(got, want) {
				t.Errorf("%s of %s: wrong bytes", path, name)
			}
		}
		if problems, err := opened(t, b, Options{}).VerifyStored(t.Context(), name, nil); err != nil || len(problems) > 0 {
			t.Errorf("%s without a key: %v %v", name, err, problems)
		}
		run(t, filepath.Join(root, string(name)), "sha256sum", "--strict", "-c", holdfast.SumsFile)
	}
}

func writeSealedGolden(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(sealedGoldenPath); err != nil {
		t.Fatal(err)
	}
	b := writeExample(t, Options{ByPassphrase: true, Keys: passphraseOf(goldenPassphrase)})
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(sealedGoldenPath, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goldenKeys are the keys that the passphrase of the example opens.
func goldenKeys(t *testing.T) []age.Identity {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sealedGoldenPath, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	pass, err := age.NewScryptIdentity(goldenPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	text, err := age.Decrypt(bytes.NewReader(data), pass)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := age.ParseIdentities(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// FORMAT.md quotes the encrypted example, too: files in the open as they are, the
// others decrypted.
func TestFormat_DocumentQuotesTheEncryptedExample(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, part := range strings.Split(string(doc), "<!-- encrypted example: ")[1:] {
		name, rest, _ := strings.Cut(part, " -->")
		_, rest, _ = strings.Cut(rest, "```")
		_, rest, _ = strings.Cut(rest, "\n")
		quoted, _, _ := strings.Cut(rest, "```")
		want, err := os.ReadFile(filepath.Join(sealedGoldenPath, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, sealedExt) {
			plain, err := age.Decrypt(bytes.NewReader(want), goldenKeys(t)...)
			if err != nil {
				t.Fatal(err)
			}
			if want, err = io.ReadAll(plain); err != nil {
				t.Fatal(err)
			}
		}
		if quoted != string(want) {
			t.Errorf("FORMAT.md quotes %s of the encrypted example wrongly; it is\n%s", name, want)
		}
		n++
	}
	if n < 3 {
		t.Errorf("FORMAT.md quotes only %d files of the encrypted example", n)
	}
}
