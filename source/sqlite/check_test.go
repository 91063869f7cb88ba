package sqlite

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// checkFile checks one database in a directory of its own.
func checkFile(t testing.TB, path string, opts holdfast.CheckOptions) holdfast.Report {
	t.Helper()
	report, err := newSource(t, path, Options{}).Check(t.Context(), os.DirFS(filepath.Dir(path)), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestCheck_CountsTheRowsOfRealTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.SQLite(t, path, `PRAGMA user_version=3;
		CREATE TABLE "odd ""name"" ก"(a); INSERT INTO "odd ""name"" ก" VALUES(1),(2),(3);
		CREATE TABLE keyed(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO keyed VALUES(1,1),(2,2);
		CREATE TABLE numbered(id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO numbered(a) VALUES(1);
		CREATE VIEW all_keyed AS SELECT * FROM keyed;
		CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES('one'),('two');`)
	report := checkFile(t, path, holdfast.CheckOptions{Full: true})
	if len(report.Problems) > 0 {
		t.Errorf("problems in a sound database: %+v", report.Problems)
	}
	f := report.Facts.SQLite
	want := map[string]int64{`odd "name" ก`: 3, "keyed": 2, "numbered": 1}
	if !maps.Equal(f.Tables, want) || f.Rows == nil || *f.Rows != 6 {
		t.Errorf("got %v (%v rows), want %v (6)", f.Tables, f.Rows, want)
	}
	if f.QuickCheck != holdfast.CheckOK || f.UserVersion != 3 {
		t.Errorf("got %+v", f)
	}
}

// otherIndex makes a database whose index i does not index what its schema
// says.
const otherIndex = `CREATE TABLE t(a,b); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1,7),(2,8);
	PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql='CREATE INDEX i ON t(b)' WHERE name='i';`

func TestCheck_TellsDamageFromWhatItCannotKnow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		sql      string
		damage   func(t *testing.T, path string)
		full     bool
		state    holdfast.CheckState
		severity holdfast.Severity // empty: no problem
		message  string
	}{
		{
			name:  "module of the application",
			sql:   `PRAGMA writable_schema=1; INSERT INTO sqlite_schema VALUES('table','v','v',0,'CREATE VIRTUAL TABLE v USING secret_module(a)');`,
			state: holdfast.CheckOK,
		},
		{
			name: "collation of the application",
			sql: `CREATE TABLE names(a TEXT); CREATE INDEX by_name ON names(a); INSERT INTO names VALUES('x');
				PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql='CREATE INDEX by_name ON names(a COLLATE secret)' WHERE name='by_name';`,
			full: true, state: holdfast.CheckUnchecked, severity: holdfast.Warning, message: "cannot be made here",
		},
		{
			name: "function of the application",
			sql: `CREATE TABLE names(a TEXT); CREATE INDEX by_name ON names(lower(a)); INSERT INTO names VALUES('x');
				PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql='CREATE INDEX by_name ON names(secret(a))' WHERE name='by_name';`,
			full: true, state: holdfast.CheckUnchecked, severity: holdfast.Warning, message: "cannot be made here",
		},
		{
			name: "constraint that rows violate",
			sql: `CREATE TABLE names(a TEXT); INSERT INTO names VALUES(NULL);
				PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql='CREATE TABLE names(a TEXT NOT NULL)';`,
			state: holdfast.CheckOK, severity: holdfast.Warning, message: "NULL value in names.a",
		},
		{
			name:  "foreign key without its row",
			sql:   `CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(p REFERENCES parent); INSERT INTO child VALUES(7),(8);`,
			full:  true,
			state: holdfast.CheckOK, severity: holdfast.Warning, message: "2 rows refer to rows that do not exist",
		},
		{
			name:  "index of another column, to a quick check",
			sql:   otherIndex,
			state: holdfast.CheckOK,
		},
		{
			name: "index of another column, to a full check",
			sql:  otherIndex,
			full: true, state: holdfast.CheckFailed, severity: holdfast.Damaged, message: "missing from index i",
		},
		{
			name: "overwritten page",
			sql:  `CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT INTO t SELECT randomblob(500) FROM n;`,
			damage: func(t *testing.T, path string) {
				overwrite(t, path, 4096, strings.Repeat("\xff", 8192))
			},
			state: holdfast.CheckFailed, severity: holdfast.Damaged, message: "quick_check",
		},
		{
			name:  "damaged schema",
			sql:   `CREATE TABLE t(a); PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql='CREATE TABLE t(((';`,
			state: holdfast.CheckFailed, severity: holdfast.Damaged, message: "malformed",
		},
		{
			name:   "damaged header",
			sql:    `CREATE TABLE t(a);`,
			damage: func(t *testing.T, path string) { overwrite(t, path, 16, "\x00\x03") },
			state:  holdfast.CheckFailed, severity: holdfast.Damaged, message: "header is damaged",
		},
		{
			name:   "zeros",
			sql:    `CREATE TABLE t(a);`,
			damage: func(t *testing.T, path string) { overwrite(t, path, 0, strings.Repeat("\x00", 4096)) },
			state:  holdfast.CheckFailed, severity: holdfast.Damaged, message: "begins with zeros",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			sourcetest.SQLite(t, path, tt.sql)
			if tt.damage != nil {
				tt.damage(t, path)
			}
			report := checkFile(t, path, holdfast.CheckOptions{Full: tt.full})
			if got := report.Facts.SQLite.QuickCheck; got != tt.state {
				t.Errorf("the state is %q, want %q: %+v", got, tt.state, report.Problems)
			}
			if tt.severity == "" {
				if len(report.Problems) > 0 {
					t.Errorf("got %+v, want no problem", report.Problems)
				}
				return
			}
			found := slices.ContainsFunc(report.Problems, func(p holdfast.Problem) bool {
				return p.Severity == tt.severity && strings.Contains(p.Message, tt.message)
			})
			if !found {
				t.Errorf("got %+v, want a %s problem that says %q", report.Problems, tt.severity, tt.message)
			}
		})
	}
}

