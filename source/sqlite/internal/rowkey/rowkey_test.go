package rowkey_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast/source/sqlite/internal/rowkey"
)

// edges are values at which an order or a text may go wrong.
var edges = []any{
	nil, int64(0), int64(1), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), int64(1<<53 + 1), int64(1 << 53), int64(-1<<53 - 1), int64(math.MaxInt64 - 511),
	0.0, math.Copysign(0, -1), 1.5, -1.5, math.Inf(1), math.Inf(-1), float64(1 << 53), float64(1 << 63), -float64(1 << 63), 1e300, 5e-324, 1e21, 1e-7, 123456789.25,
	"", "a", "A", "ab", "a b", "b", "_", "a\x00", "a\x00b", "A\x00c", "\x00", "a ", "a  ", " a", "ä", "Ä", "\uffff", "\U00010000", "\U0001f600",
	"1", "1.0", "1e5", "-", "+1", ".", "null", "x'ab'", "x'a'", "X'AB'", "x''", `"`, `"a"`, "[", "[1]", "line\nbreak", "\xff\xfe", "NaN", "Infinity",
	[]byte{},
	[]byte{0},
	[]byte{0, 0},
	[]byte{0, 0xff},
	[]byte{0xff},
	[]byte("a"),
	[]byte{1},
	[]byte{0, 1},
}

func TestText_ParsesBackUnambiguously(t *testing.T) {
	seen := map[string]rowkey.Key{}
	check := func(k rowkey.Key) {
		t.Helper()
		text := k.Text()
		got, err := rowkey.Parse(text)
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("%#v is %q, which parses as %#v, %v", k, text, got, err)
		}
		if other, ok := seen[text]; ok && !reflect.DeepEqual(other, k) {
			t.Errorf("%q names %#v and %#v", text, other, k)
		}
		seen[text] = k
	}
	id := int64(7)
	for _, a := range edges {
		check(rowkey.Key{Values: []any{a}})
		check(rowkey.Key{Values: []any{a}, Rowid: &id})
		for _, b := range edges {
			check(rowkey.Key{Values: []any{a, b}})
		}
	}
}

func TestParse_RefusesWhatIsBroken(t *testing.T) {
	for _, text := range []string{"[", "[1", `["a"] more`, `"a`, `"a" b`, `[{"x":"0"}]`, `[{"y":"00"}]`, `[true]`, `[[1]]`, `[{"rowid":1.5}]`, `[{"rowid":1},2]`} {
		if k, err := rowkey.Parse(text); err == nil {
			t.Errorf("%q is taken for %#v", text, k)
		}
	}
}

// The order of the bytes is that of SQLite itself, which is asked.
func TestAppendSort_OrdersAsSQLiteDoes(t *testing.T) {
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		db, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		defer db.Close()
		if _, err := db.Exec("PRAGMA encoding='" + encoding + "'; CREATE TABLE v(n INTEGER PRIMARY KEY, x)"); err != nil {
			t.Fatal(err)
		}
		values := some(encoding == "UTF-8")
		for i, v := range values {
			if _, err := db.Exec("INSERT INTO v VALUES(?,?)", i, v); err != nil {
				t.Fatal(err)
			}
		}
		binary := rowkey.Binary
		if encoding != "UTF-8" {
			binary = rowkey.Collation("BINARY of " + encoding)
		}
		for name, collation := range map[string]rowkey.Collation{"BINARY": binary, "NOCASE": rowkey.NoCase, "RTRIM": rowkey.RTrim} {
			rows, err := db.Query(fmt.Sprintf(`SELECT a.n, b.n, CASE WHEN a.x IS b.x COLLATE %[1]s THEN 0 WHEN a.x IS NULL THEN -1 WHEN b.x IS NULL THEN 1
				WHEN a.x < b.x COLLATE %[1]s THEN -1 ELSE 1 END FROM v a JOIN v b`, name))
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var a, b, want int
				if err := rows.Scan(&a, &b, &want); err != nil {
					t.Fatal(err)
				}
				for _, desc := range []bool{false, true} {
					// What follows a value must not disturb the order.
					x := append(rowkey.AppendSort(nil, values[a], collation, desc), byte(a))
					y := append(rowkey.AppendSort(nil, values[b], collation, desc), byte(b))
					expected := want
					if desc {
						expected = -want
					}
					if expected == 0 {
						expected = cmp.Compare(byte(a), byte(b))
					}
					if got := bytes.Compare(x, y); got != expected {
						t.Errorf("%s %s desc %v: %#v and %#v compare as %d, want %d", encoding, name, desc, values[a], values[b], got, expected)
					}
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// some are the edges and random values near them.
func some(invalid bool) []any {
	r := rand.New(rand.NewPCG(4, 7))
	var values []any
	for _, v := range edges {
		if s, ok := v.(string); ok && s == "\xff\xfe" && !invalid {
			continue
		}
		values = append(values, v)
	}
	letters := []rune("aAbB \x00_zZ\u00e4\uffff\U0001f600")
	for range 10 {
		n := r.Int64() >> r.IntN(64)
		text := make([]rune, r.IntN(4))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		values = append(values, n, float64(n), float64(n)/3, string(text), []byte(string(text)))
	}
	return values
}
