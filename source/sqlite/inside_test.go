package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// manyTables is a database with every kind of table and key.
const manyTables = `
	CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, joined DATETIME, active BOOLEAN, score REAL, photo BLOB);
	INSERT INTO users VALUES(1,'Anna Ärger','2024-01-02 03:04:05',1,2.0,x'00ff'),(2,'Bob','2024-01-03',0,2.5,x''),(-7,'سلام دنیا',NULL,'yes',NULL,zeroblob(100)),(9000000000000000001,'Zoë',7,2,1e300,NULL);
	CREATE TABLE plain(a, b); INSERT INTO plain VALUES(1,'one'),(1,'one'),(NULL,NULL),(2.0,'x''00'''),('text',x'01');
	CREATE TABLE words(w TEXT PRIMARY KEY, n); INSERT INTO words VALUES('42',1),('1.0',2),('x''ab''',3),('',4),(' padded ',5),('[1]',6),('"q"',7),(x'ab',8),(NULL,9),(NULL,10),('Ωmega',11),('line
break',12);
	CREATE TABLE pair(a, b, c TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID; INSERT INTO pair VALUES(1,'x','first'),(1,'y','second'),(1.5,'x','third'),('1','x','fourth'),(x'31','x','fifth'),(9007199254740993,1,'sixth'),(9007199254740992.0,2,'seventh');
	CREATE TABLE back(a, b, t TEXT, PRIMARY KEY(a DESC, b)) WITHOUT ROWID; INSERT INTO back VALUES(1,1,'aa'),(1,2,'bb'),(2,1,'cc'),('z',0,'dd'),(x'00',0,'ee');
	CREATE TABLE loose(a, b, t TEXT, PRIMARY KEY(a DESC, b)); INSERT INTO loose VALUES(1,NULL,'aa'),(NULL,2,'bb'),(NULL,NULL,'cc'),(NULL,NULL,'dd'),(2,1,'ee'),(2,NULL,'ff'),(3,3,'gg');
	CREATE TABLE nocase(k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO nocase VALUES('b','one'),('A','two'),('C','three'),('a'||char(0)||'x','four'),('ab','five'),('_','six'),('Z','seven');
	CREATE TABLE trimmed(k TEXT COLLATE RTRIM PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO trimmed VALUES('b  ','one'),('b !','two'),('b','three') ON CONFLICT DO NOTHING; INSERT INTO trimmed VALUES('a','four');
	CREATE TABLE "we ""ird" ("a ""b" TEXT, [sel'ect] INT, PRIMARY KEY("a ""b", [sel'ect])); INSERT INTO "we ""ird" VALUES('quote " and ''',1),('x',2);
	CREATE TABLE hidden(rowid TEXT, oid TEXT); INSERT INTO hidden VALUES('no row id','really');
	CREATE TABLE computed(id INTEGER PRIMARY KEY, price INT, twice INT AS (price*2), thrice INT AS (price*3) STORED); INSERT INTO computed(id,price) VALUES(1,10),(2,20);
	CREATE TABLE tight(id INT PRIMARY KEY, v ANY) STRICT; INSERT INTO tight VALUES(1,'a'),(2,2.5),(3,x'01');
	CREATE TABLE "Descending"(id INTEGER PRIMARY KEY DESC, v TEXT); INSERT INTO "Descending" VALUES(1,'eins'),(2,'zwei'),(NULL,'drei');
	CREATE TABLE zero(t TEXT); INSERT INTO zero VALUES('before'||char(0)||'after');
	CREATE TABLE empty(x);
	CREATE VIEW v AS SELECT * FROM users;
	CREATE VIRTUAL TABLE fts USING fts5(title, body); INSERT INTO fts VALUES('Titel','ein langer Text über Katzen'),('zweiter','noch einer');
	CREATE VIRTUAL TABLE bare_fts USING fts5(body, content=''); INSERT INTO bare_fts(rowid,body) VALUES(1,'gone');
	CREATE VIRTUAL TABLE notes_fts USING fts5(name, content='users', content_rowid='id'); INSERT INTO notes_fts(notes_fts) VALUES('rebuild');
	CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES(1,0,1);
	CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO counted(v) VALUES('un'),('deux');`

// makeDatabase makes a database in a directory of its own and opens that as a copy.
func makeDatabase(t testing.TB, statements string) (dir string, s *Source) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "bot.db")
	sourcetest.SQLite(t, path, statements)
	return dir, newSource(t, path, Options{})
}

