package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// partsFixture is a live database and a copy of an earlier state of it.
type partsFixture struct {
	t     *testing.T
	path  string
	src   *Source
	copy  fs.FS
	runs  int
	lossy bool // accept losses
	busy  bool // somebody has the database open
}

// newParts makes a database of statements, copies it, and changes it by later.
func newParts(t *testing.T, statements, later string) *partsFixture {
	t.Helper()
	dir, src := makeDatabase(t, statements)
	f := &partsFixture{t: t, path: filepath.Join(dir, "bot.db"), src: src}
	f.copy = f.backup()
	if later != "" {
		sourcetest.SQLite(t, f.path, later)
	}
	return f
}

// backup copies the database as it is now.
func (f *partsFixture) backup() fs.FS {
	f.t.Helper()
	if content, err := os.ReadFile(f.path); err == nil && !f.busy {
		return fstest.MapFS{"bot.db": {Data: content, Mode: 0o600}} // whoever wrote it has closed it
	}
	sink := sourcetest.NewSink(f.t)
	if _, err := f.src.Capture(f.t.Context(), sink); err != nil {
		f.t.Fatal(err)
	}
	return sink.FS()
}

// run restores parts with a verified backup of what they replace.
func (f *partsFixture) run(parts ...holdfast.Part) (holdfast.PartResult, error) {
	f.t.Helper()
	f.runs++
	o := holdfast.PartOptions{Stamp: fmt.Sprintf("20241030T15000%d", f.runs), Replaced: f.backup(), AcceptLosses: f.lossy}
	return f.src.RestoreParts(f.t.Context(), f.copy, parts, o)
}

func (f *partsFixture) must(parts ...holdfast.Part) holdfast.PartResult {
	f.t.Helper()
	r, err := f.run(parts...)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// ask gives what statements print.
func ask(t *testing.T, path, statements string) string {
	t.Helper()
	return strings.TrimRight(sourcetest.SQLite(t, path, statements), "\n")
}

// dump is everything in a table as SQL, with types and row ids.
func dump(t *testing.T, path, table string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", path, ".dump --preserve-rowids "+table).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// copied is the path of a copy.
func (f *partsFixture) copied() string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "copied.db")
	b, err := fs.ReadFile(f.copy, "bot.db")
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return path
}

const spoil = `DELETE FROM users; INSERT INTO users(id,name) VALUES(5,'later'),(1,'changed'); DELETE FROM plain; INSERT INTO plain VALUES('x',1);
	DELETE FROM words; INSERT INTO words VALUES('new',1); DELETE FROM pair; DELETE FROM back; DELETE FROM loose; UPDATE nocase SET v='x'; DELETE FROM trimmed;
	DELETE FROM "we ""ird"; DELETE FROM hidden; UPDATE computed SET price=7; DELETE FROM tight; DELETE FROM "Descending"; DELETE FROM zero; DELETE FROM fts; DELETE FROM counted;
	INSERT INTO counted(v) VALUES('trois');`

func TestRestoreParts_WholeTablesOfEveryKind(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			f := newParts(t, "PRAGMA journal_mode="+mode+";"+manyTables, spoil)
			if _, err := f.run(holdfast.Part{}); !errors.Is(err, holdfast.ErrRefused) {
				t.Errorf("losses are taken without a word: %v", err)
			}
			f.lossy, f.busy = true, true
			reader := startShell(t, f.path)
			reader.run("SELECT count(*) FROM users;")
			r := f.must(holdfast.Part{})
			was := f.copied()
			for _, c := range r.Changes {
				got, want := dump(t, f.path, literal(c.Table)), dump(t, was, literal(c.Table))
				if c.Table == "fts" { // whose index may be laid out in another way
					const rows = "SELECT rowid, * FROM fts"
					got, want = ask(t, f.path, rows), ask(t, was, rows)
				}
				if c.Table == "counted" {
					want = strings.Replace(want, "'counted',2", "'counted',3", 1) // a row id is never given twice
				}
				if got != want {
					t.Errorf("%s is\n%s, want\n%s", c.Table, got, want)
				}
			}
			if len(r.Changes) != 17 || len(r.Kept) > 0 {
				t.Errorf("changed %d tables, kept %v", len(r.Changes), r.Kept)
			}
			if got := reader.run("SELECT name FROM users WHERE id=1;"); got != "Anna Ärger" {
				t.Errorf("a reader that was open sees %q", got)
			}
			if got := reader.run("SELECT count(*) FROM notes_fts WHERE notes_fts MATCH 'Zoë';"); got != "1" {
				t.Errorf("the full-text index finds %s", got)
			}
			if got := reader.run("PRAGMA integrity_check;"); got != "ok" {
				t.Error(got)
			}
			if got := reader.run("PRAGMA journal_mode;"); !strings.EqualFold(got, mode) {
				t.Errorf("the journal mode is %s", got)
			}
		})
	}
}

