package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// captures is how often a test captures while others write.
const captures = 25

// captureNow captures into a new sink.
func captureNow(t testing.TB, s *Source) (holdfast.Captured, *sourcetest.Sink) {
	t.Helper()
	sink := sourcetest.NewSink(t)
	got, err := s.Capture(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	return got, sink
}

func TestCapture_IsOfOneInstantWhileOthersWrite(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			bank := sourcetest.NewBank(t, path, mode, 4<<20)
			stop := bank.Busy(t, 2)
			src := newSource(t, path, Options{})
			locked, resets := 0, 0
			for range captures {
				got, sink := captureNow(t, src)
				resets += sink.Resets("bot.db")
				if got.Method == "shared lock" {
					locked++
					if got.Stall <= 0 {
						t.Error("a capture under a lock reports no stall")
					}
				}
				if len(got.Problems) > 0 {
					t.Fatalf("problems in a sound database: %+v", got.Problems)
				}
				if mode == "WAL" && got.Stall != 0 {
					t.Errorf("writers in WAL mode were stalled for %v", got.Stall)
				}
				bank.Check(t, sink.Path("bot.db"))
			}
			if committed := stop(); committed < 25 {
				t.Fatalf("only %d transactions were committed meanwhile", committed)
			}
			// A writer that never pauses is met by every capture.
			if mode != "WAL" && (locked == 0 || resets == 0) {
				t.Errorf("%d captures under a lock, %d second passes; the writers were not met", locked, resets)
			}
			bank.Check(t, path)
		})
	}
}

// Writers that rest now and then let a capture without a lock succeed; it must
// never be one that a write has met.
func TestCapture_BetweenTheWritesOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	bank := sourcetest.NewBank(t, path, "DELETE", 1<<20)
	bank.Pause = 100 * time.Millisecond
	stop := bank.Busy(t, 1)
	src := newSource(t, path, Options{})
	methods := map[string]int{}
	for range captures {
		got, sink := captureNow(t, src)
		methods[got.Method]++
		bank.Check(t, sink.Path("bot.db"))
	}
	stop()
	if methods["optimistic"] == 0 {
		t.Errorf("no capture found a pause: %v", methods)
	}
}