func TestCheck_OfAMissingFileIsDamageOfTheCopy(t *testing.T) {
	t.Parallel()
	report, err := newSource(t, "bot.db", Options{}).Check(t.Context(), fstest.MapFS{}, holdfast.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 1 || report.Problems[0].Severity != holdfast.Damaged {
		t.Errorf("got %+v", report.Problems)
	}
}

// failing is a file system whose files cannot be read after their first page.
type failing struct {
	fs.FS
	err error
}

func (f failing) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return failingFile{file, f.err}, nil
}

type failingFile struct {
	fs.File
	err error
}

func (f failingFile) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 {
		return 0, f.err
	}
	at, ok := f.File.(interface {
		ReadAt([]byte, int64) (int, error)
	})
	if !ok {
		return 0, errors.New("no ReadAt below")
	}
	return at.ReadAt(p, off)
}

func TestCheck_OfACopyThatCannotBeReadIsAnErrorAndNoFinding(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	sourcetest.NewBank(t, path, "DELETE", 512<<10)
	broken := errors.New("the bucket is gone")
	report, err := newSource(t, path, Options{}).Check(t.Context(), failing{os.DirFS(filepath.Dir(path)), broken}, holdfast.CheckOptions{})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want the error of the file system", err)
	}
	if len(report.Problems) > 0 {
		t.Errorf("a database that cannot be read is not damaged: %+v", report.Problems)
	}
}

func TestIdentify_NamesWhatIsNoDatabase(t *testing.T) {
	t.Parallel()
	random := make([]byte, 8192)
	source := rand.NewChaCha8([32]byte{1})
	if _, err := source.Read(random); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, content, want string
	}{
		{"SQLCipher", string(random), "encrypted, it seems by SQLCipher"},
		{"random of odd size", string(random[:5001]), "encrypted or compressed"},
		{"gzip", "\x1f\x8b\x08\x00" + string(random[:200]), "compressed with gzip"},
		{"zip", "PK\x03\x04" + string(random[:200]), "zip archive"},
		{"PDF", "%PDF-1.7\n", "PDF"},
		{"text", "ธนาคาร و متن\n", "is text"},
		{"text cut in a character", strings.Repeat("ก", 2000), "is text"},
		{"SQL dump", "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "dump in SQL"},
		{"wal", "\x37\x7f\x06\x82" + string(random[:200]), "write-ahead log"},
		{"journal", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + string(random[:200]), "rollback journal"},
		{"SQLite 2", "** This file contains an SQLite 2.1 database **", "SQLite 2"},
		{"tar", strings.Repeat("\x00", 257) + "ustar" + strings.Repeat("\x00", 250), "tar archive"},
		{"zeros", strings.Repeat("\x00", 4096), "zeros"},
		{"too short", "SQLite format 3\x00", "header is damaged"},
		{"unknown", strings.Repeat("\x01\x02", 600), "none of the marks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			src := newSource(t, path, Options{})
			_, err := src.Capture(t.Context(), sourcetest.NewSink(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("capture: got %v, want %q about %s", err, tt.want, path)
			}
			if holdfast.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
			if _, err := src.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("inspect: got %v, want %q", err, tt.want)
			}
		})
	}
}