func TestRestoreParts_Rows(t *testing.T) {
	f := newParts(t, manyTables, spoil+"INSERT INTO words(rowid,w,n) VALUES(40,'42','live'); INSERT INTO users(id,name) VALUES(2,'Bobby');")
	f.must(holdfast.Part{Table: "users", Keys: []string{"1", "-7"}})
	if got := ask(t, f.path, "SELECT group_concat(id||name, ' ') FROM (SELECT * FROM users ORDER BY id)"); got != "-7سلام دنیا 1Anna Ärger 2Bobby 5later" {
		t.Errorf("users are %s", got)
	}
	if got := ask(t, f.path, "SELECT typeof(photo)||length(photo)||typeof(score)||typeof(joined) FROM users WHERE id=-7"); got != "blob100nullnull" {
		t.Errorf("types are %s", got)
	}
	f.must(holdfast.Part{Table: "words", Keys: []string{`"42"`, `"x'ab'"`, "x'ab'", `[null,{"rowid":9}]`, `""`}})
	if got := ask(t, f.path, "SELECT group_concat(rowid||typeof(w)||n, ' ') FROM (SELECT rowid, * FROM words ORDER BY rowid)"); got != "1text1 3text3 4text4 8blob8 9null9 40text1" {
		t.Errorf("words are %s", got)
	}
	f.must(holdfast.Part{Table: "pair", Keys: []string{`[1.5,"x"]`, `["1","x"]`, `[{"x":"31"},"x"]`}},
		holdfast.Part{Table: "nocase", Keys: []string{"a"}}, holdfast.Part{Table: "fts", Keys: []string{"2"}})
	if got := ask(t, f.path, "SELECT group_concat(c, ' ') FROM (SELECT c FROM pair ORDER BY c)"); got != "fifth fourth third" {
		t.Errorf("pairs are %s", got)
	}
	if got := ask(t, f.path, "SELECT group_concat(k||v, ' ') FROM (SELECT * FROM nocase ORDER BY k) WHERE v<>'x'"); got != "Atwo" {
		t.Errorf("rows without case are %s", got)
	}
	if got := ask(t, f.path, "SELECT rowid||title FROM fts WHERE fts MATCH 'noch'"); got != "2zweiter" {
		t.Errorf("full text has %s", got)
	}
}

// A whole database is more than its tables: what does not come back is told before.
func TestPlanParts_TellsOfViewsThatDoNotComeBack(t *testing.T) {
	f := newParts(t, "CREATE TABLE t(v); CREATE VIEW same AS SELECT v FROM t; CREATE VIEW gone AS SELECT v FROM t; CREATE VIEW changed AS SELECT v FROM t;",
		"DROP VIEW gone; DROP VIEW changed; CREATE VIEW changed AS SELECT 1; CREATE VIEW later AS SELECT 2;")
	plan, err := f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{}})
	if err != nil || len(plan.Losses) != 2 || plan.Losses[0].Object != "view changed" || plan.Losses[1].Object != "view gone" {
		t.Errorf("losses are %+v, %v", plan.Losses, err)
	}
	if _, err := f.run(holdfast.Part{}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if plan, err = f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{Table: "t"}}); err != nil || len(plan.Losses) > 0 {
		t.Errorf("of one table losses are %+v, %v", plan.Losses, err)
	}
}

