package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// botConnector opens connections by OpenConn.
type botConnector struct {
	uri     string
	pragmas []string
}

func (c botConnector) Connect(ctx context.Context) (driver.Conn, error) {
	return OpenConn(ctx, c.uri, c.pragmas...)
}

func (c botConnector) Driver() driver.Driver { return nil }

// openBot is a handle over OpenConn.
func openBot(t testing.TB, path string, pragmas ...string) *sql.DB {
	t.Helper()
	uri, err := FileURI(path)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(botConnector{uri, pragmas})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOpenConn_Defaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a ü?&#.db")
	db := openBot(t, path, "cache_size(-1000)")
	execDB(t, db, "CREATE TABLE t (at DATETIME)")
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "10000", "cache_size": "-1000",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	execDB(t, db, "INSERT INTO t VALUES (?)", at)
	if n := scanInt(t, db, "SELECT strftime('%s', at) FROM t"); int64(n) != at.Unix() {
		t.Errorf("SQLite reads a time as %d, want %d", n, at.Unix())
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if got := scanInt(t, openBot(t, path, "busy_timeout(7)"), "PRAGMA busy_timeout"); got != 7 {
		t.Errorf("a pragma of the caller does not win: %d", got)
	}
}

// Whoever wants no WAL mode gets none, on every connection beside the others.
func TestOpenConn_TheCallersJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	for _, pragma := range []string{"journal_mode(DELETE)", "Journal_Mode = delete"} {
		db := openBot(t, path, pragma, "BUSY_TIMEOUT=9")
		execDB(t, db, "CREATE TABLE IF NOT EXISTS t (n)")
		rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2")
		if err != nil {
			t.Fatal(err)
		}
		rows.Next() // keeps its connection
		execDB(t, db, "INSERT INTO t VALUES (1)")
		var mode string
		if err := db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "delete" {
			t.Errorf("%s: the mode is %s (%v)", pragma, mode, err)
		}
		if got := scanInt(t, db, "PRAGMA busy_timeout"); got != 9 {
			t.Errorf("the busy timeout is %d", got)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Two that read before they write would fail one of them without a wait.
func TestOpenConn_TransactionsWaitForEachOther(t *testing.T) {
	t.Parallel()
	db := openBot(t, filepath.Join(t.TempDir(), "bot.db"))
	execDB(t, db, "CREATE TABLE t (x); INSERT INTO t VALUES (0)")
	failed := make(chan error)
	for range 4 {
		go func() {
			for range 20 {
				if err := increment(db); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if n := scanInt(t, db, "SELECT x FROM t"); n != 80 {
		t.Errorf("counted to %d", n)
	}
}

func increment(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	var n int
	err = tx.QueryRow("SELECT x FROM t").Scan(&n)
	if err == nil {
		_, err = tx.Exec("UPDATE t SET x=?", n+1)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// A backup in the same process must not take the bot's locks away.
func TestOpenConn_CanBeReadBeside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openBot(t, path, "journal_mode(delete)")
	execDB(t, db, "PRAGMA journal_mode=DELETE")
	execDB(t, db, "CREATE TABLE t (x)")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil { // with POSIX locks this drops them
		t.Fatal(err)
	}
	if _, err := startShell(t, path).try(".timeout 50\nINSERT INTO t VALUES (2);"); err == nil {
		t.Error("another process wrote beside a transaction")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.SQLiteInt(t, path, "SELECT sum(x) FROM t"); got != 1 {
		t.Errorf("sqlite3 reads %d", got)
	}
}

func TestOpenConn_Refuses(t *testing.T) {
	t.Parallel()
	if _, err := OpenConn(t.Context(), "/plain/path.db"); !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
		t.Errorf("a plain path gives %v", err)
	}
	uri, err := FileURI(filepath.Join(t.TempDir(), "gone", "bot.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenConn(t.Context(), uri)
	if storage, sure := Fault(err); !storage || !sure {
		t.Errorf("a directory that is gone gives %v", err)
	}
}

func TestFault_NamesWhatIsSure(t *testing.T) {
	t.Parallel()
	for extended, sure := range beforeWriting {
		if extended&0xff != sqlite3.SQLITE_IOERR || !sure {
			t.Errorf("%d is no failure of input or output", extended)
		}
	}
	for _, extended := range []int{sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE} {
		if beforeWriting[extended] {
			t.Errorf("%d may come after a commit was written", extended)
		}
	}
	if storage, sure := Fault(errors.New("another error")); storage || sure {
		t.Error("another error is taken for one of the storage")
	}
	db := openBot(t, filepath.Join(t.TempDir(), "bot.db"))
	_, err := db.ExecContext(t.Context(), "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1),(1)")
	if storage, _ := Fault(err); storage || err == nil {
		t.Errorf("%v is taken for one of the storage", err)
	}
}
