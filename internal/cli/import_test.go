package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A copy is read as it lies: what SQLite has still to write into its database, or to take
// back, would be left out without a word.
func TestImport_RefusesACopyThatWasNotFinished(t *testing.T) {
	hot := "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + strings.Repeat("x", 600)
	for name, c := range map[string]struct {
		file, body string
		refused    bool
	}{
		"log with changes":          {"chroma.sqlite3-wal", strings.Repeat("x", 33), true},
		"log without changes":       {"chroma.sqlite3-wal", strings.Repeat("x", 32), false},
		"hot journal":               {"chroma.sqlite3-journal", hot, true},
		"hot journal, in an export": {"chromadb/chroma.sqlite3-journal", hot, true},
		"journal that was ended":    {"chroma.sqlite3-journal", strings.Repeat("\x00", 600), false},
		"journal of something else": {"other.sqlite3-journal", hot, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := filepath.Join("copy", filepath.FromSlash(c.file))
			for path, body := range map[string]string{
				"holdfast.yaml":                   "repository: backups\nsources:\n  chromadb: {type: chroma, path: data}\n",
				file:                              c.body,
				filepath.Join("copy", "note.txt"): "beside it",
			} {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, stderr, code := w.run("import", "copy", "--yes")
			refused := code == holdfast.ExitRefused && strings.Contains(stderr, "were not finished")
			if refused != c.refused {
				t.Errorf("it ended with %d\n%s", code, stderr)
			}
			if _, stderr, _ := w.run("import", "copy", "--yes", "--force"); strings.Contains(stderr, "were not finished") {
				t.Errorf("with --force, too:\n%s", stderr)
			}
		})
	}
}