// What cannot be kept beside is not removed where no backup has it.
func TestRestoreParts_RemovesNothingThatIsNowhereElse(t *testing.T) {
	f := newParts(t, "CREATE TABLE t(v);", "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES(1,0,1);")
	parts := []holdfast.Part{{Exact: true}}
	for _, o := range []holdfast.PartOptions{{Stamp: "S"}, {Stamp: "S", Replaced: f.backup(), KeepReplaced: true}} {
		if _, err := f.src.RestoreParts(t.Context(), f.copy, parts, o); !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("got %v", err)
		}
		if got := ask(t, f.path, "SELECT count(*) FROM boxes"); got != "1" {
			t.Errorf("boxes has %s rows", got)
		}
	}
	f.must(parts...)
	if got := ask(t, f.path, "SELECT group_concat(name) FROM sqlite_schema"); got != "t" {
		t.Errorf("there are %s", got)
	}
}

// After a VACUUM a row id may be that of another row.
func TestRestoreParts_TellsOfRowsThatNothingButTheirRowIDNames(t *testing.T) {
	f := newParts(t, "CREATE TABLE t(v); INSERT INTO t VALUES('a'),('b'),('c');", "DELETE FROM t WHERE rowid=1; VACUUM;")
	for key, told := range map[string]int{"2": 1, "3": 0} {
		r := f.must(holdfast.Part{Table: "t", Keys: []string{key}})
		if len(r.Problems) != told || told > 0 && !strings.Contains(r.Problems[0].Message, "no primary key") {
			t.Errorf("row %s: told %+v", key, r.Problems)
		}
	}
}

func TestRestoreParts_ExactRemovesWhatTheCopyDoesNotHave(t *testing.T) {
	f := newParts(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'a');",
		"INSERT INTO t VALUES(2,'b'),(3,'c'); UPDATE t SET v='z' WHERE id=1; CREATE TABLE later(x); CREATE TABLE other(x);")
	if _, err := f.run(holdfast.Part{Table: "t", Keys: []string{"1", "2"}}); !errors.Is(err, holdfast.ErrNotFound) {
		t.Fatalf("a row that the copy does not have: %v", err)
	}
	for _, key := range []string{"2", "99"} { // one that is in the live database, and one that is nowhere
		_, err := f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{Table: "t", Keys: []string{"1", key}}})
		if !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(err.Error(), `row "`+key+`" of table t`) || !strings.Contains(holdfast.HintOf(err), "browse") {
			t.Errorf("the plan of a row that the copy does not have: %v", err)
		}
	}
	if _, err := f.run(holdfast.Part{Table: "later"}); !errors.Is(err, holdfast.ErrNotFound) {
		t.Fatalf("a table that the copy does not have: %v", err)
	}
	plan, err := f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{Table: "t", Keys: []string{"1", "1"}}})
	if err != nil || *plan.Changes[0].Now != 1 || *plan.Changes[0].Then != 1 || len(plan.Changes[0].Keys) != 1 {
		t.Errorf("the plan of a row that is named twice: %+v, %v", plan.Changes, err)
	}
	f.must(holdfast.Part{Table: "t", Keys: []string{"1", "2"}, Exact: true}, holdfast.Part{Table: "later", Exact: true})
	if got := ask(t, f.path, "SELECT group_concat(id||v, ' ') FROM t; SELECT group_concat(name,' ') FROM sqlite_schema"); got != "1a 3c\nt other" {
		t.Errorf("got %q", got)
	}
	r := f.must(holdfast.Part{Exact: true})
	if got := ask(t, f.path, "SELECT group_concat(id||v, ' ') FROM t; SELECT group_concat(name,' ') FROM sqlite_schema"); got != "1a\nt" {
		t.Errorf("got %q, %+v", got, r)
	}
}

func TestRestoreParts_CreatesWithIndexesAndTriggers(t *testing.T) {
	const made = `CREATE TABLE "no te"(id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT CHECK(t<>'')); CREATE UNIQUE INDEX by_t ON "no te"(t); CREATE TABLE log(x);
		CREATE TRIGGER logged AFTER INSERT ON "no te" BEGIN INSERT INTO log VALUES(new.t); END; INSERT INTO "no te"(t) VALUES('a'),('b'); DELETE FROM log; DELETE FROM "no te" WHERE t='b';`
	f := newParts(t, made, `DROP TABLE "no te";`)
	f.must(holdfast.Part{Table: "no te"}, holdfast.Part{Table: "log"})
	if got, want := ask(t, f.path, "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)"), ask(t, f.copied(), "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)"); got != want {
		t.Errorf("the schema is\n%s, want\n%s", got, want)
	}
	if got := ask(t, f.path, `SELECT count(*) FROM log; INSERT INTO "no te"(t) VALUES('c'); SELECT id FROM "no te" WHERE t='c'; SELECT count(*) FROM log`); got != "0\n3\n1" {
		t.Errorf("log, next id, log are %q", got)
	}
	r := f.must(holdfast.Part{Table: "no te", As: "of 'May'"})
	if got := ask(t, f.path, `SELECT t FROM "of 'May'"; SELECT name FROM pragma_index_list('of ''May'''); SELECT count(*) FROM "no te"`); got != "a\nof 'May'_by_t\n2" {
		t.Errorf("under another name: %q", got)
	}
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "triggers") || r.Changes[0].Action != holdfast.PartCreate {
		t.Errorf("got %+v", r)
	}
}

