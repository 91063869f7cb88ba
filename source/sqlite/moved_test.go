package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// interferingSink lets something happen to the source right after the first
// bytes of it were written.
type interferingSink struct {
	*sourcetest.Sink
	interfere func()
}

func (s *interferingSink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	w, err := s.Sink.Create(e)
	return &interferingWriter{w, s}, err
}

type interferingWriter struct {
	holdfast.FileWriter
	sink *interferingSink
}

func (w *interferingWriter) Write(p []byte) (int, error) {
	n, err := w.FileWriter.Write(p)
	if interfere := w.sink.interfere; interfere != nil {
		w.sink.interfere = nil
		interfere()
	}
	return n, err
}

func TestCapture_BeginsAgainWhenTheFileMoves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		mode      string
		interfere func(t *testing.T, bank *sourcetest.Bank)
		method    string
	}{
		{"nothing happens", "DELETE", func(*testing.T, *sourcetest.Bank) {}, "optimistic"},
		{"a commit", "DELETE", func(t *testing.T, bank *sourcetest.Bank) {
			sourcetest.SQLite(t, bank.Path, "BEGIN; UPDATE account SET balance=balance-1 WHERE id=1; UPDATE account SET balance=balance+1 WHERE id=400; COMMIT;")
		}, "shared lock"},
		{"a transaction that spilled into the file and was rolled back", "DELETE", func(t *testing.T, bank *sourcetest.Bank) {
			sourcetest.SQLite(t, bank.Path, "PRAGMA cache_size=2; BEGIN; UPDATE ballast SET data=zeroblob(8192); ROLLBACK;")
		}, "shared lock"},
		{"a change to WAL mode", "DELETE", func(t *testing.T, bank *sourcetest.Bank) {
			startShell(t, bank.Path).run("PRAGMA journal_mode=WAL; UPDATE account SET note=NULL;")
		}, "wal snapshot"},
		{"a change that keeps the file's time", "DELETE", func(t *testing.T, bank *sourcetest.Bank) {
			info, err := os.Stat(bank.Path)
			if err != nil {
				t.Fatal(err)
			}
			sourcetest.SQLite(t, bank.Path, "UPDATE account SET note=NULL;")
			if err := os.Chtimes(bank.Path, time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, "shared lock"},
		{"nothing happens to a closed WAL database", "WAL", func(*testing.T, *sourcetest.Bank) {}, "closed file"},
		{"an owner that comes", "WAL", func(t *testing.T, bank *sourcetest.Bank) {
			startShell(t, bank.Path).run("UPDATE account SET note=NULL;")
		}, "wal snapshot"},
		{"an owner that comes, writes and goes", "WAL", func(t *testing.T, bank *sourcetest.Bank) {
			sourcetest.SQLite(t, bank.Path, "UPDATE account SET note=NULL;")
		}, "wal snapshot"},
		{"another file in its place", "DELETE", func(t *testing.T, bank *sourcetest.Bank) {
			other := filepath.Join(t.TempDir(), "other.db")
			sourcetest.NewBank(t, other, "DELETE", 3<<20)
			if err := os.Rename(other, bank.Path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * settleAge)
		}, "optimistic"},
	}
	if !plainReads() {
		t.Fatal("these are about files that are read outside SQLite, which this process may not do")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			bank := sourcetest.NewBank(t, path, tt.mode, 2<<20)
			sink := &interferingSink{Sink: sourcetest.NewSink(t), interfere: func() { tt.interfere(t, bank) }}
			got, err := newSource(t, path, Options{}).Capture(t.Context(), sink)
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != tt.method {
				t.Errorf("the method was %q, want %q", got.Method, tt.method)
			}
			again := !strings.HasPrefix(tt.name, "nothing")
			if (sink.Resets("bot.db") > 0) != again {
				t.Errorf("%d times begun again", sink.Resets("bot.db"))
			}
			bank.Check(t, sink.Path("bot.db"))
			if n := sourcetest.SQLiteInt(t, sink.Path("bot.db"), "SELECT count(*) FROM ballast"); n != 256 && tt.name != "another file in its place" {
				t.Errorf("the copy has %d rows of ballast", n)
			}
		})
	}
}
