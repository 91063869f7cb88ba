package rescue_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/docs/rescue"
	"github.com/holdfast-backup/holdfast/repo"
)

var when = time.Date(2024, 10, 30, 14, 30, 0, 123456789, time.UTC)

// world is a repository in a folder, with a full and a delta of it.
type world struct {
	root   string
	script string
	want   map[string][]byte // of the delta
}

// command runs a tool and gives its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// keygen makes a key with Debian's age-keygen.
func keygen(t *testing.T) (file, public string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key.txt")
	command(t, "age-keygen", "-o", file)
	return file, strings.TrimSpace(command(t, "age-keygen", "-y", file))
}

// prose gives n bytes that compress.
func prose(n int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	words := []string{"orders ", "customer ", "2024-10-30 ", "paid ", "ราคา "}
	var b []byte
	for len(b) < n {
		b = append(b, words[rnd.IntN(len(words))]...)
		b = append(b, byte('a'+rnd.IntN(26)))
	}
	return b[:n]
}

func build(t *testing.T, o repo.Options) world {
	t.Helper()
	w := world{root: filepath.Join(t.TempDir(), "repository"), script: filepath.Join(t.TempDir(), "restore.py")}
	if err := os.WriteFile(w.script, []byte(rescue.Script), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(w.root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.Cache = filepath.Join(t.TempDir(), "cache")
	r, err := repo.Init(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	w.want = map[string][]byte{
		"bot/bot_database.db": prose(3<<20+123, 1),
		"bot/empty":           {},
		"bot/holes":           append(make([]byte, 1<<20), prose(9000, 2)...),
		"bot/ไทย/name\n":      []byte("tiny"),
	}
	save(t, r, "monday", "", w.want)
	copy(w.want["bot/bot_database.db"][1<<20:], "changed")
	w.want["bot/bot_database.db"] = append(w.want["bot/bot_database.db"], prose(70_000, 3)...)
	w.want["bot/new"] = prose(20_000, 4)
	delete(w.want, "bot/empty")
	save(t, r, "tuesday", "monday", w.want)
	info, err := r.Stat(t.Context(), "tuesday")
	if err != nil || len(info.Metadata.Needs) != 1 {
		t.Fatalf("tuesday is no delta: %v, needs %v", err, info.Metadata.Needs)
	}
	return w
}

func save(t *testing.T, r *repo.Repository, name, base holdfast.BackupName, files map[string][]byte) {
	t.Helper()
	p, err := r.Create(t.Context(), name, true, repo.CreateOptions{Compress: true, Base: base, Remember: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Abort(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	sink := p.Sink("bot")
	for path, data := range files {
		f, err := sink.Create(holdfast.Entry{Path: strings.TrimPrefix(path, "bot/"), Mode: 0o640, ModTime: when})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []holdfast.Entry{
		{Path: ".", Mode: fs.ModeDir | 0o750, ModTime: when},
		{Path: "link", Mode: fs.ModeSymlink | 0o777, ModTime: when, Link: "bot_database.db"},
	} {
		if err := sink.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	err = p.WriteFile(holdfast.MemoriesFile, func(w io.Writer) error {
		_, err := io.WriteString(w, `{"ids":[]}`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(when), Type: holdfast.Standard, Trigger: holdfast.TriggerScheduled}); err != nil {
		t.Fatal(err)
	}
}

// check compares what the script restored.
func (w world) check(t *testing.T, out string) {
	t.Helper()
	files := map[string][]byte{holdfast.MemoriesFile: []byte(`{"ids":[]}`)}
	for path, data := range w.want {
		files[path] = data
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(path)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %d bytes (%x), want %d", path, err, len(got), sha256.Sum256(got), len(want))
		}
	}
	info, err := os.Stat(filepath.Join(out, "bot", "bot_database.db"))
	if err != nil || info.Mode().Perm() != 0o640 || !info.ModTime().Equal(when) {
		t.Errorf("mode and time did not come back: %v %v", info, err)
	}
	if to, err := os.Readlink(filepath.Join(out, "bot", "link")); err != nil || to != "bot_database.db" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if info, err := os.Stat(filepath.Join(out, "bot")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the folder: %v %v", info, err)
	}
}

func TestScript_Restores(t *testing.T) {
	key, to := keygen(t)
	_, other := keygen(t)
	for name, c := range map[string]struct {
		options repo.Options
		args    []string
	}{
		"clear":     {},
		"encrypted": {repo.Options{Recipients: []string{to, other}}, []string{"-i", key}},
	} {
		t.Run(name, func(t *testing.T) {
			w := build(t, c.options)
			out := filepath.Join(t.TempDir(), "out")
			command(t, "python3", append(append([]string{w.script}, c.args...), w.root, "tuesday", out)...)
			w.check(t, out)
			command(t, "sh", "-c", "cd '"+w.root+"/tuesday' && sha256sum --strict -c SHA256SUMS")

			out = filepath.Join(t.TempDir(), "one")
			command(t, "python3", append(append([]string{w.script}, c.args...), w.root, "tuesday", out, "bot/new")...)
			if got, err := os.ReadFile(filepath.Join(out, "bot", "new")); err != nil || !bytes.Equal(got, w.want["bot/new"]) {
				t.Errorf("one file: %v", err)
			}
			if _, err := os.Stat(filepath.Join(out, holdfast.MemoryDir)); err == nil {
				t.Error("the script restored more than was asked for")
			}
		})
	}
}

// A compacted backup has a manifest of another name, and blocks of a backup that
// is gone.
func TestScript_RestoresCompactedBackups(t *testing.T) {
	key, to := keygen(t)
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	keys := repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return age.ParseIdentities(bytes.NewReader(text)) }}
	for name, c := range map[string]struct {
		options repo.Options
		args    []string
	}{
		"clear":     {},
		"encrypted": {repo.Options{Recipients: []string{to}, Keys: keys}, []string{"-i", key}},
	} {
		t.Run(name, func(t *testing.T) {
			w := build(t, c.options)
			b, err := dir.New(w.root, dir.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := repo.Open(t.Context(), b, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Delete(t.Context(), "monday"); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Compact(t.Context(), repo.CompactOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(w.root, "monday")); err == nil {
				t.Fatal("the backup that was compacted away is still there")
			}
			out := filepath.Join(t.TempDir(), "out")
			command(t, "python3", append(append([]string{w.script}, c.args...), w.root, "tuesday", out)...)
			w.check(t, out)
		})
	}
}

// A passphrase opens the file with the keys, and these the backups, with the
// age command alone.
func TestScript_RestoresWithThePassphrase(t *testing.T) {
	w := build(t, repo.Options{ByPassphrase: true, Keys: repo.Keys{
		Passphrase: func(context.Context) (string, error) { return "correct horse", nil },
	}})
	stored, err := os.ReadFile(filepath.Join(w.root, "identity.age"))
	if err != nil {
		t.Fatal(err)
	}
	pass, err := age.NewScryptIdentity("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(bytes.NewReader(stored), pass)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	command(t, "python3", w.script, "-i", key, w.root, "tuesday", out)
	w.check(t, out)
}

// A payload is nothing but a file of age around a file of zstd.
func TestPayload_OpensWithAgeAlone(t *testing.T) {
	key, to := keygen(t)
	w := build(t, repo.Options{Recipients: []string{to}})
	payloads, err := filepath.Glob(filepath.Join(w.root, "monday", "bot", "~*.zst.age"))
	if err != nil || len(payloads) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	found := false
	for _, p := range payloads {
		out := command(t, "sh", "-c", "age -d -i '"+key+"' '"+p+"' | zstd -dcq | sha256sum")
		sum := sha256.Sum256(prose(3<<20+123, 1))
		found = found || strings.HasPrefix(out, hex.EncodeToString(sum[:]))
	}
	if !found {
		t.Error("no payload decrypts to the database")
	}
}

// Damage is named, and nothing of the damaged file is left to be taken for it.
func TestScript_RefusesDamage(t *testing.T) {
	w := build(t, repo.Options{})
	payload := filepath.Join(w.root, "monday", "bot", "bot_database.db.zst")
	data, err := os.ReadFile(payload)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(payload, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", w.script, w.root, "tuesday", filepath.Join(t.TempDir(), "out")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bot_database.db.zst is damaged") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestScript_RefusesTheWrongKey(t *testing.T) {
	_, to := keygen(t)
	stranger, _ := keygen(t)
	w := build(t, repo.Options{Recipients: []string{to}})
	for _, args := range [][]string{{"-i", stranger}, nil} {
		args = append(append([]string{w.script}, args...), w.root, "tuesday", filepath.Join(t.TempDir(), "out"))
		if out, err := exec.CommandContext(t.Context(), "python3", args...).CombinedOutput(); err == nil {
			t.Errorf("the script restored without the key:\n%s", out)
		} else if strings.Contains(string(out), "Traceback") || !strings.Contains(string(out), "key") {
			t.Errorf("the script does not say in a line that the key is wrong:\n%s", out)
		}
	}
}