func TestRestoreParts_RunsNoTriggersAndKeepsThem(t *testing.T) {
	f := newParts(t, `CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE log(x); INSERT INTO t VALUES(1,'a'),(2,'b');
		CREATE TRIGGER gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES('gone'); END; CREATE TRIGGER come BEFORE INSERT ON t BEGIN SELECT raise(ABORT, 'never'); END;`, "UPDATE t SET v='z';")
	before := ask(t, f.path, "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY name)")
	r := f.must(holdfast.Part{Table: "t", Keys: []string{"1"}})
	if got := ask(t, f.path, "SELECT group_concat(v, ' ') FROM t; SELECT count(*) FROM log"); got != "a z\n0" {
		t.Errorf("got %q", got)
	}
	if got := ask(t, f.path, "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY name)"); got != before {
		t.Errorf("the schema is\n%s, was\n%s", got, before)
	}
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "gone, come") {
		t.Errorf("problems are %+v", r.Problems)
	}
}

func TestRestoreParts_RefusesAndUndoes(t *testing.T) {
	const schema = `CREATE TABLE owner(id INTEGER PRIMARY KEY, mail TEXT UNIQUE ON CONFLICT REPLACE); CREATE TABLE pet(id INTEGER PRIMARY KEY, owner REFERENCES owner ON DELETE CASCADE, name);
		CREATE TABLE x(a, b TEXT); INSERT INTO owner VALUES(1,'one'),(2,'two'); INSERT INTO pet VALUES(1,1,'cat'),(2,2,'dog'); INSERT INTO x VALUES(1,2);`
	for name, tt := range map[string]struct {
		later string
		parts []holdfast.Part
		kind  error
		says  string
	}{
		"another row has the value":  {"DELETE FROM owner; INSERT INTO owner VALUES(7,'two');", []holdfast.Part{{Table: "owner", Keys: []string{"2"}}}, holdfast.ErrRefused, "owner.mail"},
		"a parent is missing":        {"DELETE FROM owner; DELETE FROM pet;", []holdfast.Part{{Table: "pet", Keys: []string{"1"}}}, holdfast.ErrRefused, "refer to rows that do not exist"},
		"a parent goes":              {"INSERT INTO owner VALUES(3,'three'); INSERT INTO pet VALUES(3,3,'cow');", []holdfast.Part{{Table: "owner"}}, holdfast.ErrRefused, "1 more of its rows"},
		"other columns":              {"DROP TABLE x; CREATE TABLE x(a, b INT, c);", []holdfast.Part{{Table: "x"}}, holdfast.ErrRefused, `column "b" is of type TEXT in the backup and INT now; column "c" is only in the present table`},
		"another key":                {"DROP TABLE x; CREATE TABLE x(a PRIMARY KEY, b TEXT);", []holdfast.Part{{Table: "x"}}, holdfast.ErrRefused, "primary key"},
		"twice":                      {"", []holdfast.Part{{Table: "x"}, {Table: "owner", As: "X"}}, holdfast.ErrUsage, "named twice"},
		"keys of everything":         {"", []holdfast.Part{{Keys: []string{"1"}}}, holdfast.ErrUsage, "one table only"},
		"a name of SQLite":           {"", []holdfast.Part{{Table: "x", As: "sqlite_x"}}, holdfast.ErrUsage, "belong to SQLite"},
		"nothing":                    {"", nil, holdfast.ErrUsage, "no parts"},
		"a key that is none":         {"", []holdfast.Part{{Table: "x", Keys: []string{"[1,2]"}}}, holdfast.ErrUsage, "gives 2"},
		"an index has the name":      {"DROP TABLE x; CREATE TABLE y(a); CREATE INDEX x ON y(a);", []holdfast.Part{{Table: "x"}}, holdfast.ErrRefused, "already"},
		"a check that is new":        {"DROP TABLE x; CREATE TABLE x(a, b TEXT CHECK(b<>'2'));", []holdfast.Part{{Table: "x"}}, holdfast.ErrRefused, "CHECK"},
		"a function nobody has":      {"CREATE INDEX i ON x(abs(b)); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql,'abs(','own(');", []holdfast.Part{{Table: "x"}}, holdfast.ErrRefused, "function"},
		"one part of two is refused": {"DELETE FROM x; DELETE FROM owner; DELETE FROM pet;", []holdfast.Part{{Table: "x"}, {Table: "pet"}}, holdfast.ErrRefused, "refer"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newParts(t, schema, tt.later)
			before := dump(t, f.path, "")
			r, err := f.run(tt.parts...)
			if err == nil || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want one of kind %v that says %q", err, tt.kind, tt.says)
			}
			if !r.Undone {
				t.Error("nothing tells that the database is as it was")
			}
			if after := dump(t, f.path, ""); after != before {
				t.Errorf("the database is\n%s, was\n%s", after, before)
			}
		})
	}
}

