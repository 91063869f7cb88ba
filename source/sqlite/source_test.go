package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func newSource(t testing.TB, path string, opts Options) *Source {
	t.Helper()
	s, err := New("bot", path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSource_KeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
				dir := t.TempDir()
				path := filepath.Join(dir, "bot_database.db")
				sourcetest.NewBank(t, path, mode, 512<<10)
				text := filepath.Join(t.TempDir(), "notes.txt")
				if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
					t.Fatal(err)
				}
				return sourcetest.Fixture{
					Source:     newSource(t, path, Options{}),
					Missing:    newSource(t, filepath.Join(dir, "missing.db"), Options{}),
					Unreadable: newSource(t, text, Options{}),
					Roots:      []string{dir},
					Flippable:  []string{"bot_database.db"},
					Damage: func(t *testing.T, dir string) {
						overwrite(t, filepath.Join(dir, "bot_database.db"), 8192, strings.Repeat("\xff", 16384))
					},
				}
			})
		})
	}
}

// overwrite damages a file in place.
func overwrite(t testing.TB, path string, offset int64, data string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(data), offset); err != nil {
		t.Fatal(err)
	}
}
