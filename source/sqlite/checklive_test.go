package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestCheckLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm  func(data []byte) []byte
		err   error
		check holdfast.CheckState
		text  string
	}{
		"whole":            {func(d []byte) []byte { return d }, nil, holdfast.CheckOK, ""},
		"text":             {func([]byte) []byte { return []byte("a letter") }, holdfast.ErrRefused, holdfast.CheckUnchecked, "is text"},
		"impossible pages": {func(d []byte) []byte { copy(d[16:], "\x00\x03"); return d }, holdfast.ErrDamaged, holdfast.CheckUnchecked, "header is damaged"},
		"cut":              {func(d []byte) []byte { return d[:len(d)/2] }, nil, holdfast.CheckFailed, "malformed"},
		"overwritten":      {func(d []byte) []byte { copy(d[4096:], strings.Repeat("x", 3000)); return d }, nil, holdfast.CheckFailed, "quick_check"},
		"schema damaged": {func(d []byte) []byte {
			return []byte(strings.Replace(string(d), "CREATE TABLE notes", "CREATE FABLE notes", 1))
		}, nil, holdfast.CheckFailed, "malformed database schema"},
	} {
		for _, mode := range []string{"wal", "delete"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "bot.db")
				s := startShell(t, path)
				s.run("PRAGMA journal_mode=" + mode + "; CREATE TABLE notes(id INTEGER PRIMARY KEY, text); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 500) INSERT INTO notes SELECT i, hex(randomblob(50)) FROM c;")
				s.in.Close()
				if err := s.cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(path)
				if err == nil {
					err = os.WriteFile(path, c.harm(data), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				report, err := CheckLive(t.Context(), path, CheckLiveOptions{})
				if c.err == nil && err != nil || c.err != nil && !errors.Is(err, c.err) {
					t.Fatalf("got %v, want %v", err, c.err)
				}
				said := ""
				if err != nil {
					said = err.Error()
				}
				for _, p := range report.Problems {
					said += p.Message
				}
				if got := report.Facts.SQLite.QuickCheck; got != c.check || !strings.Contains(said, c.text) {
					t.Errorf("it is %s: %s", got, said)
				}
				left, err := filepath.Glob(path + "-*")
				if err != nil || len(left) > 0 {
					t.Errorf("left behind: %v %v", left, err)
				}
			})
		}
	}
}

func TestCheckLive_TellsWhoHasItLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	s := startShell(t, path)
	s.run("CREATE TABLE notes(id INTEGER PRIMARY KEY); BEGIN EXCLUSIVE; INSERT INTO notes VALUES(1);")
	_, err := CheckLive(t.Context(), path, CheckLiveOptions{Wait: 50 * time.Millisecond})
	wantError(t, err, holdfast.ErrLocked, "locked by process")
}