func TestRestoreParts_KeysBetweenPartsMayBeBrokenInBetween(t *testing.T) {
	f := newParts(t, `CREATE TABLE owner(id INTEGER PRIMARY KEY); CREATE TABLE pet(id INTEGER PRIMARY KEY, owner REFERENCES owner ON DELETE CASCADE);
		INSERT INTO owner VALUES(1); INSERT INTO pet VALUES(1,1); INSERT INTO pet VALUES(9,99);`, "DELETE FROM pet; DELETE FROM owner; INSERT INTO owner VALUES(2); INSERT INTO pet VALUES(2,2),(9,99);")
	f.must(holdfast.Part{Table: "pet", Keys: []string{"1"}}, holdfast.Part{Table: "owner", Keys: []string{"1"}})
	if got := ask(t, f.path, "SELECT group_concat(id||'-'||owner, ' ') FROM pet"); got != "1-1 2-2 9-99" {
		t.Errorf("pets are %s", got)
	}
}

func TestRestoreParts_KeepsWhatNoBackupHas(t *testing.T) {
	const made = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES(1,'a'),(2,'b'); INSERT INTO w VALUES('k',1),('l',2);"
	f := newParts(t, made, "UPDATE t SET v=v||'1'; UPDATE w SET v=v+10;")
	emergency := f.backup()
	sourcetest.SQLite(t, f.path, "UPDATE t SET v='since' WHERE id=2; INSERT INTO w VALUES('m','since');")
	o := holdfast.PartOptions{Stamp: "S", Replaced: emergency}
	parts := []holdfast.Part{{Table: "t"}, {Table: "w"}}
	r, err := f.src.RestoreParts(t.Context(), f.copy, parts, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, f.path, `SELECT group_concat(id||v) FROM "t-before-S"; SELECT group_concat(k||v) FROM "w-before-S"; SELECT group_concat(v) FROM t; SELECT group_concat(v) FROM w`); got != "2since\nmsince\na,b\n1,2" {
		t.Errorf("got %q", got)
	}
	if fmt.Sprint(r.Kept) != "[t-before-S w-before-S]" || len(r.Problems) != 2 {
		t.Errorf("told %+v", r)
	}
	// Without a backup all of it is kept, of rows those.
	r, err = f.src.RestoreParts(t.Context(), f.copy, []holdfast.Part{{Table: "t", Keys: []string{"1"}}, {Table: "w"}}, holdfast.PartOptions{Stamp: "N"})
	if err != nil || fmt.Sprint(r.Kept) != "[t-before-N w-before-N]" {
		t.Errorf("kept %v, %v", r.Kept, err)
	}
	if got := ask(t, f.path, `SELECT group_concat(id||v) FROM "t-before-N"; SELECT group_concat(k||v) FROM "w-before-N"`); got != "1a\nk1,l2" {
		t.Errorf("got %q", got)
	}
}

