package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

func TestLook_GivesWhatDamageLeaves(t *testing.T) {
	dir, s := makeDatabase(t, `CREATE TABLE large(id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE small(t TEXT); INSERT INTO small VALUES('a needle here');
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) INSERT INTO large SELECT i, 'row '||i||hex(zeroblob(200)) FROM n;
		UPDATE large SET t='a needle there' WHERE id=3;`)
	path := filepath.Join(dir, "bot.db")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, info.Size()/2/4096*4096, strings.Repeat("\xff", 4096))
	in := openInside(t, s, os.DirFS(dir))
	n := 0
	for _, err = range in.Rows(t.Context(), "large", holdfast.RowsOptions{}) {
		if err == nil {
			n++
		}
	}
	if n < 1000 || n > 4000 {
		t.Errorf("%d rows could be read", n)
	}
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "large") || holdfast.HintOf(err) == "" {
		t.Errorf("got %v, want damage that names the table", err)
	}
	if r, err := in.Row(t.Context(), "large", "4999"); err != nil || r.Key != "4999" {
		t.Errorf("a row behind the damage: %+v, %v", r, err)
	}
	var found []string
	for h, e := range in.Search(t.Context(), holdfast.SearchQuery{Text: "NEEDLE"}) {
		if err = e; e == nil {
			found = append(found, h.Table+" "+h.Key)
		}
	}
	if strings.Join(found, ", ") != "large 3, small 1" || !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("found %v, then %v", found, err)
	}
}

func TestLook_ReadsAroundWhatItCannotUnderstand(t *testing.T) {
	dir, s := makeDatabase(t, `CREATE TABLE good(t); INSERT INTO good VALUES('x'); CREATE TABLE broken(a); CREATE TABLE thai(k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO thai VALUES('b',1),('a',2);
		CREATE TABLE tight(k TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID; CREATE TABLE computed(a, b AS (abs(a)));
		PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(replace(replace(sql,'NOCASE','uca_th'),'abs(','own('),'broken(a','broken((');
		INSERT INTO sqlite_schema VALUES('table','vectors','vectors',0,'CREATE VIRTUAL TABLE vectors USING vec9(x float[3])');`)
	in := openInside(t, s, os.DirFS(dir))
	tables, err := in.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{
		"broken": "definition", "computed": "own", "good": "", "thai": "",
		"tight": "the collation UCA_TH", "vectors": "vec9",
	}
	if len(tables) != len(says) {
		t.Errorf("tables are %+v", tables)
	}
	for _, table := range tables {
		if want := says[table.Name]; want == "" != (table.Closed == "") || !strings.Contains(table.Closed, want) {
			t.Errorf("%s is closed since %q, want %q", table.Name, table.Closed, want)
		}
	}
	keys := ""
	for r, err := range in.Rows(t.Context(), "thai", holdfast.RowsOptions{ByKey: true}) {
		if err != nil {
			t.Fatal(err)
		}
		keys += r.Key + " "
	}
	if keys != "1 2 " { // row ids: the order of the key is the application's
		t.Errorf("keys are %s", keys)
	}
}

func TestLook_NamesWhatItCannotOpen(t *testing.T) {
	dir, s := makeDatabase(t, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(300000)); CREATE TABLE u(b); INSERT INTO u VALUES(1);")
	path := filepath.Join(dir, "bot.db")
	broken := errors.New("the bucket is gone")
	bad := openInside(t, s, failing{FS: os.DirFS(dir), err: broken})
	var err error
	for _, err = range bad.Rows(t.Context(), "u", holdfast.RowsOptions{}) {
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the storage", err)
	}
	if err := os.WriteFile(path, []byte("this is a text and no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Look(t.Context(), os.DirFS(dir))
	wantError(t, err, holdfast.ErrRefused, "is text")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if tables, err := openInside(t, s, os.DirFS(dir)).Tables(t.Context()); err != nil || len(tables) != 0 {
		t.Errorf("an empty file has %v, %v", tables, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Look(ctx, os.DirFS(dir)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Look(t.Context(), os.DirFS(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSearch_FindsNumbersAndWhatZerosHide(t *testing.T) {
	dir, s := makeDatabase(t, manyTables+"CREATE TABLE n(x); INSERT INTO n VALUES(12345),(1234.5),('1234'),(1e30),('no'),(2.0);")
	in := openInside(t, s, os.DirFS(dir))
	search := func(text string, tables ...string) string {
		var found []string
		for h, err := range in.Search(t.Context(), holdfast.SearchQuery{Text: text, Tables: tables}) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, h.Table+" "+h.Key+" "+h.Field+" "+h.Snippet[h.At:h.At+h.Length])
		}
		return strings.Join(found, ", ")
	}
	for text, want := range map[string]string{
		"234":    "n 1 x 234, n 2 x 234, n 3 x 234",
		"1234.5": "n 2 x 1234.5",
		"1e+30":  "n 4 x 1e+30",
		"2.0":    "n 6 x 2.0",
		"O":      "n 5 x o",
	} {
		if got := search(text, "n"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := search("AFTER"); got != "zero 1 t after" {
		t.Errorf("behind a zero byte: %s", got)
	}
	if got := search("ärger"); got != "notes_fts 1 name Ärger, users 1 name Ärger" {
		t.Errorf("got %s", got)
	}
	if got := search("Ärger' OR 1=1 --%"); got != "" {
		t.Errorf("a strange text finds %s", got)
	}
	if got := sourcetest.SQLiteInt(t, filepath.Join(dir, "bot.db"), "SELECT count(*) FROM n"); got != 6 {
		t.Errorf("%d rows are left", got)
	}
}
