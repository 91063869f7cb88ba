package repo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

// dirRepo makes a repository in a directory.
func dirRepo(t *testing.T) (*Repository, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "repository")
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newRepoIn(t, b), root
}

// run runs one of the plain tools that law 8 promises, in dir.
func run(t *testing.T, dir, tool string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestFullBackup_OpensWithPlainTools(t *testing.T) {
	r, root := dirRepo(t)
	p := create(t, r, "นิทาน", CreateOptions{Compress: true})
	big := text(5*frameSize+12345, 1)
	sparse := append(make([]byte, 6*frameSize), text(100_000, 2)...)
	put(t, p.Sink("bot"), "bot.db", big)
	put(t, p.Sink("bot"), "sparse", sparse)
	put(t, p.Sink("bot"), "tiny", []byte("tiny"))
	put(t, p.Sink("bot"), "new\nline", []byte("odd name"))
	put(t, p.Sink("bot"), "ไทย فارسی", []byte("unicode"))
	commit(t, p)
	folder := filepath.Join(root, "นิทาน")

	out := run(t, folder, "sha256sum", "--strict", "-c", holdfast.SumsFile)
	if n := strings.Count(out, ": OK"); n != 7 {
		t.Errorf("sha256sum checked %d files:\n%s", n, out)
	}
	for name, want := range map[string][]byte{"bot.db": big, "sparse": sparse} {
		stored := filepath.Join(folder, "bot", name+".zst")
		plain := filepath.Join(t.TempDir(), name)
		run(t, folder, "zstd", "-q", "-d", stored, "-o", plain)
		if got, err := os.ReadFile(plain); err != nil || !bytes.Equal(got, want) {
			t.Errorf("zstd -d of %s: %v", name, err)
		}
		if out := run(t, folder, "zstd", "-l", stored); !strings.Contains(out, "XXH64") {
			t.Errorf("zstd -l of %s:\n%s", name, out)
		}
	}
	// The checksum inside the JSON files, as FORMAT.md explains it.
	out = run(t, folder, "sh", "-c", "head -c -68 manifest.json | sha256sum | cut -c1-64; tail -c 68 manifest.json | head -c 64")
	if sums := strings.Fields(out); len(sums) != 2 || sums[0] != sums[1] {
		t.Errorf("checksum of the manifest: %q", out)
	}
}

func TestDirectory_IsPrivateAndLiteral(t *testing.T) {
	r, root := dirRepo(t)
	p := create(t, r, "plain", CreateOptions{})
	put(t, p.Sink("chromadb"), "chroma.sqlite3", text(50_000, 1))
	commit(t, p)
	got, err := os.ReadFile(filepath.Join(root, "plain", "chromadb", "chroma.sqlite3"))
	if err != nil || !bytes.Equal(got, text(50_000, 1)) {
		t.Errorf("an uncompressed file is not literally there: %v", err)
	}
	info, err := os.Stat(filepath.Join(root, "plain", "chromadb", "chroma.sqlite3"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// The second pass replaces a payload that is being read.
func TestSecondPass_InADirectory(t *testing.T) {
	for _, compress := range []bool{false, true} {
		r, _ := dirRepo(t)
		p := create(t, r, "busy", CreateOptions{Compress: compress})
		w, err := p.Sink("bot").Create(holdfast.Entry{Path: "bot.db", Mode: 0o600, ModTime: testTime})
		if err != nil {
			t.Fatal(err)
		}
		data := text(20*frameSize, 1)
		for pass := range 3 {
			if pass > 0 {
				if err := w.Reset(); err != nil {
					t.Fatal(err)
				}
				copy(data[pass*frameSize+999:], noise(5000, uint64(pass)))
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, stored := p.SourceTotals("bot")
		if p.Stored() != stored {
			t.Errorf("compress=%v: counted %d stored bytes, there are %d", compress, p.Stored(), stored)
		}
		commit(t, p)
		b := open(t, r, "busy")
		verify(t, b)
		if !bytes.Equal(readAll(t, b, "bot/bot.db"), data) {
			t.Errorf("compress=%v: wrong bytes", compress)
		}
	}
}