func TestRestoreParts_NotesTellWhetherItHappened(t *testing.T) {
	const made = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'a');"
	crash := errors.New("crash")
	for cut := range 3 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			f := newParts(t, made, "UPDATE t SET v='z';")
			var notes []json.RawMessage
			o := holdfast.PartOptions{Stamp: "S", Replaced: f.backup(), Note: func(n json.RawMessage) error {
				notes = append(notes, n)
				if len(notes) > cut {
					return crash
				}
				return nil
			}}
			_, err := f.src.RestoreParts(t.Context(), f.copy, []holdfast.Part{{Table: "t"}}, o)
			if (cut == 0) != errors.Is(err, crash) {
				t.Fatalf("got %v", err)
			}
			// The last note that was kept; a crash before the next lost that one.
			var last json.RawMessage
			if cut > 0 {
				last = notes[cut-1]
			}
			for range 2 { // also again
				settled, err := f.src.Settle(t.Context(), last)
				if err != nil {
					t.Fatal(err)
				}
				if happened := ask(t, f.path, "SELECT v FROM t") == "a"; settled.Finished != happened || settled.Result.Undone == happened {
					if cut != 1 { // whose marker is gone after the first time
						t.Errorf("settled as %+v, it happened: %v", settled, happened)
					}
				}
				if got := ask(t, f.path, "SELECT count(*) FROM sqlite_schema"); got != "1" {
					t.Errorf("%s tables are left", got)
				}
				if cut == 1 {
					break
				}
			}
		})
	}
}

func TestRestoreParts_CancelledAtAnyStepChangesNothing(t *testing.T) {
	f := newParts(t, manyTables, spoil)
	before := dump(t, f.path, "")
	parts := []holdfast.Part{{Table: "users"}, {Table: "words", Keys: []string{"Ωmega"}}}
	for cut := 0; ; cut++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		o := holdfast.PartOptions{Stamp: "S", Replaced: f.backup(), Note: func(json.RawMessage) error { return nil }, Step: func(holdfast.Step, string) {
			if steps++; steps > cut {
				cancel()
			}
		}}
		r, err := f.src.RestoreParts(ctx, f.copy, parts, o)
		cancel()
		if err == nil {
			if cut != 6 || ask(t, f.path, "SELECT name FROM users WHERE id=1; SELECT count(*) FROM sqlite_schema WHERE name LIKE 'holdfast%'") != "Anna Ärger\n0" {
				t.Errorf("went through after %d steps", cut)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || !r.Undone {
			t.Errorf("step %d: %v, undone %v", cut, err, r.Undone)
		}
		if after := dump(t, f.path, ""); after != before {
			t.Fatalf("cut at step %d the database is\n%s, was\n%s", cut, after, before)
		}
	}
}

func TestRestoreParts_AmongBusyWriters(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			bank := sourcetest.NewBank(t, path, mode, 256<<10)
			f := &partsFixture{t: t, path: path, src: newSource(t, path, Options{}), busy: true}
			f.copy = f.backup()
			stop := bank.Busy(t, 2)
			for range 2 {
				f.must(holdfast.Part{Table: "ballast"})
				f.must(holdfast.Part{Table: "account"})
			}
			stop()
			bank.Check(t, path)
		})
	}
}

func TestPlanParts(t *testing.T) {
	f := newParts(t, manyTables, spoil+"CREATE TABLE later(x); DROP TABLE zero;")
	before := sourcetest.Fingerprint(t, f.path)
	p, err := f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{Table: "USERS"}, {Table: "zero"}, {Table: "words", Keys: []string{"Ωmega", `"42"`}}, {Table: "later", Exact: true}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Changes {
		got = append(got, fmt.Sprintf("%s %s %s %d→%d", c.Action, c.From, c.Table, *c.Now, *c.Then))
	}
	if want := "replace users users 2→4, create zero zero 0→1, merge words words 0→2, remove  later 1→0"; strings.Join(got, ", ") != strings.Replace(want, "1→0", "0→0", 1) {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	p, err = f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{}})
	if err != nil || fmt.Sprint(p.Stays) != "[later]" || len(p.Losses) != 2 || p.Bytes == 0 {
		t.Errorf("stays %v, losses %+v, %d bytes, %v", p.Stays, p.Losses, p.Bytes, err)
	}
	sameFiles(t, before, sourcetest.Fingerprint(t, f.path))
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	_, err = f.src.PlanParts(t.Context(), f.copy, []holdfast.Part{{}})
	wantError(t, err, holdfast.ErrRefused, "no live database")
}