func TestCapture_OfAQuietDatabaseEqualsTheFile(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		for _, page := range []int{512, 1024, 4096, 16384, 65536} {
			t.Run(fmt.Sprintf("%s/%d", mode, page), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "a b ธนาคาร?#%41.db")
				sourcetest.SQLite(t, path, fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA journal_mode=%s;
					CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
					WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300) INSERT INTO t SELECT i, randomblob(2000) FROM n;
					PRAGMA user_version=7; PRAGMA application_id=42;`, page, mode))
				got, sink := captureNow(t, newSource(t, path, Options{}))
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				copied, err := os.ReadFile(sink.Path(filepath.Base(path)))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(want, copied) {
					t.Fatalf("the copy of %d bytes differs from the file of %d", len(copied), len(want))
				}
				f := got.Facts.SQLite
				if f.PageSize != page || f.PageCount*int64(page) != int64(len(want)) || f.UserVersion != 7 || f.ApplicationID != 42 || f.Encoding != "UTF-8" {
					t.Errorf("wrong facts: %+v", f)
				}
				wantMode := map[string]string{"WAL": ModeWAL, "DELETE": ModeRollback}[mode]
				if f.JournalMode != wantMode {
					t.Errorf("journal mode %q, want %q", f.JournalMode, wantMode)
				}
			})
		}
	}
}

// Pages from SQLite and the plain file are two ways to the same bytes.
func TestCopy_OfPagesEqualsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.NewBank(t, path, "DELETE", 3<<20)
	l := openLive(t, path)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pages, file bytes.Buffer
	if err := l.copyPages(t.Context(), &pages, noProgress); err != nil {
		t.Fatal(err)
	}
	if err := l.copyFile(t.Context(), &file, noProgress); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pages.Bytes(), file.Bytes()) {
		t.Fatal("sqlite_dbpage and the file differ")
	}
}

func TestCapture_InWALModeWithAnOpenOwnerIncludesTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	owner := startShell(t, path)
	owner.run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3);")
	before := sourcetest.Fingerprint(t, filepath.Dir(path))
	got, sink := captureNow(t, newSource(t, path, Options{}))
	after := sourcetest.Fingerprint(t, filepath.Dir(path))
	if n := sourcetest.SQLiteInt(t, sink.Path("bot.db"), "SELECT count(*) FROM t"); n != 3 {
		t.Fatalf("the copy has %d rows, want 3", n)
	}
	if got.Method != "wal snapshot" || got.Stall != 0 {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"0:bot.db", "0:bot.db-wal"} {
		if before[name] == "" || before[name] != after[name] {
			t.Errorf("%s was changed by the capture", name)
		}
	}
	owner.run("INSERT INTO t VALUES(4);")
	if got := owner.run("SELECT count(*) FROM t;"); got != "4" {
		t.Errorf("the owner counts %s rows, want 4", got)
	}
}

func TestCapture_AfterAKilledOwnerLeavesItsLogAlone(t *testing.T) {
	t.Parallel()
	for _, shm := range []string{"with shm", "without shm"} {
		t.Run(shm, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			owner := startShell(t, path)
			owner.run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3);")
			owner.kill()
			if shm == "without shm" {
				if err := os.Remove(path + "-shm"); err != nil {
					t.Fatal(err)
				}
			}
			before := sourcetest.Fingerprint(t, path, path+"-wal")
			_, sink := captureNow(t, newSource(t, path, Options{}))
			if n := sourcetest.SQLiteInt(t, sink.Path("bot.db"), "SELECT count(*) FROM t"); n != 3 {
				t.Fatalf("the copy has %d rows, want 3", n)
			}
			after := sourcetest.Fingerprint(t, path, path+"-wal")
			if fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("database or log were changed: %v, then %v", before, after)
			}
			if n := sourcetest.SQLiteInt(t, path, "SELECT count(*) FROM t"); n != 3 {
				t.Errorf("the next owner finds %d rows, want 3", n)
			}
		})
	}
}

func TestCapture_RollsBackWhatAKilledOwnerLeftHalfDone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	bank := sourcetest.NewBank(t, path, "DELETE", 2<<20)
	want := sourcetest.Fingerprint(t, path)
	owner := startShell(t, path)
	owner.run("PRAGMA cache_size=2; BEGIN; UPDATE ballast SET data=zeroblob(8192); UPDATE account SET balance=0;")
	owner.kill()
	if fmt.Sprint(want) == fmt.Sprint(sourcetest.Fingerprint(t, path)) {
		t.Fatal("the killed owner had not written to the file, so there is nothing to roll back")
	}
	got, sink := captureNow(t, newSource(t, path, Options{}))
	bank.Check(t, sink.Path("bot.db"))
	if len(got.Problems) != 1 || got.Problems[0].Severity != holdfast.Warning || !strings.Contains(got.Problems[0].Message, "rolled it back") {
		t.Errorf("the recovery is not told: %+v", got.Problems)
	}
	bank.Check(t, path)
}

func TestCapture_WaitsForALongLockOnlySoLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.NewBank(t, path, "DELETE", 1<<20)
	owner := startShell(t, path)
	owner.run("BEGIN EXCLUSIVE;")
	_, err := newSource(t, path, Options{Wait: 200 * time.Millisecond}).Capture(t.Context(), sourcetest.NewSink(t))
	wantError(t, err, holdfast.ErrLocked, "locked by")
	owner.run("COMMIT;")
	captureNow(t, newSource(t, path, Options{Wait: 200 * time.Millisecond}))
}

func TestCapture_FollowsALinkToTheFileItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real := filepath.Join(dir, "real", "store.sqlite")
	if err := os.Mkdir(filepath.Dir(real), 0o700); err != nil {
		t.Fatal(err)
	}
	sourcetest.NewBank(t, real, "WAL", 64<<10)
	link := filepath.Join(dir, "bot.db")
	for from, to := range map[string]string{link: "middle", filepath.Join(dir, "middle"): "real/store.sqlite"} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	src := newSource(t, link, Options{})
	if _, sink := captureNow(t, src); len(sink.Entries()) != 1 {
		t.Errorf("captured %v, want bot.db alone", sink.Entries())
	}
	real, err := filepath.EvalSymlinks(real)
	if err != nil {
		t.Fatal(err)
	}
	if got := src.Target(); got.Path != real || got.File != "bot.db" {
		t.Errorf("the target is %+v, want %s", got, real)
	}
	// A restore must know where the file was, also when it is gone.
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	if got := src.Target().Path; got != real {
		t.Errorf("the target of a dangling link is %s, want %s", got, real)
	}
}

func TestCapture_TellsOfOddFilesAndCapturesThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		spoil    func(t *testing.T, path string)
		severity holdfast.Severity
		message  string
	}{
		{"empty", func(t *testing.T, path string) { truncate(t, path, 0) }, holdfast.Warning, "is empty"},
		{"cut", func(t *testing.T, path string) { truncate(t, path, 5*4096) }, holdfast.Damaged, "is cut"},
		{"odd size", func(t *testing.T, path string) { appendTo(t, path, "tail") }, holdfast.Warning, "4 bytes after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			sourcetest.NewBank(t, path, "DELETE", 64<<10)
			tt.spoil(t, path)
			src := newSource(t, path, Options{})
			got, sink := captureNow(t, src)
			if len(got.Problems) != 1 || got.Problems[0].Severity != tt.severity || !strings.Contains(got.Problems[0].Message, tt.message) {
				t.Fatalf("got %+v, want one %s problem that says %q", got.Problems, tt.severity, tt.message)
			}
			if fmt.Sprint(sourcetest.Fingerprint(t, path)) != fmt.Sprint(sourcetest.Fingerprint(t, sink.Path("bot.db"))) {
				t.Error("the copy is not what the file is")
			}
			report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Problems) == 0 || report.Problems[0] != got.Problems[0] {
				t.Errorf("the check says %+v, the capture %+v", report.Problems, got.Problems)
			}
		})
	}
}

func truncate(t testing.TB, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, data string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, info.Size(), data)
}