func openInside(t testing.TB, s *Source, copy fs.FS) holdfast.Inside {
	t.Helper()
	in, err := s.Look(t.Context(), copy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func TestLook_KeepsTheContract(t *testing.T) {
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		t.Run(encoding, func(t *testing.T) {
			dir, s := makeDatabase(t, "PRAGMA encoding='"+encoding+"'; PRAGMA journal_mode=WAL;"+manyTables)
			sourcetest.RunLook(t, sourcetest.LookFixture{Source: s, Copy: os.DirFS(dir), Roots: []string{dir}})
		})
	}
}

func TestLook_Tables(t *testing.T) {
	dir, s := makeDatabase(t, manyTables)
	in := openInside(t, s, os.DirFS(dir))
	tables, err := in.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var open, closed []string
	for _, table := range tables {
		if table.Closed == "" {
			open = append(open, table.Name)
		} else {
			closed = append(closed, table.Name+": "+table.Closed)
		}
	}
	if got, want := strings.Join(open, " "), `Descending back computed counted empty fts hidden loose nocase notes_fts pair plain tight trimmed users we "ird words zero`; got != want {
		t.Errorf("open are\n%s, want\n%s", got, want)
	}
	if len(closed) != 2 || !strings.Contains(closed[0], "bare_fts: it is an index") || !strings.Contains(closed[1], "module rtree") {
		t.Errorf("closed are %q", closed)
	}
	// A search tells what it cannot read; what keeps nothing has nothing to be found.
	var skipped []string
	for _, err := range in.Search(t.Context(), holdfast.SearchQuery{Text: "anna", Skipped: func(table, why string) { skipped = append(skipped, table+": "+why) }}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(skipped, closed[1:]) {
		t.Errorf("skipped are %q", skipped)
	}
	users := tables[len(tables)-4]
	if users.Name != "users" || *users.Rows != 4 || fmt.Sprint(users.Columns[:2]) != "[{id INTEGER true} {name TEXT false}]" {
		t.Errorf("users is %+v", users)
	}
}

func TestLook_KeysAndValues(t *testing.T) {
	dir, s := makeDatabase(t, manyTables)
	in := openInside(t, s, os.DirFS(dir))
	keys := func(table string) string {
		var all []string
		for r, err := range in.Rows(t.Context(), table, holdfast.RowsOptions{ByKey: true}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Key)
		}
		return strings.Join(all, " | ")
	}
	for table, want := range map[string]string{
		"users":    `-7 | 1 | 2 | 9000000000000000001`,
		"plain":    `1 | 2 | 3 | 4 | 5`,
		"words":    `[null,{"rowid":9}] | [null,{"rowid":10}] | "" | " padded " | "\"q\"" | "1.0" | "42" | "[1]" | "line\nbreak" | "x'ab'" | Ωmega | x'ab'`,
		"pair":     `[1,"x"] | [1,"y"] | [1.5,"x"] | [9007199254740992.0,2] | [9007199254740993,1] | ["1","x"] | [{"x":"31"},"x"]`,
		"back":     `[{"x":"00"},0] | ["z",0] | [2,1] | [1,1] | [1,2]`,
		"loose":    `[3,3] | [2,null,{"rowid":6}] | [2,1] | [1,null,{"rowid":1}] | [null,null,{"rowid":3}] | [null,null,{"rowid":4}] | [null,2,{"rowid":2}]`,
		"nocase":   `_ | A | "a\u0000x" | ab | b | C | Z`,
		"we \"ird": `["quote \" and '",1] | ["x",2]`,
		"hidden":   `1`,
		"fts":      `1 | 2`,
	} {
		if got := keys(table); got != want {
			t.Errorf("%s: keys are\n%s, want\n%s", table, got, want)
		}
	}
	r, err := in.Row(t.Context(), "USERS", "-7")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%#v", r.Fields[1].Value)+fmt.Sprintf("%#v %#v", r.Fields[2].Value, r.Fields[3].Value), `"سلام دنیا"<nil> "yes"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	one, err := in.Row(t.Context(), "users", "1")
	if err != nil || fmt.Sprintf("%#v %#v %#v", one.Fields[2].Value, one.Fields[3].Value, one.Fields[4].Value) != `"2024-01-02 03:04:05" 1 2` {
		t.Errorf("values are not as SQLite has them: %#v, %v", one.Fields, err)
	}
	for what, err := range map[string]error{
		"a key with too few columns": second(in.Row(t.Context(), "pair", "1")),
		"a key that is broken":       second(in.Row(t.Context(), "pair", "[1,")),
	} {
		if !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Rows of two tables whose keys are ordered otherwise cannot be laid side by side.
func TestLook_TellsOrdersApart(t *testing.T) {
	dir, s := makeDatabase(t, `CREATE TABLE a(k TEXT PRIMARY KEY, v); CREATE TABLE b(K TEXT PRIMARY KEY, v, more); CREATE TABLE c(k TEXT COLLATE NOCASE PRIMARY KEY, v); CREATE TABLE d(k TEXT, v, PRIMARY KEY(k DESC));
		CREATE TABLE e(k TEXT, v, PRIMARY KEY(k, v)); CREATE TABLE f(k TEXT, v); CREATE TABLE g(k INTEGER PRIMARY KEY, v);`)
	tables, err := openInside(t, s, os.DirFS(dir)).Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orders := map[string]string{}
	for _, table := range tables {
		orders[table.Order] += table.Name
	}
	if len(orders) != 6 || orders[tables[0].Order] != "ab" {
		t.Errorf("orders are %q", orders)
	}
}

func second(_ holdfast.Row, err error) error { return err }

// No listing sorts: SQLite would have to hold a table in memory.
func TestLook_SortsNothing(t *testing.T) {
	dir, s := makeDatabase(t, manyTables+"CREATE INDEX tempting ON loose(a, t); CREATE INDEX covering ON words(n, w);")
	in := openInside(t, s, os.DirFS(dir)).(*inside)
	tables, err := in.schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if table.Closed != "" {
			continue
		}
		for _, order := range []schema.Order{table.Natural(), table.ByKey()} {
			after := make([]any, len(order.Terms))
			for i := range after {
				after[i] = int64(i)
			}
			for _, r := range append(order.All(), order.After(after)...) {
				plan := ""
				err := each(t.Context(), in.db, "EXPLAIN QUERY PLAN "+selection(table, table.Columns, 100)+r.SQL, r.Args, func(rows *sql.Rows) (bool, error) {
					var a, b, c int
					var detail string
					err := rows.Scan(&a, &b, &c, &detail)
					plan += detail + "; "
					return true, err
				})
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(plan, "TEMP B-TREE") || r.Args != nil && strings.HasPrefix(plan, "SCAN") && table.Module == "" {
					t.Errorf("%s%s: %s", table.Name, r.SQL, plan)
				}
			}
		}
	}
}

// counting counts the bytes that are read of files.
type counting struct {
	fs.FS
	read *atomic.Int64
}

func (c counting) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	return countingFile{f, c.read}, err
}

type countingFile struct {
	fs.File
	read *atomic.Int64
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.(io.ReaderAt).ReadAt(p, off)
	f.read.Add(int64(n))
	return n, err
}

func TestLook_ReadsOnlyThePagesItNeeds(t *testing.T) {
	dir, s := makeDatabase(t, `CREATE TABLE log(id INTEGER PRIMARY KEY, who TEXT UNIQUE, text TEXT, file BLOB); CREATE TABLE named(k TEXT PRIMARY KEY, v);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9000) INSERT INTO log SELECT i, 'user'||i, hex(randomblob(1000)), CASE WHEN i<4 THEN zeroblob(10000000) END FROM n;
		INSERT INTO named SELECT who, text FROM log;`)
	var read atomic.Int64
	in := openInside(t, s, counting{os.DirFS(dir), &read})
	page := func(what, table string, o holdfast.RowsOptions, most int64) string {
		t.Helper()
		before, n, last := read.Load(), 0, ""
		for r, err := range in.Rows(t.Context(), table, o) {
			if err != nil {
				t.Fatal(err)
			}
			if last = r.Cursor; n == 49 {
				break
			}
			n++
		}
		if got := read.Load() - before; n != 49 || got > most {
			t.Errorf("%s: %d rows for %d bytes, want 50 for at most %d", what, n+1, got, most)
		}
		return last
	}
	if _, err := in.Tables(t.Context()); err != nil || read.Load() > 1<<20 {
		t.Errorf("the list of tables costs %d bytes, %v", read.Load(), err)
	}
	o := holdfast.RowsOptions{MaxValue: 200}
	o.After = page("the first page", "log", o, 2<<20)
	page("the second page", "log", o, 1<<20)
	o = holdfast.RowsOptions{MaxValue: 200, ByKey: true}
	o.After = page("the first page by key", "named", o, 6<<20)
	page("the second page by key", "named", o, 6<<20)
	before := read.Load()
	if _, err := in.Row(t.Context(), "named", "user4711"); err != nil || read.Load()-before > 1<<20 {
		t.Errorf("one row costs %d bytes, %v", read.Load()-before, err)
	}
}
